//! process_vm_readv(2) and process_vm_writev(2): another process's memory. Linux 3.2.

use crate::{Errno, Result, nr};

#[repr(C)]
struct IoVec {
    base: u64,
    len: u64,
}

/// Most pages that one call looks at.
const PAGES: usize = 66;
const PAGE: u64 = 4096;

/// Pieces of another process's memory that end where its pages end: the kernel copies whole pieces only, up to
/// the first that is not there.
fn pieces(address: u64, len: usize) -> Result<([IoVec; PAGES], usize)> {
    let mut pieces = [const { IoVec { base: 0, len: 0 } }; PAGES];
    let mut at = address;
    let mut left = u64::try_from(len).map_err(|_| Errno::EINVAL)?;
    let end = at.checked_add(left).ok_or(Errno::EFAULT)?;
    let mut count = 0usize;
    for piece in &mut pieces {
        if left == 0 {
            break;
        }
        let page_end = (at | PAGE.wrapping_sub(1)).checked_add(1).unwrap_or(end);
        let n = page_end.saturating_sub(at).min(left);
        *piece = IoVec { base: at, len: n };
        at = at.checked_add(n).ok_or(Errno::EFAULT)?;
        left = left.saturating_sub(n);
        count = count.saturating_add(1);
    }
    Ok((pieces, count))
}

/// Copies from another process's memory what is there, at most 64 pages of 4096 bytes in one call; less than
/// asked for when it ends before. <https://man7.org/linux/man-pages/man2/process_vm_readv.2.html>
///
/// # Errors
/// `EFAULT` when there is nothing at `address`, `EPERM` without the right to trace the process, `ESRCH`.
///
/// ```
/// use cofferdam_sys::{Errno, process_vm_readv::*};
/// let me = std::process::id().try_into().unwrap();
/// let (there, mut here) = (b"hello", [0; 5]);
/// let address = there.as_ptr().addr().try_into().unwrap();
/// assert_eq!(read(me, address, &mut here), Ok(5));
/// assert_eq!(&here, there);
/// assert_eq!(read(me, 8, &mut here), Err(Errno::EFAULT));
/// ```
pub fn read(pid: i32, address: u64, buffer: &mut [u8]) -> Result<usize> {
    let here = IoVec { base: address_of(buffer.as_mut_ptr()), len: length(buffer.len()) };
    let (there, count) = pieces(address, buffer.len())?;
    // SAFETY: the kernel writes at most the buffer's length; the other addresses are the other process's.
    unsafe { syscall!(nr::PROCESS_VM_READV, pid, &raw const here, 1usize, there.as_ptr(), count, 0u32) }
}

/// Copies into another process's memory, as [`read`] from there. Whether what is overwritten is still what was
/// meant is for the caller to know. <https://man7.org/linux/man-pages/man2/process_vm_writev.2.html>
///
/// # Errors
/// As [`read`].
///
/// ```
/// let (me, mut there) = (std::process::id().try_into().unwrap(), [0; 5]);
/// let address = there.as_mut_ptr().addr().try_into().unwrap();
/// assert_eq!(cofferdam_sys::process_vm_readv::write(me, address, b"hello"), Ok(5));
/// assert_eq!(std::hint::black_box(&there), b"hello");
/// ```
pub fn write(pid: i32, address: u64, bytes: &[u8]) -> Result<usize> {
    let here = IoVec { base: address_of(bytes.as_ptr()), len: length(bytes.len()) };
    let (there, count) = pieces(address, bytes.len())?;
    // SAFETY: the kernel reads the bytes; the other addresses are the other process's. A process that writes to
    // itself overwrites what it chose, as through /proc/self/mem.
    unsafe { syscall!(nr::PROCESS_VM_WRITEV, pid, &raw const here, 1usize, there.as_ptr(), count, 0u32) }
}

fn address_of(pointer: *const u8) -> u64 {
    length(pointer.expose_provenance())
}

fn length(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
