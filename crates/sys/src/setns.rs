//! setns(2), unshare(2), setsid(2), sethostname(2), setdomainname(2), umask(2), kill(2), _exit(2).

use crate::{Result, nr};

/// Joins a namespace, or with a pidfd (Linux 5.8) several of its process's.
/// <https://man7.org/linux/man-pages/man2/setns.2.html>
///
/// # Errors
/// `EPERM` without the right, `EINVAL` when the descriptor is of another kind.
///
/// ```no_run
/// use cofferdam_sys::{clone3::*, pidfd, setns::*};
/// let process = pidfd::open(4711)?;
/// setns(process.raw(), CLONE_NEWNS | CLONE_NEWUTS)?;
/// sethostname(b"inside")?;
/// setdomainname(b"inside.example")?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn setns(fd: i32, flags: u64) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SETNS, fd, flags) }.map(drop)
}

/// Makes new namespaces for the calling process.
/// <https://man7.org/linux/man-pages/man2/unshare.2.html>
///
/// # Errors
/// `EPERM` without the right, `ENOSPC` at a limit of namespaces.
///
/// ```
/// use cofferdam_sys::setns::unshare;
/// const CLONE_FS: u64 = 0x200;
/// let thread = std::thread::spawn(|| unshare(CLONE_FS)); // a working directory of its own
/// thread.join().unwrap().unwrap();
/// ```
pub fn unshare(flags: u64) -> Result<()> {
    // SAFETY: no memory is handed over; the flags the child uses do not change how memory is shared.
    unsafe { syscall!(nr::UNSHARE, flags) }.map(drop)
}

/// Makes a new session. <https://man7.org/linux/man-pages/man2/setsid.2.html>
///
/// # Errors
/// `EPERM` for a process group leader.
///
/// ```
/// use cofferdam_sys::{clone3::*, setns::*, wait};
/// // SAFETY: the copy makes two system calls, which take no lock.
/// match unsafe { fork(0) }.unwrap() {
///     Forked::Child => exit(if setsid().is_ok() { 0 } else { 1 }),
///     Forked::Parent(_, pidfd) => {
///         assert_eq!(wait::wait_pidfd(pidfd.raw(), false, false), Ok(Some(wait::Ended::Exited(0))));
///     }
/// }
/// ```
pub fn setsid() -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SETSID) }.map(drop)
}

/// Sets the host name. <https://man7.org/linux/man-pages/man2/sethostname.2.html>
///
/// # Errors
/// `EINVAL` when over 64 bytes, `EPERM` without CAP_SYS_ADMIN.
pub fn sethostname(name: &[u8]) -> Result<()> {
    // SAFETY: the slice's own length.
    unsafe { syscall!(nr::SETHOSTNAME, name.as_ptr(), name.len()) }.map(drop)
}

/// Sets the NIS domain name. <https://man7.org/linux/man-pages/man2/setdomainname.2.html>
///
/// # Errors
/// As [`sethostname`].
pub fn setdomainname(name: &[u8]) -> Result<()> {
    // SAFETY: the slice's own length.
    unsafe { syscall!(nr::SETDOMAINNAME, name.as_ptr(), name.len()) }.map(drop)
}

/// Sets the file mode creation mask and gives the old one. <https://man7.org/linux/man-pages/man2/umask.2.html>
///
/// ```
/// cofferdam_sys::setns::umask(0o022);
/// ```
pub fn umask(mask: u32) -> u32 {
    // SAFETY: no memory is handed over; the call cannot fail.
    let old = unsafe { syscall!(nr::UMASK, mask) };
    old.ok().and_then(|old| u32::try_from(old).ok()).unwrap_or(mask)
}

/// Sends a signal. <https://man7.org/linux/man-pages/man2/kill.2.html>
///
/// # Errors
/// `ESRCH`, `EPERM`.
///
/// ```
/// use cofferdam_sys::setns::kill;
/// assert_eq!(kill(std::process::id().try_into().unwrap(), 0), Ok(())); // it is there
/// ```
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::KILL, pid, signal) }.map(drop)
}

/// Ends the process. <https://man7.org/linux/man-pages/man2/_exit.2.html>
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: no memory is handed over.
        let _ = unsafe { syscall!(nr::EXIT_GROUP, status) };
    }
}
