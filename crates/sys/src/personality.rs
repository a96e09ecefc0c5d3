//! personality(2).

use crate::{Result, nr};

/// Sets the execution domain. <https://man7.org/linux/man-pages/man2/personality.2.html>
///
/// # Errors
/// None of today's kernels.
///
/// ```
/// cofferdam_sys::personality::personality(0).unwrap();
/// ```
pub fn personality(value: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::PERSONALITY, value) }.map(drop)
}
