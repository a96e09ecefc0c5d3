//! set_mempolicy(2).

use crate::{Result, nr};

/// Sets the calling thread's NUMA policy; `nodes` is a mask in bytes, a multiple of eight long.
/// <https://man7.org/linux/man-pages/man2/set_mempolicy.2.html>
///
/// # Errors
/// `EINVAL` for nodes that are not there, `ENOSYS` without NUMA.
///
/// ```
/// use cofferdam_sys::{Errno, set_mempolicy::set_mempolicy};
/// let usual = set_mempolicy(0, &[]); // MPOL_DEFAULT
/// assert!(usual.is_ok() || usual == Err(Errno::ENOSYS));
/// ```
pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Result<()> {
    // The kernel takes one bit less than it is told.
    let bits = if nodes.is_empty() { 0 } else { nodes.len().saturating_mul(8).saturating_add(1) };
    let at = if nodes.is_empty() { core::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads `bits - 1` bits of the mask.
    unsafe { syscall!(nr::SET_MEMPOLICY, mode, at, bits) }.map(drop)
}
