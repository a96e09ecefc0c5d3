//! faccessat2(2). Linux 5.8.

use crate::open::AT_EMPTY_PATH;
use crate::{Errno, Result, nr};

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
    const AT_EACCESS: u32 = 0x200;
    // SAFETY: a null-terminated string.
    match unsafe { syscall!(nr::FACCESSAT2, fd, c"".as_ptr(), X_OK, AT_EACCESS | AT_EMPTY_PATH) } {
        Ok(_) | Err(Errno::ENOSYS | Errno::EINVAL) => Ok(()),
        Err(e) => Err(e),
    }
}
