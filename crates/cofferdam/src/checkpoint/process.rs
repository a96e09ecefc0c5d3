//! The process that is CRIU: found, started with nothing of the caller's but what it is to have, ended.
//!
//! Called by dump and restore. It speaks on a socket that only it and we have; while it restores it is in a mount
//! namespace of its own, so that what is mounted for it goes with it, whoever is killed when.

use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cofferdam_criu::{Features, Session, Version};
use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::{pidfd, socket, wait};

use super::lower::{self, Life};
use crate::lower::Lowered;
use crate::spawn::Newborn;
use crate::talk::{self, Event};
use crate::{Error, ErrorKind, Result, spawn};

const SIGKILL: i32 = 9;
/// How long it may take to end once it has been spoken to the last time, in milliseconds.
const LAST_MOMENTS_MS: u64 = 5_000;
/// Where programs of root's are, whatever `PATH` says.
const ROOTS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// A CRIU that answers.
#[derive(Debug)]
pub(super) struct Criu {
    /// Keeps the memory that the process may still run on.
    newborn: Newborn,
    socket: UnixDatagram,
    /// The directories of its life, as it sees them.
    pub(super) directories: Vec<OwnedFd>,
    ended: bool,
}

impl Criu {
    /// Starts it and waits until it is what runs.
    pub(super) fn start(program: Option<&Path>, life: &Life<'_>) -> Result<Self> {
        let program = find(program)?;
        let failed = |e| Error::system("making a socket for criu", e);
        let (ours, theirs) = socket::pair().map_err(failed)?;
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let lowered = Lowered {
            program: lower::life(life, &program, theirs.as_raw_fd()),
            clone_flags: 0,
            maps_first: false,
            successor: false,
        };
        let mut keep = life.descriptors();
        keep.push(theirs.as_raw_fd());
        let newborn = spawn::spawn(&lowered, &keep, None, None)?;
        let mut criu = Self { newborn, socket: ours.into(), directories: Vec::new(), ended: false };
        // Its end of the socket is its own from here on: when it ends, we are told.
        drop(theirs);
        loop {
            match talk::hear(criu.newborn.control.raw())? {
                Event::Failed(failure) => {
                    let error = failure.render(lowered.program.steps());
                    return Err(error.with_hint("criu(8) does the work of checkpoint and restore"));
                }
                Event::Descriptor(fd) => criu.directories.push(fd),
                Event::Gone => return Ok(criu),
                _ => {}
            }
        }
    }

    /// Its number.
    pub(super) fn pid(&self) -> i32 {
        self.newborn.born.pid
    }

    /// Speaks to it.
    pub(super) fn session(&self, patience: Option<Duration>) -> Session<'_> {
        Session::new(self.socket.as_fd(), patience)
    }

    /// Which version it is; one that is too old is an error.
    pub(super) fn version(&self) -> Result<Version> {
        let version = self.session(None).version().map_err(|e| {
            Error::new(ErrorKind::Host, "asking criu for its version")
                .with_detail(e.to_string())
                .with_hint("it may be damaged, or not be a CRIU: try criu check")
        })?;
        at_least(version, super::OLDEST, "checkpoint and restore")?;
        Ok(version)
    }

    /// That it and the kernel have a feature.
    pub(super) fn need(&self, asked: Features) -> Result<()> {
        let said = self.session(None).features(asked.clone()).map_err(|e| {
            Error::new(ErrorKind::Host, "asking criu for its features").with_detail(e.to_string())
        })?;
        let lacks = |asked: Option<bool>, said: Option<bool>| asked == Some(true) && said != Some(true);
        let missing = if lacks(asked.mem_track, said.mem_track) {
            "this kernel does not tell criu which memory has changed (CONFIG_MEM_SOFT_DIRTY), which pre-dumps need"
        } else if lacks(asked.lazy_pages, said.lazy_pages) {
            "this kernel or criu cannot bring memory when it is touched (userfaultfd), which lazy pages need"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Host, missing))
    }

    /// Waits until it has ended, which it does when it has answered; ends one that does not.
    pub(super) fn end(mut self) {
        self.finish(LAST_MOMENTS_MS);
    }

    fn finish(&mut self, patience_ms: u64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let process = self.newborn.born.pidfd.raw();
        let mut fds = [PollFd { fd: process, events: POLLIN, revents: 0 }];
        // In its conversation a word is awaited of us: without us it is over.
        let _ = self.socket.shutdown(Shutdown::Both);
        if poll(&mut fds, Some(patience_ms)).unwrap_or(0) == 0 {
            let _ = pidfd::send_signal(process, SIGKILL);
        }
        let _ = wait::wait_pidfd(process, false, false);
    }
}

impl Drop for Criu {
    /// Told that it is over, it undoes what it did; that is waited for.
    fn drop(&mut self) {
        self.finish(LAST_MOMENTS_MS);
    }
}

/// An error that says what a version is too old for.
pub(super) fn at_least(version: Version, needed: Version, what: &str) -> Result<()> {
    if version >= needed {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Host, format!("{what} needs criu {needed} or newer, this is {version}")))
}

fn find(program: Option<&Path>) -> Result<PathBuf> {
    let named = program.filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("criu"));
    let missing = |object: &Path| {
        Error::new(ErrorKind::Host, "finding criu, which does the work of checkpoint and restore:")
            .with_object(object.display().to_string())
            .with_errno(cofferdam_sys::Errno::ENOENT.0)
            .with_hint("install it (https://criu.org), or name the file of one that is elsewhere")
    };
    if named.as_os_str().as_bytes().contains(&b'/') {
        let path = std::path::absolute(named).map_err(|e| Error::io("finding criu", named, &e))?;
        return if path.is_file() { Ok(path) } else { Err(missing(named)) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ROOTS.iter().map(PathBuf::from);
    let mut all = std::env::split_paths(&path).chain(usual).map(|dir| dir.join(named));
    all.find(|path| path.is_file()).ok_or_else(|| missing(named))
}
