//! A container's id: parsed once, safe in a path.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

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

    /// An id that no other container has: a number from the kernel's random ones, this process's number
    /// and a counter, so that any number of threads and programs may make containers in one store.
    ///
    /// ```
    /// assert_ne!(cofferdam::ContainerId::unique(), cofferdam::ContainerId::unique());
    /// ```
    #[must_use]
    pub fn unique() -> Self {
        static RANDOM: OnceLock<RandomState> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // A copy of this process, made by fork(2), has the same random number and counter.
        let process = std::process::id();
        let random = RANDOM.get_or_init(RandomState::new).hash_one((process, count));
        Self(format!("c{process}-{count}-{random:016x}"))
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
