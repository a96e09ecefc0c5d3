//! A container's id: parsed once, safe in a path.

use std::fmt;

use crate::{Error, ErrorKind, Result};

/// The longest id, in bytes: it becomes a file name.
const LONGEST: usize = 255;

/// A container's id: letters, digits, `_`, `+`, `-`, `.`, at most 255 of them, and not `.` or `..`.
///
/// ```
/// use cofferdam::ContainerId;
/// assert!(ContainerId::new("web-1.2_x+y").is_ok());
/// for bad in ["", ".", "..", "a/b", "a b", "\0"] {
///     assert!(ContainerId::new(bad).is_err());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(String);

impl ContainerId {
    /// Checks and keeps an id.
    ///
    /// # Errors
    /// When it has other characters, is empty or too long.
    pub fn new(id: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        if id.is_empty() || id.len() > LONGEST || id == "." || id == ".." || !id.chars().all(allowed) {
            return Err(Error::new(ErrorKind::Configuration, "invalid container id format:")
                .with_object(format!("{id:?}"))
                .with_hint("letters, digits, _, +, - and . are allowed, 255 at most"));
        }
        Ok(Self(id.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
