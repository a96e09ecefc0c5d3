//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), ioctl_pidfd(2). Linux 5.3, 5.1, 5.6, 6.13.

use crate::wait::Ended;
use crate::{Fd, Result, nr, raw::small};

/// A descriptor for a process, close-on-exec.
/// <https://man7.org/linux/man-pages/man2/pidfd_open.2.html>
///
/// # Errors
/// `ESRCH` when there is no such process.
///
/// ```
/// let me = std::process::id().try_into().unwrap();
/// assert!(cofferdam_sys::pidfd::open(me).is_ok());
/// ```
pub fn open(pid: i32) -> Result<Fd> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::PIDFD_OPEN, pid, 0u32) }.map(|fd| Fd::own(small(fd)))
}

/// As [`open`], of a single thread (`PIDFD_THREAD`). Linux 6.9.
/// <https://man7.org/linux/man-pages/man2/pidfd_open.2.html>
///
/// # Errors
/// As [`open`]; `EINVAL` before Linux 6.9.
///
/// ```
/// use cofferdam_sys::{Errno, pidfd};
/// let me = std::process::id().try_into().unwrap();
/// assert!(matches!(pidfd::open_thread(me), Ok(_) | Err(Errno::EINVAL)));
/// ```
pub fn open_thread(tid: i32) -> Result<Fd> {
    const PIDFD_THREAD: u32 = 0o200;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::PIDFD_OPEN, tid, PIDFD_THREAD) }.map(|fd| Fd::own(small(fd)))
}

/// Sends a signal; 0 only asks whether the process is there.
/// <https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html>
///
/// # Errors
/// `ESRCH` when the process has ended, `EINVAL` for no signal.
///
/// ```
/// use cofferdam_sys::{Errno, pidfd};
/// let mut child = std::process::Command::new("true").spawn().unwrap();
/// let process = pidfd::open(child.id().try_into().unwrap()).unwrap();
/// assert_eq!(pidfd::send_signal(process.raw(), 0), Ok(()));
/// child.wait().unwrap();
/// assert_eq!(pidfd::send_signal(process.raw(), 0), Err(Errno::ESRCH));
/// ```
pub fn send_signal(pidfd: i32, signal: i32) -> Result<()> {
    // SAFETY: a null siginfo asks for the usual one.
    unsafe { syscall!(nr::PIDFD_SEND_SIGNAL, pidfd, signal, 0usize, 0u32) }.map(drop)
}

/// A duplicate of another process's descriptor, close-on-exec.
/// <https://man7.org/linux/man-pages/man2/pidfd_getfd.2.html>
///
/// # Errors
/// `EPERM` without the right to trace the process, `EBADF` when it has no such descriptor.
///
/// ```
/// use cofferdam_sys::{open, pidfd};
/// let null = open::open(c"/dev/null", open::O_RDONLY).unwrap();
/// let me = pidfd::open(std::process::id().try_into().unwrap()).unwrap();
/// assert_ne!(pidfd::getfd(me.raw(), null.raw()).unwrap().raw(), null.raw());
/// ```
pub fn getfd(pidfd: i32, fd: i32) -> Result<Fd> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::PIDFD_GETFD, pidfd, fd, 0u32) }.map(|fd| Fd::own(small(fd)))
}

/// A duplicate of our own descriptor, close-on-exec.
/// <https://man7.org/linux/man-pages/man2/fcntl.2.html>
///
/// # Errors
/// `EMFILE`.
///
/// ```
/// use cofferdam_sys::{open, pidfd};
/// let null = open::open(c"/dev/null", open::O_RDONLY).unwrap();
/// assert_ne!(pidfd::duplicate(null.raw()).unwrap().raw(), null.raw());
/// ```
pub fn duplicate(fd: i32) -> Result<Fd> {
    const F_DUPFD_CLOEXEC: u32 = 1030;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::FCNTL, fd, F_DUPFD_CLOEXEC, 3u32) }.map(|fd| Fd::own(small(fd)))
}

/// `struct pidfd_info` as far as its first version goes.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// How a process ended that somebody has reaped, whoever it was (`PIDFD_INFO_EXIT`, Linux 6.15); `None`
/// while it runs or waits to be reaped. <https://man7.org/linux/man-pages/man2/ioctl_pidfd.2.html>
///
/// # Errors
/// `ENOTTY` before Linux 6.13, `ESRCH` before 6.15.
///
/// ```
/// let me = cofferdam_sys::pidfd::open(std::process::id().try_into().unwrap()).unwrap();
/// assert!(!matches!(cofferdam_sys::pidfd::exit_status(me.raw()), Ok(Some(_))));
/// ```
pub fn exit_status(pidfd: i32) -> Result<Option<Ended>> {
    const PIDFD_GET_INFO: u32 = 0xc040_ff0b;
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: the request's number says that the structure has 64 bytes.
    unsafe { syscall!(nr::IOCTL, pidfd, PIDFD_GET_INFO, &raw mut info) }?;
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then(|| Ended::from_status(info.exit_code)))
}

const _: () = assert!(size_of::<Info>() == 64);
