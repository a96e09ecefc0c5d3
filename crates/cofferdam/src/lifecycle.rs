//! start, kill and delete: the ends of a container's life.

use std::fs;
use std::os::fd::AsRawFd;

use cofferdam_child::frame::Point;
use cofferdam_plan::HooksPlan;
use cofferdam_sys::{Errno, pidfd, poll};

use crate::container::{Container, Status};
use crate::state::START;
use crate::store;
use crate::talk::{self, Event};
use crate::{Error, ErrorKind, Result, hooks, pid, sockets};

const SIGKILL: i32 = 9;

impl Container {
    /// Lets the program of a created container run, and returns when it does.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] unless it is created; what kept the program from running.
    pub fn start(&self) -> Result<()> {
        let _lock = store::lock(&self.dir(), &self.id)?;
        match self.status()? {
            Status::Created => {}
            Status::Stopped => return Err(self.wrong_state("cannot start a container that has stopped")),
            _ => return Err(self.wrong_state("cannot start an already running container")),
        }
        if self.saved.prepared {
            return Err(self.wrong_state("a prepared container is started by the process that prepared it"));
        }
        let path = self.dir().join(START);
        let stream = sockets::connect(&path, "starting the container")?;
        let state = hooks::state_file(&self.saved.state("created"))?;
        talk::say(stream.as_raw_fd(), Point::Start, Some(state.as_raw_fd()))?;
        self.until_running(stream.as_raw_fd())?;
        fs::remove_file(&path).map_err(|e| Error::io("removing the start socket", &path, &e))?;
        self.poststart()
    }

    /// The other end closes when the program runs; before that it may tell of a listener or a failure.
    fn until_running(&self, control: i32) -> Result<()> {
        loop {
            match talk::hear(control)? {
                Event::Gone => return Ok(()),
                Event::Failed(failure) => return Err(failure.render_late(&self.saved.late)),
                Event::Listener(number) => {
                    let process = pid::open(self.saved.pid, self.saved.start_time);
                    let process =
                        process.ok_or_else(|| self.wrong_state("the container's process has ended"))?;
                    let listener = pidfd::getfd(process.as_raw_fd(), number)
                        .map_err(|e| Error::system("taking the seccomp listener", e))?;
                    crate::agent::hand_over(
                        &self.spec()?,
                        &self.saved.state("created"),
                        self.saved.pid,
                        &listener.into(),
                    )?;
                    talk::say(control, Point::Listener, None)?;
                }
                _ => {}
            }
        }
    }

    /// Their failure stops the container, as the specification says.
    pub(crate) fn poststart(&self) -> Result<()> {
        let plans = self.hooks()?;
        let ran = hooks::run(&plans.poststart, "poststart", &self.saved.state("running"), &self.saved.bundle);
        if ran.is_err() {
            let _ = self.signal_init(SIGKILL);
        }
        ran
    }

    fn hooks(&self) -> Result<HooksPlan> {
        if !self.saved.late_hooks {
            return Ok(HooksPlan::default());
        }
        Ok(cofferdam_plan::plan_hooks(&self.spec()?))
    }

    /// Sends a signal to the first process, or with `all` to every one.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when it has stopped.
    pub fn kill(&self, signal: i32, all: bool) -> Result<()> {
        if all {
            // Processes may outlive the first one where there is no PID namespace.
            return Ok(self.cgroup().kill(signal)?);
        }
        let others = signal == SIGKILL && !self.saved.own_pid_namespace;
        if self.pid().is_none() && !(others && self.pids().is_ok_and(|pids| !pids.is_empty())) {
            return Err(self.wrong_state("container not running"));
        }
        if others {
            return Ok(self.cgroup().kill(signal)?);
        }
        self.signal_init(signal)?;
        // A frozen process takes no signal, and one that is to die must be able to.
        if signal == SIGKILL && self.cgroup().is_frozen().unwrap_or(false) {
            self.cgroup().thaw()?;
        }
        Ok(())
    }

    fn signal_init(&self, signal: i32) -> Result<()> {
        let Some(process) = pid::open(self.saved.pid, self.saved.start_time) else {
            return Err(self.wrong_state("container not running"));
        };
        match pidfd::send_signal(process.as_raw_fd(), signal) {
            Err(Errno::ESRCH) => Err(self.wrong_state("container not running")),
            Err(e) => Err(Error::system("signalling the container's process", e)
                .with_object(self.saved.pid.to_string())),
            Ok(()) => Ok(()),
        }
    }

    /// Removes a container that has stopped, or was never started, or with `force` any. Gives why poststop
    /// hooks failed: the specification wants a warning at most, the container is gone whatever they say.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] while it runs, without `force`.
    pub fn delete(self, force: bool) -> Result<Vec<Error>> {
        if force {
            return self.store.remove(&self.id);
        }
        let _lock = store::lock(&self.dir(), &self.id)?;
        // Who held the lock until now may have gone on with it.
        let now = self.store.load(&self.id)?;
        match now.status()? {
            Status::Stopped | Status::Creating | Status::Created => now.remove_all(),
            status => {
                let what =
                    format!("cannot delete container {} that is not stopped: {}", self.id, status.as_str());
                Err(self.wrong_state(&what))
            }
        }
    }

    /// Ends every process and removes everything that is the container's, in the order that lets a
    /// second attempt find what a first one left.
    pub(crate) fn remove_all(&self) -> Result<Vec<Error>> {
        self.end_init()?;
        self.remove_cgroup()?;
        self.saved.network.iter().try_for_each(crate::network::remove)?;
        crate::rdt::remove(&self.saved.resctrl)?;
        let hooks = self.hooks().unwrap_or_default();
        let failed =
            hooks::run_all(&hooks.poststop, "poststop", &self.saved.state("stopped"), &self.saved.bundle);
        store::remove_dir(&self.dir())?;
        Ok(failed)
    }

    /// Removes what is left of a container whose first process has ended, unless somebody else has: then
    /// another one may have its id by now.
    pub(crate) fn remove_ended(&self) -> Result<()> {
        let gone = |e: &Error| e.kind() == ErrorKind::NotFound;
        let lock = match store::lock(&self.dir(), &self.id) {
            Err(e) if gone(&e) => return Ok(()),
            other => other?,
        };
        let now = self.store.load(&self.id)?;
        let same = (now.saved.pid, now.saved.start_time) == (self.saved.pid, self.saved.start_time);
        if same {
            now.remove_all()?;
        }
        drop(lock);
        Ok(())
    }

    fn remove_cgroup(&self) -> Result<()> {
        const EBUSY: Option<i32> = Some(Errno::EBUSY.0);
        let cgroup = self.cgroup();
        if self.saved.pid == 0 {
            // Half-made: its child ends by itself, as nobody answers it, and never joined a cgroup with
            // others. Whoever stays in one that we merely meant to make is somebody else's.
            // A unit without processes ends by itself; one with others' is not ours.
            return match cgroup.delete_directories() {
                Err(e) if e.errno == EBUSY => Ok(()),
                other => Ok(other?),
            };
        }
        if !self.saved.own_pid_namespace {
            cgroup.kill(SIGKILL)?;
        }
        Ok(cgroup.delete()?)
    }

    /// Kills the first process and waits until it has ended: with its PID namespace all others have.
    fn end_init(&self) -> Result<()> {
        const LONGEST_MS: u64 = 10_000;
        const USUAL_MS: u64 = 2_000;
        let Some(process) = pid::open(self.saved.pid, self.saved.start_time).filter(|_| self.pid().is_some())
        else {
            return Ok(());
        };
        let _ = pidfd::send_signal(process.as_raw_fd(), SIGKILL);
        let _ = self.cgroup().thaw();
        let mut fds = [poll::PollFd { fd: process.as_raw_fd(), events: poll::POLLIN, revents: 0 }];
        let mut ended =
            |ms| poll::poll(&mut fds, Some(ms)).map_err(|e| Error::system("waiting for the process", e));
        if ended(USUAL_MS)? > 0 {
            crate::process::reap_unheld(self.saved.pid, &process);
            return Ok(());
        }
        // A process that somebody traces who hangs is not reaped; a CRIU that hangs is in the container's cgroups.
        let _ = self.cgroup().kill(SIGKILL);
        if ended(LONGEST_MS)? == 0 {
            return Err(Error::new(ErrorKind::System, "the container's process does not end")
                .with_object(self.saved.pid.to_string())
                .with_hint("it may be stuck in the kernel, on a file system that does not answer"));
        }
        crate::process::reap_unheld(self.saved.pid, &process);
        Ok(())
    }
}
