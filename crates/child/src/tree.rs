//! Copying a directory into a fresh tmpfs (`tmpcopyup`), without a heap: one directory's entries are read
//! at a time, the depth is bounded by the stack that each level takes.

use core::ffi::CStr;

use cofferdam_sys::{Errno, Fd, Result, dirs, getdents64, mknodat, open, stat};

const BENEATH: u64 = open::RESOLVE_BENEATH | open::RESOLVE_NO_SYMLINKS | open::RESOLVE_NO_MAGICLINKS;
const MAX_DEPTH: u32 = 64;

/// Copies the content, mode and owner of the directory `from` (of the container) into the new mount.
pub(crate) fn copy_up(from: &Fd, to: &Fd) -> Result<()> {
    let from = open::openat2(from.raw(), c".", open::O_RDONLY | open::O_DIRECTORY, 0, 0)?;
    let to = open::openat2(to.raw(), c".", open::O_RDONLY | open::O_DIRECTORY, 0, 0)?;
    directory(&from, &to, MAX_DEPTH)
}

fn directory(from: &Fd, to: &Fd, depth: u32) -> Result<()> {
    let deeper = depth.checked_sub(1).ok_or(Errno::ELOOP)?;
    let mut buffer = [0; 2048];
    loop {
        let mut entries = getdents64::getdents(from.raw(), &mut buffer)?;
        if entries.is_empty() {
            break;
        }
        while let Some((name, rest)) = getdents64::next(entries) {
            entries = rest;
            if name != c"." && name != c".." {
                entry(from, to, name, deeper)?;
            }
        }
    }
    let s = stat::stat(from.raw())?;
    dirs::fchown(to.raw(), s.uid, s.gid)?;
    dirs::fchmod(to.raw(), s.mode & 0o7777)
}

fn entry(from: &Fd, to: &Fd, name: &CStr, depth: u32) -> Result<()> {
    let s = stat::lstat(from.raw(), name)?;
    let permissions = s.mode & 0o7777;
    match s.mode & mknodat::S_IFMT {
        mknodat::S_IFDIR => {
            let source = open::openat2(from.raw(), name, open::O_RDONLY | open::O_DIRECTORY, 0, BENEATH)?;
            dirs::mkdirat(to.raw(), name, permissions)?;
            let target = open::openat2(to.raw(), name, open::O_RDONLY | open::O_DIRECTORY, 0, BENEATH)?;
            return directory(&source, &target, depth);
        }
        mknodat::S_IFREG => {
            let source = open::openat2(from.raw(), name, open::O_RDONLY, 0, BENEATH)?;
            let flags = open::O_WRONLY | open::O_CREAT | open::O_EXCL;
            let target = open::openat2(to.raw(), name, flags, 0o600, BENEATH)?;
            while open::sendfile(target.raw(), source.raw(), 1 << 20)? > 0 {}
        }
        mknodat::S_IFLNK => {
            let mut words = [0; 4096];
            let length = dirs::readlinkat(from.raw(), name, words.get_mut(..4095).unwrap_or_default())?.len();
            let words = words.get(..=length).and_then(|w| CStr::from_bytes_with_nul(w).ok());
            dirs::symlinkat(words.ok_or(Errno::EINVAL)?, to.raw(), name)?;
            return dirs::lchownat(to.raw(), name, s.uid, s.gid);
        }
        kind => {
            let dev = mknodat::makedev(s.rdev_major, s.rdev_minor);
            mknodat::mknodat(to.raw(), name, kind | permissions, dev)?;
        }
    }
    dirs::lchownat(to.raw(), name, s.uid, s.gid)?;
    // The owner comes first: a change of owner takes set-user-id bits away.
    dirs::fchmodat(to.raw(), name, permissions)
}
