//! The error of this crate: what we were doing, to what, what the kernel answered, which field asked for
//! it, and what to do.
//!
//! Made everywhere in the library; printed by the command line, once. It may not print itself.

use std::fmt;

mod fault;
mod from;

use cofferdam_oci::{Pointer, Reject};
use cofferdam_sys::Errno;

/// Whose fault it is.
///
/// ```
/// let e = cofferdam::ContainerId::new("../x").unwrap_err();
/// assert_eq!(e.kind(), cofferdam::ErrorKind::Configuration);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's document or argument is wrong.
    Configuration,
    /// There is no such container.
    NotFound,
    /// There is such a container already.
    AlreadyExists,
    /// The container is not in a state that allows it.
    WrongState,
    /// This host lacks what was asked for, or the caller the right to it.
    Host,
    /// A system call failed that should not have.
    System,
    /// The container's own program, or a hook, failed.
    Payload,
}

/// Why something could not be done.
///
/// Its `Display` is one line, or one line per rejection: lower case, without a full stop.
///
/// ```
/// use cofferdam::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::System, "mounting proc at").with_object("/proc").with_errno(1);
/// assert_eq!(error.to_string(), "mounting proc at /proc: operation not permitted (EPERM)");
/// assert_eq!((error.kind(), error.errno()), (ErrorKind::Host, Some(1)));
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    step: String,
    object: Option<String>,
    errno: Option<Errno>,
    detail: Option<String>,
    pointer: Option<String>,
    hint: Option<String>,
    rejects: Vec<Reject>,
    /// In the words of the crate that it comes from.
    said: Option<String>,
    also: Vec<Error>,
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a step, such as "mounting".
    #[must_use]
    pub fn new(kind: ErrorKind, step: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            step: step.into(),
            object: None,
            errno: None,
            detail: None,
            pointer: None,
            hint: None,
            rejects: Vec::new(),
            said: None,
            also: Vec::new(),
        }))
    }

    /// All that is wrong with a document.
    #[must_use]
    pub fn rejected(rejects: Vec<Reject>) -> Self {
        let kind = if rejects.iter().any(|r| !r.host) { ErrorKind::Configuration } else { ErrorKind::Host };
        let mut error = Self::new(kind, "checking the configuration");
        error.0.pointer = rejects.first().map(|r| r.pointer.to_string());
        error.0.hint = rejects.first().and_then(|r| r.hint.clone());
        error.0.rejects = rejects;
        error
    }

    /// A failed system call.
    #[must_use]
    pub fn system(step: impl Into<String>, errno: Errno) -> Self {
        Self::new(ErrorKind::System, step).with_errno(errno.0)
    }

    /// A failed operation of the standard library on a path.
    #[must_use]
    pub fn io(step: impl Into<String>, path: impl AsRef<std::path::Path>, error: &std::io::Error) -> Self {
        let new = Self::new(ErrorKind::System, step).with_object(path.as_ref().display().to_string());
        match error.raw_os_error() {
            Some(errno) => new.with_errno(errno),
            None => new.with_detail(error.to_string()),
        }
    }

    /// Adds what it was done to; nothing, if that is empty.
    ///
    /// ```
    /// use cofferdam::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::System, "waiting for events").with_object("").with_errno(4);
    /// assert_eq!(error.to_string(), "waiting for events: interrupted system call (EINTR)");
    /// ```
    #[must_use]
    pub fn with_object(mut self, object: impl Into<String>) -> Self {
        self.0.object = Some(object.into()).filter(|object| !object.is_empty());
        self
    }

    /// Adds the kernel's answer.
    #[must_use]
    pub fn with_errno(mut self, errno: i32) -> Self {
        self.0.errno = Some(Errno(errno));
        self
    }

    /// Adds what else is known.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the field of the configuration.
    #[must_use]
    pub fn with_pointer(mut self, pointer: &Pointer) -> Self {
        if !pointer.as_str().is_empty() {
            self.0.pointer = Some(pointer.to_string());
            if let Some(said) = &mut self.0.said {
                *said = format!("{said} [{pointer}]");
            }
        }
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds what failed while it was undone.
    #[must_use]
    pub(crate) fn with_also(mut self, failed: Vec<Self>) -> Self {
        self.0.also.extend(failed);
        self
    }

    /// Whose fault it is. Of a system call that failed, its error number and whether a field of the
    /// configuration asked for it tell.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match (self.0.kind, self.0.errno) {
            (ErrorKind::System, Some(errno)) => fault::of(errno, self.0.pointer.is_some()),
            (kind, _) => kind,
        }
    }

    /// What we were doing.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.0.step
    }

    /// To what.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// What the kernel answered.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.0.errno.map(|e| e.0)
    }

    /// What else is known: the kernel's own words, or what a program wrote before it failed.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Which field of the configuration asked for it, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// What failed besides, while the container was given up: its poststop hooks, say. `Display` leaves it
    /// out, since it is not why.
    #[must_use]
    pub fn also(&self) -> &[Self] {
        &self.0.also
    }

    /// All that is wrong with the document, where that is the error.
    #[must_use]
    pub fn rejects(&self) -> &[Reject] {
        &self.0.rejects
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.0;
        if !e.rejects.is_empty() {
            let lines: Vec<_> = e.rejects.iter().map(ToString::to_string).collect();
            return f.write_str(&lines.join("\n"));
        }
        if let Some(said) = &e.said {
            return f.write_str(said);
        }
        f.write_str(&e.step)?;
        if let Some(object) = &e.object {
            write!(f, " {}", one_line(object))?;
        }
        if let Some(errno) = e.errno.filter(|e| e.0 != 0) {
            write!(f, ": {errno}")?;
        }
        if let Some(detail) = &e.detail {
            write!(f, ": {}", one_line(detail))?;
        }
        if let Some(pointer) = &e.pointer {
            write!(f, " [{pointer}]")?;
        }
        match &e.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

/// What others wrote, with control characters escaped: it must not look like a line of its own.
fn one_line(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains(|c: char| c.is_control()) {
        return text.into();
    }
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

impl std::error::Error for Error {}
