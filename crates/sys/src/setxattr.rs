//! setxattr(2).

use core::ffi::CStr;

use crate::{Result, nr};

/// Sets an extended attribute of what `path` leads to, links followed; `flags` are `XATTR_CREATE` (1) and
/// `XATTR_REPLACE` (2). <https://man7.org/linux/man-pages/man2/setxattr.2.html>
///
/// # Errors
/// As the man page: `ENOTSUP` where the file system has none, `EPERM` without the right.
///
/// ```
/// use cofferdam_sys::{Errno, setxattr::setxattr};
/// assert_eq!(setxattr(c"/nowhere", c"user.a", b"x", 0), Err(Errno::ENOENT));
/// ```
pub fn setxattr(path: &CStr, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
    // SAFETY: null-terminated strings, and the value's own length.
    unsafe { syscall!(nr::SETXATTR, path.as_ptr(), name.as_ptr(), value.as_ptr(), value.len(), flags) }
        .map(drop)
}
