//! Handing a seccomp listener to its agent (`config-linux.md`, containerProcessState).

use std::os::fd::OwnedFd;
use std::path::Path;

use cofferdam_oci::{ContainerProcessState, Pointer, SPEC_VERSION, Spec, State};

use crate::{Error, ErrorKind, Result, sockets};

pub(crate) fn hand_over(spec: &Spec, state: &State, pid: i32, listener: &OwnedFd) -> Result<()> {
    let seccomp = spec.linux.as_ref().and_then(|l| l.seccomp.as_ref());
    let pointer = Pointer::new("/linux/seccomp/listenerPath");
    let Some(path) = seccomp.and_then(|s| s.listener_path.as_ref()) else {
        return Err(Error::new(ErrorKind::Configuration, "the profile notifies, but names no agent")
            .with_pointer(&pointer));
    };
    let message = ContainerProcessState {
        oci_version: SPEC_VERSION.to_owned(),
        fds: vec!["seccompFd".to_owned()],
        pid,
        metadata: seccomp.and_then(|s| s.listener_metadata.clone()).unwrap_or_default(),
        state: state.clone(),
    };
    let bytes = serde_json::to_vec(&message).unwrap_or_default();
    sockets::send(Path::new(path), &bytes, listener, "failed to connect with seccomp agent")
        .map_err(|e| e.with_pointer(&pointer).with_hint("is the agent running?"))
}
