//! Who makes the cgroups: with `CGROUP_DRIVER=systemd` in the environment every test runs with
//! `--systemd-cgroup`, on a host where systemd is the first process. Called by `bundle`, `test` and `cgroup`.

use std::path::PathBuf;

/// Whether systemd does.
pub fn is_systemd() -> bool {
    std::env::var("CGROUP_DRIVER").is_ok_and(|driver| driver == "systemd")
}

/// What `cgroupsPath` must be for the path `/a/b` of a test.
pub(crate) fn cgroups_path(path: &str) -> String {
    if !is_systemd() || path.contains(':') {
        path.to_owned()
    } else {
        format!("system.slice::{}", unit(path))
    }
}

/// Where its cgroup is then, below the tree's root.
pub(crate) fn place(path: &str) -> PathBuf {
    let below = path.trim_start_matches('/');
    if is_systemd() { format!("system.slice/{}.scope", unit(path)).into() } else { below.into() }
}

fn unit(path: &str) -> String {
    path.trim_start_matches('/').replace('/', "-")
}
