//! execve(2) and execveat(2).

use core::convert::Infallible;
use core::ffi::{CStr, c_char};

use crate::mmap::Vector;
use crate::{Errno, Result, nr};

/// Replaces the program. Returns only on failure.
/// <https://man7.org/linux/man-pages/man2/execve.2.html>
///
/// ```
/// use cofferdam_sys::{Errno, execveat, mmap};
/// let none = || mmap::vector(0, [].into_iter()).unwrap();
/// assert_eq!(execveat::execve(c"/nowhere", &none(), &none()), Errno::ENOENT);
/// ```
pub fn execve(path: &CStr, argv: &Vector<'_>, envp: &Vector<'_>) -> Errno {
    // SAFETY: a vector is a null-terminated array of null-terminated strings.
    match unsafe { syscall!(nr::EXECVE, path.as_ptr(), argv.as_ptr(), envp.as_ptr()) } {
        Err(e) => e,
        Ok(_) => Errno::EINVAL,
    }
}

/// As [`execve`], of what a descriptor names; it must not be close-on-exec if it names a script.
/// <https://man7.org/linux/man-pages/man2/execveat.2.html>
///
/// ```
/// use cofferdam_sys::{Errno, execveat, mmap, open};
/// let none = || mmap::vector(0, [].into_iter()).unwrap();
/// let directory = open::open(c"/", open::O_PATH).unwrap();
/// assert_eq!(execveat::fexecve(directory.raw(), &none(), &none()), Errno::EACCES);
/// ```
pub fn fexecve(fd: i32, argv: &Vector<'_>, envp: &Vector<'_>) -> Errno {
    // SAFETY: an empty path, and vectors, which are null-terminated arrays of null-terminated strings.
    match unsafe { raw(fd, c"".as_ptr(), argv.as_ptr(), envp.as_ptr(), crate::open::AT_EMPTY_PATH) } {
        Err(e) => e,
        Ok(never) => match never {},
    }
}

/// As [`execve`], of a path beneath a descriptor or of the descriptor itself (`AT_EMPTY_PATH`).
/// <https://man7.org/linux/man-pages/man2/execveat.2.html>
///
/// # Safety
/// `path` must be null-terminated, the arrays null-terminated arrays of such strings.
///
/// # Errors
/// As the man page.
pub(crate) unsafe fn raw(
    dir: i32,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    flags: u32,
) -> Result<Infallible> {
    // SAFETY: the caller's promise.
    unsafe { syscall!(nr::EXECVEAT, dir, path, argv, envp, flags) }.and(Err(Errno::EINVAL))
}
