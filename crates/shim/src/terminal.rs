//! A terminal's master, copied from and to containerd's fifos by a thread.
//!
//! Called by `create` and `exec`. The thread ends by itself when nothing has the terminal open any more; who deletes
//! the process waits a little for that, and then makes it end. Neither direction waits for the other: a program that
//! is sent more than it reads may still write.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use cofferdam::{Error, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::io::Ends;

/// How long output may still be on its way after the process was deleted.
const DRAIN: Duration = Duration::from_secs(2);

/// How much is taken at once.
const CHUNK: usize = 4096;

/// A terminal that is copied.
#[derive(Debug)]
pub(crate) struct Copying {
    master: File,
    /// Its end is the thread's.
    stop: PipeWriter,
    over: Mutex<Receiver<()>>,
}

/// Begins. The shim's side of standard input stays open elsewhere.
pub(crate) fn copy(master: OwnedFd, ends: Ends) -> Result<Copying> {
    let failed = |e: &io::Error| Error::io("copying", "the terminal", e);
    let (stopped, stop) = pipe().map_err(|e| failed(&e))?;
    let (alive, over) = channel::<()>();
    let master = File::from(master);
    let ours = master.try_clone().map_err(|e| failed(&e))?;
    let typed = Flow { from: ends.stdin, ..Flow::default() };
    let shown = Flow { to: ends.stdout, ..Flow::default() };
    let copier = Copier { master, typed, shown, stopped };
    copier.never_wait().map_err(|e| failed(&e))?;
    thread::Builder::new()
        .name("terminal".into())
        .spawn(move || {
            copier.run();
            drop(alive);
        })
        .map_err(|e| failed(&e))?;
    Ok(Copying { master: ours, stop, over: Mutex::new(over) })
}

impl Copying {
    /// Says how large its window is.
    pub(crate) fn resize(&self, width: u32, height: u32) -> Result<()> {
        let cells = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        let size = Winsize { ws_row: cells(height), ws_col: cells(width), ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).map_err(|e| Error::io("resizing", "the terminal", &e.into()))
    }

    /// Waits a little for the rest, then ends it.
    pub(crate) fn finish(self) {
        let over = self.over.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if over.recv_timeout(DRAIN) == Err(RecvTimeoutError::Timeout) {
            drop(self.stop);
        }
    }
}

/// One direction: what has been taken and not yet been given.
#[derive(Debug, Default)]
struct Flow {
    from: Option<File>,
    to: Option<File>,
    pending: Vec<u8>,
}

struct Copier {
    master: File,
    typed: Flow,
    shown: Flow,
    stopped: PipeReader,
}

impl Copier {
    fn never_wait(&self) -> io::Result<()> {
        for file in
            [Some(&self.master), self.typed.from.as_ref(), self.shown.to.as_ref()].into_iter().flatten()
        {
            fcntl_setfl(file, fcntl_getfl(file)? | OFlags::NONBLOCK)?;
        }
        Ok(())
    }

    fn run(mut self) {
        while let Ok(true) = self.turn() {}
    }

    /// Waits for something and does it; says whether there can be more.
    fn turn(&mut self) -> io::Result<bool> {
        let mut of_master = PollFlags::empty();
        of_master.set(PollFlags::IN, self.shown.pending.is_empty());
        of_master.set(PollFlags::OUT, !self.typed.pending.is_empty());
        let nobody = self.stopped.as_fd();
        let input = self.typed.from.as_ref().filter(|_| self.typed.pending.is_empty()).map(|f| f.as_fd());
        let output = self.shown.to.as_ref().filter(|_| !self.shown.pending.is_empty()).map(|f| f.as_fd());
        let mut fds = [
            PollFd::from_borrowed_fd(self.stopped.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.master.as_fd(), of_master),
            PollFd::from_borrowed_fd(input.unwrap_or(nobody), PollFlags::IN),
            PollFd::from_borrowed_fd(output.unwrap_or(nobody), PollFlags::OUT),
        ];
        poll(&mut fds, None)?;
        let [stopped, master, input_ready, output_ready] = fds.map(|fd| fd.revents());
        let (reads, writes) =
            (input.is_some() && !input_ready.is_empty(), output.is_some() && !output_ready.is_empty());
        if !stopped.is_empty() {
            return Ok(false);
        }
        if reads && !take(self.typed.from.as_ref(), &mut self.typed.pending)? {
            self.typed.from = None;
        }
        if !self.typed.pending.is_empty() {
            give(&self.master, &mut self.typed.pending)?;
        }
        // An error is how a master says that nobody has the terminal open any more.
        let open = !of_master.contains(PollFlags::IN)
            || master.is_empty()
            || take(Some(&self.master), &mut self.shown.pending)?;
        if writes || !self.shown.pending.is_empty() {
            match &self.shown.to {
                Some(to) if give(to, &mut self.shown.pending).is_ok() => {}
                // Nobody is there to read; the process must not wait because of that.
                _ => (self.shown.to, self.shown.pending) = (None, Vec::new()),
            }
        }
        Ok(open)
    }
}

/// Takes what is there; says whether there can be more.
fn take(from: Option<&File>, pending: &mut Vec<u8>) -> io::Result<bool> {
    let Some(mut from) = from else { return Ok(false) };
    pending.resize(CHUNK, 0);
    let taken = from.read(pending);
    pending.truncate(*taken.as_ref().unwrap_or(&0));
    match taken {
        Ok(n) => Ok(n > 0),
        Err(e) => Ok(is_later(&e)),
    }
}

/// Gives as much as there is room for.
fn give(mut to: &File, pending: &mut Vec<u8>) -> io::Result<()> {
    match to.write(pending) {
        Ok(n) => drop(pending.drain(..n)),
        Err(e) if is_later(&e) => {}
        Err(e) => return Err(e),
    }
    Ok(())
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
