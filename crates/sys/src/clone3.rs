//! clone3(2): Linux 5.3; `CLONE_INTO_CGROUP` 5.7.
//!
//! Wrapped here is [`fork`], for the child program; `clone_exec` has the library's form. Not wrapped: threads,
//! `set_tid`.

use crate::{Fd, Result, nr, raw::small};

/// New cgroup namespace.
pub const CLONE_NEWCGROUP: u64 = 0x0200_0000;
/// New UTS namespace.
pub const CLONE_NEWUTS: u64 = 0x0400_0000;
/// New IPC namespace.
pub const CLONE_NEWIPC: u64 = 0x0800_0000;
/// New user namespace.
pub const CLONE_NEWUSER: u64 = 0x1000_0000;
/// New PID namespace.
pub const CLONE_NEWPID: u64 = 0x2000_0000;
/// New network namespace.
pub const CLONE_NEWNET: u64 = 0x4000_0000;
/// New mount namespace.
pub const CLONE_NEWNS: u64 = 0x0002_0000;
/// New time namespace (for unshare and setns; Linux 5.6).
pub const CLONE_NEWTIME: u64 = 0x80;
/// The caller's parent becomes the parent.
pub const CLONE_PARENT: u64 = 0x8000;
pub(crate) const CLONE_PIDFD: u64 = 0x1000;
pub(crate) const SIGCHLD: u64 = 17;

#[repr(C)]
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
    pub(crate) set_tid: u64,
    pub(crate) set_tid_size: u64,
    pub(crate) cgroup: u64,
}

/// What [`fork`] returned in.
#[derive(Debug)]
pub enum Forked {
    /// The new process.
    Child,
    /// The calling process, with the child's id and its pidfd.
    Parent(i32, Fd),
}

/// Makes a process that continues here with a copy of this memory, as fork(2), in the namespaces that
/// `flags` name. <https://man7.org/linux/man-pages/man2/clone.2.html>
///
/// # Safety
/// The calling process must have one thread: a lock that another holds would stay locked in the copy.
///
/// # Errors
/// As the man page: `EPERM` without the right to make a namespace, `ENOSPC` at a limit of namespaces.
///
/// ```
/// use cofferdam_sys::{clone3::*, setns, wait};
/// // SAFETY: the copy only ends, which takes no lock.
/// match unsafe { fork(0) }.unwrap() {
///     Forked::Child => setns::exit(3),
///     Forked::Parent(_, pidfd) => {
///         assert_eq!(wait::wait_pidfd(pidfd.raw(), false, false), Ok(Some(wait::Ended::Exited(3))));
///     }
/// }
/// ```
pub unsafe fn fork(flags: u64) -> Result<Forked> {
    let mut pidfd: i32 = -1;
    let args = Args {
        flags: flags | CLONE_PIDFD,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: if flags & CLONE_PARENT == 0 { SIGCHLD } else { 0 },
        ..Args::default()
    };
    // SAFETY: without CLONE_VM the child runs on its own copy of this stack.
    match unsafe { syscall!(nr::CLONE3, &raw const args, size_of::<Args>()) }? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(small(pid), Fd::own(pidfd))),
    }
}

/// As [`fork`], refused unless the calling process has one thread.
///
/// # Errors
/// As [`fork`]; `EUSERS` in a process with several threads.
///
/// ```
/// use cofferdam_sys::{Errno, clone3::*};
/// let other = std::thread::spawn(std::thread::park);
/// assert!(matches!(fork_single_threaded(0), Err(Errno::EUSERS)));
/// other.thread().unpark();
/// ```
pub fn fork_single_threaded(flags: u64) -> Result<Forked> {
    // CLONE_FS cannot be unshared with others' consent: the kernel itself tells whether we are alone,
    // for CLONE_THREAD is refused with EINVAL in a process with several threads.
    const CLONE_THREAD: u64 = 0x1_0000;
    crate::setns::unshare(CLONE_THREAD).map_err(|_| crate::Errno::EUSERS)?;
    // SAFETY: there is no other thread that could hold a lock.
    unsafe { fork(flags) }
}
