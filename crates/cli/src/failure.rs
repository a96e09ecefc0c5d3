//! Why a command failed: the text for people and engines, and the exit code.
//!
//! Engines recognise some errors by their words. The library says what happened in its own; the words
//! that engines look for are added here and nowhere else.

use cofferdam::{Error, ErrorKind};
use std::fmt;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: i32,
    warnings: Vec<String>,
}

/// What a command gives back: the exit code, or why there is none.
pub(crate) type Outcome = Result<i32, Failure>;

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1, warnings: Vec::new() }
    }

    /// A failed call of the system: what was being done, and the system's answer.
    pub(crate) fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Error::io(doing.to_string(), "", error).to_string())
    }

    /// The same with another exit code.
    pub(crate) fn with_code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// The same with what was being done in front.
    pub(crate) fn during(mut self, doing: &str) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What failed besides.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn code(&self) -> i32 {
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let message = match words(error.kind()) {
            Some(words) if !text.contains(words) => format!("{words}: {text}"),
            _ => text,
        };
        let warnings = error.also().iter().map(ToString::to_string).collect();
        Self { message, code: 1, warnings }
    }
}

/// What podman, CRI-O and containerd look for.
fn words(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("container does not exist"),
        ErrorKind::AlreadyExists => Some("container with given ID already exists"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_find_their_words() {
        let absent = Failure::from(Error::new(ErrorKind::NotFound, "load state").with_object("x"));
        assert!(absent.message().starts_with("container does not exist: "));
        let said = Failure::from(Error::new(ErrorKind::NotFound, "container does not exist"));
        assert_eq!(said.message().matches("does not exist").count(), 1);
    }

    #[test]
    fn the_systems_answer_is_named() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(
            Failure::io("opening /x", &error).message(),
            "opening /x: no such file or directory (ENOENT)"
        );
    }
}
