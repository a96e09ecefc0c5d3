//! Stage 0: the process that was started. It stays outside and serves the other two.
//!
//! Called by `stages`, after the first fork. It never returns into the program but with an error.

use cofferdam_sys::{Fd, prctl, setns};

use super::{SIGKILL, kill, pipe_failed};
use crate::bootstrap::environment::Environment;
use crate::bootstrap::init::write_all;
use crate::bootstrap::log::Log;
use crate::bootstrap::message::Bootstrap;
use crate::bootstrap::sync::{Line, Word};
use crate::bootstrap::{Error, Release, Result, maps, sources};

/// What the first process knows.
pub(super) struct Call<'a> {
    pub(super) log: &'a Log,
    pub(super) environment: &'a Environment,
    pub(super) asked: &'a Bootstrap,
}

/// Its ends of the socket pairs.
pub(super) struct Lines {
    pub(super) child: Line,
    pub(super) last: Line,
}

pub(super) fn run<T>(call: &Call<'_>, mut lines: Lines, child: i32, child_fd: &Fd) -> Result<T> {
    let _ = prctl::set_name(c"runc:[0:PARENT]");
    let mut last = None;
    let done = serve(call, &mut lines.child, child, &mut last).and_then(|()| release(&mut lines.last));
    match done {
        Ok(()) => {
            call.log.debug(format_args!("all stages are done"));
            setns::exit(0)
        }
        Err(error) => {
            kill(child_fd);
            if let Some(pid) = last {
                // Unreaped: nobody who could reap it has been told its number, or all of this has failed.
                let _ = setns::kill(pid, SIGKILL);
            }
            Err(error)
        }
    }
}

/// Does what stage 1 asks for, until it has finished.
fn serve(call: &Call<'_>, line: &mut Line, child: i32, last: &mut Option<i32>) -> Result<()> {
    loop {
        let word = line.receive()?;
        call.log.debug(format_args!("stage 1 says {word:?}"));
        match word {
            Word::MapsPlease => {
                maps::ids(call.log, child, call.asked)?;
                line.send(Word::MapsDone)?;
            }
            Word::OffsetsOrSourcesPlease => {
                match call.environment.release {
                    Release::V1_0 => sources::send(line, child, &call.asked.mount_sources)?,
                    _ => maps::time_offsets(call.log, child, &call.asked.time_offsets)?,
                }
                line.send(Word::OffsetsOrSourcesDone)?;
            }
            Word::PidPlease => {
                let pid = line.receive_pid()?;
                *last = (pid > 0).then_some(pid);
                line.send(Word::PidDone)?;
                let report = call.environment.release.pids(child, pid);
                write_all(call.environment.init_pipe, report.as_bytes())
                    .map_err(|errno| pipe_failed("reporting the pids over", errno))?;
            }
            Word::Finished => return Ok(()),
            other => return Err(Error::new("serving stage 1", format!("it said {other:?}"))),
        }
    }
}

/// Lets stage 2 go on, and waits until it has left what can fail behind it.
fn release(line: &mut Line) -> Result<()> {
    line.send(Word::Go)?;
    line.expect(Word::Finished)
}
