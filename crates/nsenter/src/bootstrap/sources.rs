//! Bind mount sources for a user namespace, as runc 1.1 hands them over: opened by stage 0, in the mount
//! namespace of stage 1 but with its own rights, and sent as descriptors.
//!
//! Called by stages 0 and 1. Sources are the parent's paths; they are opened once, with O_PATH.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cofferdam_sys::clone3::CLONE_NEWNS;
use cofferdam_sys::{Errno, open, setns, socket};

use super::message::Bootstrap;
use super::sync::Line;
use super::{Error, Result};

const ASKED_BY: &str = "MOUNT_SOURCES_ATTR";

/// Both sides must count alike, or one would wait for ever.
pub(super) fn check(asked: &Bootstrap, numbers: &[Option<i32>]) -> Result<()> {
    let sources = asked.mount_sources.iter().map(|path| !path.as_os_str().is_empty());
    if sources.len() > 0 && !sources.eq(numbers.iter().map(Option::is_some)) {
        let why = "the sources in the message are not those with a number in _LIBCONTAINER_MOUNT_FDS";
        return Err(Error::new("understanding the bootstrap data", why).asked_by(ASKED_BY));
    }
    Ok(())
}

/// In stage 0.
pub(super) fn send(line: &Line, pid: i32, sources: &[PathBuf]) -> Result<()> {
    let home = namespace("/proc/self/ns/mnt")?;
    let there = namespace(&format!("/proc/{pid}/ns/mnt"))?;
    enter(&there)?;
    let sent =
        sources.iter().filter(|path| !path.as_os_str().is_empty()).try_for_each(|path| send_one(line, path));
    enter(&home)?;
    sent
}

fn send_one(line: &Line, path: &Path) -> Result<()> {
    let failed = |errno: Errno| {
        Error::new("opening the mount source", path.display().to_string()).errno(errno).asked_by(ASKED_BY)
    };
    // The message's paths hold no null byte.
    let name = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    let source = open::open(&name, open::O_PATH).map_err(failed)?;
    socket::send(line.0.as_raw_fd(), b"\0", &[source.raw()]).map_err(failed)
}

/// In stage 1: each descriptor gets the number at which the program will look for it.
pub(super) fn receive(line: &Line, numbers: &[Option<i32>]) -> Result<()> {
    for number in numbers.iter().flatten() {
        let failed =
            |errno| Error::new("receiving a mount source", format!("descriptor {number}")).errno(errno);
        let (_, [source, ..]) = socket::recv(line.0.as_raw_fd(), &mut [0; 1]).map_err(failed)?;
        let source = source.ok_or_else(|| failed(Errno::EPIPE).hint("stage 0's own report says why"))?;
        open::dup_onto(source.raw(), *number).map_err(failed)?;
        open::set_cloexec(*number, true).map_err(failed)?;
        if source.raw() == *number {
            // It came with the very number.
            let _ = source.into_raw();
        }
    }
    Ok(())
}

fn namespace(path: &str) -> Result<cofferdam_sys::Fd> {
    let name = CString::new(path).unwrap_or_default();
    open::open(&name, open::O_RDONLY)
        .map_err(|errno| Error::new("opening the mount namespace", path).errno(errno).asked_by(ASKED_BY))
}

fn enter(namespace: &cofferdam_sys::Fd) -> Result<()> {
    setns::setns(namespace.raw(), CLONE_NEWNS)
        .map_err(|errno| Error::new("changing", "the mount namespace").errno(errno).asked_by(ASKED_BY))
}
