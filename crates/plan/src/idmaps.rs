//! `linux.uidMappings` and `linux.gidMappings`: the maps of a new user namespace, and who writes them.
//!
//! Called by the init plan; [`Mapped`] answers every rule that names an id. See user_namespaces(7).

use cofferdam_oci::{IdMapping, Linux, Pointer};
use std::path::PathBuf;

use crate::bits::{CAP_SETGID, CAP_SETUID, CLONE_NEWUSER};
use crate::findings::Findings;
use crate::namespaces::Namespaces;
use crate::{HostFacts, IdMaps, Setgroups};

/// The most lines that /proc/PID/uid_map takes (Linux 4.15).
const MOST_LINES: usize = 340;

/// Which ids exist in the container, as far as the document tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped<'a>(pub(crate) Option<&'a IdMaps>);

impl Mapped<'_> {
    /// Whether this user id exists.
    pub(crate) fn uid(self, id: u32) -> bool {
        self.0.is_none_or(|maps| covers(&maps.uid, id))
    }

    /// Whether this group id exists.
    pub(crate) fn gid(self, id: u32) -> bool {
        self.0.is_none_or(|maps| covers(&maps.gid, id))
    }
}

fn covers(maps: &[IdMapping], id: u32) -> bool {
    maps.iter().any(|m| id >= m.container_id && id - m.container_id < m.size)
}

/// Judges both maps.
pub(crate) fn decide(
    linux: &Linux,
    spaces: &Namespaces,
    facts: &HostFacts,
    findings: &mut Findings,
) -> Option<IdMaps> {
    let sides = [("uidMappings", &linux.uid_mappings), ("gidMappings", &linux.gid_mappings)];
    if !spaces.makes(CLONE_NEWUSER) {
        for (name, maps) in sides {
            let at = Pointer::new("/linux").key(name);
            match (maps.is_empty(), spaces.joined(CLONE_NEWUSER)) {
                (true, _) => {}
                // containerd and CRI-O give both; the maps are then those of the namespace.
                (false, Some(_)) => {
                    findings.warn(at, "ignored: the user namespace that is joined has its own")
                }
                (false, None) => findings.reject_hint(
                    at,
                    "there is no new user namespace to map",
                    "add a namespace of type user",
                ),
            }
        }
        return None;
    }
    for (name, maps) in sides {
        let at = Pointer::new("/linux").key(name);
        if maps.is_empty() {
            findings.reject(at, "a new user namespace needs at least one mapping");
        } else {
            check(&at, maps, findings);
        }
    }
    let (setgroups, helpers) = writers(linux, facts, findings);
    Some(IdMaps { uid: linux.uid_mappings.clone(), gid: linux.gid_mappings.clone(), setgroups, helpers })
}

fn check(at: &Pointer, maps: &[IdMapping], findings: &mut Findings) {
    if maps.len() > MOST_LINES {
        findings.reject(at.clone(), format!("{} mappings; the kernel takes {MOST_LINES}", maps.len()));
        return;
    }
    ranges(at, maps, findings);
}

/// Sizes and overlaps of a map; also for the maps of an idmapped mount.
pub(crate) fn ranges(at: &Pointer, maps: &[IdMapping], findings: &mut Findings) {
    for (i, m) in maps.iter().enumerate() {
        let here = at.index(i);
        if m.size == 0 {
            findings.reject(here.key("size"), "maps no id at all");
        }
        if m.container_id.checked_add(m.size).is_none() || m.host_id.checked_add(m.size).is_none() {
            findings.reject(here.key("size"), "reaches beyond the last id");
        }
        for (j, other) in maps.iter().enumerate().take(i) {
            if overlap(m.container_id, other.container_id, m.size, other.size) {
                findings.reject(here.key("containerID"), format!("overlaps with mapping {j}"));
            }
            if overlap(m.host_id, other.host_id, m.size, other.size) {
                findings.reject(here.key("hostID"), format!("overlaps with mapping {j}"));
            }
        }
    }
}

fn overlap(a: u32, b: u32, a_size: u32, b_size: u32) -> bool {
    let (a, b) = (u64::from(a), u64::from(b));
    a < b + u64::from(b_size) && b < a + u64::from(a_size)
}

/// Who writes the maps. The kernel lets an unprivileged writer map exactly its own id, and its groups
/// only once setgroups(2) is denied; for everything else there are newuidmap(1) and newgidmap(1), which
/// see to setgroups themselves.
fn writers(
    linux: &Linux,
    facts: &HostFacts,
    findings: &mut Findings,
) -> (Setgroups, Option<(PathBuf, PathBuf)>) {
    if facts.has(CAP_SETUID) && facts.has(CAP_SETGID) {
        return (Setgroups::Allow, None);
    }
    if own(&linux.uid_mappings, facts.euid) && own(&linux.gid_mappings, facts.egid) {
        return (Setgroups::Deny, None);
    }
    for (path, name, at) in [
        (&facts.newuidmap, "newuidmap", "/linux/uidMappings"),
        (&facts.newgidmap, "newgidmap", "/linux/gidMappings"),
    ] {
        if path.is_none() {
            findings.lacks_hint(
                Pointer::new(at),
                format!("mapping other ids than one's own takes {name}, which is not installed"),
                "install the package uidmap (shadow-utils), or map only your own id",
            );
        }
    }
    (Setgroups::Allow, facts.newuidmap.clone().zip(facts.newgidmap.clone()))
}

fn own(maps: &[IdMapping], id: u32) -> bool {
    matches!(maps, [one] if one.size == 1 && one.host_id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    fn judged(uid: &[IdMapping], gid: &[IdMapping], facts: &HostFacts) -> (Option<IdMaps>, Findings) {
        let linux = Linux { uid_mappings: uid.to_vec(), gid_mappings: gid.to_vec(), ..Linux::default() };
        let spaces = Namespaces { new: CLONE_NEWUSER, ..Namespaces::default() };
        let mut f = Findings::default();
        (decide(&linux, &spaces, facts, &mut f), f)
    }

    fn rootless() -> HostFacts {
        HostFacts { euid: 1000, egid: 100, capabilities: 0, ..HostFacts::typical() }
    }

    #[test]
    fn root_writes_maps_itself() {
        let all = [map(0, 100_000, 65536)];
        let (maps, f) = judged(&all, &all, &HostFacts::typical());
        let maps = maps.unwrap();
        assert_eq!((maps.setgroups, maps.helpers), (Setgroups::Allow, None));
        assert!(f.told().is_empty());
    }

    #[test]
    fn ones_own_id_needs_no_helper_but_denies_setgroups() {
        let (maps, f) = judged(&[map(0, 1000, 1)], &[map(0, 100, 1)], &rootless());
        let maps = maps.unwrap();
        assert_eq!((maps.setgroups, maps.helpers), (Setgroups::Deny, None));
        assert!(f.told().is_empty());
    }

    #[test]
    fn more_ids_need_the_helpers() {
        let many = [map(0, 1000, 1), map(1, 100_000, 65536)];
        let (maps, f) = judged(&many, &many, &rootless());
        assert!(maps.unwrap().helpers.is_some());
        assert!(f.told().is_empty());
        let bare = HostFacts { newuidmap: None, newgidmap: None, ..rootless() };
        let (_, f) = judged(&many, &many, &bare);
        assert_eq!(
            f.told(),
            [
                "/linux/uidMappings: mapping other ids than one's own takes newuidmap, which is not installed",
                "/linux/gidMappings: mapping other ids than one's own takes newgidmap, which is not installed",
            ]
        );
    }

    #[test]
    fn bad_ranges_are_told_one_by_one() {
        let (_, f) = judged(
            &[map(0, 0, 0), map(1, 10, 10), map(5, 15, 10)],
            &[map(1, 1, u32::MAX)],
            &HostFacts::typical(),
        );
        assert_eq!(
            f.told(),
            [
                "/linux/uidMappings/0/size: maps no id at all",
                "/linux/uidMappings/2/containerID: overlaps with mapping 1",
                "/linux/uidMappings/2/hostID: overlaps with mapping 1",
                "/linux/gidMappings/0/size: reaches beyond the last id",
            ]
        );
    }

    #[test]
    fn maps_without_a_user_namespace_are_a_mistake() {
        let linux = Linux { uid_mappings: vec![map(0, 0, 1)], ..Linux::default() };
        let mut f = Findings::default();
        assert!(decide(&linux, &Namespaces::default(), &HostFacts::typical(), &mut f).is_none());
        assert_eq!(f.told(), ["/linux/uidMappings: there is no new user namespace to map"]);
    }

    #[test]
    fn a_new_user_namespace_needs_both_maps() {
        let (_, f) = judged(&[], &[map(0, 0, 1)], &HostFacts::typical());
        assert_eq!(f.told(), ["/linux/uidMappings: a new user namespace needs at least one mapping"]);
    }
}
