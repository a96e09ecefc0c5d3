//! getdents64(2): the entries of a directory, without a heap.

use core::ffi::CStr;

use crate::{Result, nr};

/// Reads entries into `buffer` and gives the filled part; empty at the end.
/// <https://man7.org/linux/man-pages/man2/getdents.2.html>
///
/// # Errors
/// As the man page.
pub fn getdents(fd: i32, buffer: &mut [u8]) -> Result<&[u8]> {
    // SAFETY: the buffer's own length.
    let n = unsafe { syscall!(nr::GETDENTS64, fd, buffer.as_mut_ptr(), buffer.len()) }?;
    Ok(buffer.get(..n).unwrap_or_default())
}

/// Splits the first entry's name off what [`getdents`] gave.
///
/// ```
/// use cofferdam_sys::{getdents64::*, open};
/// let dir = open::open(c"/proc/self", open::O_RDONLY | open::O_DIRECTORY).unwrap();
/// let mut buffer = [0; 4096];
/// let entries = getdents(dir.raw(), &mut buffer).unwrap();
/// assert_eq!(next(entries).unwrap().0, c".");
/// ```
#[must_use]
pub fn next(entries: &[u8]) -> Option<(&CStr, &[u8])> {
    // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name.
    let length = usize::from(u16::from_ne_bytes(*entries.get(16..)?.first_chunk::<2>()?));
    let name = CStr::from_bytes_until_nul(entries.get(19..length)?).ok()?;
    Some((name, entries.get(length..)?))
}
