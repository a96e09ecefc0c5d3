//! What a sandbox shows of the host: its mounts, and whether a directory can be seen through them.
//!
//! Called by the writer of the configuration. Looks at directories of the host and changes nothing.

use cofferdam_oci::Mount;
use std::path::{Path, PathBuf};

use super::{Directory, Network, Sandbox, View};
use crate::template::mount;

/// Directories that every sandbox has for itself.
const OWN: &[&str] = &["/proc", "/dev", "/sys", "/tmp", "/run"];

/// The mounts over the root filesystem; `mapped` says whether there is a user namespace.
pub(super) fn mounts(sandbox: &Sandbox, mapped: bool) -> Vec<Mount> {
    let mut mounts = base(mapped, &sandbox.network);
    mounts.extend(sandbox.mounts.iter().map(added));
    mounts
}

fn base(mapped: bool, network: &Network) -> Vec<Mount> {
    let nothing = ["nosuid", "noexec", "nodev"];
    let read_only = ["nosuid", "noexec", "nodev", "ro"];
    let mut pts = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    if !mapped {
        // The group of terminals is not mapped in a user namespace.
        pts.push("gid=5");
    }
    // sysfs belongs to a network namespace: without our own, only the host's can be shown.
    let sys = if mapped && *network == Network::Host {
        mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"])
    } else {
        mount("/sys", "sysfs", "sysfs", &read_only)
    };
    vec![
        mount("/proc", "proc", "proc", &nothing),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &pts),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &nothing),
        sys,
        mount("/tmp", "tmpfs", "tmpfs", &["nosuid", "nodev", "mode=1777"]),
        mount("/run", "tmpfs", "tmpfs", &["nosuid", "nodev", "mode=755"]),
    ]
}

fn added(view: &View) -> Mount {
    match view {
        View::Bind { source, destination, read_only } => {
            let mut options = vec!["rbind", "nosuid", "nodev"];
            if *read_only {
                // With what is mounted below it.
                options.push("rro");
            }
            mount(destination, "none", &source.to_string_lossy(), &options)
        }
        View::Tmpfs { destination, size } => {
            let mut entry = mount(destination, "tmpfs", "tmpfs", &["nosuid", "nodev", "mode=1777"]);
            entry.options.extend(size.map(|size| format!("size={size}")));
            entry
        }
    }
}

/// The working directory.
pub(super) fn directory(sandbox: &Sandbox) -> String {
    match &sandbox.directory {
        Directory::Fixed(directory) => directory.clone(),
        Directory::IfVisible(directory) => match behind(sandbox, directory) {
            Some(host) if host.is_dir() => directory.to_string_lossy().into_owned(),
            _ => "/".to_owned(),
        },
    }
}

/// The directory of the host that is seen as `path`, unless there is none: the last thing put over it
/// decides.
fn behind(sandbox: &Sandbox, path: &Path) -> Option<PathBuf> {
    for view in sandbox.mounts.iter().rev() {
        match view {
            View::Bind { source, destination, .. } => {
                if let Ok(rest) = path.strip_prefix(destination) {
                    return Some(source.join(rest));
                }
            }
            View::Tmpfs { destination, .. } => {
                if path.starts_with(destination) {
                    return None;
                }
            }
        }
    }
    if OWN.iter().any(|own| path.starts_with(own)) {
        return None;
    }
    path.strip_prefix("/").ok().map(|rest| sandbox.rootfs.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_of(sandbox: &mut Sandbox, path: &str) -> String {
        directory(sandbox.current_dir_if_visible(path))
    }

    #[test]
    fn a_directory_of_the_host_is_seen() {
        assert_eq!(directory_of(&mut Sandbox::new("x"), "/usr/bin"), "/usr/bin");
        assert_eq!(directory_of(&mut Sandbox::new("x"), "/no/such/directory"), "/");
    }

    #[test]
    fn own_directories_hide_the_hosts() {
        assert_eq!(directory_of(&mut Sandbox::new("x"), "/dev/pts"), "/");
        assert_eq!(directory_of(Sandbox::new("x").tmpfs("/usr", None), "/usr/bin"), "/");
    }

    #[test]
    fn a_bind_shows_what_is_behind_it() {
        assert_eq!(directory_of(Sandbox::new("x").bind("/usr", "/tmp/u", true), "/tmp/u/bin"), "/tmp/u/bin");
        let mut over = Sandbox::new("x");
        over.tmpfs("/usr", None).bind("/usr/bin", "/usr/bin", true);
        assert_eq!(directory_of(&mut over, "/usr/bin"), "/usr/bin");
        assert_eq!(directory_of(&mut over, "/usr/lib"), "/");
    }

    #[test]
    fn another_root_shows_its_own_directories() {
        assert_eq!(directory_of(Sandbox::new("x").rootfs("/usr"), "/bin"), "/bin");
        assert_eq!(directory_of(Sandbox::new("x").rootfs("/usr"), "/usr"), "/");
    }
}
