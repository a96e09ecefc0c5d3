//! Finding and making paths beneath the root, whatever the root filesystem holds: links are followed as
//! if its root were `/`, magic links never, and nothing is ever made outside (CVE-2021-30465,
//! CVE-2024-45310, CVE-2026-41579).

use core::ffi::CStr;

use cofferdam_sys::{Errno, Fd, Result, dirs, mknodat, open};

use crate::context::Path;

const IN_ROOT: u64 = open::RESOLVE_IN_ROOT | open::RESOLVE_NO_MAGICLINKS;
const MAX_LINKS: u32 = 40;

/// What a missing last component becomes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing {
    Directory(u32),
    File,
}

/// How links on the way are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Refuse,
}

/// Names what `path` leads to.
pub(crate) fn find(root: i32, path: &CStr, flags: u64, links: Links) -> Result<Fd> {
    let resolve = if links == Links::Refuse { IN_ROOT | open::RESOLVE_NO_SYMLINKS } else { IN_ROOT };
    open::openat2(root, path, flags, 0, resolve)
}

/// Names what `path` leads to, making what is missing.
pub(crate) fn ensure(root: i32, path: &CStr, missing: Missing, links: Links) -> Result<Fd> {
    ensure_with_parent(root, path, missing, links).map(|(fd, _)| fd)
}

/// As [`ensure`]; gives the directory too, if the last component was all that was missing.
pub(crate) fn ensure_with_parent(
    root: i32,
    path: &CStr,
    missing: Missing,
    links: Links,
) -> Result<(Fd, Option<Fd>)> {
    match find(root, path, open::O_PATH, links) {
        Err(Errno::ENOENT) => {}
        other => return Ok((other?, None)),
    }
    if let Some((fd, parent)) = make_last(root, path, missing, links)? {
        return Ok((fd, Some(parent)));
    }
    let mut whole = Path::new();
    whole.push(path.to_bytes())?;
    for _ in 0..MAX_LINKS {
        match walk(root, &whole, missing, links)? {
            Walk::Arrived(fd) => return Ok((fd, None)),
            Walk::Detour(other) => whole = other,
        }
    }
    Err(Errno::ELOOP)
}

/// The usual case: only the last component is missing.
fn make_last(root: i32, path: &CStr, missing: Missing, links: Links) -> Result<Option<(Fd, Fd)>> {
    let Ok((mut above, name)) = split(path) else { return Ok(None) };
    match find(root, above.c_str()?, open::O_PATH | open::O_DIRECTORY, links) {
        Ok(parent) => Ok(make(&parent, name.to_bytes(), missing)?.map(|fd| (fd, parent))),
        Err(Errno::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

#[expect(clippy::large_enum_variant, reason = "there is no heap to put the path into")]
enum Walk {
    Arrived(Fd),
    /// A link to something missing: the path with the link's words in its place.
    Detour(Path),
}

/// Goes component by component, making the missing ones.
fn walk(root: i32, whole: &Path, missing: Missing, links: Links) -> Result<Walk> {
    let mut so_far = Path::new();
    let mut at = find(root, c"/", open::O_PATH | open::O_DIRECTORY, links)?;
    let mut parts = whole.bytes().split(|b| *b == b'/').filter(|p| !p.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let parent_length = so_far.bytes().len();
        so_far.push(b"/")?;
        so_far.push(part)?;
        at = match find(root, so_far.c_str()?, open::O_PATH, links) {
            Err(Errno::ENOENT) => {
                match make(&at, part, if last { missing } else { Missing::Directory(0o755) })? {
                    Some(made) => made,
                    None => {
                        let parent = so_far.bytes().get(..parent_length).unwrap_or_default();
                        return detour(&at, part, parent, parts).map(Walk::Detour);
                    }
                }
            }
            other => other?,
        };
    }
    Ok(Walk::Arrived(at))
}

/// Makes one component; `None` when a link stands in its place.
pub(crate) fn make(parent: &Fd, name: &[u8], missing: Missing) -> Result<Option<Fd>> {
    let mut buffer = Path::new();
    buffer.push(name)?;
    let name = buffer.c_str()?;
    let made = match missing {
        Missing::Directory(mode) => dirs::mkdirat(parent.raw(), name, mode),
        Missing::File => mknodat::mknodat(parent.raw(), name, mknodat::S_IFREG | 0o644, 0),
    };
    match made {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(e) => return Err(e),
    }
    let resolve = open::RESOLVE_BENEATH | open::RESOLVE_NO_SYMLINKS | open::RESOLVE_NO_MAGICLINKS;
    match open::openat2(parent.raw(), name, open::O_PATH, 0, resolve) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ELOOP) => Ok(None),
        Err(e) => Err(e),
    }
}

fn detour<'a>(at: &Fd, name: &[u8], parent: &[u8], rest: impl Iterator<Item = &'a [u8]>) -> Result<Path> {
    let (mut buffer, mut link) = (Path::new(), [0; 4095]);
    buffer.push(name)?;
    let words = dirs::readlinkat(at.raw(), buffer.c_str()?, &mut link)?;
    let mut path = Path::new();
    if words.first() != Some(&b'/') {
        path.push(parent)?;
        path.push(b"/")?;
    }
    path.push(words)?;
    for part in rest {
        path.push(b"/")?;
        path.push(part)?;
    }
    Ok(path)
}

/// The directory that `path` lies in, and the last component.
pub(crate) fn split(path: &CStr) -> Result<(Path, &CStr)> {
    let bytes = path.to_bytes_with_nul();
    let cut = bytes.iter().rposition(|b| *b == b'/').ok_or(Errno::EINVAL)?;
    let mut above = Path::new();
    above.push(bytes.get(..cut).unwrap_or_default())?;
    above.push(b"/")?;
    let name = bytes.get(cut.saturating_add(1)..).and_then(|b| CStr::from_bytes_with_nul(b).ok());
    Ok((above, name.filter(|n| !n.is_empty()).ok_or(Errno::EINVAL)?))
}
