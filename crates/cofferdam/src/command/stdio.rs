//! What becomes a process's standard input, output and error, and the caller's ends of it.
//!
//! Called by [`super::Command`] and [`super::Exec`]. Opens; every descriptor is close-on-exec and above 2.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Seek, pipe};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use cofferdam_sys::{Errno, pidfd};

use super::pipes::{ChildStderr, ChildStdin, ChildStdout};
use crate::options::Streams;
use crate::{Error, ErrorKind, Result, image};

/// What one standard stream of a process is.
///
/// ```
/// use cofferdam::Stdio;
/// let log = std::fs::File::open("/dev/null")?;
/// let streams = [Stdio::null(), Stdio::piped(), Stdio::from(log)];
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stdio(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    Bytes(Arc<[u8]>),
    Fd(Arc<OwnedFd>),
}

impl Stdio {
    /// The caller's.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// /dev/null.
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// A pipe, whose other end is in [`super::Child`].
    #[must_use]
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// These bytes, as a file in memory that nobody can change; for standard input. The program may seek in
    /// it, and nobody has to feed it.
    ///
    /// ```no_run
    /// use cofferdam::{Command, Stdio};
    /// let output = Command::new("sort").stdin(Stdio::bytes("b\na\n")).output()?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self(Kind::Bytes(bytes.as_ref().into()))
    }
}

macro_rules! descriptors {
    ($($name:ty),*) => { $(
        impl From<$name> for Stdio {
            fn from(fd: $name) -> Self {
                Self(Kind::Fd(Arc::new(fd.into())))
            }
        }
    )* };
}

descriptors!(
    OwnedFd,
    File,
    PipeReader,
    PipeWriter,
    UnixStream,
    TcpStream,
    ChildStdin,
    ChildStdout,
    ChildStderr
);

/// The caller's ends of pipes.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

/// Opens all three.
pub(super) fn open(stdin: &Stdio, stdout: &Stdio, stderr: &Stdio) -> Result<(Streams, Ends)> {
    if [stdin, stdout, stderr].iter().all(|s| matches!(s.0, Kind::Inherit)) {
        return Ok((Streams::Inherit, Ends::default()));
    }
    let mut ends = Ends::default();
    let input = match &stdin.0 {
        Kind::Piped => {
            let (reader, writer) = new_pipe()?;
            ends.stdin = Some(ChildStdin::new(writer));
            reader.into()
        }
        Kind::Bytes(bytes) => in_memory(bytes)?,
        other => given(other, 0)?,
    };
    let (output, reader) = out(stdout, 1)?;
    ends.stdout = reader.map(ChildStdout::new);
    let (error, reader) = out(stderr, 2)?;
    ends.stderr = reader.map(ChildStderr::new);
    Ok((Streams::Fds([input, output, error]), ends))
}

/// As three descriptors, also where they are the caller's own.
pub(super) fn each(streams: Streams) -> Result<Vec<OwnedFd>> {
    match streams {
        Streams::Fds(fds) => Ok(fds.into()),
        Streams::Inherit => (0..3).map(|number| given(&Kind::Inherit, number)).collect(),
        Streams::Null => (0..3).map(|_| null()).collect(),
    }
}

/// A stream that the process writes to.
fn out(stdio: &Stdio, number: i32) -> Result<(OwnedFd, Option<PipeReader>)> {
    match &stdio.0 {
        Kind::Piped => new_pipe().map(|(reader, writer)| (writer.into(), Some(reader))),
        Kind::Bytes(_) => Err(Error::new(ErrorKind::Configuration, "setting up standard input and output")
            .with_detail("bytes can be read only")
            .with_hint("Stdio::bytes is for standard input")),
        other => Ok((given(other, number)?, None)),
    }
}

fn given(kind: &Kind, number: i32) -> Result<OwnedFd> {
    match kind {
        Kind::Fd(fd) => fd.try_clone().map_err(|e| failed(&e)),
        Kind::Inherit => match pidfd::duplicate(number) {
            // The caller has none, as daemons may: then the process has none that it could mistake.
            Err(Errno::EBADF) => null(),
            other => {
                other.map(OwnedFd::from).map_err(|e| Error::system("setting up standard input and output", e))
            }
        },
        Kind::Null | Kind::Piped | Kind::Bytes(_) => null(),
    }
}

fn null() -> Result<OwnedFd> {
    File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from).map_err(|e| failed(&e))
}

fn new_pipe() -> Result<(PipeReader, PipeWriter)> {
    pipe().map_err(|e| failed(&e))
}

fn in_memory(bytes: &[u8]) -> Result<OwnedFd> {
    let mut file = File::from(image::sealed(c"stdin", bytes, false)?);
    file.rewind().map_err(|e| failed(&e))?;
    Ok(file.into())
}

fn failed(error: &std::io::Error) -> Error {
    Error::io("setting up standard input and output", "", error)
}
