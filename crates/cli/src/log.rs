//! The log: lines that engines parse out of `--log`, and errors on standard error.
//!
//! The only place that writes to standard error, to the system's log and to the journal. JSON lines are objects with `level`, `msg` and `time`,
//! text lines `time=… level=… msg=…`: the two forms that containerd, CRI-O, Docker and podman read.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use crate::failure::Failure;

/// Where log lines go and what they look like.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    sink: Option<Arc<Sink>>,
    json: bool,
    level: Level,
}

/// What `--log` names.
#[derive(Debug)]
enum Sink {
    File(File),
    /// syslog(3), under this name.
    Syslog(String),
    /// systemd-journald(8), with this `ID=`.
    Journal(String),
}

/// The least that is logged, crun's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warning,
    Debug,
}

impl Level {
    /// `--log-level`, where it is given; `--debug` asks for everything.
    pub(crate) fn new(word: Option<&str>, debug: bool) -> Result<Self, Failure> {
        match word {
            _ if debug => Ok(Self::Debug),
            None | Some("warning" | "warn" | "info") => Ok(Self::Warning),
            Some("error") => Ok(Self::Error),
            Some("debug" | "trace") => Ok(Self::Debug),
            Some(other) => Err(Failure::new(format!("invalid log-level: {other}"))),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Debug => "debug",
        }
    }

    /// The severity of syslog(3).
    fn severity(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Debug => 7,
        }
    }
}

impl Log {
    /// Text on standard error.
    pub(crate) fn to_stderr() -> Self {
        Self { sink: None, json: false, level: Level::Warning }
    }

    /// The log of `--log` and `--log-format`. A file is made and added to.
    pub(crate) fn open(target: Option<&Path>, format: &str, level: Level) -> Result<Self, Failure> {
        let json = match format {
            "text" => false,
            "json" => true,
            other => return Err(Failure::new(format!("invalid log-format: {other}"))),
        };
        Ok(Self { sink: target.map(Sink::open).transpose()?.map(Arc::new), json, level })
    }

    /// Logs why a command failed, and prints it when the log goes elsewhere.
    pub(crate) fn error(&self, message: &str) {
        self.line(Level::Error, message);
        if self.sink.is_some() {
            to_stderr(&format!("{message}\n"));
        }
    }

    /// Logs the first line of an error in the command line; people get the whole.
    pub(crate) fn usage(&self, text: &str) {
        if self.sink.is_some() || self.json {
            self.line(Level::Error, text.lines().next().unwrap_or(text));
        }
        if self.sink.is_some() || !self.json {
            to_stderr(&format!("cofferdam: {text}"));
        }
    }

    /// Logs something that went wrong without stopping the command.
    pub(crate) fn warning(&self, message: &str) {
        self.line(Level::Warning, message);
    }

    /// Logs something for the debugging of engines; `message` is only made when it is wanted.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.level >= Level::Debug {
            self.line(Level::Debug, &message());
        }
    }

    /// A log that cannot be written has nobody left to be told.
    fn line(&self, level: Level, message: &str) {
        if level > self.level {
            return;
        }
        match self.sink.as_deref() {
            Some(Sink::File(file)) => {
                let mut file: &File = file;
                let _ = file.write_all(self.format(level.word(), message, &now()).as_bytes());
            }
            Some(Sink::Syslog(name)) => send("/dev/log", &syslog(name, level, &self.said(level, message))),
            Some(Sink::Journal(id)) => {
                send("/run/systemd/journal/socket", &journal(id, level, &self.said(level, message)));
            }
            None if !self.json && std::io::stderr().is_terminal() => {
                let prefix =
                    if level == Level::Error { String::new() } else { format!("{}: ", level.word()) };
                to_stderr(&format!("cofferdam: {prefix}{message}\n"));
            }
            None => to_stderr(&self.format(level.word(), message, &now())),
        }
    }

    /// A line for those that keep time and level themselves.
    fn said(&self, level: Level, message: &str) -> String {
        if self.json {
            self.format(level.word(), message, &now()).trim_end().to_owned()
        } else {
            message.to_owned()
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

impl Sink {
    /// A path, or crun's `file:PATH`, `syslog:NAME`, `journald:ID`.
    fn open(target: &Path) -> Result<Self, Failure> {
        let bytes = target.as_os_str().as_bytes();
        let name = |bytes: &[u8]| {
            let name = String::from_utf8_lossy(bytes).into_owned();
            if name.is_empty() { "cofferdam".to_owned() } else { name }
        };
        if let Some(rest) = bytes.strip_prefix(b"syslog:") {
            return Ok(Self::Syslog(name(rest)));
        }
        if let Some(rest) = bytes.strip_prefix(b"journald:") {
            return Ok(Self::Journal(name(rest)));
        }
        let path = Path::new(OsStr::from_bytes(bytes.strip_prefix(b"file:").unwrap_or(bytes)));
        let open = File::options().create(true).append(true).open(path);
        open.map(Self::File)
            .map_err(|error| Failure::io(format_args!("opening log {}", path.display()), &error))
    }
}

/// A message as syslog(3) sends it, of the facility `user`; without a time, which the receiver puts there.
fn syslog(name: &str, level: Level, message: &str) -> Vec<u8> {
    const USER: u8 = 1 << 3;
    format!("<{}>{name}: {message}", USER | level.severity()).into_bytes()
}

/// A message in the journal's own protocol: a value may hold newlines, since its length is said.
fn journal(id: &str, level: Level, message: &str) -> Vec<u8> {
    let severity = level.severity().to_string();
    let fields =
        [("MESSAGE", message), ("PRIORITY", &severity), ("SYSLOG_IDENTIFIER", "cofferdam"), ("ID", id)];
    let mut bytes = Vec::new();
    for (key, value) in fields {
        bytes.extend_from_slice(key.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(&u64::try_from(value.len()).unwrap_or_default().to_le_bytes());
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

/// Never waits: a container is not held up by who does not read. Errors are on standard error as well.
fn send(socket: &str, message: &[u8]) {
    let _ = UnixDatagram::unbound().and_then(|from| {
        from.set_nonblocking(true)?;
        from.send_to(message, socket)
    });
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
        let log = Log { json: true, ..Log::to_stderr() };
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
        let refused = Log::open(None, "yaml", Level::Error).unwrap_err();
        assert_eq!(refused.message(), "invalid log-format: yaml");
    }

    #[test]
    fn levels_are_those_of_crun() {
        let level = |word, debug| Level::new(word, debug).unwrap();
        assert_eq!(level(None, false), Level::Warning);
        assert_eq!(level(Some("error"), false), Level::Error);
        assert_eq!(level(Some("error"), true), Level::Debug);
        assert_eq!(Level::new(Some("loud"), false).unwrap_err().message(), "invalid log-level: loud");
    }

    #[test]
    fn the_systems_logs_get_messages_in_their_own_form() {
        assert_eq!(syslog("c1", Level::Error, "a b"), b"<11>c1: a b");
        let entry = journal("c1", Level::Warning, "a\nb");
        assert!(entry.starts_with(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY\n\x01\0\0\0\0\0\0\x004\n"));
        assert!(entry.ends_with(b"ID\n\x02\0\0\0\0\0\0\0c1\n"));
    }

    #[test]
    fn the_time_has_no_fraction() {
        assert_eq!(now().len(), "2000-02-29T00:00:00Z".len());
    }
}
