//! What may be mounted on /proc and below: hardly anything.
//!
//! Called by `mounts`. A container that chooses what /proc/self/attr/exec leads to can keep its own label
//! off (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881): so only procfs itself may be mounted there, and
//! only files that lxcfs emulates on top of it. This rule sees the document's paths; the child repeats it
//! for the file that such a path leads to.

use cofferdam_oci::Pointer;

use crate::findings::Findings;
use crate::{InPath, MountKind};

/// Files of procfs that may be mounted over.
const ALLOWED: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// Judges one mount.
pub(crate) fn check(at: &Pointer, target: &InPath, kind: &MountKind, findings: &mut Findings) {
    let path = target.as_str();
    if path == "/proc" {
        let is_proc = match kind {
            MountKind::Filesystem { fstype, .. } => fstype == "proc",
            MountKind::Bind { source, .. } => source.as_path() == std::path::Path::new("/proc"),
            MountKind::Remount => true,
            MountKind::CgroupV1 { .. } | MountKind::CgroupV2 { .. } => false,
        };
        if !is_proc {
            findings.reject_hint(
                at.clone(),
                "only procfs may be mounted on /proc",
                "use the type proc, or bind the host's /proc",
            );
        }
    } else if path.starts_with("/proc/") && !matches!(kind, MountKind::Remount) && !ALLOWED.contains(&path) {
        findings.reject_hint(
            at.clone(),
            format!("{path:?} is inside /proc"),
            "only a few files that lxcfs emulates may be mounted there",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BindOpen, HostPath};

    fn told(target: &str, source: &str) -> usize {
        let kind = MountKind::Bind {
            source: HostPath::new(source, "/".as_ref()).unwrap(),
            recursive: true,
            open: BindOpen::Child,
            copy_symlink: false,
            nofollow: false,
        };
        let mut f = Findings::default();
        check(&Pointer::root(), &InPath::new(target).unwrap(), &kind, &mut f);
        f.told().len()
    }

    #[test]
    fn only_lxcfs_files_may_be_mounted_below_proc() {
        assert_eq!(told("/proc/meminfo", "/x"), 0);
        assert_eq!(told("/proc/./sys/../uptime", "/x"), 0);
        for bad in ["/proc/self", "/proc/sys", "/proc/net/dev", "/a/../proc/1", "/proc/meminfo/x"] {
            assert_eq!(told(bad, "/x"), 1, "{bad}");
        }
        assert_eq!(told("/processes", "/x"), 0);
    }

    #[test]
    fn only_the_hosts_proc_may_be_bound_on_proc() {
        assert_eq!(told("/proc", "/proc"), 0);
        assert_eq!(told("/proc", "/proc/"), 0);
        assert_eq!(told("/proc", "/tmp"), 1);
    }
}
