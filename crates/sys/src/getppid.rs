//! getppid(2), as a call that a filter holds up: it takes no arguments, and the filter's listener sees those that
//! are given all the same.

use crate::{Result, nr};

/// Its number.
pub const NUMBER: usize = nr::GETPPID;

/// The number of the process that made the calling one, or what a listener answers
/// ([`crate::seccomp_unotify::send`]). <https://man7.org/linux/man-pages/man2/getppid.2.html>
///
/// # Errors
/// What a filter or its listener says; `ENOSYS` once the listener is closed.
///
/// ```
/// let parent = cofferdam_sys::getppid::getppid([0; 3]).unwrap();
/// assert_eq!(u32::try_from(parent), Ok(std::os::unix::process::parent_id()));
/// ```
pub fn getppid(unused: [u64; 3]) -> Result<usize> {
    let [a, b, c] = unused;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::GETPPID, a, b, c) }
}
