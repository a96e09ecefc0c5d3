//! Errors of the crates below become this one, field by field and with the same words; and this one becomes
//! std's.

use cofferdam_sys::Errno;

use super::{Error, ErrorKind};

impl From<Error> for std::io::Error {
    /// For functions that return those of std; the error itself can be had back from it.
    ///
    /// ```
    /// let error = cofferdam::ContainerId::new("../x").unwrap_err();
    /// let io = std::io::Error::from(error);
    /// assert_eq!(io.kind(), std::io::ErrorKind::InvalidInput);
    /// assert!(io.get_ref().is_some_and(|e| e.is::<cofferdam::Error>()));
    /// ```
    fn from(error: Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            ErrorKind::Configuration => Io::InvalidInput,
            ErrorKind::NotFound => Io::NotFound,
            ErrorKind::AlreadyExists => Io::AlreadyExists,
            ErrorKind::Host => Io::Unsupported,
            ErrorKind::WrongState | ErrorKind::System | ErrorKind::Payload => Io::Other,
        };
        Self::new(kind, error)
    }
}

impl From<cofferdam_cgroup::Error> for Error {
    fn from(error: cofferdam_cgroup::Error) -> Self {
        let mut new = Self::new(ErrorKind::System, error.step.as_ref());
        new.0.said = Some(error.to_string());
        new.0.object = Some(error.path.display().to_string()).filter(|path| !path.is_empty());
        new.0.errno = error.errno.map(Errno);
        new.0.detail = error.detail.map(Into::into);
        new.0.pointer = error.pointer.map(Into::into);
        new.0.hint = error.hint.map(Into::into);
        new
    }
}

impl From<cofferdam_net::Error> for Error {
    fn from(error: cofferdam_net::Error) -> Self {
        let mut new = Self::new(ErrorKind::System, error.step);
        new.0.said = Some(error.to_string());
        new.0.detail =
            Some(error.detail.map_or_else(|| error.part.clone(), |words| format!("{}: {words}", error.part)));
        new.0.object = Some(error.object);
        new.0.errno = Some(Errno(error.errno));
        new.0.pointer = error.pointer.map(|pointer| pointer.as_str().into());
        new.0.hint = error.hint.map(Into::into);
        new
    }
}
