//! Carries bytes between the caller and the container's terminal.
//!
//! Called by [`crate::foreground`], which owns the waiting. Never blocks: a direction that cannot go on
//! keeps what it has until poll(2) says that it can.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr, tcsetwinsize};
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::failure::Failure;
use crate::raw_terminal::RawTerminal;

/// The least that a pipe takes without blocking once poll(2) says that it is writable, see pipe(7).
const PIECE: usize = 4096;

/// How long output is waited for after the end of the process, in milliseconds, when something else
/// still holds the terminal.
const LAST_OUTPUT: i64 = 50;

/// What a descriptor given to poll(2) is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Input,
    Terminal,
    Output,
}

/// The two directions.
#[derive(Debug)]
pub(crate) struct Relay {
    host: RawTerminal,
    master: OwnedFd,
    typed: Piece,
    shown: Piece,
    input_open: bool,
    master_open: bool,
    output_open: bool,
}

impl Relay {
    /// Joins the caller's terminal to `master`, the container's.
    pub(crate) fn new(mut host: RawTerminal, master: BorrowedFd<'_>) -> Result<Self, Failure> {
        let failed = |errno: Errno| Failure::io("preparing the container's terminal", &errno.into());
        let master = rustix::io::fcntl_dupfd_cloexec(master, 3).map_err(failed)?;
        let mut mode = tcgetattr(&master).map_err(failed)?;
        mode.output_modes -= OutputModes::ONLCR;
        tcsetattr(&master, OptionalActions::Now, &mode).map_err(failed)?;
        rustix::io::ioctl_fionbio(&master, true).map_err(failed)?;
        host.make_raw()?;
        let (typed, shown) = (Piece::new(), Piece::new());
        Ok(Self { host, master, typed, shown, input_open: true, master_open: true, output_open: true })
    }

    /// Gives the container's terminal the size of the caller's.
    pub(crate) fn resize(&mut self) {
        if let Some(size) = self.host.size() {
            // A terminal that is gone has no size.
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Adds what is to be waited for, and says what each added descriptor is for.
    pub(crate) fn register<'a>(&'a self, wanted: &mut Vec<PollFd<'a>>) -> Vec<Role> {
        let mut roles = Vec::with_capacity(3);
        let mut add = |role, fd: BorrowedFd<'a>, flags: PollFlags| {
            if !flags.is_empty() {
                wanted.push(PollFd::from_borrowed_fd(fd, flags));
                roles.push(role);
            }
        };
        let when = |condition, flag| if condition { flag } else { PollFlags::empty() };
        let typing = when(self.input_open && self.master_open && self.typed.is_empty(), PollFlags::IN);
        add(Role::Input, rustix::stdio::stdin(), typing);
        let master = when(self.master_open && self.shown.is_empty(), PollFlags::IN)
            | when(self.master_open && !self.typed.is_empty(), PollFlags::OUT);
        add(Role::Terminal, std::os::fd::AsFd::as_fd(&self.master), master);
        add(Role::Output, rustix::stdio::stdout(), when(!self.shown.is_empty(), PollFlags::OUT));
        roles
    }

    /// Carries what can be carried, told by what poll(2) found for each role.
    pub(crate) fn carry(&mut self, roles: &[Role], ready: &[PollFlags]) {
        for (role, ready) in roles.iter().zip(ready) {
            if ready.is_empty() {
                continue;
            }
            match role {
                Role::Input => self.input_open = self.typed.fill(rustix::stdio::stdin()),
                Role::Terminal => self.exchange(*ready),
                Role::Output => self.show(),
            }
        }
    }

    fn exchange(&mut self, ready: PollFlags) {
        if ready.contains(PollFlags::OUT) && !self.typed.empty_into(&self.master) {
            self.typed.clear();
        }
        if self.shown.is_empty() && ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.master_open = self.shown.fill(&self.master);
        }
    }

    /// Output that nobody reads any more is read on and dropped: the container is not to stop for it.
    fn show(&mut self) {
        if !self.output_open || !self.shown.empty_into(rustix::stdio::stdout()) {
            self.output_open = false;
            self.shown.clear();
        }
    }

    /// Shows the rest once the process has ended, and gives the caller's terminal back.
    pub(crate) fn finish(mut self) {
        let patience = Timespec { tv_sec: 0, tv_nsec: LAST_OUTPUT * 1_000_000 };
        while self.output_open {
            while !self.shown.is_empty() {
                self.show();
            }
            let mut wanted = [PollFd::new(&self.master, PollFlags::IN)];
            let found = poll(&mut wanted, Some(&patience));
            if !self.master_open || !matches!(found, Ok(1..)) {
                return;
            }
            self.master_open = self.shown.fill(&self.master);
        }
    }
}

/// Bytes that were read and not yet written.
#[derive(Debug)]
struct Piece {
    bytes: Box<[u8; PIECE]>,
    start: usize,
    end: usize,
}

impl Piece {
    fn new() -> Self {
        Self { bytes: Box::new([0; PIECE]), start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Reads once; whether more may come.
    fn fill(&mut self, from: impl std::os::fd::AsFd) -> bool {
        match rustix::io::read(from, &mut self.bytes[..]) {
            Ok(0) => false,
            Ok(count) => {
                (self.start, self.end) = (0, count);
                true
            }
            Err(errno) => again(errno),
        }
    }

    /// Writes once; whether the other side still takes bytes.
    fn empty_into(&mut self, to: impl std::os::fd::AsFd) -> bool {
        match rustix::io::write(to, &self.bytes[self.start..self.end]) {
            Ok(count) => {
                self.start += count;
                true
            }
            Err(errno) => again(errno),
        }
    }
}

fn again(errno: Errno) -> bool {
    matches!(errno, Errno::AGAIN | Errno::INTR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;

    #[test]
    fn a_piece_carries_everything_once() {
        let (from, write) = pipe().unwrap();
        let (read, to) = pipe().unwrap();
        rustix::io::write(&write, b"hello").unwrap();
        let mut piece = Piece::new();
        assert!(piece.fill(&from) && !piece.is_empty());
        assert!(piece.empty_into(&to) && piece.is_empty());
        let mut buffer = [0; 8];
        assert_eq!(rustix::io::read(&read, &mut buffer).unwrap(), 5);
        drop(write);
        assert!(!piece.fill(&from), "the end of a pipe is the end");
    }
}
