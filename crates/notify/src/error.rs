//! What can go wrong: the caller has gone, its arguments are bad, the system refuses, something inside failed.
//!
//! Made everywhere here; never printed here.

use std::fmt;

use cofferdam_sys::Errno;

/// Why a notification could not be read, acted upon or answered.
///
/// ```
/// use cofferdam_notify::{Errno, Error};
/// // What the caller did is told to the caller; what failed here is not its business.
/// assert_eq!(Error::Memory { address: 8, errno: Errno::EFAULT }.for_caller(), Some(Errno::EFAULT));
/// assert_eq!(Error::Gone.for_caller(), None);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Nobody waits for the answer any more: the caller was killed, or a signal interrupted its call. What was
    /// read of it means nothing.
    Gone,
    /// The caller is in a PID namespace where it cannot be seen from here: it has no number.
    Foreign,
    /// There is nothing at an address that the caller gave.
    Memory {
        /// The address.
        address: u64,
        /// What the kernel answered, or would have.
        errno: Errno,
    },
    /// Something that the caller gave is longer than allowed.
    TooLong {
        /// Bytes, or elements.
        limit: usize,
        /// What the kernel answers to that.
        errno: Errno,
    },
    /// What the caller gave makes no sense.
    Malformed {
        /// What it is.
        what: &'static str,
        /// What the kernel answers to that.
        errno: Errno,
    },
    /// The answer of a handler that gave up: no failure of anything here.
    Refused(Errno),
    /// A system call of our own failed.
    System {
        /// What was being done.
        doing: &'static str,
        /// What the kernel answered.
        errno: Errno,
    },
    /// A handler panicked, with these words.
    Panicked(String),
    /// Acting in the caller's namespaces failed.
    Inside(cofferdam_nsenter::Error),
    /// What a runtime sent is no container's state.
    Message(String),
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the caller is to be told, where this is its affair: its own mistake, or the failure of what was done
    /// for it.
    #[must_use]
    pub fn for_caller(&self) -> Option<Errno> {
        match self {
            Self::Memory { errno, .. }
            | Self::TooLong { errno, .. }
            | Self::Malformed { errno, .. }
            | Self::Refused(errno) => Some(*errno),
            Self::Inside(e @ cofferdam_nsenter::Error::Operation(_)) => e.errno().map(Errno),
            _ => None,
        }
    }

    pub(crate) fn system(doing: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::ENOENT => Self::Gone,
            errno => Self::System { doing, errno },
        }
    }

    pub(crate) fn io(doing: &'static str, error: &std::io::Error) -> Self {
        Self::System { doing, errno: Errno(error.raw_os_error().unwrap_or(Errno::EIO.0)) }
    }

    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self::Malformed { what, errno: Errno::EINVAL }
    }
}

impl From<Errno> for Error {
    /// A handler's `Err(Errno::EPERM)?` is its answer.
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl From<cofferdam_nsenter::Error> for Error {
    fn from(error: cofferdam_nsenter::Error) -> Self {
        Self::Inside(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the caller does not wait any more: it was killed or interrupted"),
            Self::Foreign => f.write_str("the caller has no number in this PID namespace"),
            Self::Memory { address, errno } => {
                write!(f, "reading the caller's memory at {address:#x}: {errno}")
            }
            Self::TooLong { limit, errno } => write!(f, "an argument is longer than {limit}: {errno}"),
            Self::Malformed { what, errno } => write!(f, "{what} makes no sense: {errno}"),
            Self::Refused(errno) => write!(f, "refused: {errno}"),
            Self::System { doing, errno } => write!(f, "{doing}: {errno}"),
            Self::Panicked(said) => write!(f, "the handler panicked: {said}"),
            Self::Inside(e) => e.fmt(f),
            Self::Message(why) => write!(f, "what the runtime sent: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Inside(e) => Some(e),
            _ => None,
        }
    }
}
