//! Why an init did not start.
//!
//! Returned by everything of this module, and written into the log pipe as it reads here.

use std::fmt;

use cofferdam_sys::Errno;

use super::message::MessageError;

/// Which of the processes failed.
///
/// ```
/// assert_eq!(cofferdam_nsenter::bootstrap::Stage::Child.name(), "nsexec-1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The one that was started, before it made another.
    Setup,
    /// The one that was started, as the other two's parent.
    Parent,
    /// The one that joins and makes the namespaces.
    Child,
    /// The one that returns into the program.
    Init,
}

impl Stage {
    /// What it calls itself in the log, as runc's stages do.
    ///
    /// ```
    /// assert_eq!(cofferdam_nsenter::bootstrap::Stage::Setup.name(), "nsexec");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "nsexec",
            Self::Parent => "nsexec-0",
            Self::Child => "nsexec-1",
            Self::Init => "nsexec-2",
        }
    }
}

/// A failure: what was done, to what, what the kernel answered, and which part of the contract asked for it.
///
/// ```
/// use cofferdam_nsenter::bootstrap::{Error, message::decode, Release};
/// let error = Error::from(decode(b"", Release::Current).unwrap_err());
/// assert_eq!(error.to_string(), "understanding the bootstrap data: 0 bytes are no header of 16");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// In which process.
    pub stage: Stage,
    /// What we were doing: `joining a namespace`.
    pub step: &'static str,
    /// To what: `/proc/1/ns/net`; or what is wrong with it.
    pub object: String,
    /// The kernel's answer, where it was asked.
    pub errno: Option<Errno>,
    /// The variable or attribute that asked for it: `NS_PATHS_ATTR`.
    pub asked_by: Option<&'static str>,
    /// What to do, where that is known.
    pub hint: Option<&'static str>,
}

impl Error {
    pub(super) fn new(step: &'static str, object: impl Into<String>) -> Self {
        Self { stage: Stage::Setup, step, object: object.into(), errno: None, asked_by: None, hint: None }
    }

    pub(super) fn errno(self, errno: Errno) -> Self {
        Self { errno: Some(errno), ..self }
    }

    pub(super) fn io(self, error: &std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => self.errno(Errno(number)),
            None => Self { object: format!("{} ({error})", self.object), ..self },
        }
    }

    pub(super) fn asked_by(self, what: &'static str) -> Self {
        Self { asked_by: Some(what), ..self }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    pub(super) fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }
}

impl From<MessageError> for Error {
    fn from(error: MessageError) -> Self {
        let plain = Self::new("understanding the bootstrap data", error.to_string());
        Self { asked_by: error.attribute().map(super::message::Attribute::name), ..plain }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.object)?;
        if let Some(errno) = self.errno {
            write!(f, ": {errno}")?;
        }
        if let Some(what) = self.asked_by {
            write!(f, " (asked for by {what})")?;
        }
        match self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
