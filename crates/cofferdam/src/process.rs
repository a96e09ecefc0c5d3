//! A started process, held by its pidfd.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cofferdam_sys::wait::{Ended, wait_pidfd};
use cofferdam_sys::{Errno, pidfd};

use crate::{Error, ErrorKind, Notify, Result};

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

impl ExitStatus {
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
        Self { pid, pidfd, terminal, notify: None, held: AtomicBool::new(true) }
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

    /// The socket on which it says that it is ready, if there is a service manager to tell: a container's
    /// first process that runs at once.
    #[must_use]
    pub fn notify(&self) -> Option<&Notify> {
        self.notify.as_ref()
    }

    /// Waits for it to end, and reaps it.
    ///
    /// # Errors
    /// When it was reaped already, by somebody else in the calling program.
    pub fn wait(&self) -> Result<ExitStatus> {
        let ended = wait_pidfd(self.pidfd.as_raw_fd(), false, false);
        self.release();
        match ended.map_err(|e| self.failed("waiting for", e))? {
            Some(Ended::Exited(code)) => Ok(ExitStatus::Code(code)),
            Some(Ended::Killed(signal)) => Ok(ExitStatus::Signal(signal)),
            None => Err(self.failed("waiting for", Errno::ECHILD)),
        }
    }

    /// As [`Process::wait`], without waiting: `None` while it runs.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let ended =
            wait_pidfd(self.pidfd.as_raw_fd(), true, false).map_err(|e| self.failed("waiting for", e))?;
        if ended.is_some() {
            self.release();
        }
        Ok(ended.map(|e| match e {
            Ended::Exited(code) => ExitStatus::Code(code),
            Ended::Killed(signal) => ExitStatus::Signal(signal),
        }))
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
