//! What the program is given when it goes on inside.
//!
//! Made by the last stage. From here on the parent's protocol is the program's.

use std::io::Write;
use std::os::fd::OwnedFd;

use cofferdam_sys::{Errno, Fd, open};

use super::Release;
use super::environment::Environment;
use super::log::Log;

/// Which init the parent wants (`_LIBCONTAINER_INITTYPE`).
///
/// ```
/// assert_ne!(cofferdam_nsenter::bootstrap::InitKind::Standard, cofferdam_nsenter::bootstrap::InitKind::Setns);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitKind {
    /// The first process of a new container.
    Standard,
    /// Another process of a running one.
    Setns,
}

/// The last process of the bootstrap: inside, and the child of whoever started the first.
///
/// All descriptors are close-on-exec, the variables are still in the environment: a program that executes
/// another builds that one's environment anew, as runc's does.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let Some(init) = cofferdam_nsenter::bootstrap::run()? else { return Ok(()) };
/// if let Err(error) = std::fs::create_dir("/run/made-inside") {
///     init.fail(&error.to_string())?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Init {
    /// The init pipe, from which the parent's configuration comes next; the older form may have none.
    pub pipe: Option<OwnedFd>,
    /// The socket for everything after the configuration, since runc 1.2; before, that is the pipe as well.
    pub sync_pipe: Option<OwnedFd>,
    /// The log pipe. The parent reads until it is closed.
    pub log_pipe: Option<OwnedFd>,
    /// The fifo that `start` opens.
    pub fifo: Option<OwnedFd>,
    /// The socket over which a terminal's descriptor is sent.
    pub console: Option<OwnedFd>,
    /// Which init the parent wants, where it says so.
    pub kind: Option<InitKind>,
    /// The dialect that is spoken.
    pub release: Release,
}

impl Init {
    pub(super) fn new(log: &Log, environment: &Environment) -> Self {
        Self {
            pipe: own(Some(environment.init_pipe)),
            sync_pipe: own(environment.sync_pipe),
            log_pipe: own(log.fd),
            fifo: own(environment.fifo),
            console: own(environment.console),
            kind: environment.kind,
            release: environment.release,
        }
    }

    pub(super) fn by_pid(log: &Log, pipe: Option<i32>, kind: Option<InitKind>) -> Self {
        Self {
            pipe: own(pipe),
            sync_pipe: None,
            log_pipe: own(log.fd),
            fifo: None,
            console: None,
            kind,
            release: Release::Libcontainer,
        }
    }

    /// Tells the parent why the program inside will not run; what remains is to exit.
    ///
    /// # Errors
    /// When there is nowhere to say it, or nobody who listens.
    pub fn fail(&self, message: &str) -> std::io::Result<()> {
        let Some(pipe) = self.sync_pipe.as_ref().or(self.pipe.as_ref()) else {
            return Err(std::io::Error::from_raw_os_error(Errno::EBADF.0));
        };
        let mut pipe = std::fs::File::from(pipe.try_clone()?);
        self.release.failure(message).iter().try_for_each(|part| pipe.write_all(part.as_bytes()))
    }
}

/// The numbers come from the environment, which says that they are ours.
fn own(fd: Option<i32>) -> Option<OwnedFd> {
    fd.map(|fd| Fd::own(fd).into())
}

/// All of it, to a descriptor that somebody else owns.
pub(super) fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = open::write(fd, bytes)?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}
