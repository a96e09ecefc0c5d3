//! faccessat2(2). Linux 5.8.

use core::ffi::CStr;

use crate::open::{AT_EMPTY_PATH, AT_FDCWD};
use crate::{Errno, Result, nr};

const AT_EACCESS: u32 = 0x200;

/// Whether the effective user may execute what `fd` names. Kernels that cannot ask for a descriptor
/// are taken to agree: execve(2) has the last word.
/// <https://man7.org/linux/man-pages/man2/access.2.html>
///
/// # Errors
/// `EACCES`.
///
/// ```
/// use cofferdam_sys::{access, open};
/// let sh = open::open(c"/bin/sh", open::O_PATH).unwrap();
/// access::executable(sh.raw()).unwrap();
/// ```
pub fn executable(fd: i32) -> Result<()> {
    const X_OK: u32 = 1;
    // SAFETY: a null-terminated string.
    match unsafe { syscall!(nr::FACCESSAT2, fd, c"".as_ptr(), X_OK, AT_EACCESS | AT_EMPTY_PATH) } {
        Ok(_) | Err(Errno::ENOSYS | Errno::EINVAL) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Whether the effective user may write what `path` names: in a directory, make entries.
/// <https://man7.org/linux/man-pages/man2/access.2.html>
///
/// # Errors
/// `EACCES`; `EROFS` where the mount is read-only; `ENOENT`.
///
/// ```
/// use cofferdam_sys::{Errno, access};
/// assert_eq!(access::writable(c"/no/such/file"), Err(Errno::ENOENT));
/// ```
pub fn writable(path: &CStr) -> Result<()> {
    const W_OK: u32 = 2;
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::FACCESSAT2, AT_FDCWD, path.as_ptr(), W_OK, AT_EACCESS) }.map(drop)
}
