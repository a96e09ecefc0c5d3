//! What the global flags mean to every command. Made once; commands read it.

use cofferdam::{Container, ContainerId, Store};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::cli::Global;
use crate::failure::Failure;
use crate::go_flags;
use crate::log::Log;

/// The global flags, judged.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    /// Whether `--root` was given.
    pub(crate) root_named: bool,
    pub(crate) systemd_cgroup: bool,
    /// No cgroups at all.
    pub(crate) no_cgroups: bool,
    /// `--rootless`; `None` is auto.
    pub(crate) rootless: Option<bool>,
    /// The program that does the work of checkpoint and restore, where it was named.
    pub(crate) criu: Option<PathBuf>,
    pub(crate) log: Log,
}

impl Context {
    pub(crate) fn new(global: &Global, log: Log) -> Result<Self, Failure> {
        let root = match &global.root {
            Some(root) => absolute(root)?,
            None => Store::default_root(),
        };
        if root == Path::new("/") {
            return Err(Failure::new("--root must not be /"));
        }
        Ok(Self {
            store: Store::new(root),
            root_named: global.root.is_some(),
            systemd_cgroup: global.systemd_cgroup || global.cgroup_manager.as_deref() == Some("systemd"),
            no_cgroups: global.cgroup_manager.as_deref() == Some("disabled"),
            criu: criu(global.criu.as_deref()),
            rootless: rootless(&global.rootless)?,
            log,
        })
    }

    /// The container of that name in the store.
    pub(crate) fn container(&self, id: &str) -> Result<Container, Failure> {
        Ok(self.store.load(&container_id(id)?)?)
    }
}

/// A container's name, judged.
pub(crate) fn container_id(id: &str) -> Result<ContainerId, Failure> {
    if id.is_empty() {
        return Err(Failure::new("container id cannot be empty"));
    }
    Ok(ContainerId::new(id)?)
}

/// The path seen from the root, without `.` and `..`.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::io(format_args!("finding {}", path.display()), &error);
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path).map_err(failed)?.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    Ok(clean)
}

/// An engine has no flag for it; but it hands its environment down.
fn criu(flag: Option<&Path>) -> Option<PathBuf> {
    let named = |path: &PathBuf| !path.as_os_str().is_empty();
    let flag = flag.map(Path::to_path_buf).filter(named);
    flag.or_else(|| std::env::var_os("COFFERDAM_CRIU").map(PathBuf::from).filter(named))
}

fn rootless(word: &str) -> Result<Option<bool>, Failure> {
    if word.eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    match go_flags::boolean(OsStr::new(word)) {
        Some(answer) => Ok(Some(answer)),
        None => Err(Failure::new(format!("invalid --rootless {word}: give true, false or auto"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rootless_is_yes_no_or_auto() {
        assert_eq!(rootless("auto").unwrap(), None);
        assert_eq!(rootless("TRUE").unwrap(), Some(true));
        assert_eq!(rootless("0").unwrap(), Some(false));
        assert!(rootless("perhaps").is_err());
    }

    #[test]
    fn paths_are_cleaned() {
        assert_eq!(absolute(Path::new("/a/../b/./c")).unwrap(), Path::new("/b/c"));
        assert_eq!(absolute(Path::new("/../..")).unwrap(), Path::new("/"));
    }
}
