//! What the kernel keeps in a container's cgroup, read from the host, for both versions of cgroups.

use std::fs;
use std::path::{Path, PathBuf};

use crate::driver;

/// Where version 2 is mounted on hosts that have only it.
fn is_unified() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Whether a controller has a hierarchy of version 1 here.
pub fn has_v1(controller: &str) -> bool {
    !is_unified() && Path::new("/sys/fs/cgroup").join(controller).join("cgroup.procs").exists()
}

/// Whether a controller has a hierarchy of version 1, or is in the tree of version 2 where there is no other.
pub fn has(controller: &str) -> bool {
    let there = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    has_v1(controller) || there.split_whitespace().any(|name| name == controller)
}

/// Directory of the container's cgroup in the controller's hierarchy of version 1.
pub fn directory(controller: &str, path: &str) -> PathBuf {
    Path::new("/sys/fs/cgroup").join(controller).join(driver::place(path))
}

/// A file of a container's cgroup: of the version 1 hierarchy of `controller` where there is one, else the
/// second name in the tree of version 2.
#[track_caller]
pub fn read(path: &str, controller: &str, v1: &str, v2: &str) -> String {
    let file = if is_unified() {
        Path::new("/sys/fs/cgroup").join(driver::place(path)).join(v2)
    } else {
        directory(controller, path).join(v1)
    };
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.trim_end().to_owned()
}

/// Every cgroup directory of this name under the roots of the mounted hierarchies, or of the machine's system slice.
pub fn all_named(name: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let mut found: Vec<PathBuf> = Vec::new();
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|e| e.path());
    for place in entries.chain([root.to_owned()]) {
        let here = [name.into(), driver::place(name)].map(|name: PathBuf| place.join(name));
        found.extend(here.into_iter().filter(|here| here.is_dir()));
    }
    found.dedup();
    found
}

/// Removes what a runtime left: kills what is inside and removes the directories, innermost first.
pub fn remove(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    for _ in 0..50 {
        for pid in fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines() {
            let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
            let _ = pid.map(|p| rustix::process::kill_process(p, rustix::process::Signal::KILL));
        }
        if fs::remove_dir(dir).is_ok() || !dir.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
