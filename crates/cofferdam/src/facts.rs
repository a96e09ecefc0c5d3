//! What this host has: gathered once per container, only as far as the configuration asks.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_cgroup::{Hierarchies, Mode};
use cofferdam_oci::Spec;
use cofferdam_plan::{HostFacts, V1Mount};
use cofferdam_seccomp::Arch;
use cofferdam_sys::clone3;

use crate::{Error, ErrorKind, Result};

/// Names in /proc/PID/ns and in the specification.
const NAMESPACES: [(&str, &str, u64); 8] = [
    ("cgroup", "cgroup", clone3::CLONE_NEWCGROUP),
    ("ipc", "ipc", clone3::CLONE_NEWIPC),
    ("mnt", "mount", clone3::CLONE_NEWNS),
    ("net", "network", clone3::CLONE_NEWNET),
    ("pid", "pid", clone3::CLONE_NEWPID),
    ("time", "time", clone3::CLONE_NEWTIME),
    ("user", "user", clone3::CLONE_NEWUSER),
    ("uts", "uts", clone3::CLONE_NEWUTS),
];

pub(crate) fn gather(spec: &Spec, hierarchies: &Hierarchies) -> Result<HostFacts> {
    let arch = Arch::native();
    let arch = arch.ok_or_else(|| Error::new(ErrorKind::Host, "this machine's architecture is not known"))?;
    let status = Status::read();
    let linux = spec.linux.as_ref();
    let process = spec.process.as_ref();
    let asks = |name: Option<&String>| name.is_some_and(|n| !n.is_empty());
    let rootless = status.euid != 0;
    let in_user_namespace = in_user_namespace();
    Ok(HostFacts {
        euid: status.euid,
        egid: status.egid,
        capabilities: status.effective,
        bounding: status.bounding,
        last_cap: last_cap(),
        in_user_namespace,
        // Only who made a user namespace can have denied it there.
        setgroups_denied: in_user_namespace && text("/proc/self/setgroups") == "deny",
        namespaces: linux.map_or(0, |l| namespaces(&l.namespaces)),
        ignored_signals: status.ignored_signals,
        cgroup_v1: hierarchies.v1.iter().map(v1_mount).collect(),
        cgroup_v2: v2_mount(hierarchies),
        apparmor: asks(process.and_then(|p| p.apparmor_profile.as_ref())) && apparmor(),
        selinux: (asks(process.and_then(|p| p.selinux_label.as_ref()))
            || asks(linux.and_then(|l| l.mount_label.as_ref())))
            && selinux(),
        seccomp: linux.is_some_and(|l| l.seccomp.is_some()) && cofferdam_sys::seccomp::knows_flags(0),
        resctrl: linux.and_then(|l| l.intel_rdt.as_ref()).and_then(|_| resctrl()),
        arch,
        newuidmap: rootless.then(|| program("newuidmap")).flatten(),
        newgidmap: rootless.then(|| program("newgidmap")).flatten(),
    })
}

/// The facts as they are for whoever will run this: an ordinary user who asks what becomes of root's
/// configuration has none of the rights, and needs none. `rootless` is that user's own word.
pub(crate) fn for_whom(facts: HostFacts, spec: &Spec, rootless: Option<bool>) -> HostFacts {
    let theirs = || rootless.unwrap_or_else(|| maps(spec, facts.euid));
    if facts.privileged_here() || theirs() { facts } else { of_root(facts) }
}

/// Whether a new user namespace shows this id: so does every configuration that its user can run.
fn maps(spec: &Spec, uid: u32) -> bool {
    let Some(linux) = &spec.linux else { return false };
    let new = linux.namespaces.iter().any(|n| n.kind == "user" && n.path.is_none());
    new && linux.uid_mappings.iter().any(|m| uid.checked_sub(m.host_id).is_some_and(|n| n < m.size))
}

fn of_root(facts: HostFacts) -> HostFacts {
    let all = u64::MAX.checked_shr(63_u32.saturating_sub(facts.last_cap)).unwrap_or(u64::MAX);
    HostFacts {
        euid: 0,
        egid: 0,
        capabilities: all,
        bounding: all,
        in_user_namespace: false,
        setgroups_denied: false,
        newuidmap: None,
        newgidmap: None,
        ..facts
    }
}

fn v1_mount(h: &cofferdam_cgroup::V1Hierarchy) -> V1Mount {
    let mut options = h.controllers.clone();
    options.extend(h.name.iter().map(|n| format!("name={n}")));
    V1Mount { options, mount_point: h.mount_point.clone() }
}

fn v2_mount(hierarchies: &Hierarchies) -> Option<PathBuf> {
    let v2 = hierarchies.v2.as_ref().filter(|_| hierarchies.mode == Mode::V2)?;
    Some(v2.mount_point.clone())
}

struct Status {
    euid: u32,
    egid: u32,
    effective: u64,
    bounding: u64,
    ignored_signals: u64,
}

impl Status {
    fn read() -> Self {
        let status = text("/proc/thread-self/status");
        let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
        let second = |name: &str| field(name).split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok());
        let set = |name: &str| u64::from_str_radix(field(name).trim(), 16).unwrap_or_default();
        Self {
            euid: second("Uid:").unwrap_or(u32::MAX),
            egid: second("Gid:").unwrap_or(u32::MAX),
            effective: set("CapEff:"),
            bounding: set("CapBnd:"),
            ignored_signals: set("SigIgn:"),
        }
    }
}

fn text(path: impl AsRef<Path>) -> String {
    let bytes = crate::procfile::read(path.as_ref()).unwrap_or_default();
    String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()
}

/// The highest capability that the kernel knows; asking it costs less than /proc/sys.
fn last_cap() -> u32 {
    const OLDEST: u32 = 39;
    let knows = |cap: &u32| cofferdam_sys::prctl::in_bounding(*cap).is_ok();
    (OLDEST..64).take_while(knows).last().unwrap_or(OLDEST)
}

/// Whether ids here are not the host's own.
pub(crate) fn in_user_namespace() -> bool {
    let map = text("/proc/self/uid_map");
    !map.is_empty() && map.split_ascii_whitespace().ne(["0", "0", "4294967295"])
}

/// Which of those that are asked for this kernel has.
fn namespaces(asked: &[cofferdam_oci::Namespace]) -> u64 {
    let has = |name: &str| fs::symlink_metadata(Path::new("/proc/self/ns").join(name)).is_ok();
    let kinds = asked.iter().filter_map(|n| NAMESPACES.iter().find(|(_, spec, _)| *spec == n.kind));
    kinds.filter(|(name, _, _)| has(name)).fold(0, |all, (_, _, bit)| all | bit)
}

fn apparmor() -> bool {
    text("/sys/module/apparmor/parameters/enabled").starts_with('Y')
}

fn selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

/// Where resctrl is mounted.
pub(crate) fn resctrl() -> Option<PathBuf> {
    let mounts = text("/proc/self/mountinfo");
    let line = mounts.lines().find(|l| l.contains(" - resctrl "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_oci::{IdMapping, Linux, Namespace};

    fn user() -> HostFacts {
        HostFacts { euid: 1000, egid: 1000, capabilities: 0, ..HostFacts::typical() }
    }

    fn spec(host_id: u32, size: u32, path: Option<&str>) -> Spec {
        let user = Namespace { kind: "user".into(), path: path.map(Into::into) };
        let map = IdMapping { container_id: 0, host_id, size };
        let linux = Linux { namespaces: vec![user], uid_mappings: vec![map], ..Linux::default() };
        Spec { linux: Some(linux), ..Spec::default() }
    }

    #[test]
    fn what_shows_ones_own_id_is_ones_own_and_the_rest_is_roots() {
        let uid = |spec: &Spec| for_whom(user(), spec, None).euid;
        assert_eq!(uid(&spec(1000, 1, None)), 1000);
        assert_eq!(uid(&spec(900, 101, None)), 1000);
        assert_eq!(uid(&spec(900, 100, None)), 0);
        assert_eq!(uid(&spec(1001, 5, None)), 0);
        assert_eq!(uid(&spec(1000, 1, Some("/proc/7/ns/user"))), 0);
        assert_eq!(uid(&Spec::default()), 0);
    }

    #[test]
    fn the_users_word_counts_more() {
        let facts = |rootless| for_whom(user(), &Spec::default(), Some(rootless));
        assert!(facts(false).fully_privileged());
        assert_eq!(facts(true).euid, 1000);
    }

    #[test]
    fn who_has_rights_keeps_exactly_those() {
        let less = HostFacts { bounding: 1 << 21, capabilities: 1 << 21, ..HostFacts::typical() };
        assert_eq!(for_whom(less, &Spec::default(), Some(false)).bounding, 1 << 21);
    }
}
