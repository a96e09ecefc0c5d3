//! chdir(2), fchdir(2), chroot(2), getcwd(2), mkdirat(2), symlinkat(2), readlinkat(2), unlinkat(2),
//! fchownat(2), fchmod(2), utimensat(2) as far as the child needs them.
//!
//! ```
//! use cofferdam_sys::{dirs::*, open::*, stat};
//! let path = std::env::temp_dir().join(format!("cofferdam-dirs-{}", std::process::id()));
//! std::fs::create_dir(&path).unwrap();
//! let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
//! let dir = open(&name, O_DIRECTORY).unwrap();
//!
//! mkdirat(dir.raw(), c"made", 0o700).unwrap();
//! fchmodat(dir.raw(), c"made", 0o500).unwrap();
//! symlinkat(c"made", dir.raw(), c"link").unwrap();
//! let mut buffer = [0; 16];
//! assert_eq!(readlinkat(dir.raw(), c"link", &mut buffer), Ok(&b"made"[..]));
//!
//! let own = stat::stat(dir.raw()).unwrap();
//! lchownat(dir.raw(), c"link", own.uid, own.gid).unwrap();
//! fchown(dir.raw(), own.uid, own.gid).unwrap();
//! fchmod(dir.raw(), 0o700).unwrap();
//! unlinkat(dir.raw(), c"link", 0).unwrap();
//! std::fs::remove_dir_all(&path).unwrap();
//! ```

use core::ffi::CStr;

use crate::open::AT_EMPTY_PATH;
use crate::{Result, nr};

/// `chdir(path)`. <https://man7.org/linux/man-pages/man2/chdir.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// assert_eq!(cofferdam_sys::dirs::chdir(c"/nowhere").unwrap_err().name(), "ENOENT");
/// ```
pub fn chdir(path: &CStr) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::CHDIR, path.as_ptr()) }.map(drop)
}

/// `fchdir(fd)`. <https://man7.org/linux/man-pages/man2/chdir.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::{dirs, open};
/// let here = open::open(c".", open::O_PATH).unwrap();
/// dirs::fchdir(here.raw()).unwrap();
/// ```
pub fn fchdir(fd: i32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::FCHDIR, fd) }.map(drop)
}

/// `chroot(path)`. <https://man7.org/linux/man-pages/man2/chroot.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::{Errno, dirs};
/// assert_eq!(dirs::chroot(c"/nowhere"), Err(Errno::ENOENT));
/// ```
pub fn chroot(path: &CStr) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::CHROOT, path.as_ptr()) }.map(drop)
}

/// Writes the working directory's path into `buffer`, as the system call does: a path that does not
/// start with `/` is outside the root. <https://man7.org/linux/man-pages/man2/getcwd.2.html>
///
/// # Errors
/// `ERANGE` when it is too long, `ENOENT` when the directory was removed.
///
/// ```
/// let mut buffer = [0; 4096];
/// assert_eq!(cofferdam_sys::dirs::getcwd(&mut buffer).unwrap().first(), Some(&b'/'));
/// ```
pub fn getcwd(buffer: &mut [u8]) -> Result<&[u8]> {
    // SAFETY: the buffer's own length.
    let n = unsafe { syscall!(nr::GETCWD, buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(buffer.get(..n).unwrap_or_default())
}

/// `mkdirat(dir, path, mode)`. <https://man7.org/linux/man-pages/man2/mkdir.2.html>
///
/// # Errors
/// As the man page.
pub fn mkdirat(dir: i32, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::MKDIRAT, dir, path.as_ptr(), mode) }.map(drop)
}

/// `symlinkat(target, dir, path)`. <https://man7.org/linux/man-pages/man2/symlink.2.html>
///
/// # Errors
/// As the man page.
pub fn symlinkat(target: &CStr, dir: i32, path: &CStr) -> Result<()> {
    // SAFETY: null-terminated strings.
    unsafe { syscall!(nr::SYMLINKAT, target.as_ptr(), dir, path.as_ptr()) }.map(drop)
}

/// `readlinkat(dir, path)`. <https://man7.org/linux/man-pages/man2/readlink.2.html>
///
/// # Errors
/// As the man page.
pub fn readlinkat<'a>(dir: i32, path: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    // SAFETY: the buffer's own length.
    let n = unsafe { syscall!(nr::READLINKAT, dir, path.as_ptr(), buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(buffer.get(..n).unwrap_or_default())
}

/// `unlinkat(dir, path, flags)`. <https://man7.org/linux/man-pages/man2/unlink.2.html>
///
/// # Errors
/// As the man page.
pub fn unlinkat(dir: i32, path: &CStr, flags: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::UNLINKAT, dir, path.as_ptr(), flags) }.map(drop)
}

/// Gives what `from` leads to, through a last link too, another name: `to`. With `/proc/self/fd/N`, that is
/// the first name of a file that was made without one (`O_TMPFILE`).
/// <https://man7.org/linux/man-pages/man2/link.2.html>
///
/// # Errors
/// As linkat(2); `ENOENT` also when /proc is not mounted.
///
/// ```
/// use cofferdam_sys::{Errno, dirs};
/// assert_eq!(dirs::link_following(c"/proc/self/fd/999999", c"/tmp/name"), Err(Errno::ENOENT));
/// ```
pub fn link_following(from: &CStr, to: &CStr) -> Result<()> {
    const AT_SYMLINK_FOLLOW: u32 = 0x400;
    let at = crate::open::AT_FDCWD;
    // SAFETY: two null-terminated strings.
    unsafe { syscall!(nr::LINKAT, at, from.as_ptr(), at, to.as_ptr(), AT_SYMLINK_FOLLOW) }.map(drop)
}

/// Changes the owner of what `fd` refers to (an `O_PATH` descriptor will do).
/// <https://man7.org/linux/man-pages/man2/chown.2.html>
///
/// # Errors
/// As the man page.
pub fn fchown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::FCHOWNAT, fd, c"".as_ptr(), uid, gid, AT_EMPTY_PATH) }.map(drop)
}

/// Changes the owner of `path`, not following a link.
/// <https://man7.org/linux/man-pages/man2/chown.2.html>
///
/// # Errors
/// As the man page.
pub fn lchownat(dir: i32, path: &CStr, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::FCHOWNAT, dir, path.as_ptr(), uid, gid, crate::open::AT_SYMLINK_NOFOLLOW) }
        .map(drop)
}

/// `fchmod(fd, mode)`; not for `O_PATH` descriptors.
/// <https://man7.org/linux/man-pages/man2/chmod.2.html>
///
/// # Errors
/// As the man page.
pub fn fchmod(fd: i32, mode: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::FCHMOD, fd, mode) }.map(drop)
}

/// `chmod` of `path` beneath `dir`; follows links, so only for what the caller has just made in a
/// directory that nobody else can write to. <https://man7.org/linux/man-pages/man2/chmod.2.html>
///
/// # Errors
/// As the man page.
pub fn fchmodat(dir: i32, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::FCHMODAT, dir, path.as_ptr(), mode) }.map(drop)
}

/// Exchanges two files' names in one step (Linux 3.15).
/// <https://man7.org/linux/man-pages/man2/rename.2.html>
///
/// # Errors
/// `EINVAL` when the file system cannot, `ENOENT` when one of them is missing.
///
/// ```
/// use cofferdam_sys::{Errno, dirs};
/// assert_eq!(dirs::exchange(c"/nowhere/a", c"/nowhere/b"), Err(Errno::ENOENT));
/// ```
pub fn exchange(a: &CStr, b: &CStr) -> Result<()> {
    use crate::open::AT_FDCWD;
    const RENAME_EXCHANGE: u32 = 2;
    // SAFETY: null-terminated strings.
    unsafe { syscall!(nr::RENAMEAT2, AT_FDCWD, a.as_ptr(), AT_FDCWD, b.as_ptr(), RENAME_EXCHANGE) }.map(drop)
}
