//! What each runtime sends, and that its containers are answered.

use cofferdam_notify::{Answer, Call, Errno, Listener, Registry, Service};
use std::sync::Arc;

use crate::world::{Runtime, World, possible};

/// One container of this runtime: its message, and answers to two calls.
fn is_answered(runtime: Runtime) {
    if !possible() {
        return;
    }
    let world = World::new(&["mkdir", "mkdirat"], "mkdir /tmp/fine; mkdir /tmp/forbidden; echo said");
    let said = world.run_with(runtime, |container| {
        assert_eq!(container.state.metadata, "KEY=value");
        assert_eq!(container.state.fds, ["seccompFd"]);
        assert!(container.state.pid > 0 && container.state.state.pid > 0);
        assert!(!container.state.state.id.is_empty() && container.state.state.bundle.contains("cdn-"));
        serve(container.listener)
    });
    assert!(said.text.contains("forbidden': Disk quota exceeded") && said.text.contains("said"), "{said:?}");
    assert!(!said.text.contains("fine'"), "{said:?}");
    assert_eq!(said.code, 0);
    assert!(!world.path("/tmp/fine").exists(), "it was told so, and nothing was made");
}

fn serve(listener: Listener) -> Service {
    let registry = Registry::new().on(&["mkdir", "mkdirat"], |request| match request.call()? {
        Call::Mkdir { path, .. } if path.as_c_str() == c"/tmp/forbidden" => Ok(Answer::Errno(Errno::EDQUOT)),
        _ => Ok(Answer::Value(0)),
    });
    Service::start(listener, Arc::new(registry), cofferdam_notify::Limits::default()).unwrap()
}

#[test]
fn a_container_of_ours_is_answered() {
    is_answered(Runtime::Ours);
}

#[test]
fn a_container_of_runc_is_answered() {
    is_answered(Runtime::Runc);
}

#[test]
fn a_container_of_crun_is_answered() {
    is_answered(Runtime::Crun);
}
