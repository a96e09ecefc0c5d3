//! open(2), openat2(2), read(2), write(2), dup3(2), lseek(2), sendfile(2). openat2: Linux 5.6.
//!
//! ```
//! use cofferdam_sys::{memfd_create::memfd_create, open::*};
//! let (from, to) = (memfd_create(c"from", false).unwrap(), memfd_create(c"to", false).unwrap());
//! write(from.raw(), b"abc").unwrap();
//! assert_eq!(size(from.raw()), Ok(3));
//! rewind(from.raw()).unwrap();
//! assert_eq!(sendfile(to.raw(), from.raw(), 3), Ok(3));
//! rewind(to.raw()).unwrap();
//! let mut buffer = [0; 8];
//! assert_eq!(read(to.raw(), &mut buffer), Ok(3));
//! ```

use core::ffi::CStr;

use crate::{Errno, Fd, Result, nr, raw::small};

/// The working directory, in place of a directory's descriptor.
pub const AT_FDCWD: i32 = -100;
/// The descriptor itself is meant.
pub const AT_EMPTY_PATH: u32 = 0x1000;
/// A link itself is meant, not what it points to.
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
/// Read only.
pub const O_RDONLY: u64 = 0;
/// Write only.
pub const O_WRONLY: u64 = 1;
/// Both.
pub const O_RDWR: u64 = 2;
/// Make the file.
pub const O_CREAT: u64 = 0o100;
/// Fail if it exists.
pub const O_EXCL: u64 = 0o200;
/// Empty it first.
pub const O_TRUNC: u64 = 0o1000;
/// A terminal does not become the controlling one.
pub const O_NOCTTY: u64 = 0o400;
/// Do not wait.
pub const O_NONBLOCK: u64 = 0o4000;
/// Close on execve.
pub const O_CLOEXEC: u64 = 0o2_000_000;
/// Name the file without opening it.
pub const O_PATH: u64 = 0o10_000_000;
/// Fail unless it is a directory.
#[cfg(not(target_arch = "aarch64"))]
pub const O_DIRECTORY: u64 = 0o200_000;
/// Fail unless it is a directory.
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: u64 = 0o40_000;
/// Fail if it is a symbolic link (with `O_PATH`: name the link).
#[cfg(not(target_arch = "aarch64"))]
pub const O_NOFOLLOW: u64 = 0o400_000;
/// Fail if it is a symbolic link (with `O_PATH`: name the link).
#[cfg(target_arch = "aarch64")]
pub const O_NOFOLLOW: u64 = 0o100_000;

/// Do not cross mount points.
pub const RESOLVE_NO_XDEV: u64 = 1;
/// Do not follow links such as /proc/self/fd/3.
pub const RESOLVE_NO_MAGICLINKS: u64 = 2;
/// Do not follow links at all.
pub const RESOLVE_NO_SYMLINKS: u64 = 4;
/// Fail when the path leaves the directory.
pub const RESOLVE_BENEATH: u64 = 8;
/// The directory is the root: `/` and `..` stay inside.
pub const RESOLVE_IN_ROOT: u64 = 0x10;

#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens a path of the calling process, close-on-exec.
/// <https://man7.org/linux/man-pages/man2/open.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::open;
/// assert!(open::open(c"/", open::O_PATH).is_ok());
/// ```
pub fn open(path: &CStr, flags: u64) -> Result<Fd> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::OPENAT, AT_FDCWD, path.as_ptr(), flags | O_CLOEXEC, 0u32) }
        .map(|fd| Fd::own(small(fd)))
}

/// Opens a path as `resolve` allows, close-on-exec; retried while a rename elsewhere disturbs it.
/// <https://man7.org/linux/man-pages/man2/openat2.2.html>
///
/// # Errors
/// As the man page: `ELOOP` for a forbidden link, `EXDEV` for a path that leaves the directory.
///
/// ```
/// use cofferdam_sys::{Errno, open::*};
/// let etc = open(c"/etc", O_PATH).unwrap();
/// let e = openat2(etc.raw(), c"../bin", O_PATH, 0, RESOLVE_BENEATH).unwrap_err();
/// assert_eq!(e, Errno::EXDEV);
/// ```
pub fn openat2(dir: i32, path: &CStr, flags: u64, mode: u64, resolve: u64) -> Result<Fd> {
    let how = How { flags: flags | O_CLOEXEC, mode, resolve };
    for _ in 0..128 {
        // SAFETY: a null-terminated string and a structure of the size that is given.
        match unsafe { syscall!(nr::OPENAT2, dir, path.as_ptr(), &raw const how, size_of::<How>()) } {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            other => return other.map(|fd| Fd::own(small(fd))),
        }
    }
    Err(Errno::EAGAIN)
}

/// `pread(fd)`, from `offset` on; retried when interrupted. <https://man7.org/linux/man-pages/man2/pread.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::open::*;
/// let status = open(c"/proc/self/status", O_RDONLY).unwrap();
/// let mut buffer = [0; 5];
/// for _ in 0..2 {
///     assert_eq!(read_at(status.raw(), &mut buffer, 0), Ok(5));
///     assert_eq!(&buffer, b"Name:");
/// }
/// ```
pub fn read_at(fd: i32, buffer: &mut [u8], offset: u64) -> Result<usize> {
    loop {
        // SAFETY: the buffer's own length.
        match unsafe { syscall!(nr::PREAD64, fd, buffer.as_mut_ptr(), buffer.len(), offset) } {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// `read(fd)`; retried when interrupted. <https://man7.org/linux/man-pages/man2/read.2.html>
///
/// # Errors
/// As the man page.
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: the buffer's own length.
        match unsafe { syscall!(nr::READ, fd, buffer.as_mut_ptr(), buffer.len()) } {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// `write(fd)`; retried when interrupted. <https://man7.org/linux/man-pages/man2/write.2.html>
///
/// # Errors
/// As the man page.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    loop {
        // SAFETY: the buffer's own length.
        match unsafe { syscall!(nr::WRITE, fd, bytes.as_ptr(), bytes.len()) } {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Makes `to` a duplicate of `from`, not close-on-exec. Nothing happens when they are the same.
/// <https://man7.org/linux/man-pages/man2/dup.2.html>
///
/// # Errors
/// `EBADF`.
///
/// ```
/// use cofferdam_sys::{open::*, pidfd::duplicate};
/// let (null, zero) = (open(c"/dev/null", O_RDONLY).unwrap(), open(c"/dev/zero", O_RDONLY).unwrap());
/// let other = duplicate(null.raw()).unwrap();
/// dup_onto(zero.raw(), other.raw()).unwrap();
/// assert_eq!(read(other.raw(), &mut [1; 4]), Ok(4));
/// ```
pub fn dup_onto(from: i32, to: i32) -> Result<()> {
    if from == to {
        return set_cloexec(to, false);
    }
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::DUP3, from, to, 0u32) }.map(drop)
}

/// Sets or clears close-on-exec. <https://man7.org/linux/man-pages/man2/fcntl.2.html>
///
/// # Errors
/// `EBADF`.
///
/// ```
/// use cofferdam_sys::open::*;
/// let null = open(c"/dev/null", O_RDONLY).unwrap();
/// set_cloexec(null.raw(), false).unwrap(); // a program that is executed has it
/// ```
pub fn set_cloexec(fd: i32, on: bool) -> Result<()> {
    const F_SETFD: u32 = 2;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::FCNTL, fd, F_SETFD, u32::from(on)) }.map(drop)
}

/// The size of a file in bytes. <https://man7.org/linux/man-pages/man2/lseek.2.html>
///
/// # Errors
/// `ESPIPE` for what cannot be seeked.
pub fn size(fd: i32) -> Result<usize> {
    const SEEK_END: u32 = 2;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::LSEEK, fd, 0usize, SEEK_END) }
}

/// Copies up to `count` bytes between files at their own offsets.
/// <https://man7.org/linux/man-pages/man2/sendfile.2.html>
///
/// # Errors
/// As the man page.
pub fn sendfile(to: i32, from: i32, count: usize) -> Result<usize> {
    // SAFETY: no offset is handed over.
    unsafe { syscall!(nr::SENDFILE, to, from, 0usize, count) }
}

/// Back to a file's beginning. <https://man7.org/linux/man-pages/man2/lseek.2.html>
///
/// # Errors
/// `ESPIPE` for what cannot be seeked.
pub fn rewind(fd: i32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::LSEEK, fd, 0usize, 0u32) }.map(drop)
}
