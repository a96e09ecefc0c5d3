//! Why something with a cgroup failed.
//!
//! Returned by every function of this crate that touches the kernel. It carries what is needed to say
//! it well; it may not decide anything.

use std::fmt;
use std::io;
use std::path::Path;

use cofferdam_oci::Reject;

/// A failure: what we were doing, to what, what the kernel answered, and which field asked for it.
///
/// ```
/// use cofferdam_cgroup::Error;
/// let e = Error::new("joining the cgroup", "/sys/fs/cgroup/a", "it is frozen").hint("thaw it first");
/// assert_eq!(e.to_string(), "joining the cgroup /sys/fs/cgroup/a: it is frozen (hint: thaw it first)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What we were doing: `writing "100" to`.
    pub step: Box<str>,
    /// To what.
    pub path: Box<Path>,
    /// The kernel's error number, when it was the kernel that refused.
    pub errno: Option<i32>,
    /// What else is known.
    pub detail: Option<Box<str>>,
    /// The JSON pointer of the field that asked for it.
    pub pointer: Option<Box<str>>,
    /// What to do about it, where that is known.
    pub hint: Option<Box<str>>,
}

impl Error {
    /// A failure that is not a system call's.
    #[must_use]
    pub fn new(step: impl Into<Box<str>>, path: impl AsRef<Path>, detail: impl Into<Box<str>>) -> Self {
        Self {
            step: step.into(),
            path: path.as_ref().into(),
            errno: None,
            detail: Some(detail.into()),
            pointer: None,
            hint: None,
        }
    }

    /// A system call that failed.
    #[must_use]
    pub fn io(step: impl Into<Box<str>>, path: impl AsRef<Path>, error: &io::Error) -> Self {
        let errno = error.raw_os_error();
        let detail = errno.is_none().then(|| error.to_string().into());
        let mut new = Self::new(step, path, "");
        (new.errno, new.detail) = (errno, detail);
        new
    }

    /// Adds the field that asked for it.
    #[must_use]
    pub fn asked_by(mut self, pointer: &str) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what else is known.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.step, self.path.display())?;
        if let Some(errno) = self.errno {
            write!(f, ": {}", cofferdam_sys::Errno(errno))?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, ", asked for by {pointer}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Why an update did not happen.
///
/// ```
/// use cofferdam_cgroup::{Error, UpdateError};
/// let e = UpdateError::from(Error::new("writing", "/x", "no"));
/// assert!(matches!(e, UpdateError::Failed(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateError {
    /// The document cannot be obeyed; nothing was written.
    Rejected(Vec<Reject>),
    /// The kernel refused; what was written before it stays.
    Failed(Error),
}

impl From<Error> for UpdateError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Rejected(rejects) => {
                for (i, reject) in rejects.iter().enumerate() {
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    reject.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for UpdateError {}
