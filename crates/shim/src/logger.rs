//! A program that takes a container's output: `binary:///path?argument=value`.
//!
//! Called by `io`. The contract is containerd's: descriptors 3 and 4 are standard output and error to read, 5 is
//! closed or written to when the program is ready; `CONTAINER_ID` and `CONTAINER_NAMESPACE` say whose they are.

use std::fs::{self, File};
use std::io::{PipeReader, Read, pipe};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::failure::malformed;
use crate::io::Whose;

/// How long it may take to be ready, and to end when there is no more to read.
const LONGEST: Duration = Duration::from_secs(10);

/// The program. It is the shim's child, and reaped with the others.
#[derive(Debug)]
pub(crate) struct Logger(OwnedFd);

/// Starts it; gives what the container writes to. std hands on three descriptors, of other numbers: so this program is
/// executed in between, as [`become_it`], to give them theirs.
pub(crate) fn start(url: &str, whose: Whose<'_>) -> Result<(File, File, Logger)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let failed = |e: &std::io::Error| Error::io("starting the logger", path, e);
    let mode = fs::metadata(path).map_err(|e| failed(&e))?.permissions().mode();
    if !path.starts_with('/') || mode & 0o111 == 0 {
        return Err(malformed("standard streams", &"binary:// needs the absolute path of a program"));
    }
    let ((out, stdout), (err, stderr)) = (pipe().map_err(|e| failed(&e))?, pipe().map_err(|e| failed(&e))?);
    let (ready, theirs) = pipe().map_err(|e| failed(&e))?;
    let mut command = Command::new(std::env::current_exe().map_err(|e| failed(&e))?);
    command.args(["-namespace", whose.namespace, "-id", whose.id, "log", path]).args(arguments(query));
    command.env("CONTAINER_ID", whose.id).env("CONTAINER_NAMESPACE", whose.namespace);
    command.stdin(Stdio::from(out)).stdout(Stdio::from(err)).stderr(Stdio::from(theirs));
    let child = command.spawn().map_err(|e| failed(&e))?;
    // The command still has the logger's ends.
    drop(command);
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).map_err(|e| failed(&e.into()))?;
    let logger = Logger(process);
    if let Err(e) = until_ready(ready) {
        logger.kill();
        return Err(failed(&e));
    }
    Ok((File::from(OwnedFd::from(stdout)), File::from(OwnedFd::from(stderr)), logger))
}

/// Executes the logger with its descriptors as they are to be numbered.
pub(crate) fn become_it(words: &[String]) -> Result<()> {
    let [path, arguments @ ..] = words else { return Err(malformed("the command line", &"no logger")) };
    let failed = |e: &std::io::Error| Error::io("starting the logger", path, e);
    let null = || File::open("/dev/null").map(OwnedFd::from);
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut numbered = Vec::new();
    for (number, from) in [(3, stdin.as_fd()), (4, stdout.as_fd()), (5, stderr.as_fd())] {
        // The lowest number that is free, as nothing else is open.
        let mut to = null().map_err(|e| failed(&e))?;
        if to.as_raw_fd() != number {
            return Err(malformed("the logger's descriptors", &format!("{number} is not free")));
        }
        rustix::io::dup2(from, &mut to).map_err(|e| failed(&e.into()))?;
        numbered.push(to);
    }
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Err(failed(&command.exec()))
}

/// Names and values, as they stand there: `a=b&c` is `a b c`. A name may be without a value.
fn arguments(query: &str) -> Vec<String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let words = pairs.flat_map(|pair| match pair.split_once('=') {
        Some((name, value)) => vec![decoded(name), decoded(value)],
        None => vec![decoded(pair)],
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// `%41` is `A`, `+` is a space.
fn decoded(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a byte or the end.
fn until_ready(mut ready: PipeReader) -> std::io::Result<()> {
    if !readable_within(&ready)? {
        return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the logger does not get ready"));
    }
    ready.read(&mut [0]).map(drop)
}

fn readable_within(what: &impl AsFd) -> std::io::Result<bool> {
    let limit = Timespec { tv_sec: i64::try_from(LONGEST.as_secs()).unwrap_or(10), tv_nsec: 0 };
    Ok(poll(&mut [PollFd::new(what, PollFlags::IN)], Some(&limit))? > 0)
}

impl Logger {
    /// It reads until the end, and is made to end if it does not. Not waited for by who deletes: it may have much
    /// to write.
    pub(crate) fn finish(self) {
        let _ = std::thread::Builder::new().spawn(move || {
            if !matches!(readable_within(&self.0), Ok(true)) {
                self.kill();
            }
        });
    }

    fn kill(&self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_arguments() {
        assert_eq!(arguments("-f=%2Fvar%2Flog&debug&name=a+b"), ["-f", "/var/log", "debug", "name", "a b"]);
        assert!(arguments("").is_empty());
        assert_eq!(arguments("x=100%"), ["x", "100%"]);
    }
}
