//! `process.capabilities`: names to bits, within what the host can give.
//!
//! Called for create and exec alike. See capabilities(7), capset(2), credentials in user_namespaces(7).

use cofferdam_oci::{Capabilities, Pointer};

use crate::findings::Findings;
use crate::{CapSets, HostFacts};

/// Names by number, as in `linux/capability.h`.
const NAMES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Names of capabilities, by number.
///
/// ```
/// assert_eq!(cofferdam_plan::known_capabilities()[21], "CAP_SYS_ADMIN");
/// ```
#[must_use]
pub fn known_capabilities() -> &'static [&'static str] {
    NAMES
}

/// The number of a capability, from its name as documents write it.
///
/// ```
/// assert_eq!(cofferdam_plan::capability_bit("CAP_KILL"), Some(5));
/// assert_eq!(cofferdam_plan::capability_bit("cap_kill"), None);
/// ```
#[must_use]
pub fn capability_bit(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).and_then(|bit| u32::try_from(bit).ok())
}

/// What a process of the container can get at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Available {
    bounding: u64,
    permitted: u64,
    known: u64,
}

impl Available {
    /// In a user namespace of its own a process starts with all of them, the bounding set included;
    /// else it has what the runtime has.
    pub(crate) fn new(facts: &HostFacts, user_namespace: bool) -> Self {
        let known = u64::MAX.checked_shr(63_u32.saturating_sub(facts.last_cap)).unwrap_or_default();
        if user_namespace {
            return Self { bounding: known, permitted: known, known };
        }
        Self { bounding: facts.bounding & known, permitted: facts.capabilities & known, known }
    }
}

/// The five sets; none at all when the document has none.
pub(crate) fn decide(
    at: &Pointer,
    caps: Option<&Capabilities>,
    available: Available,
    findings: &mut Findings,
) -> CapSets {
    let Some(caps) = caps else { return CapSets::default() };
    let at = at.key("capabilities");
    let mut asked = |key: &str, names: &[String]| set(&at.key(key), names, available.known, findings);
    let bounding = asked("bounding", &caps.bounding);
    let permitted = asked("permitted", &caps.permitted);
    let effective = asked("effective", &caps.effective);
    let inheritable = asked("inheritable", &caps.inheritable);
    let ambient = asked("ambient", &caps.ambient);
    // capset(2) fails with EPERM for these two.
    subset(&at.key("effective"), effective, permitted, "permitted", findings);
    subset(&at.key("inheritable"), inheritable, bounding, "bounding", findings);
    let result = CapSets {
        bounding: bounding & available.bounding,
        permitted: permitted & available.permitted,
        effective: effective & available.permitted,
        inheritable: inheritable & available.bounding & available.permitted,
        ambient: ambient & available.permitted & permitted & inheritable,
    };
    let lost = (bounding & !available.bounding) | ((permitted | inheritable) & !available.permitted);
    if lost != 0 {
        findings
            .warn(at.clone(), format!("left out, since the runtime has them not itself: {}", names(lost)));
    }
    let dull = ambient & !(permitted & inheritable);
    if dull != 0 {
        let names = names(dull);
        findings.warn(
            at.key("ambient"),
            format!("can't raise ambient capability {names}: not both permitted and inheritable"),
        );
    }
    result
}

/// Unknown names are passed over, as for runc: a newer builder's document must run on an older kernel,
/// and less is never more dangerous.
fn set(at: &Pointer, names: &[String], known: u64, findings: &mut Findings) -> u64 {
    let mut bits = 0;
    for (i, name) in names.iter().enumerate() {
        match capability_bit(name).map(|n| 1_u64.checked_shl(n).unwrap_or_default()) {
            Some(bit) if known & bit != 0 => bits |= bit,
            Some(_) => findings.warn(at.index(i), format!("ignored: this kernel has no {name}")),
            None => findings.warn(at.index(i), format!("ignored: {name:?} is no capability")),
        }
    }
    bits
}

fn subset(at: &Pointer, bits: u64, of: u64, of_name: &str, findings: &mut Findings) {
    if bits & !of != 0 {
        findings.reject(at.clone(), format!("not in the {of_name} set: {}", names(bits & !of)));
    }
}

fn names(bits: u64) -> String {
    let set =
        |bit: usize| u32::try_from(bit).ok().and_then(|b| bits.checked_shr(b)).is_some_and(|b| b & 1 == 1);
    let names: Vec<_> =
        NAMES.iter().enumerate().filter(|(bit, _)| set(*bit)).map(|(_, name)| *name).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: u64 = 1 << 5;
    const RESOURCE: u64 = 1 << 24;

    fn all(names: &[&str]) -> Capabilities {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        Capabilities {
            bounding: names.clone(),
            effective: names.clone(),
            inheritable: names.clone(),
            permitted: names.clone(),
            ambient: names,
        }
    }

    fn decided(caps: &Capabilities, facts: &HostFacts, user: bool) -> (CapSets, Findings) {
        let mut f = Findings::default();
        let sets = decide(&Pointer::new("/process"), Some(caps), Available::new(facts, user), &mut f);
        (sets, f)
    }

    #[test]
    fn no_capabilities_in_the_document_are_none_in_the_process() {
        let available = Available::new(&HostFacts::typical(), false);
        let sets = decide(&Pointer::root(), None, available, &mut Findings::default());
        assert_eq!(sets, CapSets::default());
    }

    #[test]
    fn what_the_runtime_has_not_is_left_out_with_a_warning() {
        let narrow = HostFacts { bounding: !RESOURCE, capabilities: !RESOURCE, ..HostFacts::typical() };
        let (sets, f) = decided(&all(&["CAP_KILL", "CAP_SYS_RESOURCE"]), &narrow, false);
        let expected =
            CapSets { bounding: KILL, permitted: KILL, effective: KILL, inheritable: KILL, ambient: KILL };
        assert_eq!(sets, expected);
        assert!(f.told().is_empty());
        assert_eq!(
            f.warned(),
            ["/process/capabilities: left out, since the runtime has them not itself: CAP_SYS_RESOURCE"]
        );
    }

    #[test]
    fn a_user_namespace_has_them_all() {
        let none = HostFacts { bounding: 0, capabilities: 0, euid: 1000, ..HostFacts::typical() };
        let (sets, f) = decided(&all(&["CAP_KILL", "CAP_SYS_RESOURCE"]), &none, true);
        assert_eq!(sets.ambient, KILL | RESOURCE);
        assert!(f.warned().is_empty());
    }

    #[test]
    fn unknown_names_and_unknown_numbers_are_ignored_with_a_warning() {
        let old = HostFacts { last_cap: 37, ..HostFacts::typical() };
        let caps = Capabilities {
            bounding: vec!["CAP_BPF".into(), "cap_kill".into(), "KILL".into(), "CAP_KILL".into()],
            ..Capabilities::default()
        };
        let (sets, f) = decided(&caps, &old, false);
        assert_eq!(sets.bounding, KILL);
        assert_eq!(
            f.warned(),
            [
                "/process/capabilities/bounding/0: ignored: this kernel has no CAP_BPF",
                "/process/capabilities/bounding/1: ignored: \"cap_kill\" is no capability",
                "/process/capabilities/bounding/2: ignored: \"KILL\" is no capability",
            ]
        );
    }

    #[test]
    fn sets_that_capset_refuses_are_rejected() {
        let caps = Capabilities {
            effective: vec!["CAP_KILL".into()],
            inheritable: vec!["CAP_BPF".into()],
            ..Capabilities::default()
        };
        let (_, f) = decided(&caps, &HostFacts::typical(), false);
        assert_eq!(
            f.told(),
            [
                "/process/capabilities/effective: not in the permitted set: CAP_KILL",
                "/process/capabilities/inheritable: not in the bounding set: CAP_BPF",
            ]
        );
    }

    #[test]
    fn ambient_needs_permitted_and_inheritable() {
        let caps = Capabilities { ambient: vec!["CAP_KILL".into()], ..Capabilities::default() };
        let (sets, f) = decided(&caps, &HostFacts::typical(), false);
        assert_eq!((sets.ambient, f.warned().len(), f.told().len()), (0, 1, 0));
    }

    #[test]
    fn any_highest_capability_makes_a_mask() {
        for (last, known) in [(0, 1), (40, (1 << 41) - 1), (63, u64::MAX), (200, u64::MAX)] {
            let facts = HostFacts { last_cap: last, ..HostFacts::typical() };
            assert_eq!(Available::new(&facts, true).known, known);
        }
    }
}
