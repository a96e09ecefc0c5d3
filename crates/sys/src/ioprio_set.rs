//! ioprio_set(2).

use crate::{Result, nr};

/// Sets the calling process's I/O priority (class and level in one number).
/// <https://man7.org/linux/man-pages/man2/ioprio_set.2.html>
///
/// # Errors
/// `EINVAL` for a wrong value, `EPERM` without the right to the class.
///
/// ```
/// const BEST_EFFORT: u32 = 2 << 13;
/// cofferdam_sys::ioprio_set::ioprio_set(BEST_EFFORT | 7).unwrap();
/// ```
pub fn ioprio_set(value: u32) -> Result<()> {
    const IOPRIO_WHO_PROCESS: u32 = 1;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::IOPRIO_SET, IOPRIO_WHO_PROCESS, 0u32, value) }.map(drop)
}
