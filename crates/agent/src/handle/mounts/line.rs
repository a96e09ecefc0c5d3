//! What a container's runtime mounted, and what came after it.
//!
//! Made by `serve` when a container comes; asked by the other files of this room. Judges, changes nothing.

use std::collections::HashSet;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::places::Mounted;

/// linux/stat.h.
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;

/// Where the numbers of mounts were when a container came: what its runtime mounted, and so how it is confined, has
/// smaller ones, and is never unmounted, moved or changed. Numbers only grow (`STATX_MNT_ID_UNIQUE`, Linux 6.8), so
/// nothing that the container does meanwhile can move that line; on an older kernel nothing is unmounted.
#[derive(Debug, Default)]
pub(crate) struct Line {
    newest: Option<u64>,
    /// The devices of file systems that were mounted then.
    devices: HashSet<String>,
}

impl Line {
    /// Now, for the container with this first process.
    pub(crate) fn now(pid1: i32) -> Self {
        let newest = || {
            let fs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            rustix::mount::fsconfig_create(fs.as_fd())?;
            let flags = FsMountFlags::FSMOUNT_CLOEXEC;
            rustix::mount::fsmount(fs.as_fd(), flags, MountAttrFlags::empty())
        };
        let newest = newest().ok().and_then(number);
        Self { newest, devices: devices(&format!("/proc/{pid1}/mountinfo")) }
    }

    /// Whether the mount that a place is on came after it.
    pub(super) fn lets_go(&self, place: impl AsFd) -> bool {
        self.is_before(number(place))
    }

    fn is_before(&self, mount: Option<u64>) -> bool {
        matches!((self.newest, mount), (Some(line), Some(mount)) if mount > line)
    }

    /// Whether the file system itself is the container's, and no mount of the runtime's or of the host's shows it,
    /// too: then it may be changed.
    pub(super) fn owns(&self, place: impl AsFd, mounted: &Mounted) -> bool {
        self.lets_go(place)
            && !self.devices.is_empty()
            && !self.devices.contains(&mounted.device)
            && !devices("/proc/self/mountinfo").contains(&mounted.device)
    }
}

fn devices(file: &str) -> HashSet<String> {
    let mounts = std::fs::read_to_string(file).unwrap_or_default();
    mounts.lines().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect()
}

/// The number of the mount that a descriptor is on.
fn number(fd: impl AsFd) -> Option<u64> {
    let wanted = StatxFlags::from_bits_retain(STATX_MNT_ID_UNIQUE);
    let stat = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, wanted).ok()?;
    (stat.stx_mask & STATX_MNT_ID_UNIQUE != 0).then_some(stat.stx_mnt_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mounted_before_the_line_stays() {
        let before = std::fs::File::open("/").unwrap();
        let line = Line::now(1);
        let Some(at) = line.newest else {
            eprintln!("SKIPPED what_was_mounted_before_the_line_stays: needs Linux 6.8 and CAP_SYS_ADMIN");
            return;
        };
        assert!(!line.lets_go(&before) && !line.is_before(Some(at)) && line.is_before(Some(at + 1)));
        assert!(!line.is_before(None));
        assert!(!Line::default().is_before(Some(u64::MAX)), "without a line nothing is let go");
        assert!(line.is_before(Line::now(1).newest), "numbers grow");
    }
}
