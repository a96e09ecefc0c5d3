//! The log pipe: one JSON object a line, as runc's stages write them; without one, standard error.
//!
//! Called by all stages. Best effort: a parent that does not read its log does not stop an init.

use std::fmt;

use cofferdam_sys::open;

use super::environment::{self, LOG_LEVEL, LOG_PIPE};
use super::{Error, Result, Stage};

/// Levels by number, as `_LIBCONTAINER_LOGLEVEL` counts them.
const FATAL: i32 = 1;
const DEBUG: i32 = 5;
const STDERR: i32 = 2;

/// Where and how much is logged. A copy for each stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) fd: Option<i32>,
    level: i32,
    stage: Stage,
}

impl Log {
    pub(super) fn from_environment() -> Result<Self> {
        let fd = environment::descriptor(LOG_PIPE)?;
        let level = environment::number(LOG_LEVEL)?.unwrap_or(DEBUG);
        Ok(Self { fd, level, stage: Stage::Setup })
    }

    /// Before it is known whether there is a pipe.
    pub(super) const fn standard_error() -> Self {
        Self { fd: None, level: FATAL, stage: Stage::Setup }
    }

    pub(super) const fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Says what is being done; on the log pipe only.
    pub(super) fn debug(&self, what: fmt::Arguments<'_>) {
        if let Some(fd) = self.fd.filter(|_| self.level >= DEBUG) {
            write(fd, &self.line("debug", &what.to_string()));
        }
    }

    /// Says why a stage ends; the only line that is written without a log pipe.
    pub(super) fn fatal(&self, error: &Error) {
        match self.fd {
            Some(fd) if self.level >= FATAL => {
                write(fd, &self.at(error.stage).line("fatal", &error.to_string()));
            }
            Some(_) => {}
            None => write(STDERR, &format!("FATAL: {error}\n")),
        }
    }

    fn line(&self, level: &str, message: &str) -> String {
        let said = format!("{}[{}]: {message}", self.stage.name(), std::process::id());
        format!("{{\"level\":\"{level}\", \"msg\": {}}}\n", serde_json::Value::from(said))
    }
}

/// In one write: lines of several processes must not mix.
fn write(fd: i32, line: &str) {
    let _ = open::write(fd, line.as_bytes());
}
