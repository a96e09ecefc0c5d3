//! The caller's ends of streams and terminals as tokio's, with the feature `tokio`.
//!
//! Called by embedders and by [`super::asynchronous`].

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cofferdam_sys::fcntl;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::pipes::{ChildStderr, ChildStdin, ChildStdout, Terminal};

impl ChildStdin {
    /// The same end for asynchronous writing.
    ///
    /// # Errors
    /// When it cannot be registered with the runtime.
    ///
    /// # Panics
    /// Outside of a runtime whose I/O is enabled.
    pub fn into_async(self) -> io::Result<Sender> {
        Sender::from_owned_fd(self.into())
    }
}

impl ChildStdout {
    /// The same end for asynchronous reading.
    ///
    /// # Errors
    /// As [`ChildStdin::into_async`].
    ///
    /// # Panics
    /// As [`ChildStdin::into_async`].
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::{AsyncBufReadExt, BufReader};
    /// use cofferdam::{Command, Stdio};
    /// let mut child = Command::new("make").stdout(Stdio::piped()).spawn_async().await?;
    /// if let Some(stdout) = child.stdout.take() {
    ///     let mut lines = BufReader::new(stdout.into_async()?).lines();
    ///     while let Some(line) = lines.next_line().await? {
    ///         println!("{line}");
    ///     }
    /// }
    /// child.wait_async().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_async(self) -> io::Result<Receiver> {
        Receiver::from_owned_fd(self.into())
    }
}

impl ChildStderr {
    /// The same end for asynchronous reading.
    ///
    /// # Errors
    /// As [`ChildStdin::into_async`].
    ///
    /// # Panics
    /// As [`ChildStdin::into_async`].
    pub fn into_async(self) -> io::Result<Receiver> {
        Receiver::from_owned_fd(self.into())
    }
}

impl Terminal {
    /// The same master for asynchronous reading and writing.
    ///
    /// # Errors
    /// As [`ChildStdin::into_async`].
    ///
    /// # Panics
    /// As [`ChildStdin::into_async`].
    pub fn into_async(self) -> io::Result<AsyncTerminal> {
        let set = fcntl::set_nonblocking(self.as_fd().as_raw_fd());
        set.map_err(|e| io::Error::from_raw_os_error(e.0))?;
        let ready = register(self.as_fd(), Interest::READABLE | Interest::WRITABLE)?;
        Ok(AsyncTerminal { ready, terminal: self })
    }
}

/// The master of a process's terminal, for tokio: see [`Terminal`].
///
/// ```no_run
/// # async fn f(child: &mut cofferdam::Child) -> std::io::Result<()> {
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// if let Some(terminal) = child.terminal.take() {
///     let mut terminal = terminal.into_async()?;
///     terminal.write_all(b"exit\n").await?;
///     let mut printed = Vec::new();
///     terminal.read_to_end(&mut printed).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncTerminal {
    ready: AsyncFd<OwnedFd>,
    terminal: Terminal,
}

/// Has the runtime tell when a descriptor is ready, by a duplicate of it.
#[allow(deprecated)] // What is wrong with it is wrong for types that may change their descriptor: OwnedFd cannot.
pub(super) fn register(fd: BorrowedFd<'_>, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd.try_clone_to_owned()?, interest)
}

impl AsyncTerminal {
    /// As [`Terminal::resize`].
    ///
    /// # Errors
    /// As [`Terminal::resize`].
    pub fn resize(&self, size: super::TerminalSize) -> crate::Result<()> {
        self.terminal.resize(size)
    }
}

impl From<AsyncTerminal> for OwnedFd {
    fn from(terminal: AsyncTerminal) -> Self {
        terminal.terminal.into()
    }
}

impl AsyncRead for AsyncTerminal {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.ready.poll_read_ready(cx))?;
            let room = buffer.initialize_unfilled();
            match guard.try_io(|_| (&self.terminal).read(room)) {
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => return Poll::Ready(read.map(|n| buffer.advance(n))),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for AsyncTerminal {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.ready.poll_write_ready(cx))?;
            match guard.try_io(|_| (&self.terminal).write(bytes)) {
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
