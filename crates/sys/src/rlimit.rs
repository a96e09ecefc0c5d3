//! prlimit(2), for the calling process.

use crate::{Result, nr};

#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// Sets a limit. <https://man7.org/linux/man-pages/man2/getrlimit.2.html>
///
/// # Errors
/// `EPERM` to raise a hard limit without CAP_SYS_RESOURCE, `EINVAL` for soft above hard.
///
/// ```
/// const RLIMIT_CORE: u32 = 4;
/// cofferdam_sys::rlimit::set(RLIMIT_CORE, 0, 0).unwrap();
/// ```
pub fn set(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = Limit { soft, hard };
    // SAFETY: the new limit is read; no old one is asked for.
    unsafe { syscall!(nr::PRLIMIT64, 0u32, resource, &raw const limit, 0usize) }.map(drop)
}
