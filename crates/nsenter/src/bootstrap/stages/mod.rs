//! The three processes: the one that was started, the one that changes namespaces, the one that stays.
//!
//! Called by `run`. Two forks are needed, since a PID namespace is entered by children only; both children
//! are made with CLONE_PARENT, so that the one that stays is the child of whoever started the first. The
//! first stays outside and keeps its rights: it writes what the second may not write for itself.

mod child;
mod last;
mod parent;

use cofferdam_sys::clone3::{CLONE_PARENT, Forked, fork_single_threaded};
use cofferdam_sys::{Errno, Fd, open, prctl, setns};

use super::environment::Environment;
use super::init::write_all;
use super::log::Log;
use super::message::{self, Bootstrap, HEADER_LEN, Header};
use super::sync::Line;
use super::{Error, Init, Result, Stage, maps};

/// Ends of the socket pairs: the first process's, and the other two's.
struct Lines {
    outside: parent::Lines,
    child: Line,
    last: Line,
}

pub(super) fn start(log: &Log, environment: &Environment) -> Result<Init> {
    log.debug(format_args!("bootstrap as {:?}", environment.release));
    if environment.release.says_hello() {
        write_all(environment.init_pipe, b"\0").map_err(|errno| pipe_failed("greeting over", errno))?;
    }
    let asked = read(environment)?;
    super::sources::check(&asked, &environment.mount_fds)?;
    // Before we cannot be looked into any more: then only root may write it. Children inherit it.
    maps::oom_score_adj(log, asked.oom_score_adj)?;
    if !asked.namespaces.is_empty() {
        // Whoever is inside must not be able to trace us as soon as we have joined.
        dumpable(false)?;
    }
    let lines = Lines::new()?;
    match fork()? {
        Forked::Parent(pid, pidfd) => {
            let log = log.at(Stage::Parent);
            let call = parent::Call { log: &log, environment, asked: &asked };
            parent::run(&call, lines.into_outside(), pid, &pidfd).map_err(|e| e.at(Stage::Parent))
        }
        Forked::Child => Ok(inside(log, environment, &asked, lines.into_inside())),
    }
}

/// Stage 1 and, in its child, stage 2. Neither may return with an error: the caller would go on in two
/// processes.
fn inside(log: &Log, environment: &Environment, asked: &Bootstrap, lines: (Line, Line)) -> Init {
    let (mut child, last) = lines;
    let log = &log.at(Stage::Child);
    match child::run(log, asked, environment, &mut child) {
        Ok(child::Role::Done) => setns::exit(0),
        Ok(child::Role::Last) => {}
        Err(error) => die(log, error),
    }
    let log = &log.at(Stage::Init);
    drop(child);
    match last::run(log, asked, last) {
        Ok(()) => Init::new(log, environment),
        Err(error) => die(log, error),
    }
}

fn die(log: &Log, error: Error) -> ! {
    log.fatal(&error.at(log.stage()));
    setns::exit(1)
}

/// Reads exactly one message, whatever pieces it comes in.
fn read(environment: &Environment) -> Result<Bootstrap> {
    let mut bytes = vec![0; HEADER_LEN];
    fill(environment.init_pipe, &mut bytes)?;
    let header = bytes.first_chunk().map(Header::decode).transpose()?;
    let payload = header.map_or(0, Header::payload);
    bytes.resize(HEADER_LEN + payload, 0);
    fill(environment.init_pipe, bytes.get_mut(HEADER_LEN..).unwrap_or_default())?;
    Ok(message::decode(&bytes, environment.release)?)
}

fn fill(pipe: i32, mut buffer: &mut [u8]) -> Result<()> {
    while !buffer.is_empty() {
        match open::read(pipe, buffer)
            .map_err(|errno| pipe_failed("reading the bootstrap data from", errno))?
        {
            0 => {
                let missing = format!("the init pipe ends {} bytes before the message does", buffer.len());
                return Err(Error::new("reading the bootstrap data", missing));
            }
            n => buffer = buffer.get_mut(n..).unwrap_or_default(),
        }
    }
    Ok(())
}

fn pipe_failed(step: &'static str, errno: Errno) -> Error {
    Error::new(step, "the init pipe").errno(errno).asked_by(super::environment::INIT_PIPE)
}

fn fork() -> Result<Forked> {
    fork_single_threaded(CLONE_PARENT).map_err(|errno| {
        let error = Error::new("making the next process", "a sibling of this one").errno(errno);
        match errno {
            Errno::EUSERS => error.hint("bootstrap::run must come first in main, before any thread"),
            Errno::EINVAL => error.hint("the first process of a PID namespace has no siblings"),
            _ => error,
        }
    })
}

fn dumpable(on: bool) -> Result<()> {
    prctl::set_dumpable(on).map_err(|errno| Error::new("setting dumpable", on.to_string()).errno(errno))
}

/// Ends a process that waits for a word that will not come.
fn kill(pidfd: &Fd) {
    let _ = cofferdam_sys::pidfd::send_signal(pidfd.raw(), SIGKILL);
}

const SIGKILL: i32 = 9;

impl Lines {
    fn new() -> Result<Self> {
        let (to_child, child) = Line::pair()?;
        let (to_last, last) = Line::pair()?;
        Ok(Self { outside: parent::Lines { child: to_child, last: to_last }, child, last })
    }

    /// In the first process; the other ends are closed, so that the others' end is noticed.
    fn into_outside(self) -> parent::Lines {
        self.outside
    }

    /// In the others.
    fn into_inside(self) -> (Line, Line) {
        (self.child, self.last)
    }
}
