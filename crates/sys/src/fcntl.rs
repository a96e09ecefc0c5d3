//! fcntl(2), as far as a descriptor's status flags go.
//!
//! Not wrapped: locks, leases; descriptor flags are set where descriptors are made.

use crate::{Result, nr};

/// Makes reads and writes give `EAGAIN` instead of waiting (`O_NONBLOCK`), for everybody who shares the
/// open file. <https://man7.org/linux/man-pages/man2/F_GETFL.2const.html>
///
/// # Errors
/// `EBADF`.
///
/// ```
/// use std::os::fd::AsRawFd;
/// let (reader, _writer) = std::io::pipe().unwrap();
/// cofferdam_sys::fcntl::set_nonblocking(reader.as_raw_fd()).unwrap();
/// let error = std::io::Read::read(&mut &reader, &mut [0]).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
/// ```
pub fn set_nonblocking(fd: i32) -> Result<()> {
    const F_GETFL: u32 = 3;
    const F_SETFL: u32 = 4;
    const O_NONBLOCK: usize = 0o4000;
    // SAFETY: no memory is handed over.
    let flags = unsafe { syscall!(nr::FCNTL, fd, F_GETFL, 0usize) }?;
    // SAFETY: as above.
    unsafe { syscall!(nr::FCNTL, fd, F_SETFL, flags | O_NONBLOCK) }.map(drop)
}
