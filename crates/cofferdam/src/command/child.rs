//! A process in a container, held by the caller: the container's first, or one that was started in it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use cofferdam_cgroup::Stats;
use cofferdam_oci::Resources;

use super::exec::Exec;
use super::output::{self, Output};
use super::pipes::{ChildStderr, ChildStdin, ChildStdout, Terminal};
use super::stdio::Ends;
use crate::container::{Container, Status};
use crate::{ContainerId, Error, ErrorKind, ExitStatus, Process, Result};

const SIGKILL: i32 = 9;

/// A process in a container, in the manner of [`std::process::Child`]: the container's first, from
/// [`super::Command`], or another one, from [`Child::exec`].
///
/// It holds a pidfd, so that it is never mistaken for another process, and gives it as [`AsFd`]: it can be
/// read, as poll(2) says, when the process has ended.
///
/// What becomes of the container when this is its first process:
/// - when it has been waited for, the container is removed: state, cgroups, processes that are left;
/// - dropping this when the process has ended does the same;
/// - dropping it while the process runs leaves it running, as std does; [`crate::Store::load`] finds the
///   container by its id, and [`Container::delete`] removes it. With [`super::Command::kill_on_drop`]
///   dropping ends and removes it;
/// - [`Child::detach`] keeps the container, whatever becomes of the process.
///
/// ```no_run
/// use std::time::Duration;
/// let mut child = cofferdam::Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
/// if child.wait_timeout(Duration::from_secs(1))?.is_none() {
///     child.kill()?;
///     println!("{}", child.wait()?);
/// }
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    /// Where standard input comes from, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Where standard output goes to, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Where standard error goes to, if that is a pipe.
    pub stderr: Option<ChildStderr>,
    /// The master of its terminal, if it has one.
    pub terminal: Option<Terminal>,
    pub(super) process: Process,
    pub(super) container: Container,
    pub(super) status: Option<ExitStatus>,
    pub(super) ownership: Ownership,
}

/// What a child does for its container.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ownership {
    pub(super) removes: bool,
    pub(super) kill_on_drop: bool,
}

impl Child {
    pub(super) fn new(
        (container, mut process): (Container, Process),
        ends: Ends,
        ownership: Ownership,
    ) -> Self {
        Self {
            stdin: ends.stdin,
            stdout: ends.stdout,
            stderr: ends.stderr,
            terminal: process.take_terminal().map(Terminal::new),
            process,
            container,
            status: None,
            ownership,
        }
    }

    /// The container's id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        self.container.id()
    }

    /// The process's number in the caller's PID namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// The container. A clone of it can be used from elsewhere, as to kill what this waits for.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Lets the program of a container run that [`super::Command::create`] has made, and returns when it does.
    ///
    /// # Errors
    /// As [`Container::start`].
    pub fn start(&mut self) -> Result<()> {
        self.container.start()
    }

    /// Waits for the process to end, after closing its standard input, so that it does not wait for that.
    /// The container, if this is its first process, is removed. Can be called again: the status stays.
    ///
    /// # Errors
    /// As [`Process::wait`]; when the container cannot be removed.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        if let Some(status) = self.status {
            return Ok(status);
        }
        let status = self.process.wait();
        self.ended(status)
    }

    /// As [`Child::wait`], without waiting: `None` while the process runs.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.wait_timeout(Duration::ZERO)
    }

    /// As [`Child::wait`], for at most `limit`: `None` when the process still runs then. Standard input
    /// stays open.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        if self.status.is_some() {
            return Ok(self.status);
        }
        match self.process.wait_timeout(limit) {
            Ok(None) => Ok(None),
            Ok(Some(status)) => self.ended(Ok(status)).map(Some),
            Err(e) => self.ended(Err(e)).map(Some),
        }
    }

    /// Remembers, and cleans up also where nobody knows how it ended.
    fn ended(&mut self, status: Result<ExitStatus>) -> Result<ExitStatus> {
        self.status = status.as_ref().ok().copied();
        let removed = self.remove();
        let status = status?;
        removed.map(|()| status)
    }

    /// Removes the container of a process that has ended.
    fn remove(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.ownership.removes) {
            return Ok(());
        }
        self.container.remove_ended()
    }

    /// Collects what the process writes to pipes or its terminal until it has ended, and removes the
    /// container as [`Child::wait`] does. Standard input is closed first.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub fn wait_with_output(self) -> Result<Output> {
        self.communicate(&[])
    }

    /// As [`Child::wait_with_output`], giving `input` to standard input, where that is a pipe. No pipe that
    /// is full, on either side, stops the others.
    ///
    /// # Errors
    /// As [`Child::wait`].
    ///
    /// ```no_run
    /// use cofferdam::{Command, Stdio};
    /// let child = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.communicate(b"hello")?.stdout, b"HELLO");
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn communicate(mut self, input: &[u8]) -> Result<Output> {
        let collected = output::exchange(&mut self, input);
        let collected = collected.map_err(|e| Error::io("reading what the program writes", "", &e));
        let status = self.wait();
        let (stdout, stderr) = collected?;
        Ok(Output { status: status?, stdout, stderr })
    }

    /// Ends the process: all of the container, if it is its first. To kill what has ended is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&self) -> Result<()> {
        let killed =
            if self.is_first() { self.container.kill(SIGKILL, false) } else { self.process.kill(SIGKILL) };
        match killed {
            Err(e) if e.kind() == ErrorKind::WrongState => Ok(()),
            other => other,
        }
    }

    fn is_first(&self) -> bool {
        self.container.saved.pid == self.process.pid()
    }

    /// Sends the process a signal.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when it has ended.
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.process.kill(signal)
    }

    /// Starts another process in the container; [`Exec`] says which, and to what it is connected.
    ///
    /// # Errors
    /// As [`Exec::spawn_in`].
    pub fn exec(&self, exec: &Exec) -> Result<Self> {
        exec.spawn_in(&self.container)
    }

    /// Freezes the container.
    ///
    /// # Errors
    /// As [`Container::pause`].
    pub fn pause(&self) -> Result<()> {
        self.container.pause()
    }

    /// Thaws the container.
    ///
    /// # Errors
    /// As [`Container::resume`].
    pub fn resume(&self) -> Result<()> {
        self.container.resume()
    }

    /// What the container uses.
    ///
    /// # Errors
    /// As [`Container::stats`].
    pub fn stats(&self) -> Result<Stats> {
        self.container.stats()
    }

    /// Changes the container's limits.
    ///
    /// # Errors
    /// As [`Container::update`].
    pub fn update(&self, resources: &Resources) -> Result<()> {
        self.container.update(resources)
    }

    /// What the container is at, computed.
    ///
    /// # Errors
    /// As [`Container::status`].
    pub fn status(&self) -> Result<Status> {
        self.container.status()
    }

    /// Gives the container away: it stays until somebody deletes it, and its process runs on. A process
    /// that ends later is reaped by [`Container::delete`], or by whoever is its parent by then.
    #[must_use]
    pub fn detach(mut self) -> Container {
        self.ownership = Ownership { removes: false, kill_on_drop: false };
        self.container.clone()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        if self.ownership.kill_on_drop && self.kill().is_ok() {
            let _ = self.wait();
        } else if self.ownership.removes {
            let _ = self.try_wait();
        }
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}
