//! `/proc/PID/mountinfo` (proc_pid_mountinfo(5)), as far as cgroups need it.
//!
//! Called by [`crate::Hierarchies`]. Bytes in, values out; it may not read a file.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    id: u64,
    parent: u64,
    pub(crate) root: PathBuf,
    pub(crate) point: PathBuf,
    pub(crate) kind: String,
    pub(crate) super_options: String,
}

/// The cgroup mounts that no other mount covers, in the file's order. Lines that make no sense are left out.
pub(crate) fn visible_cgroups(text: &[u8]) -> Vec<Mount> {
    let all: Vec<Mount> = text.split(|b| *b == b'\n').filter_map(parse_line).collect();
    let ours = |m: &Mount| m.kind == "cgroup" || m.kind == "cgroup2";
    let seen: Vec<bool> = all.iter().map(|m| ours(m) && !hidden(m, &all, 0)).collect();
    all.into_iter().zip(seen).filter_map(|(m, seen)| seen.then_some(m)).collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|b| *b == b' ');
    let number = |f: &[u8]| std::str::from_utf8(f).ok()?.parse().ok();
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let _device = fields.next()?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    // Optional fields end with a lone hyphen.
    let mut rest = fields.skip_while(|f| *f != b"-").skip(1);
    let kind = String::from_utf8_lossy(rest.next()?).into_owned();
    let _source = rest.next()?;
    let super_options = String::from_utf8_lossy(rest.next()?).into_owned();
    Some(Mount { id, parent, root, point, kind, super_options })
}

/// A mount on top of another has it as its parent and the same mount point; what was below the covered
/// one is out of reach too.
fn hidden(mount: &Mount, all: &[Mount], depth: usize) -> bool {
    let covers =
        |over: &Mount, under: &Mount| over.parent == under.id && over.id != under.id && same(over, under);
    if all.iter().any(|m| covers(m, mount)) {
        return true;
    }
    let Some(parent) = all.iter().find(|m| m.id == mount.parent && m.id != mount.id) else { return false };
    if depth > all.len() {
        return false;
    }
    let on_its_root = same(parent, mount);
    !on_its_root && hidden(parent, all, depth + 1)
}

/// Whether both are at one place. The kernel writes a path in one way only: it need not be taken apart.
fn same(a: &Mount, b: &Mount) -> bool {
    a.point.as_os_str() == b.point.as_os_str()
}

/// Blank, tab, newline and backslash are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    if !field.contains(&b'\\') {
        return PathBuf::from(OsString::from_vec(field.to_vec()));
    }
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        match (first, octal) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_escapes_are_undone() {
        assert_eq!(unescape(br"/a\040b\134c\1"), PathBuf::from("/a b\\c\\1"));
    }

    #[test]
    fn a_line_with_optional_fields_is_understood() {
        let m = parse_line(b"42 32 0:38 /r /mp rw,nosuid shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct")
            .unwrap();
        assert_eq!((m.root.to_str().unwrap(), m.point.to_str().unwrap()), ("/r", "/mp"));
        assert_eq!(m.super_options, "rw,cpu,cpuacct");
        assert!(parse_line(b"nonsense").is_none());
    }

    #[test]
    fn what_is_below_a_covered_mount_is_not_seen() {
        let text = b"20 1 0:1 / /sys rw - sysfs s rw\n\
            30 20 0:2 / /sys/fs/cgroup rw - tmpfs t rw\n\
            31 30 0:3 / /sys/fs/cgroup/cpu rw - cgroup c rw,cpu\n\
            40 30 0:4 / /sys/fs/cgroup rw - cgroup2 c rw\n";
        let kinds: Vec<_> = visible_cgroups(text).into_iter().map(|m| m.kind).collect();
        assert_eq!(kinds, ["cgroup2"]);
    }
}
