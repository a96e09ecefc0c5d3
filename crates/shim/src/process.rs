//! A process as containerd knows it: the first of a container, or one that was started in it.
//!
//! Called by requests and by `exits`. Its lock is held while it is started, so that whoever hears of its end has
//! heard of its beginning.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockResult};

use cofferdam::{ExitStatus, Process, Result};
use containerd_shim_protos::api::{StateResponse, Status};
use containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp;

use crate::clock;
use crate::failure::{not_found, wrong_state};
use crate::io::{Held, Names};
use crate::waits::Waiter;

/// One process.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The container.
    pub(crate) container: String,
    /// Its own id; empty is the container's first.
    pub(crate) exec_id: String,
    /// Its streams.
    pub(crate) names: Names,
    now: Mutex<Now>,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct Now {
    /// The process, from when it was made until it has ended.
    pub(crate) process: Option<Process>,
    /// What is to run, until it is started.
    pub(crate) spec: Option<Box<cofferdam::oci::Process>>,
    /// Its number, which stays known.
    pub(crate) pid: u32,
    /// Whether its program runs, or has.
    pub(crate) started: bool,
    /// How it ended.
    pub(crate) ended: Option<End>,
    /// Its streams, as far as they are the shim's.
    pub(crate) held: Held,
    /// Whether standard input was closed, which may be asked for while the process is being made.
    input_closed: bool,
    waiters: Vec<Waiter>,
}

/// How and when a process ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// As shells say it.
    pub(crate) status: u32,
    /// When the shim was told.
    pub(crate) at: Timestamp,
}

impl Entry {
    /// One that is not there yet.
    pub(crate) fn new(container: &str, exec_id: &str, names: Names) -> Self {
        let (container, exec_id) = (container.to_owned(), exec_id.to_owned());
        Self { container, exec_id, names, now: Mutex::default() }
    }

    /// As it is now, and stays until this is dropped.
    pub(crate) fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it is now, unless somebody is at it.
    pub(crate) fn try_now(&self) -> TryLockResult<MutexGuard<'_, Now>> {
        self.now.try_lock()
    }

    /// Which it is, in events: the container's id, or its own.
    pub(crate) fn id(&self) -> &str {
        if self.exec_id.is_empty() { &self.container } else { &self.exec_id }
    }

    /// What there is to say of it; whether it is frozen is known elsewhere.
    pub(crate) fn describe(&self, paused: bool) -> StateResponse {
        let now = self.now();
        let mut state = StateResponse {
            id: self.container.clone(),
            exec_id: self.exec_id.clone(),
            pid: now.pid,
            status: now.status(paused).into(),
            stdin: self.names.stdin.clone(),
            stdout: self.names.stdout.clone(),
            stderr: self.names.stderr.clone(),
            terminal: self.names.terminal,
            ..Default::default()
        };
        if let Some(end) = &now.ended {
            state.exit_status = end.status;
            state.exited_at = Some(end.at.clone()).into();
        }
        state
    }

    /// Answers when it has ended.
    pub(crate) fn wait(&self, waiter: Waiter) {
        let mut now = self.now();
        match &now.ended {
            Some(end) => waiter.answer(end),
            None => now.waiters.push(waiter),
        }
    }

    /// Sends it a signal.
    pub(crate) fn kill(&self, signal: i32) -> Result<()> {
        let now = self.now();
        match &now.process {
            Some(process) => process.kill(signal).map_err(|_| finished()),
            None if now.ended.is_some() => Err(finished()),
            None => Err(wrong_state("the process has not been started")),
        }
    }
}

/// In containerd's words, which its clients look for.
pub(crate) fn finished() -> cofferdam::Error {
    not_found("process already finished:")
}

impl Now {
    /// It exists; what is to be watched for its end.
    pub(crate) fn made(&mut self, process: Process, held: Held) -> Result<OwnedFd> {
        let watched = process.as_fd().try_clone_to_owned();
        let watched = watched.map_err(|e| cofferdam::Error::io("watching", "the process", &e))?;
        self.pid = process.pid().unsigned_abs();
        (self.process, self.held) = (Some(process), held);
        if self.input_closed {
            self.held.close_stdin();
        }
        Ok(watched)
    }

    /// Nobody is going to write to it any more.
    pub(crate) fn close_input(&mut self) {
        self.input_closed = true;
        self.held.close_stdin();
    }

    /// It has ended, if it has; says so to who waits. Gives how, the first time.
    pub(crate) fn reap(&mut self) -> Option<End> {
        let status = match self.process.as_ref()?.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status,
            Err(e) => {
                crate::journal::complain("waiting for a process", &e);
                ExitStatus::Code(255)
            }
        };
        self.process = None;
        let end = End { status: status.shell_code().unsigned_abs(), at: clock::now() };
        self.end(end.clone());
        Some(end)
    }

    /// It is deleted and has never run: who waits for its end is told that nothing is known of one.
    pub(crate) fn never_ran(&mut self) {
        const UNKNOWN: u32 = 255;
        if self.ended.is_none() {
            self.end(End { status: UNKNOWN, at: clock::now() });
        }
    }

    /// Notes how it ended.
    pub(crate) fn end(&mut self, end: End) {
        self.held.let_go();
        self.waiters.drain(..).for_each(|waiter| waiter.answer(&end));
        self.ended = Some(end);
    }

    fn status(&self, paused: bool) -> Status {
        match (&self.ended, self.started) {
            (Some(_), _) => Status::STOPPED,
            (None, false) => Status::CREATED,
            (None, true) if paused => Status::PAUSED,
            (None, true) => Status::RUNNING,
        }
    }
}
