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

/// The CPU that the calling thread runs on. <https://man7.org/linux/man-pages/man2/getcpu.2.html>
///
/// # Errors
/// None that a caller can cause.
///
/// ```
/// assert!(cofferdam_sys::sched::current().is_ok());
/// ```
pub fn current() -> Result<u32> {
    let mut cpu = 0u32;
    // SAFETY: room for the number; the node is not asked for.
    unsafe { syscall!(nr::GETCPU, &raw mut cpu, 0usize, 0usize) }.map(|_| cpu)
}

/// The CPUs that the calling thread may run on, and how many bytes the kernel's mask has.
/// <https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html>
///
/// # Errors
/// `EINVAL` when the mask is too short.
///
/// ```
/// use cofferdam_sys::sched::*;
/// let mut all = [0; 128];
/// let n = affinity(&mut all).unwrap();
/// keep_to(current().unwrap()).unwrap();
/// setaffinity(&all[..n]).unwrap();
/// ```
pub fn affinity(mask: &mut [u8]) -> Result<usize> {
    // SAFETY: the slice's own length.
    unsafe { syscall!(nr::SCHED_GETAFFINITY, 0u32, mask.len(), mask.as_mut_ptr()) }
}

/// As [`setaffinity`], to one CPU below 1024.
///
/// # Errors
/// As there.
pub fn keep_to(cpu: u32) -> Result<()> {
    let mut mask = [0u8; 128];
    if let Some(byte) = usize::try_from(cpu / 8).ok().and_then(|n| mask.get_mut(n)) {
        *byte = 1 << (cpu % 8);
    }
    setaffinity(&mask)
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
