//! A started process, held by its pidfd.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use cofferdam_sys::wait::{Ended, wait_pidfd};
use cofferdam_sys::{Errno, pidfd};

use crate::{Error, ErrorKind, Result};

/// A process that was started in a container, a child of the caller.
///
/// Dropping it neither ends nor reaps the process.
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
        Self { pid, pidfd, terminal }
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

    /// Waits for it to end, and reaps it.
    ///
    /// # Errors
    /// When it was reaped already, by somebody else in the calling program.
    pub fn wait(&self) -> Result<ExitStatus> {
        let ended = wait_pidfd(self.pidfd.as_raw_fd(), false, false);
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

    fn failed(&self, doing: &str, errno: Errno) -> Error {
        Error::system(format!("{doing} process"), errno).with_object(self.pid.to_string())
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}
