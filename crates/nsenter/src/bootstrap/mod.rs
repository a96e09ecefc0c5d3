//! The bootstrap contract of runc's nsenter: being started the way runc starts its init.
//!
//! Called by a program at the very start of its `main`, while it has one thread. Where the environment asks
//! for it, three processes do what the parent's message says, and the last of them returns from [`run`] into
//! the program, inside the namespaces. What is said to the parent, byte by byte, stands in
//! `docs/bootstrap.md`. It may not start threads, nor read anything but the pipe and the environment.
//!
//! ```no_run
//! use cofferdam_nsenter::bootstrap;
//!
//! fn main() -> Result<(), bootstrap::Error> {
//!     if let Some(init) = bootstrap::run()? {
//!         // Process 1 of the new namespaces, if a PID namespace is among them: read the parent's
//!         // configuration from `init.pipe`, set up, execute.
//!         drop(init);
//!     }
//!     Ok(())
//! }
//! ```

mod environment;
mod error;
mod init;
mod join;
mod log;
mod maps;
pub mod message;
mod older;
mod release;
mod sources;
mod stages;
mod sync;

pub use error::{Error, Stage};
pub use init::{Init, InitKind};
pub use release::Release;

use environment::Call;
use log::Log;

type Result<T> = std::result::Result<T, Error>;

/// Does what the environment asks for, as the release that it looks like.
///
/// `None`: nothing is asked for, and nothing was done. `Some`: this is the last of the processes, inside; the
/// one that was started has ended with status 0. An error: it has been reported through the log pipe (or to
/// standard error, without one), what was begun has been ended, and all that is left is to exit with a
/// status that is not 0, which returning the error from `main` does.
///
/// # Errors
/// Everything that can go wrong before the last process runs: a message that does not hold what it says,
/// a namespace that cannot be joined or made, maps that the kernel refuses, more than one thread.
///
/// ```
/// // No `_LIBCONTAINER_INITPIPE`: an ordinary start.
/// assert!(cofferdam_nsenter::bootstrap::run().unwrap().is_none());
/// ```
pub fn run() -> Result<Option<Init>> {
    start(None)
}

/// As [`run`], for a parent whose release is known: runc 1.2 cannot be told from its successors by the
/// environment, nor 1.0.0-rc93 and before from 1.0.
///
/// # Errors
/// As [`run`].
///
/// ```
/// use cofferdam_nsenter::bootstrap::{Release, run_as};
/// assert!(run_as(Release::V1_2).unwrap().is_none());
/// ```
pub fn run_as(release: Release) -> Result<Option<Init>> {
    start(Some(release))
}

fn start(release: Option<Release>) -> Result<Option<Init>> {
    let log = Log::from_environment().inspect_err(|error| Log::standard_error().fatal(error))?;
    let done = Call::read(release).and_then(|call| match call {
        Call::Ordinary => Ok(None),
        Call::Netlink(environment) => stages::start(&log, &environment).map(Some),
        Call::ByPid(target) => older::start(&log, &target).map(Some),
    });
    done.inspect_err(|error| log.fatal(error))
}
