//! mmap(2), for a file that is read and for an array that is written. Never unmapped: the process ends
//! in execve.

use crate::{Result, nr};

const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const MAP_PRIVATE: u32 = 2;
const MAP_ANONYMOUS: u32 = 0x20;

/// A sealed file's content. <https://man7.org/linux/man-pages/man2/mmap.2.html>
///
/// # Safety
/// The file must be sealed against writing and shrinking.
///
/// # Errors
/// As the man page.
pub unsafe fn map_sealed(fd: i32, length: usize) -> Result<&'static [u8]> {
    // SAFETY: a new mapping; nothing of ours is replaced.
    let at = unsafe { syscall!(nr::MMAP, 0usize, length, PROT_READ, MAP_PRIVATE, fd, 0usize) }?;
    // SAFETY: the kernel mapped `length` bytes there, and the seals keep them as they are.
    Ok(unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(at), length) })
}

/// `count` null pointers to write into. <https://man7.org/linux/man-pages/man2/mmap.2.html>
///
/// # Errors
/// `ENOMEM`.
///
/// ```
/// let pointers = cofferdam_sys::mmap::pointers(3).unwrap();
/// assert!(pointers.iter().all(|p| p.is_null()));
/// ```
pub fn pointers(count: usize) -> Result<&'static mut [*const core::ffi::c_char]> {
    let length = count.saturating_mul(size_of::<usize>());
    // SAFETY: a new mapping; nothing of ours is replaced.
    let at = unsafe {
        syscall!(nr::MMAP, 0usize, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1i32, 0usize)
    }?;
    // SAFETY: fresh zeroed memory that nobody else refers to; null is a valid pointer value.
    Ok(unsafe { core::slice::from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(at), count) })
}
