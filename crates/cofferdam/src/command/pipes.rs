//! The caller's ends of a process's standard streams, and the master of its terminal.
//!
//! Made by [`super::stdio`] and [`super::Child`]; std's traits, so that they fit wherever files do.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use cofferdam_oci::ConsoleSize;
use cofferdam_sys::{Errno, tty};

/// The caller's end of a process's standard input: dropping it is the end of the file.
///
/// ```no_run
/// use std::io::Write;
/// use cofferdam::{Command, Stdio};
/// let mut child = Command::new("cat").stdin(Stdio::piped()).spawn()?;
/// if let Some(mut stdin) = child.stdin.take() {
///     stdin.write_all(b"hello").ok();
/// }
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct ChildStdin(PipeWriter);

impl Write for ChildStdin {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for &ChildStdin {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.0).flush()
    }
}

/// The caller's end of a process's standard output.
///
/// ```no_run
/// use std::io::Read;
/// use cofferdam::{Command, Stdio};
/// let mut child = Command::new("date").stdout(Stdio::piped()).spawn()?;
/// let mut text = String::new();
/// if let Some(mut stdout) = child.stdout.take() {
///     stdout.read_to_string(&mut text).ok();
/// }
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct ChildStdout(PipeReader);

/// The caller's end of a process's standard error.
///
/// ```no_run
/// use cofferdam::{Command, Stdio};
/// let mut child = Command::new("ls").arg("/nowhere").stderr(Stdio::piped()).spawn()?;
/// let lines = child.stderr.take().map(|stderr| std::io::read_to_string(stderr));
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct ChildStderr(PipeReader);

impl ChildStdin {
    pub(super) fn new(end: PipeWriter) -> Self {
        Self(end)
    }
}

macro_rules! reader {
    ($name:ident) => {
        impl $name {
            pub(super) fn new(end: PipeReader) -> Self {
                Self(end)
            }
        }

        impl Read for $name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(buffer)
            }
        }

        impl Read for &$name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&self.0).read(buffer)
            }
        }
    };
}

macro_rules! descriptor {
    ($($name:ident)*) => { $(
        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl From<$name> for OwnedFd {
            fn from(end: $name) -> Self {
                end.0.into()
            }
        }
    )* };
}

reader!(ChildStdout);
reader!(ChildStderr);
descriptor!(ChildStdin ChildStdout ChildStderr Terminal);

/// The master of a process's terminal: what is written to it is typed, what the process prints can be read.
///
/// When the last process that has the terminal open has ended, reading gives the end of the file (and not
/// the kernel's `EIO`).
///
/// ```no_run
/// use std::io::Read;
/// use cofferdam::{Command, TerminalSize};
/// let mut child = Command::new("tty").terminal(TerminalSize { height: 24, width: 80 }).spawn()?;
/// if let Some(terminal) = &mut child.terminal {
///     terminal.resize(TerminalSize { height: 50, width: 132 })?;
///     let mut printed = Vec::new();
///     terminal.read_to_end(&mut printed).ok();
/// }
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Terminal(File);

/// Size of a terminal in characters.
pub type TerminalSize = ConsoleSize;

impl Terminal {
    pub(super) fn new(master: OwnedFd) -> Self {
        Self(master.into())
    }

    /// Gives the terminal another size, which its foreground processes are told of by SIGWINCH
    /// (ioctl_tty(2), `TIOCSWINSZ`). What does not fit 16 bits is clipped.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn resize(&self, size: TerminalSize) -> crate::Result<()> {
        let clip = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
        tty::set_size(self.0.as_raw_fd(), clip(size.height), clip(size.width))
            .map_err(|e| crate::Error::system("resizing the terminal", e))
    }
}

impl Read for &Terminal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&self.0).read(buffer) {
            Err(e) if e.raw_os_error() == Some(Errno::EIO.0) => Ok(0),
            other => other,
        }
    }
}

impl Read for Terminal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for &Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
