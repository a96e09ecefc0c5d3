//! Places of a caller's, found once: what is mounted there, and what it is called.
//!
//! Called by the other files of this room. What was judged is a descriptor from then on.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cofferdam_notify::{Actor, Errno, Error, Request, Result};
use cofferdam_nsenter::{Inside, Set};

/// Finds what a path of the caller's leads to, with its rights.
pub(super) fn find(actor: &Actor<'_>, (dir, path): (i32, &CStr), follow: bool) -> Result<OwnedFd> {
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    actor.act(Set::MNT, dir, |inside| inside.place(path, follow))
}

/// As [`find`], or the descriptor itself, where the caller may say so by an empty path.
pub(super) fn at(actor: &Actor<'_>, (dir, path): (i32, &CStr), may_be_empty: bool) -> Result<OwnedFd> {
    if path.is_empty() && may_be_empty { actor.place(dir) } else { find(actor, (dir, path), true) }
}

/// What a place is called in the container: from the root of its mount namespace.
pub(super) fn name(place: &OwnedFd) -> Result<String> {
    let name = std::fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd()));
    let failed = |e: std::io::Error| Error::System {
        doing: "naming a place of the caller",
        errno: Errno(e.raw_os_error().unwrap_or(Errno::EIO.0)),
    };
    Ok(name.map_err(failed)?.to_string_lossy().into_owned())
}

/// The mount that a place is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    /// The file system's device.
    pub(super) device: String,
    /// Its type.
    pub(super) fstype: String,
    /// The place is where it is mounted.
    pub(super) is_root: bool,
    /// Something is mounted on or below the place.
    pub(super) has_below: bool,
}

/// What is mounted at a place with this name, as the caller's process sees it: nothing, where that has a root of its
/// own, from which places are called otherwise.
pub(super) fn mounted(
    place: &OwnedFd,
    name: &str,
    actor: &Actor<'_>,
    request: &Request,
) -> Result<Option<Mounted>> {
    if self::name(&actor.caller().root()?)? != "/" {
        return Ok(None);
    }
    let read = |file: String| std::fs::read_to_string(file).unwrap_or_default();
    let info = read(format!("/proc/self/fdinfo/{}", place.as_raw_fd()));
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim).unwrap_or_default();
    let mounts = read(format!("/proc/{}/mountinfo", request.tid()?));
    request.validate()?;
    Ok(parse(&mounts, id, &escaped(name)))
}

/// Mount `id` in a mountinfo (proc_pid_mountinfo(5)).
fn parse(mounts: &str, id: &str, name: &str) -> Option<Mounted> {
    let fields = |line: &'_ str| -> Option<[String; 4]> {
        let mut fields = line.split(' ').map(str::to_owned);
        let (id, parent, device) = (fields.next()?, fields.next()?, fields.next()?);
        Some([id, parent, device, fields.nth(1)?])
    };
    let line = mounts.lines().find(|line| line.split(' ').next() == Some(id))?;
    let [_, _, device, root] = fields(line)?;
    let fstype = line.split_once(" - ")?.1.split(' ').next()?.to_owned();
    let below = format!("{}/", name.trim_end_matches('/'));
    let mut others = mounts.lines().filter_map(fields);
    // One at the place itself covers what a descriptor of before it was mounted still names.
    let covers = |at: &str| at == name || at.starts_with(&below);
    let has_below = others.any(|[_, parent, _, at]| parent == id && covers(&at));
    Some(Mounted { device, fstype, is_root: root == name, has_below })
}

/// As a mountinfo writes names.
fn escaped(name: &str) -> String {
    let letter = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(c)),
        other => other.to_string(),
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_number_with_what_is_below() {
        let mounts = "22 1 0:21 / / rw shared:5 - overlay o rw\n\
                      221 22 0:22 / /proc rw - x rw - proc none rw\n\
                      23 221 0:23 / /proc/kcore rw - tmpfs none rw\n\
                      24 22 0:24 / /a\\040b rw - tmpfs none rw\n";
        let proc = parse(mounts, "221", "/proc").unwrap();
        assert_eq!((proc.device.as_str(), proc.is_root, proc.has_below), ("0:22", true, true));
        assert!(!parse(mounts, "221", "/proc/sys").unwrap().has_below);
        assert!(parse(mounts, "22", "/").unwrap().has_below);
        let spaced = parse(mounts, "24", &escaped("/a b")).unwrap();
        assert_eq!((spaced.fstype.as_str(), spaced.is_root, spaced.has_below), ("tmpfs", true, false));
        assert!(!parse(mounts, "22", "/pro").unwrap().has_below, "a part of a name is no directory");
        assert_eq!(parse(mounts, "2", "/"), None);
    }
}
