//! Handing over what engines wait for: the process's number, its pidfd, its terminal.
//!
//! Called by create, restore and exec.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cofferdam_oci::Spec;

use crate::options::{CreateOptions, TerminalMode};
use crate::{Error, Result, pid_file, sockets};

/// Writes the pid file and sends the pidfd, where they are asked for.
pub(crate) fn process(pid: i32, file: Option<&PathBuf>, socket: Option<&PathBuf>) -> Result<()> {
    if let Some(path) = file {
        pid_file::write(path, pid)?;
    }
    let Some(path) = socket else { return Ok(()) };
    let pidfd = cofferdam_sys::pidfd::open(pid).map_err(|e| Error::system("opening the process", e))?;
    sockets::send(path, b"pidfd", &pidfd.into(), "sending the pidfd")
}

/// [`process`] of a container's first, whose configuration may name a socket as well.
pub(crate) fn first(pid: i32, options: &CreateOptions, spec: &Spec) -> Result<()> {
    let receiver = cofferdam_plan::pidfd_receiver(spec);
    process(pid, options.pid_file.as_ref(), options.pidfd_socket.as_ref().or(receiver.as_ref()))
}

/// Sends the terminal's master to the console socket, or gives it back to be kept.
pub(crate) fn terminal(
    master: OwnedFd,
    socket: Option<&PathBuf>,
    mode: TerminalMode,
) -> Result<Option<OwnedFd>> {
    match (socket, mode) {
        (Some(path), TerminalMode::Socket) => {
            sockets::send(path, b"/dev/ptmx", &master, "sending the terminal to the console socket")?;
            Ok(None)
        }
        _ => Ok(Some(master)),
    }
}
