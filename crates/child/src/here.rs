//! What a process does that joined another's namespaces, root and working directory: files, as that process
//! would name them.
//!
//! Called by the loop. The tree is hostile: links are followed as the process's root bounds them, magic
//! links (below /proc, into our own descriptors) never, and what has been found is a descriptor from then on.

use core::ffi::CStr;

use cofferdam_sys::{Errno, Fd, Result, dirs, mknodat, open, stat};

use crate::context::{Context, Done, Path};
use crate::frame::{DESCRIPTOR, Frame};
use crate::op::Op;
use crate::{procfs, serve};

const CHUNK: usize = 16 << 10;

pub(crate) fn join_root(fd: i32) -> Done {
    dirs::fchdir(fd)?;
    Ok(dirs::chroot(c".")?)
}

/// A directory that getcwd(2) cannot name lies outside the root: `..` would lead to places that no path of
/// the root leads to.
pub(crate) fn join_cwd(fd: i32) -> Done {
    dirs::fchdir(fd)?;
    let mut buffer = [0; 4096];
    match dirs::getcwd(&mut buffer)?.first() {
        Some(b'/') => Ok(()),
        _ => Err(Errno::EXDEV.into()),
    }
}

/// Names what `path` leads to.
pub(crate) fn find(path: &CStr, flags: u64) -> Result<Fd> {
    open::openat2(open::AT_FDCWD, path, flags, 0, open::RESOLVE_NO_MAGICLINKS)
}

/// The directory that `path` lies in, and the last component, put into `name`.
pub(crate) fn parent(path: &CStr, name: &mut Path) -> Result<Fd> {
    let whole = path.to_bytes();
    let end = whole.iter().rposition(|b| *b != b'/').ok_or(Errno::EEXIST)?;
    let whole = whole.get(..=end).unwrap_or_default();
    let cut = whole.iter().rposition(|b| *b == b'/');
    let (above, last) = match cut {
        None => (&b"."[..], whole),
        Some(cut) => {
            let (above, last) = whole.split_at_checked(cut.saturating_add(1)).ok_or(Errno::EINVAL)?;
            (above, last)
        }
    };
    if matches!(last, b"." | b"..") {
        return Err(Errno::EINVAL);
    }
    name.push(last)?;
    let mut directory = Path::new();
    directory.push(above)?;
    find(directory.c_str()?, open::O_PATH | open::O_DIRECTORY)
}

/// A descriptor that came with the program.
pub(crate) fn received(c: &Context, n: usize) -> Result<i32> {
    c.received.get(n).and_then(Option::as_ref).map(Fd::raw).ok_or(Errno::EBADF)
}

pub(crate) fn directory(path: &CStr, mode: u32) -> Done {
    let mut name = Path::new();
    let parent = parent(path, &mut name)?;
    Ok(dirs::mkdirat(parent.raw(), name.c_str()?, mode)?)
}

pub(crate) fn node(path: &CStr, mode: u32, dev: u32) -> Done {
    let mut name = Path::new();
    let parent = parent(path, &mut name)?;
    Ok(mknodat::mknodat(parent.raw(), name.c_str()?, mode, dev)?)
}

pub(crate) fn symlink(path: &CStr, target: &CStr) -> Done {
    let mut name = Path::new();
    let parent = parent(path, &mut name)?;
    Ok(dirs::symlinkat(target, parent.raw(), name.c_str()?)?)
}

pub(crate) fn owner(path: &CStr, uid: u32, gid: u32, follow: bool) -> Done {
    let link = if follow { 0 } else { open::O_NOFOLLOW };
    Ok(dirs::fchown(find(path, open::O_PATH | link)?.raw(), uid, gid)?)
}

/// Acts with a directory as the working directory, which is where it was afterwards, also after a failure: some
/// calls take names only.
pub(crate) fn at<T>(directory: &Fd, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let here = open::open(c".", open::O_PATH | open::O_DIRECTORY)?;
    dirs::fchdir(directory.raw())?;
    let done = act();
    dirs::fchdir(here.raw())?;
    done
}

pub(crate) fn attribute(c: &mut Context, op: &Op<'_>) -> Done {
    let Op::HereAttribute { path, follow, name, value, flags } = *op else {
        return Err(Errno::ENOSYS.into());
    };
    let there = if path.is_empty() {
        c.received.first_mut().and_then(Option::take).ok_or(Errno::EBADF)?
    } else {
        find(path, open::O_PATH | if follow { 0 } else { open::O_NOFOLLOW })?
    };
    Ok(procfs::set_attribute(c, &there, name, value, flags)?)
}

pub(crate) fn mode(c: &mut Context, path: &CStr, mode: u32, follow: bool) -> Done {
    let there = match path.is_empty() {
        true => serve::first(c)?,
        false => find(path, open::O_PATH | if follow { 0 } else { open::O_NOFOLLOW })?,
    };
    Ok(procfs::chmod(c, &there, mode)?)
}

/// `name/` is a directory, or refused as one that is none.
pub(crate) fn unlink(path: &CStr, flags: u32) -> Done {
    let mut name = Path::new();
    let parent = parent(path, &mut name)?;
    if path.to_bytes().ends_with(b"/") {
        name.push(b"/")?;
    }
    Ok(dirs::unlinkat(parent.raw(), name.c_str()?, flags)?)
}

/// What a path leads to, or what the first descriptor names, if it is empty.
pub(crate) fn place(c: &mut Context, path: &CStr) -> Result<Fd> {
    if path.is_empty() { serve::first(c) } else { find(path, open::O_PATH) }
}

/// Puts a descriptor before those that came along.
pub(crate) fn becomes_first(c: &mut Context, fd: Fd) -> Done {
    c.received.rotate_right(1);
    if let Some(slot) = c.received.first_mut() {
        *slot = Some(fd);
    }
    Ok(())
}

/// Regular files only: what opening or reading anything else does is not known beforehand.
fn regular(fd: &Fd) -> Result<()> {
    match stat::stat(fd.raw())?.mode & mknodat::S_IFMT {
        mknodat::S_IFREG => Ok(()),
        mknodat::S_IFDIR => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

pub(crate) fn read(c: &Context, path: &CStr, limit: u64) -> Done {
    let to = c.received.first().and_then(Option::as_ref).ok_or(Errno::EBADF)?;
    let there = find(path, open::O_PATH)?;
    regular(&there)?;
    not_ours(c, &there)?;
    let file = procfs::reopen(c, &there, open::O_RDONLY)?;
    let (mut buffer, mut total) = ([0u8; CHUNK], 0u64);
    loop {
        let n = open::read(file.raw(), &mut buffer)?;
        let chunk = buffer.get(..n).unwrap_or_default();
        if chunk.is_empty() {
            return Ok(());
        }
        total = total.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
        if total > limit {
            return Err(Errno::EFBIG.into());
        }
        write_all(to, chunk)?;
    }
}

/// Replaces the content of what is there, or makes it: then only what appeared there meanwhile, and is looked
/// at once it is open, can be anything else.
pub(crate) fn write(c: &Context, path: &CStr, mode: u32, content: &[u8]) -> Done {
    const ANEW: u64 = open::O_WRONLY | open::O_TRUNC;
    const MAKE: u64 = ANEW | open::O_CREAT | open::O_NONBLOCK | open::O_NOCTTY;
    let file = match find(path, open::O_PATH) {
        Ok(there) => {
            regular(&there)?;
            not_ours(c, &there)?;
            procfs::reopen(c, &there, ANEW)?
        }
        Err(Errno::ENOENT) => {
            let made = open::openat2(open::AT_FDCWD, path, MAKE, mode.into(), open::RESOLVE_NO_MAGICLINKS)?;
            regular(&made)?;
            made
        }
        Err(e) => return Err(e.into()),
    };
    Ok(write_all(&file, content)?)
}

fn write_all(file: &Fd, mut rest: &[u8]) -> Result<()> {
    while !rest.is_empty() {
        let n = open::write(file.raw(), rest)?;
        rest = rest.get(n..).filter(|_| n > 0).ok_or(Errno::EIO)?;
    }
    Ok(())
}

pub(crate) fn open(c: &Context, path: &CStr, (flags, mode): (u64, u32), resolve: u64) -> Done {
    const TMPFILE: u64 = 0o20_000_000;
    let mode = if flags & (open::O_CREAT | TMPFILE) == 0 { 0 } else { u64::from(mode) };
    let fd = open::openat2(open::AT_FDCWD, path, flags, mode, resolve | open::RESOLVE_NO_MAGICLINKS)?;
    not_ours(c, &fd)?;
    hand_over(c, &fd)
}

/// What is below /proc/self is the process's that looks there: done for another, that would be our own memory.
fn not_ours(c: &Context, fd: &Fd) -> Result<()> {
    if c.is_another() && stat::filesystem(fd.raw())? == stat::PROC_SUPER_MAGIC {
        return Err(Errno::EXDEV);
    }
    Ok(())
}

pub(crate) fn hand_over(c: &Context, fd: &Fd) -> Done {
    Ok(c.say(Frame { kind: DESCRIPTOR, a: 0, b: 0, errno: 0 }, &[fd.raw()])?)
}
