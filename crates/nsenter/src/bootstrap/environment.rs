//! The variables by which a parent says that it wants an init, and with which descriptors.
//!
//! Called by `run`, once. It reads them and marks the descriptors close-on-exec; it changes no variable.

use std::ffi::OsString;
use std::path::PathBuf;

use cofferdam_sys::open;

use super::{Error, InitKind, Release, Result};

/// Number of the descriptor from which the bootstrap data is read, and to which the pids are written.
pub(super) const INIT_PIPE: &str = "_LIBCONTAINER_INITPIPE";
/// Process whose namespaces are to be joined, in the older form.
pub(super) const INIT_PID: &str = "_LIBCONTAINER_INITPID";
/// Terminal for the older form.
pub(super) const CONSOLE_PATH: &str = "_LIBCONTAINER_CONSOLE_PATH";
/// Number of the descriptor for log lines.
pub(super) const LOG_PIPE: &str = "_LIBCONTAINER_LOGPIPE";
/// The highest level that is written, as a number.
pub(super) const LOG_LEVEL: &str = "_LIBCONTAINER_LOGLEVEL";
const SYNC_PIPE: &str = "_LIBCONTAINER_SYNCPIPE";
const STATE_DIR: &str = "_LIBCONTAINER_STATEDIR";
const INIT_TYPE: &str = "_LIBCONTAINER_INITTYPE";
const FIFO: &str = "_LIBCONTAINER_FIFOFD";
const CONSOLE: &str = "_LIBCONTAINER_CONSOLE";
const MOUNT_FDS: &str = "_LIBCONTAINER_MOUNT_FDS";

/// What the environment asks for.
#[derive(Debug)]
pub(super) enum Call {
    /// Nothing: the program was started as itself.
    Ordinary,
    /// The stages, with a message on the init pipe.
    Netlink(Environment),
    /// The older form: another process's namespaces.
    ByPid(Target),
}

/// What the stages, and later the program, are given.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) release: Release,
    pub(super) init_pipe: i32,
    pub(super) sync_pipe: Option<i32>,
    pub(super) fifo: Option<i32>,
    pub(super) console: Option<i32>,
    pub(super) kind: Option<InitKind>,
    /// The numbers that opened mount sources are to have, `None` for a mount without one.
    pub(super) mount_fds: Vec<Option<i32>>,
}

/// What the older form is given.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) pid: i32,
    /// Without one there is no word about the pid: the first process stays and ends as the second does.
    pub(super) init_pipe: Option<i32>,
    pub(super) console: Option<PathBuf>,
    pub(super) kind: Option<InitKind>,
}

impl Call {
    pub(super) fn read(release: Option<Release>) -> Result<Self> {
        let kind = kind();
        if let Some(pid) = number(INIT_PID)? {
            let console = variable(CONSOLE_PATH).map(PathBuf::from);
            if pid == 0 {
                return Err(Error::new("reading the environment", "process 0").asked_by(INIT_PID));
            }
            return Ok(Self::ByPid(Target { pid, init_pipe: descriptor(INIT_PIPE)?, console, kind }));
        }
        let Some(init_pipe) = descriptor(INIT_PIPE)? else { return Ok(Self::Ordinary) };
        let sync_pipe = descriptor(SYNC_PIPE)?;
        let looks_like = || match variable(STATE_DIR) {
            Some(_) if sync_pipe.is_none() => Release::V1_0,
            _ => Release::Current,
        };
        Ok(Self::Netlink(Environment {
            release: release.unwrap_or_else(looks_like),
            init_pipe,
            sync_pipe,
            fifo: descriptor(FIFO)?,
            console: descriptor(CONSOLE)?,
            kind,
            mount_fds: mount_fds()?,
        }))
    }
}

/// An unset variable and an empty one are the same.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A variable that holds a number from 0.
pub(super) fn number(name: &'static str) -> Result<Option<i32>> {
    let Some(value) = variable(name) else { return Ok(None) };
    let parsed = value.to_str().and_then(|text| text.parse().ok()).filter(|number| *number >= 0);
    let wrong = || Error::new("reading the environment", format!("{value:?} is no number from 0"));
    parsed.map(Some).ok_or_else(|| wrong().asked_by(name))
}

/// A variable that holds the number of an open descriptor, which a program executed later must not get.
pub(super) fn descriptor(name: &'static str) -> Result<Option<i32>> {
    let Some(fd) = number(name)? else { return Ok(None) };
    open::set_cloexec(fd, true)
        .map_err(|errno| Error::new("taking the descriptor", fd.to_string()).errno(errno).asked_by(name))?;
    Ok(Some(fd))
}

fn kind() -> Option<InitKind> {
    match variable(INIT_TYPE)?.to_str()? {
        "standard" => Some(InitKind::Standard),
        "setns" => Some(InitKind::Setns),
        _ => None,
    }
}

/// A JSON list of numbers, -1 for a mount that needs no descriptor.
fn mount_fds() -> Result<Vec<Option<i32>>> {
    let Some(value) = variable(MOUNT_FDS) else { return Ok(Vec::new()) };
    let numbers: Option<Vec<i32>> = value.to_str().and_then(|text| serde_json::from_str(text).ok());
    let wrong = || Error::new("reading the environment", format!("{value:?} is no list of numbers"));
    let numbers = numbers.ok_or_else(|| wrong().asked_by(MOUNT_FDS))?;
    Ok(numbers.into_iter().map(|number| (number >= 0).then_some(number)).collect())
}
