//! capset(2): the permitted, effective and inheritable sets. Not wrapped: other processes' sets.

use crate::{Result, nr};

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

#[allow(clippy::cast_possible_truncation)]
const fn half(set: u64, high: bool) -> u32 {
    if high { (set >> 32) as u32 } else { set as u32 }
}

/// Sets the calling thread's capability sets, one bit per capability.
/// <https://man7.org/linux/man-pages/man2/capset.2.html>
///
/// # Errors
/// `EPERM` when a set would grow beyond what the thread may have.
///
/// ```
/// let (permitted, effective, inheritable) = cofferdam_sys::capset::capget().unwrap();
/// cofferdam_sys::capset::capset(permitted, effective, inheritable).unwrap();
/// ```
pub fn capset(permitted: u64, effective: u64, inheritable: u64) -> Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let data = [false, true].map(|high| Data {
        effective: half(effective, high),
        permitted: half(permitted, high),
        inheritable: half(inheritable, high),
    });
    // SAFETY: version 3 reads one header and two data elements.
    unsafe { syscall!(nr::CAPSET, &raw const header, data.as_ptr()) }.map(drop)
}

/// The calling thread's permitted, effective and inheritable sets.
/// <https://man7.org/linux/man-pages/man2/capset.2.html>
///
/// # Errors
/// None that a caller can cause.
///
/// ```
/// let (permitted, effective, _) = cofferdam_sys::capset::capget().unwrap();
/// assert_eq!(permitted & effective, effective);
/// ```
pub fn capget() -> Result<(u64, u64, u64)> {
    let header = Header { version: VERSION_3, pid: 0 };
    let mut data = [0u32; 6];
    // SAFETY: version 3 reads one header and writes two elements of three words each.
    unsafe { syscall!(nr::CAPGET, &raw const header, data.as_mut_ptr()) }?;
    let [e0, p0, i0, e1, p1, i1] = data.map(u64::from);
    Ok((p1 << 32 | p0, e1 << 32 | e0, i1 << 32 | i0))
}
