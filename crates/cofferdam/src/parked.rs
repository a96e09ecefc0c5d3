//! Waking a child, and being woken by it, on one processor: by a system call of the child's that a filter hands to us.
//!
//! Owned by `launch`. Who waits for another otherwise is woken wherever the kernel finds a processor that sleeps, and
//! waking that takes longer than most of what a child is asked for. Only answers of a seccomp listener go to the
//! processor of who wakes (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux 6.6). What is said travels as without it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use cofferdam_child::frame::Frame;
use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::seccomp_unotify::{self as unotify, Response};
use cofferdam_sys::{Errno, getppid, poll};

use crate::{Error, Result};

/// A child that parks between programs.
#[derive(Debug)]
pub(crate) struct Parking {
    listener: OwnedFd,
    /// The call that holds it up.
    parked: Option<u64>,
    /// How many programs it was sent, and of how many it said what came of them.
    told: u32,
    answered: u32,
}

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is parked, and what it said of the last program: so many frames on its socket, then perhaps this one.
    Parked(u32, Option<Frame>),
    Nothing,
    /// It has ended.
    Gone,
}

/// `struct sock_filter`s: getppid(2) is notified of, all else allowed.
pub(crate) fn filter() -> Vec<u8> {
    const LOAD_NUMBER: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const NOTIFY: u32 = 0x7fc0_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let number = u32::try_from(getppid::NUMBER).unwrap_or(u32::MAX);
    let code = [(LOAD_NUMBER, 0, 0), (IF_EQUAL, 1, number), (RETURN, 0, NOTIFY), (RETURN, 0, ALLOW)];
    let instruction = |(code, otherwise, k): (u16, u8, u32)| {
        let ([c0, c1], [k0, k1, k2, k3]) = (code.to_ne_bytes(), k.to_ne_bytes());
        [c0, c1, 0, otherwise, k0, k1, k2, k3]
    };
    code.into_iter().flat_map(instruction).collect()
}

impl Parking {
    /// Takes a child's listener. `None` where it would be of no use: closed, it lets the child wait at its socket.
    /// The child was sent so many programs by then.
    pub(crate) fn new(listener: OwnedFd, told: u32) -> Option<Self> {
        unotify::set_flags(listener.as_raw_fd(), unotify::SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP).ok()?;
        Some(Self { listener, parked: None, told, answered: 0 })
    }

    /// Has the child receive the program that it was sent.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        self.told = self.told.wrapping_add(1);
        self.parked.take().map_or(Ok(()), |id| self.release(id))
    }

    /// A child that was stopped or frozen meanwhile makes its call again, as one does that was interrupted while it was
    /// answered: then `wait` answers.
    fn release(&self, id: u64) -> Result<()> {
        match unotify::send(self.listener.as_raw_fd(), &Response { id, ..Response::default() }) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(e) => Err(Error::system("letting the child go on", e)),
        }
    }

    /// Waits until the child says what came of the last program.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> Result<Event> {
        let failed = |e| Error::system("waiting for the child", e);
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            let millis = left.map(|d| u64::try_from(d.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
            let mut fds = [PollFd { fd: self.listener.as_raw_fd(), events: POLLIN, revents: 0 }];
            if poll::poll(&mut fds, millis).map_err(failed)? == 0 {
                return Ok(Event::Nothing);
            }
            if fds.iter().all(|fd| fd.revents & POLLIN == 0) {
                return Ok(Event::Gone);
            }
            let call = match unotify::receive(self.listener.as_raw_fd()) {
                Ok(call) => call,
                Err(Errno::ENOENT | Errno::EINTR) => continue,
                Err(e) => return Err(failed(e)),
            };
            let [first, second, counts, ..] = call.args;
            let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
            let (heard, sent) = (half(counts >> 32), half(counts));
            if heard != self.told {
                self.release(call.id)?;
                continue;
            }
            self.parked = Some(call.id);
            if self.answered != heard {
                self.answered = heard;
                return Ok(Event::Parked(sent, Frame::from_words([first, second])));
            }
        }
    }
}
