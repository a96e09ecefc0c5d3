//! `linux.namespaces`: which are made, which are joined, in which order.
//!
//! Called by the init plan; its verdict is asked for by every rule that needs a namespace of the
//! container's own. See namespaces(7).

use cofferdam_oci::{Linux, Pointer};

use crate::bits::{
    CAP_SYS_ADMIN, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME,
    CLONE_NEWUSER, CLONE_NEWUTS,
};
use crate::findings::Findings;
use crate::{HostFacts, HostPath, JoinNamespace};

/// Every type, in the order of joining: the user namespace comes first, since its capabilities are what
/// allows the others; the time namespace comes last, since only one thread may change it.
const TYPES: [(&str, u64); 8] = [
    ("user", CLONE_NEWUSER),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
    ("network", CLONE_NEWNET),
    ("pid", CLONE_NEWPID),
    ("mount", CLONE_NEWNS),
    ("cgroup", CLONE_NEWCGROUP),
    ("time", CLONE_NEWTIME),
];

/// Namespace types that documents may name, sorted.
///
/// ```
/// assert!(cofferdam_plan::known_namespaces().contains(&"cgroup"));
/// ```
#[must_use]
pub fn known_namespaces() -> Vec<&'static str> {
    let mut names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

/// The namespaces of the container.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Made, `CLONE_NEW*` bits.
    pub(crate) new: u64,
    /// Joined, in order.
    pub(crate) join: Vec<JoinNamespace>,
}

impl Namespaces {
    /// Whether the container has a namespace of its own of this kind, new or joined.
    pub(crate) fn own(&self, kind: u64) -> bool {
        self.new & kind != 0 || self.joined(kind).is_some()
    }

    /// Whether one of this kind is made.
    pub(crate) fn makes(&self, kind: u64) -> bool {
        self.new & kind != 0
    }

    /// The one of this kind that is joined.
    pub(crate) fn joined(&self, kind: u64) -> Option<&JoinNamespace> {
        self.join.iter().find(|j| j.kind == kind)
    }

    /// Whether the network is the container's own. A path can lead back to our own namespace; those
    /// that say so are recognised.
    pub(crate) fn own_network(&self) -> bool {
        const OURS: [&str; 3] = ["/proc/self/ns/net", "/proc/thread-self/ns/net", "/proc/1/ns/net"];
        match self.joined(CLONE_NEWNET) {
            Some(join) => !OURS.iter().any(|ours| join.path.as_path() == std::path::Path::new(ours)),
            None => self.makes(CLONE_NEWNET),
        }
    }
}

/// Judges the list.
pub(crate) fn decide(linux: &Linux, facts: &HostFacts, findings: &mut Findings) -> Namespaces {
    let list = Pointer::new("/linux/namespaces");
    let mut result = Namespaces::default();
    let mut seen = 0;
    for (i, entry) in linux.namespaces.iter().enumerate() {
        let at = list.index(i);
        let Some(&(_, kind)) = TYPES.iter().find(|(name, _)| *name == entry.kind) else {
            let known = known_namespaces().join(", ");
            findings
                .reject(at.key("type"), format!("{:?} is no namespace type; there are {known}", entry.kind));
            continue;
        };
        if seen & kind != 0 {
            findings.reject(at.key("type"), format!("a second {:?} namespace", entry.kind));
            continue;
        }
        seen |= kind;
        if facts.namespaces & kind == 0 {
            findings.lacks(at.key("type"), format!("this kernel has no {} namespaces", entry.kind));
        }
        match entry.path.as_deref() {
            None | Some("") => result.new |= kind,
            Some(path) => result.join.extend(join(&at, kind, path, findings)),
        }
    }
    result.join.sort_by_key(|j| TYPES.iter().position(|(_, kind)| *kind == j.kind));
    needs_user_namespace(&list, &result, facts, findings);
    result
}

fn join(at: &Pointer, kind: u64, path: &str, findings: &mut Findings) -> Option<JoinNamespace> {
    if !path.starts_with('/') {
        findings.reject(at.key("path"), format!("{path:?} is not an absolute path"));
        return None;
    }
    let Some(path) = HostPath::new(path, "/".as_ref()) else {
        findings.reject(at.key("path"), "holds a NUL byte");
        return None;
    };
    Some(JoinNamespace { pointer: at.clone(), kind, path })
}

/// Without CAP_SYS_ADMIN only a user namespace gives the right to make the others, to mount and to
/// chroot: better said now than as an EPERM of some later call.
fn needs_user_namespace(list: &Pointer, spaces: &Namespaces, facts: &HostFacts, findings: &mut Findings) {
    if facts.privileged_here() || spaces.own(CLONE_NEWUSER) {
        return;
    }
    let why =
        if facts.has(CAP_SYS_ADMIN) { "the runtime is not root" } else { "the runtime lacks CAP_SYS_ADMIN" };
    findings.lacks_hint(
        list.clone(),
        format!("{why}, so that the container needs a user namespace"),
        "add a namespace of type user, with uidMappings and gidMappings",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_oci::Namespace;

    fn linux(list: &[(&str, &str)]) -> Linux {
        let entry = |(kind, path): &(&str, &str)| Namespace {
            kind: (*kind).into(),
            path: (!path.is_empty()).then(|| (*path).into()),
        };
        Linux { namespaces: list.iter().map(entry).collect(), ..Linux::default() }
    }

    #[test]
    fn the_user_namespace_is_joined_first_and_the_time_namespace_last() {
        let mut f = Findings::default();
        let l = linux(&[("time", "/t"), ("pid", "/p"), ("mount", "/m"), ("user", "/u"), ("ipc", "/i")]);
        let spaces = decide(&l, &HostFacts::typical(), &mut f);
        let order: Vec<_> = spaces.join.iter().map(|j| j.kind).collect();
        assert_eq!(order, [CLONE_NEWUSER, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWTIME]);
        assert_eq!(f.told(), Vec::<String>::new());
    }

    #[test]
    fn unknown_duplicate_relative_and_missing_types_are_all_told() {
        let mut f = Findings::default();
        let facts = HostFacts { namespaces: CLONE_NEWPID, ..HostFacts::typical() };
        decide(&linux(&[("net", ""), ("pid", ""), ("pid", "/x"), ("uts", "rel")]), &facts, &mut f);
        assert_eq!(
            f.told(),
            [
                "/linux/namespaces/0/type: \"net\" is no namespace type; there are cgroup, ipc, mount, \
                 network, pid, time, user, uts",
                "/linux/namespaces/2/type: a second \"pid\" namespace",
                "/linux/namespaces/3/type: this kernel has no uts namespaces",
                "/linux/namespaces/3/path: \"rel\" is not an absolute path",
            ]
        );
    }

    #[test]
    fn an_unprivileged_runtime_needs_a_user_namespace() {
        let mut f = Findings::default();
        let facts = HostFacts { euid: 1000, capabilities: 0, ..HostFacts::typical() };
        decide(&linux(&[("pid", "")]), &facts, &mut f);
        assert_eq!(
            f.told(),
            [
                "/linux/namespaces: the runtime lacks CAP_SYS_ADMIN, so that the container needs a user namespace"
            ]
        );
        let mut f = Findings::default();
        decide(&linux(&[("pid", ""), ("user", "")]), &facts, &mut f);
        assert!(f.told().is_empty());
    }

    #[test]
    fn a_path_to_our_own_network_is_not_the_containers_own() {
        let mut f = Findings::default();
        let facts = HostFacts::typical();
        assert!(!decide(&linux(&[("network", "/proc/1/ns/net")]), &facts, &mut f).own_network());
        assert!(decide(&linux(&[("network", "/run/netns/a")]), &facts, &mut f).own_network());
        assert!(!decide(&linux(&[]), &facts, &mut f).own_network());
    }
}
