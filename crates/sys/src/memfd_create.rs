//! memfd_create(2) and its seals (fcntl(2)).

use core::ffi::CStr;

use crate::{Errno, Fd, Result, nr, raw::small};

/// Makes an anonymous file, close-on-exec, sealable, and executable when asked (`MFD_EXEC`, Linux 6.3,
/// is tried first and left out where the kernel does not know it).
/// <https://man7.org/linux/man-pages/man2/memfd_create.2.html>
///
/// # Errors
/// `EMFILE` and others of the man page.
///
/// ```
/// use cofferdam_sys::memfd_create::*;
/// let file = memfd_create(c"example", false).unwrap();
/// seal(file.raw()).unwrap();
/// assert!(cofferdam_sys::open::write(file.raw(), b"x").is_err());
/// ```
pub fn memfd_create(name: &CStr, executable: bool) -> Result<Fd> {
    const MFD_CLOEXEC: u32 = 1;
    const MFD_ALLOW_SEALING: u32 = 2;
    const MFD_EXEC: u32 = 0x10;
    let make = |flags: u32| {
        // SAFETY: a null-terminated string.
        unsafe { syscall!(nr::MEMFD_CREATE, name.as_ptr(), flags | MFD_CLOEXEC | MFD_ALLOW_SEALING) }
    };
    let made = match executable {
        true => match make(MFD_EXEC) {
            Err(Errno::EINVAL) => make(0),
            other => other,
        },
        false => make(0),
    };
    made.map(|fd| Fd::own(small(fd)))
}

/// Nothing about the file can change any more: not its size, not its content, not its seals.
/// <https://man7.org/linux/man-pages/man2/fcntl.2.html>
///
/// # Errors
/// `EPERM` when already sealed.
pub fn seal(fd: i32) -> Result<()> {
    const F_ADD_SEALS: u32 = 1033;
    const ALL: u32 = 1 | 2 | 4 | 8;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::FCNTL, fd, F_ADD_SEALS, ALL) }.map(drop)
}
