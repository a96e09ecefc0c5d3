//! What can go wrong, each told apart: the target, the joining, the operation, the module, the helper.
//!
//! Made everywhere here; never printed here.

use std::fmt;
use std::time::Duration;

use cofferdam::ExitStatus;
use cofferdam_sys::Errno;

/// Why something could not be done inside.
///
/// ```
/// use cofferdam_nsenter::{Error, Target};
/// assert!(matches!(Target::open(0), Err(Error::Gone { pid: 0, .. })));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The target is not there any more, or never was: nothing was entered.
    Gone {
        /// Its number.
        pid: i32,
        /// What else is known.
        why: &'static str,
    },
    /// The caller's own check of the target said no: nothing was entered.
    Refused {
        /// Its number.
        pid: i32,
    },
    /// A handle of the target could not be opened, or its state not be read.
    Handle {
        /// Which file of its directory in /proc.
        file: String,
        /// What the kernel answered.
        errno: Errno,
    },
    /// The helper could not join; the step and what the kernel answered are in the error.
    Join(cofferdam::Error),
    /// The helper could not be made or spoken to.
    Helper(cofferdam::Error),
    /// A built-in operation failed inside.
    Operation(cofferdam::Error),
    /// The module returned an error.
    Module(ModuleError),
    /// No module of this name is registered in the program that was run.
    UnknownModule(String),
    /// The program does not call [`crate::init`] at its beginning, so no module can be run.
    NotInitialised,
    /// The helper ended before it had an answer.
    Crashed(Crash),
    /// There was no answer in time; the helper was ended.
    TimedOut(Duration),
    /// What goes in or comes out does not encode or decode.
    Encoding(String),
    /// The answer is larger than allowed.
    TooLarge {
        /// Bytes.
        size: u64,
        /// Bytes.
        limit: u64,
    },
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// How a helper ended in the middle of a call.
///
/// ```
/// use cofferdam_nsenter::Crash;
/// assert_eq!(Crash::Signaled(11).to_string(), "the helper was killed by signal 11");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crash {
    /// The module panicked: the message, and where.
    Panicked(String),
    /// It ended by itself, with this status.
    Exited(i32),
    /// It was killed by this signal.
    Signaled(i32),
    /// Somebody else in this process reaped it.
    Unknown,
}

/// A module's own failure: a number that the module and its caller agree upon (often an errno) and words.
///
/// ```
/// use cofferdam_nsenter::ModuleError;
/// let e: ModuleError = std::io::Error::from_raw_os_error(2).into();
/// assert_eq!(e.code, 2);
/// assert_eq!(ModuleError::from("no such thing").code, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleError {
    /// The number; 0 when there is none.
    pub code: i32,
    /// The words.
    pub message: String,
}

impl ModuleError {
    /// A number and words.
    #[must_use]
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<std::io::Error> for ModuleError {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.raw_os_error().unwrap_or(0), error.to_string())
    }
}

impl From<&str> for ModuleError {
    fn from(message: &str) -> Self {
        Self::new(0, message)
    }
}

impl From<String> for ModuleError {
    fn from(message: String) -> Self {
        Self::new(0, message)
    }
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => f.write_str(&self.message),
            code => write!(f, "{} (code {code})", self.message),
        }
    }
}

impl std::error::Error for ModuleError {}

impl Error {
    /// What the kernel answered, where it was the kernel; a module's number, where it is one.
    ///
    /// ```
    /// use cofferdam_nsenter::{Error, ModuleError};
    /// assert_eq!(Error::Module(ModuleError::new(17, "there already")).errno(), Some(17));
    /// ```
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Handle { errno, .. } => Some(errno.0),
            Self::Join(e) | Self::Helper(e) | Self::Operation(e) => e.errno(),
            Self::Module(e) if e.code != 0 => Some(e.code),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { pid, why } => write!(f, "process {pid} cannot be entered: {why}"),
            Self::Refused { pid } => write!(f, "process {pid} is not the one that was meant"),
            Self::Handle { file, errno } => write!(f, "opening {file} of the target: {errno}"),
            Self::Join(e) | Self::Helper(e) | Self::Operation(e) => e.fmt(f),
            Self::Module(e) => write!(f, "the module failed: {e}"),
            Self::UnknownModule(name) => write!(f, "no module {name:?} is registered"),
            Self::NotInitialised => f.write_str(
                "modules cannot be run: the program does not call cofferdam_nsenter::init at the start of main",
            ),
            Self::Crashed(crash) => crash.fmt(f),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}: the helper was ended"),
            Self::Encoding(why) => f.write_str(why),
            Self::TooLarge { size, limit } => {
                write!(f, "the answer has {size} bytes, and {limit} are allowed")
            }
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "the module panicked: {message}"),
            Self::Exited(code) => write!(f, "the helper ended with status {code} before it had an answer"),
            Self::Signaled(signal) => write!(f, "the helper was killed by signal {signal}"),
            Self::Unknown => f.write_str("the helper ended before it had an answer"),
        }
    }
}

impl From<Option<ExitStatus>> for Crash {
    fn from(status: Option<ExitStatus>) -> Self {
        match status {
            Some(ExitStatus::Code(code)) => Self::Exited(code),
            Some(ExitStatus::Signal(signal)) => Self::Signaled(signal),
            _ => Self::Unknown,
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Join(e) | Self::Helper(e) | Self::Operation(e) => Some(e),
            Self::Module(e) => Some(e),
            _ => None,
        }
    }
}
