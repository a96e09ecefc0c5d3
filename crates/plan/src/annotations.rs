//! Annotations that change what a container is: those of crun, which podman, buildah and people write.
//!
//! Called by the rules that they change, and by the library for what it opens itself. One that asks for something
//! which this runtime does not do is refused where leaving it out would run another program or another filter, and
//! warned about where it would not. See crun(1), "Extensions to OCI".

use cofferdam_oci::{Pointer, Spec};
use std::path::PathBuf;

use crate::findings::Findings;

const KEEP_GROUPS: &str = "run.oci.keep_original_groups";
const MOUNT_CONTEXT: &str = "run.oci.mount_context_type";
const HOOKS_STDOUT: &str = "run.oci.hooks.stdout";
const HOOKS_STDERR: &str = "run.oci.hooks.stderr";
const FAIL_UNKNOWN: &str = "run.oci.seccomp_fail_unknown_syscall";
const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
const PIDFD_RECEIVER: &str = "run.oci.pidfd_receiver";
const HANDLER: &str = "run.oci.handler";

/// What would run something else, and why it does not.
const REFUSED: [(&str, &str); 3] = [
    ("run.oci.seccomp.plugins", "seccomp plugins are not loaded; cofferdam-agent answers what a filter asks"),
    ("run.oci.seccomp_bpf_data", "a filter is made from linux.seccomp alone"),
    ("run.oci.systemd.force_cgroup_v1", "cgroups are those of the host; mount a version 1 hierarchy there"),
];

/// What runs the same program without.
const IGNORED: [&str; 2] = ["run.oci.systemd.subgroup", "run.oci.delegate-cgroup"];

fn at(name: &str) -> Pointer {
    Pointer::new("/annotations").key(name)
}

/// crun takes everything but `0` for yes.
fn asks(spec: &Spec, name: &str) -> bool {
    spec.annotations.get(name).is_some_and(|value| value != "0")
}

/// An absolute path on the host.
fn path(spec: &Spec, name: &str, findings: &mut Findings) -> Option<PathBuf> {
    let value = spec.annotations.get(name)?;
    findings.no_nul(&at(name), value);
    if !value.starts_with('/') {
        findings.reject(at(name), format!("{value:?} is not an absolute path"));
    }
    Some(value.into())
}

/// For rootless containers whose files belong to a group of the user's that is not mapped.
pub(crate) fn keeps_groups(spec: &Spec) -> bool {
    asks(spec, KEEP_GROUPS)
}

/// A name in a seccomp profile that nobody knows is a mistake.
pub(crate) fn fails_on_unknown_calls(spec: &Spec) -> Option<Pointer> {
    asks(spec, FAIL_UNKNOWN).then(|| at(FAIL_UNKNOWN))
}

/// The mount option that takes `linux.mountLabel`, see mount(8).
pub(crate) fn context_option(spec: &Spec) -> &str {
    spec.annotations.get(MOUNT_CONTEXT).map_or("context", String::as_str)
}

/// Where the output of hooks goes: standard output, standard error.
pub(crate) fn hook_output(spec: &Spec, findings: &mut Findings) -> [Option<PathBuf>; 2] {
    [path(spec, HOOKS_STDOUT, findings), path(spec, HOOKS_STDERR, findings)]
}

/// Judges those that no other rule reads.
pub(crate) fn check(spec: &Spec, findings: &mut Findings) {
    let option = context_option(spec);
    if !["context", "fscontext", "defcontext", "rootcontext"].contains(&option) {
        let known = "context, fscontext, defcontext or rootcontext";
        findings.reject(at(MOUNT_CONTEXT), format!("{option:?} is not {known}"));
    }
    for name in [SECCOMP_RECEIVER, PIDFD_RECEIVER] {
        let _ = path(spec, name, findings);
    }
    // As for crun: what only keeps a pod's namespaces is a program of this kernel anyway.
    let sandbox =
        spec.annotations.get("io.kubernetes.cri.container-type").is_some_and(|kind| kind == "sandbox");
    if let (Some(handler), false) = (spec.annotations.get(HANDLER), sandbox) {
        findings.reject_hint(
            at(HANDLER),
            format!("there is no handler {handler:?}: programs are run by this kernel alone"),
            "take the annotation away, or use a runtime that has it",
        );
    }
    for (name, why) in REFUSED {
        if spec.annotations.contains_key(name) {
            findings.reject(at(name), why);
        }
    }
    for name in IGNORED {
        if spec.annotations.get(name).is_some_and(|value| !value.is_empty()) {
            findings.warn(at(name), "has no effect: the process is in the container's own cgroup");
        }
    }
}

/// Where the pidfd of the container's process is to be sent.
///
/// ```
/// let spec = br#"{"ociVersion": "1.3.0", "annotations": {"run.oci.pidfd_receiver": "/run/s"}}"#;
/// let spec = cofferdam_oci::parse_spec(spec).unwrap();
/// assert_eq!(cofferdam_plan::pidfd_receiver(&spec).unwrap().to_str(), Some("/run/s"));
/// ```
#[must_use]
pub fn pidfd_receiver(spec: &Spec) -> Option<PathBuf> {
    spec.annotations.get(PIDFD_RECEIVER).map(PathBuf::from)
}

/// Puts what `run.oci.seccomp.receiver` says where the specification has it, unless something is there already.
///
/// ```
/// let spec = br#"{"ociVersion": "1.3.0", "annotations": {"run.oci.seccomp.receiver": "/run/s"},
///                 "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}"#;
/// let mut spec = cofferdam_oci::parse_spec(spec).unwrap();
/// cofferdam_plan::adopt_seccomp_receiver(&mut spec);
/// let listener = spec.linux.unwrap().seccomp.unwrap().listener_path;
/// assert_eq!(listener.as_deref(), Some("/run/s"));
/// ```
pub fn adopt_seccomp_receiver(spec: &mut Spec) {
    let Some(receiver) = spec.annotations.get(SECCOMP_RECEIVER) else { return };
    if let Some(seccomp) = spec.linux.as_mut().and_then(|linux| linux.seccomp.as_mut()) {
        seccomp.listener_path.get_or_insert_with(|| receiver.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, value: &str) -> Spec {
        Spec { annotations: [(name.to_owned(), value.to_owned())].into(), ..Spec::default() }
    }

    fn judged(spec: &Spec) -> Result<usize, String> {
        let mut findings = Findings::default();
        check(spec, &mut findings);
        let _ = hook_output(spec, &mut findings);
        findings.finish().map(|w| w.len()).map_err(|r| r.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn zero_is_no_and_all_else_is_yes() {
        assert!(keeps_groups(&spec(KEEP_GROUPS, "1")) && keeps_groups(&spec(KEEP_GROUPS, "")));
        assert!(!keeps_groups(&spec(KEEP_GROUPS, "0")) && !keeps_groups(&Spec::default()));
        assert!(fails_on_unknown_calls(&spec(FAIL_UNKNOWN, "1")).is_some());
        assert!(fails_on_unknown_calls(&spec(FAIL_UNKNOWN, "0")).is_none());
    }

    #[test]
    fn a_handler_is_refused_but_for_a_pods_sandbox() {
        let mut asked = spec(HANDLER, "krun");
        assert!(
            judged(&asked)
                .unwrap_err()
                .contains("/annotations/run.oci.handler: there is no handler \"krun\"")
        );
        asked.annotations.insert("io.kubernetes.cri.container-type".into(), "sandbox".into());
        assert_eq!(judged(&asked), Ok(0));
    }

    #[test]
    fn what_would_run_otherwise_is_refused_and_the_rest_warned_about() {
        for (name, _) in REFUSED {
            assert!(judged(&spec(name, "x")).unwrap_err().contains(name));
        }
        assert_eq!(judged(&spec("run.oci.delegate-cgroup", "init")), Ok(1));
        assert_eq!(judged(&spec("run.oci.systemd.subgroup", "")), Ok(0));
        assert_eq!(judged(&spec("run.oci.of-tomorrow", "1")), Ok(0));
    }

    #[test]
    fn paths_are_absolute_and_types_of_context_known() {
        for name in [HOOKS_STDOUT, HOOKS_STDERR, SECCOMP_RECEIVER, PIDFD_RECEIVER] {
            assert!(judged(&spec(name, "x")).unwrap_err().contains("not an absolute path"), "{name}");
            assert_eq!(judged(&spec(name, "/x")), Ok(0));
        }
        assert!(
            judged(&spec(MOUNT_CONTEXT, "seclabel")).unwrap_err().contains("\"seclabel\" is not context")
        );
        assert_eq!(judged(&spec(MOUNT_CONTEXT, "rootcontext")), Ok(0));
    }
}
