//! AppArmor profile, SELinux labels, seccomp: what the host must be able to enforce.
//!
//! Called for create and exec alike. A container never runs with less confinement than was asked for.

use cofferdam_oci::{Linux, Pointer};
use cofferdam_seccomp::Filter;

use crate::HostFacts;
use crate::findings::Findings;

/// The AppArmor profile; an empty one is none.
pub(crate) fn apparmor(
    at: &Pointer,
    profile: Option<&str>,
    facts: &HostFacts,
    findings: &mut Findings,
) -> Option<String> {
    let enabled = facts.apparmor;
    label(&at.key("apparmorProfile"), profile, enabled, "AppArmor", findings)
}

/// The SELinux label of the process; an empty one is none.
pub(crate) fn selinux(
    at: &Pointer,
    process: Option<&str>,
    facts: &HostFacts,
    findings: &mut Findings,
) -> Option<String> {
    label(&at.key("selinuxLabel"), process, facts.selinux, "SELinux", findings)
}

/// The SELinux label of mounts; an empty one is none.
pub(crate) fn mount(linux: &Linux, facts: &HostFacts, findings: &mut Findings) -> Option<String> {
    let at = Pointer::new("/linux/mountLabel");
    label(&at, linux.mount_label.as_deref(), facts.selinux, "SELinux", findings)
}

fn label(
    at: &Pointer,
    label: Option<&str>,
    enabled: bool,
    system: &str,
    findings: &mut Findings,
) -> Option<String> {
    let label = label.filter(|label| !label.is_empty())?;
    findings.no_nul(at, label);
    if !enabled {
        findings.lacks(at.clone(), format!("{label:?} asks for {system}, which this host has not enabled"));
    }
    Some(label.to_owned())
}

/// The compiled profile. One that says nothing is none, as for runc. With `known_only`, a name that no architecture
/// knows is a mistake.
pub(crate) fn seccomp(
    linux: &Linux,
    facts: &HostFacts,
    known_only: Option<&Pointer>,
    findings: &mut Findings,
) -> Option<Filter> {
    let profile = linux.seccomp.as_ref()?;
    if profile.default_action.is_empty() && profile.syscalls.is_empty() {
        return None;
    }
    let at = Pointer::new("/linux/seccomp");
    if !facts.seccomp {
        findings.lacks(at.clone(), "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)");
    }
    let filter = cofferdam_seccomp::compile(profile, &at, facts.arch)
        .map_err(|rejects| findings.extend(rejects))
        .ok()?;
    if let (Some(asked_by), unknown @ [_, ..]) = (known_only, filter.unknown_names()) {
        let message = format!("the seccomp profile names unknown system calls: {}", unknown.join(", "));
        findings.reject(asked_by.clone(), message);
    }
    Some(filter)
}
