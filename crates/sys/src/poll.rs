//! ppoll(2), for a few descriptors and a limit of time.

use crate::{Errno, Result, nr};

/// There is something to read (or the other side has gone).
pub const POLLIN: i16 = 1;
/// Something exceptional: a file of cgroup v2 has changed.
pub const POLLPRI: i16 = 2;
/// There is room to write.
pub const POLLOUT: i16 = 4;
/// An error, or the end of a pipe that nobody reads; told without being asked for.
pub const POLLERR: i16 = 8;

/// One descriptor of [`poll`], `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PollFd {
    /// The descriptor.
    pub fd: i32,
    /// What is waited for.
    pub events: i16,
    /// What happened.
    pub revents: i16,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// Waits until something happens or `timeout_ms` milliseconds have passed; gives how many descriptors
/// have something, 0 for a timeout. <https://man7.org/linux/man-pages/man2/poll.2.html>
///
/// # Errors
/// `EINVAL` and others of the man page; an interruption counts as nothing happened only when there is
/// a timeout.
///
/// ```
/// use cofferdam_sys::{poll::*, socket};
/// let (a, b) = socket::pair().unwrap();
/// let mut fds = [PollFd { fd: a.raw(), events: POLLIN, revents: 0 }];
/// assert_eq!(poll(&mut fds, Some(1)), Ok(0));
/// socket::send(b.raw(), b"x", &[]).unwrap();
/// assert_eq!((poll(&mut fds, None), fds[0].revents), (Ok(1), POLLIN));
/// ```
pub fn poll(fds: &mut [PollFd], timeout_ms: Option<u64>) -> Result<usize> {
    let limit = timeout_ms.map(|ms| Timespec {
        seconds: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        nanoseconds: i64::try_from((ms % 1000).saturating_mul(1_000_000)).unwrap_or(0),
    });
    let limit_at = limit.as_ref().map_or(core::ptr::null(), |t| &raw const *t);
    loop {
        // SAFETY: the array's own length; a null or valid timespec; no signal mask.
        match unsafe { syscall!(nr::PPOLL, fds.as_mut_ptr(), fds.len(), limit_at, 0usize, 0usize) } {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}
