//! sched_setattr(2) and sched_setaffinity(2), for the calling thread.

use crate::{Result, nr};

/// `struct sched_attr`, without the utilisation clamps.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedAttr {
    size: u32,
    /// `SCHED_*`.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// Sets policy and attributes. <https://man7.org/linux/man-pages/man2/sched_setattr.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::sched::*;
/// setattr(SchedAttr::default()).unwrap();
/// ```
#[allow(clippy::cast_possible_truncation)]
pub fn setattr(mut attr: SchedAttr) -> Result<()> {
    attr.size = size_of::<SchedAttr>() as u32;
    // SAFETY: the structure says its own size.
    unsafe { syscall!(nr::SCHED_SETATTR, 0u32, &raw const attr, 0u32) }.map(drop)
}

/// Sets the CPUs to run on. <https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html>
///
/// # Errors
/// `EINVAL` when none of them is there.
///
/// ```
/// let all = [0xff; 16];
/// cofferdam_sys::sched::setaffinity(&all).unwrap();
/// ```
pub fn setaffinity(mask: &[u8]) -> Result<()> {
    // SAFETY: the slice's own length.
    unsafe { syscall!(nr::SCHED_SETAFFINITY, 0u32, mask.len(), mask.as_ptr()) }.map(drop)
}
