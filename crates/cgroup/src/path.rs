//! From `linux.cgroupsPath` to one directory in each hierarchy.
//!
//! Called by [`crate::plan`]. Pure: paths in, paths out, and never one outside of a mount.

use std::path::{Component, Path, PathBuf};

use cofferdam_oci::{Pointer, Reject};

use crate::hierarchy::{Mode, V1Hierarchy, V2Hierarchy};

/// A checked `cgroupsPath`.
pub(crate) struct Inner {
    /// Whether it counts from the mount points (true) or from the caller's own cgroup.
    absolute: bool,
    /// Without a leading slash, without `.` and `..`, never empty.
    path: PathBuf,
}

/// Cleans the path the way runc does: `..` goes up but never out. Without one, `id` below the caller's
/// own cgroup.
pub(crate) fn inner(cgroups_path: Option<&str>, id: &str) -> Result<Inner, Reject> {
    let pointer = Pointer::new("/linux/cgroupsPath");
    let given = cgroups_path.filter(|p| !p.is_empty());
    let text = given.unwrap_or(id);
    if text.bytes().any(|b| b == 0 || b == b'\n') {
        return Err(Reject::new(pointer, "the path has a NUL or newline character"));
    }
    let mut path = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            _ => {}
        }
    }
    if path.as_os_str().is_empty() {
        // Taking the root would set the host's limits and remove the host's cgroups on delete.
        return Err(Reject::new(
            pointer,
            format!("{text:?} is a hierarchy's root, not a container's cgroup"),
        ));
    }
    Ok(Inner { absolute: given.is_some_and(|p| p.starts_with('/')), path })
}

impl Inner {
    /// A path that somebody else has checked, from the mount points.
    pub(crate) const fn absolute(path: PathBuf) -> Self {
        Self { absolute: true, path }
    }

    pub(crate) fn in_v1(&self, hierarchy: &V1Hierarchy) -> PathBuf {
        if self.absolute {
            hierarchy.mount_point.join(&self.path)
        } else {
            hierarchy.own_dir().join(&self.path)
        }
    }

    /// On version 2 a relative path counts from the parent of the caller's cgroup: the caller's own has
    /// processes in it, and so may not hand controllers to children. In a hybrid tree, where no
    /// controller has to be handed down, it counts from the mount point, as in runc.
    pub(crate) fn in_v2(&self, hierarchy: &V2Hierarchy, mode: Mode) -> PathBuf {
        if self.absolute || mode == Mode::Hybrid {
            return hierarchy.mount_point.join(&self.path);
        }
        let own = hierarchy.own_dir();
        let base = match own.parent() {
            Some(parent) if own != hierarchy.mount_point => parent,
            _ => own.as_path(),
        };
        base.join(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hierarchies;

    fn dirs(mounts: &str, own: &str, path: Option<&str>) -> Vec<String> {
        let h = Hierarchies::parse(mounts.as_bytes(), own.as_bytes());
        let inner = inner(path, "id").unwrap();
        let v1 = h.v1.iter().map(|v| inner.in_v1(v));
        let v2 = h.v2.iter().map(|v| inner.in_v2(v, h.mode));
        v1.chain(v2).map(|p| p.to_str().unwrap().to_owned()).collect()
    }

    const V1: &str = "1 0 0:1 / /c/cpu rw - cgroup c rw,cpu\n";
    const V2: &str = "1 0 0:1 / /c rw - cgroup2 c rw\n";

    #[test]
    fn an_absolute_path_counts_from_the_mount() {
        assert_eq!(dirs(V1, "1:cpu:/me\n", Some("/a/b")), ["/c/cpu/a/b"]);
        assert_eq!(dirs(V2, "0::/me/too\n", Some("/a//b/")), ["/c/a/b"]);
    }

    #[test]
    fn a_relative_path_counts_from_the_callers_cgroup() {
        assert_eq!(dirs(V1, "1:cpu:/me\n", Some("a/b")), ["/c/cpu/me/a/b"]);
        assert_eq!(dirs(V2, "0::/user.slice/me.scope\n", Some("a/b")), ["/c/user.slice/a/b"]);
        assert_eq!(dirs(V2, "0::/\n", Some("a/b")), ["/c/a/b"]);
    }

    #[test]
    fn without_a_path_the_id_is_taken() {
        assert_eq!(dirs(V1, "1:cpu:/me\n", None), ["/c/cpu/me/id"]);
        assert_eq!(dirs(V2, "0::/me\n", Some("")), ["/c/id"]);
    }

    #[test]
    fn no_path_leaves_the_mount() {
        assert_eq!(dirs(V1, "1:cpu:/me\n", Some("/../../../etc")), ["/c/cpu/etc"]);
        assert_eq!(dirs(V1, "1:cpu:/me\n", Some("../../../etc")), ["/c/cpu/me/etc"]);
        assert_eq!(dirs(V2, "0::/../../x\n", Some("a")), ["/c/a"]);
        for bad in ["/", "/..", ".", "..", "a/..", "a\0b", "/a\nb"] {
            assert!(inner(Some(bad), "id").is_err(), "{bad:?}");
        }
        assert!(inner(None, "..").is_err());
    }

    #[test]
    fn a_container_without_a_cgroup_namespace_sees_its_own_part() {
        let dind = "1 0 0:1 /docker/abc /c/cpu rw - cgroup c rw,cpu\n";
        assert_eq!(dirs(dind, "1:cpu:/docker/abc/inner\n", Some("x")), ["/c/cpu/inner/x"]);
        assert_eq!(dirs(dind, "1:cpu:/elsewhere\n", Some("x")), ["/c/cpu/x"]);
    }
}
