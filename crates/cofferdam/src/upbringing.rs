//! From a clone to a process that is ready or runs: the parent's half, told by what the child says.
//!
//! Called by create and exec, which say what is to be done at each point. Whatever fails ends the child.

use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_child::frame::Point;
use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::{Errno, pidfd, wait};

use crate::program::Step;
use crate::spawn::Newborn;
use crate::talk::{self, Event};
use crate::{Error, ErrorKind, Result};

const SIGKILL: i32 = 9;

/// What the parent does when the child stands somewhere.
pub(crate) trait Parent {
    /// The process that will run the program is known.
    fn made(&mut self, pid: i32, control: i32) -> Result<()>;
    /// The hooks' point: everything is mounted.
    fn hooks(&mut self, pid: i32) -> Result<Option<OwnedFd>>;
    /// Just before the program runs, where the child asks.
    fn start(&mut self, pid: i32) -> Result<Option<OwnedFd>>;
    /// A filter's listener.
    fn listener(&mut self, pid: i32, listener: OwnedFd) -> Result<()>;
    /// A terminal's master.
    fn terminal(&mut self, master: OwnedFd) -> Result<()>;
}

/// A child that is being brought up. Dropped before it is grown, it is ended and reaped.
#[derive(Debug)]
pub(crate) struct Upbringing {
    /// Keeps the memory that the first process may still run on.
    newborn: Newborn,
    /// Who will run the program.
    pid: i32,
    /// None once it is grown.
    pidfd: Option<OwnedFd>,
    successor: bool,
}

impl Upbringing {
    pub(crate) fn new(newborn: Newborn, successor: bool) -> Result<Self> {
        let pid = newborn.born.pid;
        let pidfd = pidfd::duplicate(newborn.born.pidfd.raw())
            .map_err(|e| Error::system("keeping the process", e))?;
        Ok(Self { newborn, pid, pidfd: Some(pidfd.into()), successor })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn control(&self) -> i32 {
        self.newborn.control.raw()
    }

    /// Goes on until the child is ready (`until_ready`) or runs its program.
    pub(crate) fn go(&mut self, parent: &mut dyn Parent, steps: &[Step], until_ready: bool) -> Result<()> {
        if !self.successor {
            parent.made(self.pid, self.control()).map_err(|e| self.blame(e, steps))?;
        }
        self.follow(parent, steps, until_ready)
    }

    /// As [`Upbringing::go`], of a child that has been brought up to here before.
    pub(crate) fn follow(
        &mut self,
        parent: &mut dyn Parent,
        steps: &[Step],
        until_ready: bool,
    ) -> Result<()> {
        loop {
            match talk::hear(self.control())? {
                Event::Hello => {}
                Event::Failed(failure) | Event::Denied(failure) => return Err(failure.render(steps)),
                Event::Done | Event::Descriptor(_) => {
                    return Err(Error::new(ErrorKind::System, "understanding the container's process"));
                }
                Event::Successor(pidfd, pid) => {
                    self.succeed(pidfd, pid)?;
                    parent.made(self.pid, self.control()).map_err(|e| self.blame(e, steps))?;
                }
                Event::Terminal(master) => parent.terminal(master)?,
                Event::Reached(point) if point == Point::Ready.number() && until_ready => break,
                Event::Reached(point) => self.meet(parent, point).map_err(|e| self.blame(e, steps))?,
                Event::Listener(number) => {
                    let listener = pidfd::getfd(self.descriptor(), number)
                        .map_err(|e| Error::system("taking the seccomp listener", e))?;
                    parent.listener(self.pid, listener.into())?;
                    talk::say(self.control(), Point::Listener, None)?;
                }
                Event::Gone => {
                    if until_ready {
                        return Err(self.ended_early());
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    fn meet(&self, parent: &mut dyn Parent, point: u32) -> Result<()> {
        let pid = self.pid;
        let (answer, fd) = if point == Point::Hooks.number() {
            (Point::Hooks, parent.hooks(pid)?)
        } else if point == Point::Start.number() {
            (Point::Start, parent.start(pid)?)
        } else {
            return Err(Error::new(ErrorKind::System, "understanding the container's process"));
        };
        talk::say(self.control(), answer, fd.as_ref().map(AsRawFd::as_raw_fd))
    }

    /// The first process has made way for the one that carries on.
    fn succeed(&mut self, pidfd: OwnedFd, pid: i32) -> Result<()> {
        match wait::wait_pidfd(self.descriptor(), false, false) {
            // A caller that ignores SIGCHLD has no child to reap once it has ended.
            Ok(_) | Err(Errno::ECHILD) => {}
            Err(e) => return Err(Error::system("waiting for the first process", e)),
        }
        // Told by the first process, which is in our PID namespace: by now the kernel may have forgotten it,
        // where nobody need reap it.
        self.pid = pid;
        self.pidfd = Some(pidfd);
        self.successor = false;
        Ok(())
    }

    /// When the parent cannot go on because the child has failed, the child's reason is the better one.
    /// What it said before it ended can still be heard.
    fn blame(&self, error: Error, steps: &[Step]) -> Error {
        let _ = pidfd::send_signal(self.descriptor(), SIGKILL);
        loop {
            match talk::hear(self.control()) {
                Ok(Event::Failed(failure)) => return failure.render(steps),
                Ok(Event::Gone) | Err(_) => return error,
                Ok(_) => {}
            }
        }
    }

    fn ended_early(&self) -> Error {
        let error =
            Error::new(ErrorKind::System, "making the container: its process ended before it was ready");
        match wait::wait_pidfd(self.descriptor(), true, true) {
            Ok(Some(wait::Ended::Killed(SIGKILL))) => {
                error.with_detail("killed by signal 9").with_hint("the memory limit may be too low")
            }
            Ok(Some(wait::Ended::Killed(n))) => error.with_detail(format!("killed by signal {n}")),
            Ok(Some(wait::Ended::Exited(n))) => error.with_detail(format!("exit status {n}")),
            _ => error,
        }
    }

    /// The process is grown: it is the caller's now.
    pub(crate) fn into_parts(mut self) -> Result<(i32, OwnedFd)> {
        let pidfd = self.pidfd.take().ok_or_else(|| self.ended_early())?;
        Ok((self.pid, pidfd))
    }

    /// Whether the process has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        let mut fds = [PollFd { fd: self.descriptor(), events: POLLIN, revents: 0 }];
        poll(&mut fds, Some(0)) == Ok(0)
    }

    /// Whether it was killed. The end of the conversation may mean that, too, and not that a program runs.
    pub(crate) fn was_killed(&self) -> bool {
        matches!(wait::wait_pidfd(self.descriptor(), true, true), Ok(Some(wait::Ended::Killed(SIGKILL))))
    }

    fn descriptor(&self) -> i32 {
        self.pidfd.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }
}

impl Drop for Upbringing {
    fn drop(&mut self) {
        let Some(process) = self.pidfd.take() else { return };
        let _ = pidfd::send_signal(process.as_raw_fd(), SIGKILL);
        // It may be nobody's child, or nobody's to reap: the descriptor tells of the end in any case.
        let mut fds = [PollFd { fd: process.as_raw_fd(), events: POLLIN, revents: 0 }];
        let _ = poll(&mut fds, None);
        let _ = wait::wait_pidfd(process.as_raw_fd(), true, false);
    }
}
