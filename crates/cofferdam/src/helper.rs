//! Waiting for programs of the host that the library runs: hooks, newuidmap(1) and newgidmap(1).
//!
//! Called by hooks and maps. The caller may ignore SIGCHLD: then the kernel reaps them, and std's wait finds
//! no child.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::wait::Ended;
use cofferdam_sys::{Errno, Fd, pidfd};

use crate::pid;

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Helper {
    pub(crate) child: Child,
    /// None when it had ended and been reaped at once.
    process: Option<Fd>,
}

impl Helper {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let process = i32::try_from(child.id()).ok().and_then(|pid| pidfd::open(pid).ok());
        Ok(Self { child, process })
    }

    /// Waits for at most that many milliseconds; says whether it has ended.
    pub(crate) fn ends_within(&self, limit_ms: u64) -> io::Result<bool> {
        let Some(process) = &self.process else { return Ok(true) };
        let mut fds = [PollFd { fd: process.raw(), events: POLLIN, revents: 0 }];
        poll(&mut fds, Some(limit_ms)).map(|n| n > 0).map_err(|e| io::Error::from_raw_os_error(e.0))
    }

    /// Waits for its end, and says how it was.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        match self.child.wait() {
            Err(e) if e.raw_os_error() == Some(Errno::ECHILD.0) => {
                self.told_by_the_kernel().ok_or_else(|| {
                    io::Error::other("how it ended is not known, as this program ignores SIGCHLD")
                })
            }
            other => other,
        }
    }

    /// Linux 6.15.
    fn told_by_the_kernel(&self) -> Option<ExitStatus> {
        let ended = pid::reaped_status(self.process.as_ref()?.raw())?;
        Some(ExitStatus::from_raw(match ended {
            Ended::Exited(code) => code << 8,
            Ended::Killed(signal) => signal,
        }))
    }
}
