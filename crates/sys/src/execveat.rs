//! execve(2) and execveat(2).

use core::convert::Infallible;
use core::ffi::{CStr, c_char};

use crate::{Errno, Result, nr};

/// Replaces the program. Returns only on failure.
/// <https://man7.org/linux/man-pages/man2/execve.2.html>
///
/// # Safety
/// `argv` and `envp` must be null-terminated arrays of null-terminated strings.
///
/// # Errors
/// As the man page.
pub unsafe fn execve(path: &CStr, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    // SAFETY: the caller's promise.
    match unsafe { syscall!(nr::EXECVE, path.as_ptr(), argv, envp) } {
        Err(e) => e,
        Ok(_) => Errno::EINVAL,
    }
}

/// As [`execve`], of a path beneath a descriptor or of the descriptor itself (`AT_EMPTY_PATH`).
/// <https://man7.org/linux/man-pages/man2/execveat.2.html>
///
/// # Safety
/// As [`execve`]; `path` must be null-terminated.
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
