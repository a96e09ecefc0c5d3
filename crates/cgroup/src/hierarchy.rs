//! Which cgroup hierarchies this host has, and where the caller stands in each.
//!
//! Made by the library once per command and handed to [`crate::plan`] as a value. The parsers here take
//! bytes and may not touch a file; [`Hierarchies::detect`] is the only function that reads.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::file;
use crate::mountinfo::{self, Mount};

/// How cgroups are mounted.
///
/// ```
/// assert_ne!(cofferdam_cgroup::Mode::V1, cofferdam_cgroup::Mode::V2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only version 1 hierarchies.
    V1,
    /// Version 1 hierarchies and a version 2 tree beside them.
    Hybrid,
    /// Only the version 2 tree.
    V2,
}

/// One hierarchy of version 1: the controllers that are mounted together.
///
/// ```
/// use cofferdam_cgroup::Hierarchies;
/// let h = Hierarchies::parse(b"31 1 0:30 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n", b"1:cpu,cpuacct:/x\n");
/// assert_eq!(h.v1[0].controllers, ["cpu", "cpuacct"]);
/// assert_eq!(h.v1[0].own_dir(), std::path::Path::new("/c/cpu/x"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct V1Hierarchy {
    /// Its controllers; empty for a named hierarchy.
    pub controllers: Vec<String>,
    /// The name of a hierarchy without controllers: `systemd` for `name=systemd`.
    pub name: Option<String>,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Which of its directories is mounted there.
    pub mount_root: PathBuf,
    /// The caller's cgroup, from the hierarchy's root (of the caller's cgroup namespace).
    pub own: PathBuf,
}

impl V1Hierarchy {
    /// The caller's cgroup as a directory below the mount point; the mount point itself when the
    /// caller's cgroup is outside of what is mounted.
    #[must_use]
    pub fn own_dir(&self) -> PathBuf {
        below(&self.mount_point, &self.mount_root, &self.own)
    }
}

/// The tree of version 2.
///
/// ```
/// use cofferdam_cgroup::Hierarchies;
/// let h = Hierarchies::parse(b"31 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", b"0::/a/b\n");
/// assert_eq!(h.v2.unwrap().own_dir(), std::path::Path::new("/sys/fs/cgroup/a/b"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct V2Hierarchy {
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Which of its directories is mounted there.
    pub mount_root: PathBuf,
    /// What `cgroup.controllers` of the mount point says.
    pub controllers: Vec<String>,
    /// The caller's cgroup, from the tree's root (of the caller's cgroup namespace).
    pub own: PathBuf,
}

impl V2Hierarchy {
    /// The caller's cgroup as a directory below the mount point; the mount point itself when the
    /// caller's cgroup is outside of what is mounted.
    #[must_use]
    pub fn own_dir(&self) -> PathBuf {
        below(&self.mount_point, &self.mount_root, &self.own)
    }
}

/// All cgroup hierarchies of this host that a container joins.
///
/// ```
/// use cofferdam_cgroup::{Hierarchies, Mode};
/// let h = Hierarchies::parse(b"31 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", b"0::/\n");
/// assert_eq!(h.mode, Mode::V2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchies {
    /// Which of the three worlds this is.
    pub mode: Mode,
    /// Version 1 hierarchies, in the order of the mounts.
    pub v1: Vec<V1Hierarchy>,
    /// The version 2 tree.
    pub v2: Option<V2Hierarchy>,
}

/// Controllers of version 1 as the kernel spells them in a mount's options.
const V1_CONTROLLERS: [&str; 14] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "net_cls",
    "net_prio",
    "perf_event",
    "hugetlb",
    "rdma",
    "misc",
];

impl Hierarchies {
    /// Reads `/proc/self/mountinfo`, `/proc/self/cgroup` and `cgroup.controllers`.
    ///
    /// # Errors
    /// When `/proc` cannot be read, or no cgroup hierarchy is mounted.
    ///
    /// ```
    /// match cofferdam_cgroup::Hierarchies::detect() {
    ///     Ok(h) => assert!(!h.v1.is_empty() || h.v2.is_some()),
    ///     Err(e) => println!("{e}"),
    /// }
    /// ```
    pub fn detect() -> Result<Self, Error> {
        let mounts = Path::new("/proc/self/mountinfo");
        let mountinfo = file::read(mounts).map_err(|e| Error::io("reading the mounts", mounts, &e))?;
        let own = Path::new("/proc/self/cgroup");
        let own = file::read(own).map_err(|e| Error::io("reading the caller's cgroups", own, &e))?;
        let mut found = Self::parse(mountinfo.as_bytes(), own.as_bytes());
        if let Some(v2) = &mut found.v2 {
            let path = v2.mount_point.join("cgroup.controllers");
            let text = file::read(&path).map_err(|e| Error::io("reading the controllers", &path, &e))?;
            v2.controllers = text.split_whitespace().map(String::from).collect();
        } else if found.v1.is_empty() {
            return Err(Error::new("looking for cgroups", mounts, "no cgroup hierarchy is mounted")
                .hint("mount cgroup2 at /sys/fs/cgroup"));
        }
        Ok(found)
    }

    /// What [`Hierarchies::detect`] finds in the given files; `v2.controllers` stays empty.
    ///
    /// A mount that another one covers is not seen; of two mounts of one hierarchy the one below
    /// `/sys/fs/cgroup` is taken, otherwise the first.
    #[must_use]
    pub fn parse(mountinfo: &[u8], own: &[u8]) -> Self {
        let own = OwnPaths::parse(own);
        let mut v1: Vec<V1Hierarchy> = Vec::new();
        let mut v2: Option<V2Hierarchy> = None;
        for mount in mountinfo::visible_cgroups(mountinfo) {
            match mount.kind.as_str() {
                "cgroup" => add_v1(&mut v1, mount, &own),
                "cgroup2" if v2.as_ref().is_none_or(|v| better(&mount.point, &v.mount_point)) => {
                    v2 = Some(V2Hierarchy {
                        own: own.of_v2(),
                        mount_point: mount.point,
                        mount_root: mount.root,
                        controllers: Vec::new(),
                    });
                }
                _ => {}
            }
        }
        let mode = match (v1.is_empty(), &v2) {
            (true, _) => Mode::V2,
            (false, None) => Mode::V1,
            (false, Some(_)) => Mode::Hybrid,
        };
        Self { mode, v1, v2 }
    }

    /// The version 1 hierarchy that has `controller`.
    #[must_use]
    pub fn v1_with(&self, controller: &str) -> Option<&V1Hierarchy> {
        self.v1.iter().find(|h| h.controllers.iter().any(|c| c == controller))
    }
}

fn add_v1(v1: &mut Vec<V1Hierarchy>, mount: Mount, own: &OwnPaths) {
    let options = || mount.super_options.split(',');
    let controllers: Vec<String> =
        options().filter(|o| V1_CONTROLLERS.contains(o)).map(String::from).collect();
    let name = options().find_map(|o| o.strip_prefix("name=")).map(String::from);
    if controllers.is_empty() && name.is_none() {
        return;
    }
    let hierarchy = V1Hierarchy {
        own: own.of_v1(&controllers, name.as_deref()),
        controllers,
        name,
        mount_point: mount.point,
        mount_root: mount.root,
    };
    let same = |h: &V1Hierarchy| {
        h.name == hierarchy.name && h.controllers.iter().all(|c| hierarchy.controllers.contains(c))
    };
    match v1.iter_mut().find(|h| same(h)) {
        Some(seen) if better(&hierarchy.mount_point, &seen.mount_point) => *seen = hierarchy,
        Some(_) => {}
        None => v1.push(hierarchy),
    }
}

/// Whether a mount at `new` is to be taken instead of the one at `seen`.
fn better(new: &Path, seen: &Path) -> bool {
    let usual = |p: &Path| p.starts_with("/sys/fs/cgroup");
    usual(new) && !usual(seen)
}

fn below(mount_point: &Path, mount_root: &Path, own: &Path) -> PathBuf {
    // Inside a container without a cgroup namespace both paths start at the host's root; with a
    // namespace that was entered elsewhere either may begin with "/..": then nothing of it is mounted.
    match own.strip_prefix(mount_root) {
        Ok(rest) if !rest.components().any(|c| c.as_os_str() == "..") => mount_point.join(rest),
        _ => mount_point.to_path_buf(),
    }
}

/// The lines of `/proc/self/cgroup` (cgroups(7)): `hierarchy-ID:controller-list:cgroup-path`.
struct OwnPaths(Vec<(String, PathBuf)>);

impl OwnPaths {
    fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let line = |l: &str| {
            let mut parts = l.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), PathBuf::from(parts.next()?)))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn of_v2(&self) -> PathBuf {
        self.find(|list| list.is_empty())
    }

    fn of_v1(&self, controllers: &[String], name: Option<&str>) -> PathBuf {
        self.find(|list| {
            list.split(',').any(|entry| {
                controllers.iter().any(|c| c == entry)
                    || entry.strip_prefix("name=").is_some_and(|n| Some(n) == name)
            })
        })
    }

    fn find(&self, is: impl Fn(&str) -> bool) -> PathBuf {
        self.0.iter().find(|(list, _)| is(list)).map_or_else(|| PathBuf::from("/"), |(_, path)| path.clone())
    }
}
