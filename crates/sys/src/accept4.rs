//! accept4(2). Not wrapped: the peer's address.

use crate::{Errno, Fd, Result, nr, raw::small};

/// Accepts a connection, close-on-exec; retried when interrupted.
/// <https://man7.org/linux/man-pages/man2/accept.2.html>
///
/// # Errors
/// As the man page; on a descriptor that is no socket `ENOTSOCK`.
///
/// ```
/// assert_eq!(cofferdam_sys::accept4::accept(0).unwrap_err(), cofferdam_sys::Errno::ENOTSOCK);
/// ```
pub fn accept(listener: i32) -> Result<Fd> {
    const SOCK_CLOEXEC: u32 = 0o2_000_000;
    loop {
        // SAFETY: null addresses ask for none.
        match unsafe { syscall!(nr::ACCEPT4, listener, 0usize, 0usize, SOCK_CLOEXEC) } {
            Err(Errno::EINTR) => {}
            other => return other.map(|fd| Fd::own(small(fd))),
        }
    }
}
