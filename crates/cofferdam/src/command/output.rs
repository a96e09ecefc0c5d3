//! Collecting what a process writes while feeding it, without either side waiting for a full pipe.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};

use cofferdam_sys::Errno;
use cofferdam_sys::poll::{POLLERR, POLLIN, POLLOUT, PollFd, poll};

use super::child::Child;
use super::pipes::ChildStdin;
use crate::{Error, ErrorKind, ExitStatus, Result};

/// How a process ended and what it wrote.
///
/// ```no_run
/// let output = cofferdam::Command::new("date").output()?.ok()?;
/// println!("{}", String::from_utf8_lossy(&output.stdout));
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output, or to its terminal.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// This, if the process has ended with status 0, and otherwise an error that ends with the last line
    /// of its standard error.
    ///
    /// # Errors
    /// [`ErrorKind::Payload`].
    ///
    /// ```
    /// use cofferdam::{ExitStatus, Output};
    /// let output = Output { status: ExitStatus::Code(2), stdout: vec![], stderr: b"no such file\n".into() };
    /// assert_eq!(output.ok().unwrap_err().to_string(), "running the program: exit status 2: no such file");
    /// ```
    pub fn ok(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.stderr);
        let detail = match text.trim_end().lines().next_back() {
            Some(line) => format!("{}: {line}", self.status),
            None => self.status.to_string(),
        };
        Err(Error::new(ErrorKind::Payload, "running the program").with_detail(detail))
    }
}

/// As much as a pipe that poll(2) calls writable takes without waiting (`PIPE_BUF`, pipe(7)).
const AT_ONCE: usize = 4096;

/// One stream that is read to its end.
struct Source<R> {
    from: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Source<R> {
    fn new(from: Option<R>) -> Self {
        Self { from, bytes: Vec::new() }
    }

    fn poll(&self) -> PollFd {
        watch(self.from.as_ref(), POLLIN)
    }

    /// Reads once; the end closes it.
    fn turn(&mut self) -> io::Result<()> {
        let Some(from) = &mut self.from else { return Ok(()) };
        let mut buffer = [0; 16 << 10];
        match from.read(&mut buffer) {
            Ok(0) => self.from = None,
            Ok(n) => self.bytes.extend(buffer.iter().take(n)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// A descriptor to poll; one that is not there is passed over.
fn watch<T: AsFd>(from: Option<&T>, events: i16) -> PollFd {
    PollFd { fd: from.map_or(-1, |f| f.as_fd().as_raw_fd()), events, revents: 0 }
}

/// Gives `input` to the child and takes what it writes, until there is nothing more to come.
pub(super) fn exchange(child: &mut Child, input: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    if let Some(terminal) = child.terminal.take() {
        let mut printed = Source::new(Some(terminal));
        while printed.from.is_some() {
            printed.turn()?;
        }
        return Ok((printed.bytes, Vec::new()));
    }
    let (mut stdin, mut rest) = (child.stdin.take().filter(|_| !input.is_empty()), input);
    let mut out = Source::new(child.stdout.take());
    let mut err = Source::new(child.stderr.take());
    while stdin.is_some() || out.from.is_some() || err.from.is_some() {
        let mut fds = [watch(stdin.as_ref(), POLLOUT), out.poll(), err.poll()];
        poll(&mut fds, None).map_err(|errno: Errno| io::Error::from_raw_os_error(errno.0))?;
        let [to, first, second] = fds.map(|fd| fd.revents);
        if to & POLLERR != 0 {
            // Nobody reads any more: where SIGPIPE has its default action, writing would end the caller.
            stdin = None;
        } else if to != 0 {
            feed(&mut stdin, &mut rest)?;
        }
        if first != 0 {
            out.turn()?;
        }
        if second != 0 {
            err.turn()?;
        }
    }
    Ok((out.bytes, err.bytes))
}

/// Writes once; a program that does not want to read more is no error.
fn feed(stdin: &mut Option<ChildStdin>, rest: &mut &[u8]) -> io::Result<()> {
    let Some(to) = stdin else { return Ok(()) };
    match to.write(rest.get(..AT_ONCE).unwrap_or(rest)) {
        Ok(n) => *rest = rest.get(n..).unwrap_or_default(),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => *rest = &[],
        Err(e) => return Err(e),
    }
    if rest.is_empty() {
        *stdin = None;
    }
    Ok(())
}
