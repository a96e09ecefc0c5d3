//! close_range(2): Linux 5.9; the flag 5.11.

use crate::{Result, nr};

/// Descriptors are not closed but marked close-on-exec (Linux 5.11).
pub const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Closes all descriptors from `first` to `last`, both included.
/// <https://man7.org/linux/man-pages/man2/close_range.2.html>
///
/// # Errors
/// `EINVAL` when `first` is above `last`.
///
/// ```
/// use cofferdam_sys::close_range::*;
/// close_range(1_000_000, u32::MAX, CLOSE_RANGE_CLOEXEC).unwrap();
/// ```
pub fn close_range(first: u32, last: u32, flags: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::CLOSE_RANGE, first, last, flags) }.map(drop)
}
