//! Standing in for a process that runs in the foreground: signals go to it, its exit code comes back.
//!
//! Called by `run`, `exec`, `sandbox` and nsinit. One thread and one poll(2): a signalfd, the process's pidfd
//! and, when it has a terminal, the descriptors of the [`Relay`].

use cofferdam::{Child, ExitStatus, Notify, Process};
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use std::os::fd::{AsFd, BorrowedFd};

use crate::failure::Failure;
use crate::log::Log;
use crate::relay::Relay;

/// All signals of this process, as something to be read.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Takes every signal from now on; called before the process is made, so that none falls between.
    pub(crate) fn take() -> Result<Self, Failure> {
        let all = SigSet::all();
        all.thread_block()
            .and_then(|()| SignalFd::with_flags(&all, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC))
            .map(Self)
            .map_err(|errno| Failure::io("taking over signals", &errno.into()))
    }

    /// The next that has come.
    pub(crate) fn next(&self) -> Option<i32> {
        let info = self.0.read_signal().ok().flatten()?;
        i32::try_from(info.ssi_signo).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Makes this process the parent of orphans, so that none of the container's outlives it unseen.
pub(crate) fn become_subreaper(log: &Log) {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        log.warning(&format!("become a subreaper: {error}"));
    }
}

/// What is stood in for.
pub(crate) trait Subject: AsFd {
    /// Its number.
    fn number(&self) -> i32;
    /// Sends it a signal.
    fn signal(&self, signal: i32) -> cofferdam::Result<()>;
    /// What it says to the service manager, if there is one.
    fn notify(&self) -> Option<&Notify>;
    /// How it ended, once its pidfd says that it has.
    fn outcome(&mut self) -> cofferdam::Result<ExitStatus>;
}

impl Subject for Child {
    fn number(&self) -> i32 {
        self.pid()
    }

    fn signal(&self, signal: i32) -> cofferdam::Result<()> {
        Self::signal(self, signal)
    }

    fn notify(&self) -> Option<&Notify> {
        None
    }

    fn outcome(&mut self) -> cofferdam::Result<ExitStatus> {
        self.wait()
    }
}

/// A process that others may hold as well.
#[derive(Debug)]
pub(crate) struct Shared<'a>(pub(crate) &'a Process);

impl AsFd for Shared<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Subject for Shared<'_> {
    fn number(&self) -> i32 {
        self.0.pid()
    }

    fn signal(&self, signal: i32) -> cofferdam::Result<()> {
        self.0.kill(signal)
    }

    fn notify(&self) -> Option<&Notify> {
        self.0.notify()
    }

    fn outcome(&mut self) -> cofferdam::Result<ExitStatus> {
        self.0.wait()
    }
}

/// Waits for the end of `process` and gives its exit code, 128 + n when a signal ended it.
pub(crate) fn follow(
    process: &mut impl Subject,
    signals: &Signals,
    mut relay: Option<Relay>,
    log: &Log,
) -> Result<i32, Failure> {
    if let Some(relay) = &mut relay {
        relay.resize();
    }
    loop {
        let mut wanted = vec![
            PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(signals.0.as_fd(), PollFlags::IN),
        ];
        wanted.extend(process.notify().map(|notify| PollFd::from_borrowed_fd(notify.as_fd(), PollFlags::IN)));
        let own = wanted.len();
        let roles = relay.as_ref().map_or_else(Vec::new, |relay| relay.register(&mut wanted));
        match poll(&mut wanted, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Failure::io("waiting for the process", &errno.into())),
        }
        let ready: Vec<PollFlags> = wanted.iter().map(PollFd::revents).collect();
        notify(process, log);
        if !ready[0].is_empty() {
            break;
        }
        if !ready[1].is_empty() {
            pass_on(process, signals, relay.as_mut(), log);
        }
        if let Some(relay) = &mut relay {
            relay.carry(&roles, &ready[own..]);
        }
    }
    let status = process.outcome()?.shell_code();
    log.debug(|| format!("process {} exited with {status}", process.number()));
    if let Some(relay) = relay {
        relay.finish();
    }
    Ok(status)
}

/// The service manager goes on watching this command, which ends with the container.
fn notify(process: &impl Subject, log: &Log) {
    let main = rustix::process::getpid().as_raw_nonzero().get();
    if let Some(Err(error)) = process.notify().map(|notify| notify.forward(main)) {
        log.warning(&error.to_string());
    }
}

fn pass_on(process: &impl Subject, signals: &Signals, mut relay: Option<&mut Relay>, log: &Log) {
    while let Some(number) = signals.next() {
        match Signal::from_named_raw(number) {
            Some(Signal::CHILD) => reap(process.number()),
            Some(Signal::WINCH) => {
                if let Some(relay) = &mut relay {
                    relay.resize();
                }
            }
            Some(Signal::PIPE | Signal::URG) => {}
            _ => {
                log.debug(|| format!("forwarding signal {number} to {}", process.number()));
                if let Err(error) = process.signal(number) {
                    log.debug(|| format!("forwarding signal {number}: {error}"));
                }
            }
        }
    }
}

/// Buries orphans. The process itself is left for its pidfd: who waits for it wants its status.
fn reap(own: i32) {
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    while let Ok(status) = waitid(Id::All, ended | WaitPidFlag::WNOWAIT) {
        let Some(pid) = status.pid().filter(|pid| pid.as_raw() != own) else { return };
        if waitid(Id::Pid(pid), ended).is_err() {
            return;
        }
    }
}
