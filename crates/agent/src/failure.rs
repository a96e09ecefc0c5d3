//! Why a command failed: the text for people, and the exit code. Made everywhere, printed by `cli` alone.

use std::fmt::Display;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is printed behind `cofferdam-agent: `.
    pub(crate) text: String,
    /// The exit code.
    pub(crate) code: u8,
}

/// What a command gives back: the exit code, or why there is none.
pub(crate) type Outcome = Result<u8, Failure>;

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1 }
    }

    /// A failed call of the system: what was being done, and the system's answer.
    pub(crate) fn io(doing: impl Display, error: &std::io::Error) -> Self {
        cofferdam::Error::io(doing.to_string(), "", error).into()
    }
}

impl From<cofferdam::Error> for Failure {
    fn from(error: cofferdam::Error) -> Self {
        Self::new(error.to_string())
    }
}
