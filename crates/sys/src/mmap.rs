//! mmap(2), for a sealed file that is read and for argument vectors. Unmapped only where said: the process
//! ends in execve.

use core::ffi::{CStr, c_char};

use crate::{Errno, Result, nr};

const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const MAP_PRIVATE: u32 = 2;
const MAP_ANONYMOUS: u32 = 0x20;

/// The content of a file that is sealed against writing and shrinking; any other is refused.
/// <https://man7.org/linux/man-pages/man2/mmap.2.html>
///
/// # Errors
/// `EPERM` when it is not sealed, and those of the man page.
///
/// ```
/// use cofferdam_sys::{memfd_create::*, mmap, open};
/// let file = memfd_create(c"example", false).unwrap();
/// open::write(file.raw(), b"abc").unwrap();
/// assert!(mmap::sealed(file.raw(), 3).is_err());
/// seal(file.raw()).unwrap();
/// assert_eq!(mmap::sealed(file.raw(), 3).unwrap(), b"abc");
/// ```
pub fn sealed(fd: i32, length: usize) -> Result<&'static [u8]> {
    const F_GET_SEALS: u32 = 1034;
    const SHRINK_AND_WRITE: usize = 2 | 8;
    // SAFETY: no memory is handed over.
    let seals = unsafe { syscall!(nr::FCNTL, fd, F_GET_SEALS) }?;
    if seals & SHRINK_AND_WRITE != SHRINK_AND_WRITE || length > crate::open::size(fd)? {
        return Err(Errno::EPERM);
    }
    // SAFETY: a new mapping; nothing of ours is replaced.
    let at = unsafe { syscall!(nr::MMAP, 0usize, length, PROT_READ, MAP_PRIVATE, fd, 0usize) }?;
    // SAFETY: the kernel mapped `length` bytes of a file there that can neither shrink nor change.
    Ok(unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(at), length) })
}

/// Lends the content of a sealed file, as [`sealed`] gives it, and unmaps it again.
/// <https://man7.org/linux/man-pages/man2/mmap.2.html>
///
/// # Errors
/// As [`sealed`].
///
/// ```
/// use cofferdam_sys::{memfd_create::*, mmap, open};
/// let file = memfd_create(c"example", false).unwrap();
/// open::write(file.raw(), b"abc").unwrap();
/// seal(file.raw()).unwrap();
/// assert_eq!(mmap::with_sealed(file.raw(), |bytes| bytes.len()).unwrap(), 3);
/// ```
pub fn with_sealed<R>(fd: i32, use_it: impl FnOnce(&[u8]) -> R) -> Result<R> {
    let length = crate::open::size(fd)?;
    if length == 0 {
        return Ok(use_it(&[]));
    }
    let bytes = sealed(fd, length)?;
    let result = use_it(bytes);
    // SAFETY: this mapping was made above, and `use_it` could not keep a reference into it.
    unsafe { syscall!(nr::MUNMAP, bytes.as_ptr(), bytes.len()) }?;
    Ok(result)
}

/// A null-terminated array of strings, as execve(2) takes it.
#[derive(Debug)]
pub struct Vector<'a> {
    at: *const *const c_char,
    strings: core::marker::PhantomData<&'a CStr>,
}

impl Vector<'_> {
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.at
    }
}

/// An array of the first `count` of `strings`. <https://man7.org/linux/man-pages/man2/mmap.2.html>
///
/// # Errors
/// `ENOMEM`.
///
/// ```
/// use cofferdam_sys::mmap::{Vector, vector};
/// let arguments: Vector<'_> = vector(2, [c"ls", c"-l"].into_iter()).unwrap();
/// ```
pub fn vector<'a>(count: usize, strings: impl Iterator<Item = &'a CStr>) -> Result<Vector<'a>> {
    let length = count.saturating_add(1).saturating_mul(size_of::<usize>());
    // SAFETY: a new mapping; nothing of ours is replaced.
    let at = unsafe {
        syscall!(nr::MMAP, 0usize, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1i32, 0usize)
    }?;
    let at: *mut *const c_char = core::ptr::with_exposed_provenance_mut(at);
    // SAFETY: fresh zeroed memory that nobody else refers to; null is a valid pointer value, and the
    // last one stays null.
    let slots = unsafe { core::slice::from_raw_parts_mut(at, count) };
    for (slot, s) in slots.iter_mut().zip(strings) {
        *slot = s.as_ptr();
    }
    Ok(Vector { at, strings: core::marker::PhantomData })
}
