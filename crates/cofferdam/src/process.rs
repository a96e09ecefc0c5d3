//! A started process, held by its pidfd.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::wait::{Ended, wait_pidfd};
use cofferdam_sys::{Errno, pidfd};

use crate::{Error, ErrorKind, Notify, Result, pid};

/// A process that was started in a container, a child of the caller.
///
/// Dropping it does not end the process. One that has ended by then is reaped; one that ends later is
/// reaped by [`crate::Container::delete`], if it is the container's first.
///
/// ```no_run
/// # fn f(process: cofferdam::Process) -> cofferdam::Result<()> {
/// let status = process.wait()?;
/// println!("{}", status.shell_code());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Process {
    pid: i32,
    pidfd: OwnedFd,
    terminal: Option<OwnedFd>,
    pub(crate) notify: Option<Notify>,
    /// A thread that finds out what names mean, as long as somebody holds this.
    pub(crate) names: Option<cofferdam_net::Running>,
    pub(crate) warnings: Vec<String>,
    /// Whether its number is in [`HELD`].
    held: AtomicBool,
}

/// Processes whose status somebody may still ask for: nobody else reaps them.
static HELD: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn held() -> MutexGuard<'static, BTreeSet<i32>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps a process that has ended, if it is a child of the caller's that no [`Process`] stands for.
pub(crate) fn reap_unheld(pid: i32, pidfd: &OwnedFd) {
    let held = held();
    if !held.contains(&pid) {
        // ECHILD: it is not ours, and whose it is reaps it.
        let _ = wait_pidfd(pidfd.as_raw_fd(), true, false);
    }
}

/// How a process ended.
///
/// ```
/// assert_eq!(cofferdam::ExitStatus::Signal(9).shell_code(), 137);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By _exit(2), with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<Ended> for ExitStatus {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Exited(code) => Self::Code(code),
            Ended::Killed(signal) => Self::Signal(signal),
        }
    }
}

/// `exit status 1`, `killed by signal 9`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

impl ExitStatus {
    /// Nothing, if it is status 0, and otherwise an error of the program's own.
    ///
    /// # Errors
    /// [`ErrorKind::Payload`].
    ///
    /// ```
    /// use cofferdam::{ErrorKind, ExitStatus};
    /// assert!(ExitStatus::Code(0).ok().is_ok());
    /// assert_eq!(ExitStatus::Signal(9).ok().unwrap_err().kind(), ErrorKind::Payload);
    /// ```
    pub fn ok(self) -> Result<()> {
        if self.success() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Payload, "running the program").with_detail(self.to_string()))
    }

    /// The status that the program gave to _exit(2), unless it was a signal that ended it.
    ///
    /// ```
    /// use cofferdam::ExitStatus;
    /// assert_eq!((ExitStatus::Code(3).code(), ExitStatus::Signal(9).code()), (Some(3), None));
    /// ```
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// As shells say it: the status, or 128 and the signal's number.
    #[must_use]
    pub const fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// Whether it is status 0.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd, terminal: Option<OwnedFd>) -> Self {
        held().insert(pid);
        Self {
            pid,
            pidfd,
            terminal,
            notify: None,
            names: None,
            warnings: Vec::new(),
            held: AtomicBool::new(true),
        }
    }

    /// Its number in the caller's PID namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The master of its terminal, if the caller was to keep it ([`crate::TerminalMode::Own`]).
    #[must_use]
    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(AsFd::as_fd)
    }

    /// Gives the master of its terminal away.
    pub(crate) fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// The socket on which it says that it is ready, if there is a service manager to tell: a container's
    /// first process that runs at once.
    #[must_use]
    pub fn notify(&self) -> Option<&Notify> {
        self.notify.as_ref()
    }

    /// What was odd in the configuration that it was started by but was obeyed all the same, or left out without
    /// harm: a line each, with the field that it is about.
    ///
    /// ```no_run
    /// # fn f(process: cofferdam::Process) {
    /// for warning in process.warnings() {
    ///     eprintln!("{warning}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Waits for it to end, and reaps it if it is the caller's child.
    ///
    /// It is also told how a process ended that is nobody's child ([`crate::Parent::Nobody`]), that
    /// somebody else in the calling program has reaped, or that the kernel has because the program ignores
    /// SIGCHLD (sigaction(2)): by the kernel, from Linux 6.15 on, or before while there is a zombie.
    ///
    /// # Errors
    /// [`ErrorKind::Host`] with `ECHILD` when it has ended and an older kernel does not say how.
    pub fn wait(&self) -> Result<ExitStatus> {
        let ended = wait_pidfd(self.pidfd.as_raw_fd(), false, false);
        self.release();
        match ended {
            Ok(Some(ended)) => Ok(ended.into()),
            Ok(None) | Err(Errno::ECHILD) => {
                self.ends_within(None)?;
                self.told_by_the_kernel()
            }
            Err(e) => Err(self.failed("waiting for", e)),
        }
    }

    /// As [`Process::wait`], without waiting: `None` while it runs.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let ended = match wait_pidfd(self.pidfd.as_raw_fd(), true, false) {
            Ok(ended) => ended.map(ExitStatus::from),
            Err(Errno::ECHILD) if !self.ends_within(Some(0))? => None,
            Err(Errno::ECHILD) => Some(self.told_by_the_kernel()?),
            Err(e) => return Err(self.failed("waiting for", e)),
        };
        if ended.is_some() {
            self.release();
        }
        Ok(ended)
    }

    /// As [`Process::wait`], for at most that long (in milliseconds): `None` when it still runs then.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub fn wait_timeout(&self, limit: Duration) -> Result<Option<ExitStatus>> {
        let ms = u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        if self.ends_within(Some(ms))? { self.wait().map(Some) } else { Ok(None) }
    }

    /// Whether it ends in time. A pidfd can be read when the process has ended, whoever's child it is.
    fn ends_within(&self, limit_ms: Option<u64>) -> Result<bool> {
        let mut fds = [PollFd { fd: self.pidfd.as_raw_fd(), events: POLLIN, revents: 0 }];
        poll(&mut fds, limit_ms).map(|n| n > 0).map_err(|e| self.failed("waiting for", e))
    }

    /// How it ended, when that is not ours to be told by waitid(2): the zombie says so until it is reaped,
    /// and the pidfd from then on.
    fn told_by_the_kernel(&self) -> Result<ExitStatus> {
        let fd = self.pidfd.as_raw_fd();
        let zombie = pid::zombie_status(self.pid).map(Ended::from_status);
        // While it can be signalled its number is nobody else's.
        let own = pidfd::send_signal(fd, 0).is_ok();
        match zombie.filter(|_| own).or_else(|| pid::reaped_status(fd)) {
            Some(ended) => Ok(ended.into()),
            None => Err(Error::new(ErrorKind::Host, "learning how process")
                .with_object(format!("{} ended", self.pid))
                .with_errno(Errno::ECHILD.0)
                .with_hint("only a parent that does not ignore SIGCHLD is told before Linux 6.15")),
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when it has ended.
    pub fn kill(&self, signal: i32) -> Result<()> {
        match pidfd::send_signal(self.pidfd.as_raw_fd(), signal) {
            Err(Errno::ESRCH) => {
                Err(Error::new(ErrorKind::WrongState, "signalling process").with_object(self.pid.to_string()))
            }
            other => other.map_err(|e| self.failed("signalling", e)),
        }
    }

    /// Leaves it to whoever becomes its parent when the caller ends, even if it has ended already: an
    /// engine that called us is a subreaper, and waits for its status.
    ///
    /// ```no_run
    /// # fn f(process: cofferdam::Process) {
    /// process.leave();
    /// std::process::exit(0);
    /// # }
    /// ```
    pub fn leave(self) {
        self.release();
    }

    /// Its number may belong to another process from now on.
    fn release(&self) {
        if self.held.swap(false, Ordering::Relaxed) {
            held().remove(&self.pid);
        }
    }

    fn failed(&self, doing: &str, errno: Errno) -> Error {
        Error::system(format!("{doing} process"), errno).with_object(self.pid.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.held.load(Ordering::Relaxed) {
            let _ = wait_pidfd(self.pidfd.as_raw_fd(), true, false);
            self.release();
        }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}
