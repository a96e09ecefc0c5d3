//! Standard streams: containerd names fifos, files or a program, and the process gets them as they are.
//!
//! Called by `create` and `exec`. Without a terminal nothing is copied: the process writes into the fifo that
//! containerd's client reads. The shim holds each open beside it, so that neither side notices when the other's
//! client goes: a writer blocks where nobody reads, a reader waits where nobody writes.

use std::fs::{self, File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam::{Error, Result, Streams};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::failure::malformed;
use crate::logger::{self, Logger};
use crate::terminal::Copying;

/// How long a client may take to begin to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// What containerd named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Whether the process has a terminal; then there is no standard error.
    pub(crate) terminal: bool,
    /// A fifo, or nothing.
    pub(crate) stdin: String,
    /// A fifo, a file, `file://` or `binary://`, or nothing.
    pub(crate) stdout: String,
    /// As `stdout`; where that is a URL, it is for both.
    pub(crate) stderr: String,
}

/// Whose streams they are: a logger is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose<'a> {
    /// containerd's namespace.
    pub(crate) namespace: &'a str,
    /// The container, or the process in it.
    pub(crate) id: &'a str,
    /// User and group that are to own the streams.
    pub(crate) owner: Option<(u32, u32)>,
}

/// What the shim holds while the process runs.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The writing end of standard input, until it is closed.
    stdin: Option<File>,
    /// The other ends.
    others: Vec<File>,
    logger: Option<Logger>,
    /// What copies from and to a terminal.
    pub(crate) terminal: Option<Copying>,
}

/// The ends that the process is to have.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// What it reads.
    pub(crate) stdin: Option<File>,
    /// What it writes.
    pub(crate) stdout: Option<File>,
    /// What it complains to.
    pub(crate) stderr: Option<File>,
}

/// Opens everything.
pub(crate) fn open(names: &Names, whose: Whose<'_>) -> Result<(Ends, Held)> {
    let (mut ends, mut held) = (Ends::default(), Held::default());
    if !names.stdin.is_empty() {
        let (end, holder) = source(Path::new(&names.stdin))?;
        (ends.stdin, held.stdin) = (Some(end), Some(holder));
    }
    match names.stdout.split_once("://") {
        None => {
            ends.stdout = sink(&names.stdout, &mut held)?;
            ends.stderr = if names.terminal { None } else { sink(&names.stderr, &mut held)? };
        }
        Some(("fifo", path)) => {
            ends.stdout = sink(path, &mut held)?;
            let stderr = names.stderr.strip_prefix("fifo://").unwrap_or(&names.stderr);
            ends.stderr = if names.terminal { None } else { sink(stderr, &mut held)? };
        }
        Some(("file", path)) => {
            let file = appended(Path::new(path))?;
            let again = file.try_clone().map_err(|e| Error::io("opening", path, &e))?;
            (ends.stdout, ends.stderr) = (Some(file), Some(again));
        }
        Some(("binary", rest)) => {
            let (stdout, stderr, logger) = logger::start(rest, whose)?;
            (ends.stdout, ends.stderr) = (Some(stdout), Some(stderr));
            held.logger = Some(logger);
        }
        Some((scheme, _)) => return Err(malformed("standard streams", &format!("unknown scheme {scheme}"))),
    }
    if let Some((uid, gid)) = whose.owner {
        for end in [&ends.stdin, &ends.stdout, &ends.stderr].into_iter().flatten() {
            fchown(end, Some(uid), Some(gid)).map_err(|e| Error::io("giving away", "a stream", &e))?;
        }
    }
    Ok((ends, held))
}

impl Ends {
    /// For a process without a terminal.
    pub(crate) fn streams(self) -> Result<Streams> {
        let null = || {
            let null = OpenOptions::new().read(true).write(true).open("/dev/null");
            null.map_err(|e| Error::io("opening", "/dev/null", &e))
        };
        let or_null = |end: Option<File>| end.map_or_else(null, Ok).map(OwnedFd::from);
        Ok(Streams::Fds([or_null(self.stdin)?, or_null(self.stdout)?, or_null(self.stderr)?]))
    }
}

impl Held {
    /// Nobody of ours writes to standard input any more: the process reads its end when the client has closed its
    /// side, too.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The process has ended: readers get the end once everything of its that still runs has.
    pub(crate) fn let_go(&mut self) {
        self.stdin = None;
        self.others.clear();
    }

    /// It is deleted: what was still on its way has had its time.
    pub(crate) fn finish(&mut self) {
        self.let_go();
        if let Some(terminal) = self.terminal.take() {
            terminal.finish();
        }
        if let Some(logger) = self.logger.take() {
            logger.finish();
        }
    }
}

/// Opens a fifo to read, and its other end. Neither waits: opened for both first, it has both sides.
fn source(path: &Path) -> Result<(File, File)> {
    let failed = |e: &std::io::Error| Error::io("opening standard input", path, e);
    let _both = OpenOptions::new().read(true).write(true).open(path).map_err(|e| failed(&e))?;
    let writer = OpenOptions::new().write(true).open(path).map_err(|e| failed(&e))?;
    let reader = File::open(path).map_err(|e| failed(&e))?;
    Ok((reader, writer))
}

/// Opens what is written to: a fifo, whose reading end is held, or a file that is there.
fn sink(path: &str, held: &mut Held) -> Result<Option<File>> {
    if path.is_empty() {
        return Ok(None);
    }
    let failed = |e: &std::io::Error| Error::io("opening standard output", path, e);
    let is_fifo = fs::metadata(path).map_err(|e| failed(&e))?.file_type().is_fifo();
    if !is_fifo {
        return OpenOptions::new().append(true).open(path).map(Some).map_err(|e| failed(&e));
    }
    // What is written before there is a reader would be lost if the process ended first.
    let _first = once_read(path).map_err(|e| failed(&e))?;
    held.others.push(OpenOptions::new().read(true).write(true).open(path).map_err(|e| failed(&e))?);
    OpenOptions::new().write(true).open(path).map(Some).map_err(|e| failed(&e))
}

/// Opens a fifo to write once somebody reads it, which clients begin to do about when they ask for the process; `None`
/// when nobody does.
fn once_read(path: &str) -> std::io::Result<Option<File>> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let began = Instant::now();
    loop {
        match OpenOptions::new().write(true).custom_flags(nonblock).open(path) {
            Err(e) if e.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {}
            other => return other.map(Some),
        }
        if began.elapsed() > PATIENCE {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Opens or makes a file of a `file://` URL.
fn appended(path: &Path) -> Result<File> {
    let failed = |e: &std::io::Error| Error::io("opening the log", path, e);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|e| failed(&e))?;
    }
    OpenOptions::new().append(true).create(true).open(path).map_err(|e| failed(&e))
}
