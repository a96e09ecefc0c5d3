//! `linux.cgroupsPath` as `SLICE:PREFIX:NAME`: which unit, in which slice, and where its cgroup is.
//!
//! Called by [`super::plan`]. Pure.

use std::path::PathBuf;

use cofferdam_oci::{Pointer, Reject};

use super::Manager;

/// What the unit of a container without a prefix of its own begins with.
const PREFIX: &str = "cofferdam";
/// systemd.unit(5): names are at most this long.
const LONGEST: usize = 255;

/// A unit and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// `crio-abc.scope`, or a slice's.
    pub(crate) unit: String,
    /// `kubepods-pod1.slice`: what the unit is in.
    pub(crate) slice: String,
    /// Below the manager's own cgroup, without a leading slash.
    pub(crate) path: PathBuf,
}

impl Name {
    /// Without a path, `cofferdam-ID.scope` in the manager's usual slice.
    pub(crate) fn parse(path: Option<&str>, id: &str, manager: Manager) -> Result<Self, Reject> {
        let pointer = || Pointer::new("/linux/cgroupsPath");
        let parts: Vec<&str> = match path.filter(|p| !p.is_empty()) {
            Some(path) => path.split(':').collect(),
            None => vec!["", PREFIX, id],
        };
        let [slice, prefix, name] = parts.as_slice() else {
            let path = path.unwrap_or_default();
            let what = format!("{path:?} is not SLICE:PREFIX:NAME, which systemd's cgroups need");
            return Err(Reject::new(pointer(), what)
                .hint("write it as system.slice:prefix:name, or leave out --systemd-cgroup"));
        };
        let slice = if slice.is_empty() { manager.usual_slice() } else { slice };
        let Some(above) = slice_path(slice) else {
            let what = format!("{slice:?} is not a slice's name such as system.slice or kubepods-pod1.slice");
            return Err(Reject::new(pointer(), what));
        };
        if name.is_empty() {
            return Err(Reject::new(pointer(), "the unit's name is empty"));
        }
        let (unit, path) = if name.ends_with(".slice") {
            let Some(path) = slice_path(name).filter(|p| !p.as_os_str().is_empty()) else {
                return Err(Reject::new(pointer(), format!("{name:?} is not a slice's name")));
            };
            ((*name).to_owned(), path)
        } else {
            let dash = if prefix.is_empty() { "" } else { "-" };
            let unit = escape(&format!("{prefix}{dash}{name}")) + ".scope";
            let path = above.join(&unit);
            (unit, path)
        };
        if unit.len() > LONGEST {
            let what = format!("the unit's name has {} characters, systemd takes {LONGEST}", unit.len());
            return Err(Reject::new(pointer(), what));
        }
        Ok(Self { unit, slice: slice.to_owned(), path })
    }

    pub(crate) fn is_slice(&self) -> bool {
        is_slice(&self.unit)
    }
}

pub(crate) fn is_slice(unit: &str) -> bool {
    unit.ends_with(".slice")
}

/// Where a slice is: each dash is a level, so `a-b.slice` is `a.slice/a-b.slice`, and `-.slice` is the root.
pub(crate) fn slice_path(slice: &str) -> Option<PathBuf> {
    let name = slice.strip_suffix(".slice")?;
    if slice.len() > LONGEST || escape(name) != name {
        return None;
    }
    let mut path = PathBuf::new();
    if name == "-" {
        return Some(path);
    }
    let mut above = String::new();
    for part in name.split('-') {
        if part.is_empty() {
            return None;
        }
        above.push_str(part);
        path.push(format!("{above}.slice"));
        above.push('-');
    }
    Some(path)
}

/// What systemd.unit(5) does not allow in a name, in hexadecimal, as systemd-escape(1) has it. A name of
/// dots only, or with a slash, could leave the slice's directory otherwise.
fn escape(name: &str) -> String {
    let mut out = String::new();
    for (index, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'\\' | b'@');
        if plain || byte == b'.' && index > 0 {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str) -> (String, String) {
        let name = Name::parse(Some(path), "id", Manager::System).unwrap();
        (name.unit, name.path.display().to_string())
    }

    #[test]
    fn three_parts_are_a_scope_in_a_slice() {
        assert_eq!(
            unit("machine.slice:libpod:abc"),
            ("libpod-abc.scope".into(), "machine.slice/libpod-abc.scope".into())
        );
        assert_eq!(unit(":p:n"), ("p-n.scope".into(), "system.slice/p-n.scope".into()));
        assert_eq!(unit("-.slice:p:n").1, "p-n.scope");
        assert_eq!(unit("system.slice::n").0, "n.scope");
        assert_eq!(unit("system.slice:p:a+b").0, "p-a\\x2bb.scope");
    }

    #[test]
    fn dashes_in_a_slice_are_levels() {
        assert_eq!(
            unit("kube-pods-a.slice:crio:1").1,
            "kube.slice/kube-pods.slice/kube-pods-a.slice/crio-1.scope"
        );
        assert_eq!(unit("kube.slice::kube-pods.slice").1, "kube.slice/kube-pods.slice");
    }

    #[test]
    fn without_a_path_it_is_named_after_the_container() {
        let name = |manager| Name::parse(None, "c1", manager).unwrap();
        assert_eq!(name(Manager::System).path.to_str(), Some("system.slice/cofferdam-c1.scope"));
        assert_eq!(name(Manager::User).path.to_str(), Some("user.slice/cofferdam-c1.scope"));
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        for bad in [
            "/a/b",
            "a:b",
            "a:b:c",
            "a:b:c:d",
            "a--b.slice:p:n",
            ".slice:p:n",
            "-a.slice:p:n",
            "../x.slice:p:n",
            "system.slice:p:",
            "system.slice:p:-.slice",
            "system.slice:p:a/b.slice",
        ] {
            assert!(Name::parse(Some(bad), "id", Manager::System).is_err(), "{bad}");
        }
        let long = format!("system.slice:p:{}", "x".repeat(250));
        assert!(Name::parse(Some(&long), "id", Manager::System).is_err());
    }

    #[test]
    fn no_name_leaves_the_slice() {
        assert_eq!(unit("system.slice::../../x").1, "system.slice/\\x2e.\\x2f..\\x2fx.scope");
    }
}
