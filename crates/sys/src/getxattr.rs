//! getxattr(2).

use core::ffi::CStr;

use crate::{Result, nr};

/// The length of an extended attribute of what `path` leads to, links followed, once it is in `value`; with an
/// empty `value` only the length. <https://man7.org/linux/man-pages/man2/getxattr.2.html>
///
/// # Errors
/// As the man page: `ENODATA` when there is none of that name, `ENOTSUP` where the file system has none,
/// `ERANGE` when it is longer than `value`.
///
/// ```
/// use cofferdam_sys::{Errno, getxattr::getxattr};
/// assert_eq!(getxattr(c"/nowhere", c"user.a", &mut []), Err(Errno::ENOENT));
/// ```
pub fn getxattr(path: &CStr, name: &CStr, value: &mut [u8]) -> Result<usize> {
    // SAFETY: null-terminated strings, and a buffer with its own length.
    unsafe { syscall!(nr::GETXATTR, path.as_ptr(), name.as_ptr(), value.as_mut_ptr(), value.len()) }
}
