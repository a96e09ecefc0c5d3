//! The log: lines that engines parse out of `--log`, and errors on standard error.
//!
//! The only place that writes to standard error. JSON lines are objects with `level`, `msg` and `time`,
//! text lines `time=… level=… msg=…`: the two forms that containerd, CRI-O, Docker and podman read.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use crate::failure::Failure;

/// Where log lines go and what they look like.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    file: Option<Arc<File>>,
    json: bool,
    debug: bool,
}

impl Log {
    /// Text on standard error.
    pub(crate) fn to_stderr() -> Self {
        Self { file: None, json: false, debug: false }
    }

    /// The log of `--log`, `--log-format` and `--debug`. The file is made and added to.
    pub(crate) fn open(path: Option<&Path>, format: &str, debug: bool) -> Result<Self, Failure> {
        let json = match format {
            "text" => false,
            "json" => true,
            other => return Err(Failure::new(format!("invalid log-format: {other}"))),
        };
        let open = |path: &Path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .map(Arc::new)
                .map_err(|error| Failure::io(format_args!("open log {}", path.display()), &error))
        };
        Ok(Self { file: path.map(open).transpose()?, json, debug })
    }

    /// Logs why a command failed, and prints it when the log goes elsewhere.
    pub(crate) fn error(&self, message: &str) {
        self.line("error", message);
        if self.file.is_some() {
            to_stderr(&format!("{message}\n"));
        }
    }

    /// Logs the first line of an error in the command line; people get the whole.
    pub(crate) fn usage(&self, text: &str) {
        if self.file.is_some() || self.json {
            self.line("error", text.lines().next().unwrap_or(text));
        }
        if self.file.is_some() || !self.json {
            to_stderr(&format!("cofferdam: {text}"));
        }
    }

    /// Logs something that went wrong without stopping the command.
    pub(crate) fn warning(&self, message: &str) {
        self.line("warning", message);
    }

    /// Logs something for the debugging of engines; `message` is only made when it is wanted.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.debug {
            self.line("debug", &message());
        }
    }

    /// A log that cannot be written has nobody left to be told.
    fn line(&self, level: &str, message: &str) {
        match &self.file {
            Some(file) => {
                let _ = (&**file).write_all(self.format(level, message, &now()).as_bytes());
            }
            None if !self.json && std::io::stderr().is_terminal() => {
                let prefix = if level == "error" { String::new() } else { format!("{level}: ") };
                to_stderr(&format!("cofferdam: {prefix}{message}\n"));
            }
            None => to_stderr(&self.format(level, message, &now())),
        }
    }

    fn format(&self, level: &str, message: &str, time: &str) -> String {
        let quoted = serde_json::Value::from(message);
        if self.json {
            format!("{{\"level\":\"{level}\",\"msg\":{quoted},\"time\":\"{time}\"}}\n")
        } else {
            format!("time=\"{time}\" level={level} msg={quoted}\n")
        }
    }
}

/// Whoever closed standard error does not want to know.
fn to_stderr(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The time of day, to the second.
fn now() -> String {
    let exact = cofferdam::timestamp();
    let seconds = exact.split('.').next().unwrap_or_default();
    format!("{seconds}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_engines_parse() {
        let log = Log { file: None, json: true, debug: false };
        let line = log.format("error", "a \"b\"\nc", "2026-01-02T03:04:05Z");
        assert_eq!(
            line,
            "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\nc\",\"time\":\"2026-01-02T03:04:05Z\"}\n"
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["msg"], "a \"b\"\nc");
        let log = Log { json: false, ..log };
        assert_eq!(log.format("warning", "x y", "T"), "time=\"T\" level=warning msg=\"x y\"\n");
    }

    #[test]
    fn only_two_formats_are_known() {
        assert_eq!(Log::open(None, "yaml", false).unwrap_err().message(), "invalid log-format: yaml");
    }

    #[test]
    fn the_time_has_no_fraction() {
        assert_eq!(now().len(), "2000-02-29T00:00:00Z".len());
    }
}
