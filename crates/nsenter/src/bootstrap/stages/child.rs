//! Stage 1: joins and makes the namespaces, then forks the process that stays.
//!
//! Called by `stages`, after the first fork. What it may not do itself in a new user namespace, it asks of
//! stage 0.

use cofferdam_sys::clone3::Forked;
use cofferdam_sys::{Errno, prctl, setns};

use super::{dumpable, fork, kill};
use crate::bootstrap::environment::Environment;
use crate::bootstrap::log::Log;
use crate::bootstrap::message::{Bootstrap, Kind};
use crate::bootstrap::sync::{Line, Word};
use crate::bootstrap::{Error, Release, Result, join, sources};

/// In which process it returns.
pub(super) enum Role {
    /// Stage 1, whose work is done.
    Done,
    /// Stage 2.
    Last,
}

pub(super) fn run(log: &Log, asked: &Bootstrap, environment: &Environment, line: &mut Line) -> Result<Role> {
    let _ = prctl::set_name(c"runc:[1:CHILD]");
    join::all(log, &asked.namespaces)?;
    let user = asked.clone_flags & Kind::User.flag();
    if user != 0 {
        // First and alone, so that it owns all others.
        unshare(log, user)?;
        map_ids(line, !asked.namespaces.is_empty())?;
        join::become_root()?;
    }
    unshare(log, asked.clone_flags & !user)?;
    ask_for_the_last(asked, environment, line)?;
    match fork()? {
        Forked::Child => Ok(Role::Last),
        Forked::Parent(pid, pidfd) => hand_over(line, pid).map(|()| Role::Done).inspect_err(|_| kill(&pidfd)),
    }
}

fn unshare(log: &Log, flags: u32) -> Result<()> {
    log.debug(format_args!("unshare {flags:#x}"));
    setns::unshare(flags.into()).map_err(|errno| {
        let error = Error::new("making namespaces", format!("{flags:#x}")).errno(errno);
        let error = error.asked_by("CLONE_FLAGS_ATTR");
        match errno {
            Errno::EPERM => error.hint("without CAP_SYS_ADMIN they need a user namespace of their own"),
            Errno::ENOSPC => error.hint("a limit in /proc/sys/user is reached"),
            _ => error,
        }
    })
}

/// Files below /proc of a process that is not dumpable belong to root of the first user namespace: stage 0
/// could not write our maps if it is somebody else.
fn map_ids(line: &mut Line, hidden: bool) -> Result<()> {
    if hidden {
        dumpable(true)?;
    }
    line.send(Word::MapsPlease)?;
    line.expect(Word::MapsDone)?;
    if hidden {
        dumpable(false)?;
    }
    Ok(())
}

/// Time offsets must be there before the first process enters; mount sources are opened in the mount
/// namespace that we have just made, with stage 0's rights.
fn ask_for_the_last(asked: &Bootstrap, environment: &Environment, line: &mut Line) -> Result<()> {
    let sources = environment.release == Release::V1_0 && !asked.mount_sources.is_empty();
    if sources || !asked.time_offsets.is_empty() {
        line.send(Word::OffsetsOrSourcesPlease)?;
        if sources {
            sources::receive(line, &environment.mount_fds)?;
        }
        line.expect(Word::OffsetsOrSourcesDone)?;
    }
    Ok(())
}

fn hand_over(line: &mut Line, pid: i32) -> Result<()> {
    line.send(Word::PidPlease)?;
    line.send_pid(pid)?;
    line.expect(Word::PidDone)?;
    line.send(Word::Finished)
}
