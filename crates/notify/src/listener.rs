//! The descriptor on which a filter's notifications come.
//!
//! Made by the caller from what a runtime sent, or from seccomp(2). One thread at a time receives; as many as
//! there are may work on what they received.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::seccomp_unotify::{self as unotify, Sizes};
use cofferdam_sys::{Errno, poll};

use crate::handles::Kept;
use crate::stop::Stop;
use crate::{Error, Request, Result};

const POLLHUP: i16 = 16;
const POLLNVAL: i16 = 32;
/// What [`unotify::receive`] has room for.
const LARGEST: u16 = 256;

/// What there is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Received {
    /// A request.
    Request(Request),
    /// Nothing, as long as was to be waited.
    Nothing,
    /// There will be no more: all who had the filter have ended, or [`Listener::stop`] was called.
    End,
}

/// Receives the requests of one filter: of all processes that have it, that is of a container.
///
/// Clones are the same listener. Threads may call it at once: one waits, the others wait for their turn, and
/// each has its own request to answer.
///
/// Nobody else may receive from the same descriptor meanwhile. As long as a copy of the descriptor is open
/// anywhere, callers wait; when the last is closed, they get `ENOSYS`.
///
/// ```no_run
/// # fn f(seccomp_fd: std::os::fd::OwnedFd) -> cofferdam_notify::Result<()> {
/// use cofferdam_notify::{Answer, Errno, Listener};
/// let listener = Listener::new(seccomp_fd)?.unanswered(Errno::EPERM);
/// while let Some(request) = listener.next()? {
///     println!("{:?} {:?}", request.name(), request.args());
///     let _ = request.answer(Answer::Value(0));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Listener(pub(crate) Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fd: OwnedFd,
    /// What those get whose request is dropped.
    unanswered: AtomicI32,
    /// Whose turn it is to wait: between "there is something" and receiving it nobody else may take it, or
    /// receiving would wait where nothing can wake it.
    turn: Mutex<Turn>,
    free: Condvar,
    stop: Stop,
    pub(crate) callers: Kept,
}

#[derive(Debug, Default)]
struct Turn {
    taken: bool,
    /// How many wait for it.
    waiting: usize,
}

/// A turn that is taken; the next one's when dropped.
#[derive(Debug)]
pub(crate) struct Taken(Arc<Shared>);

impl Drop for Taken {
    fn drop(&mut self) {
        let mut turn = self.0.turn();
        turn.taken = false;
        if turn.waiting > 0 {
            drop(turn);
            self.0.free.notify_one();
        }
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn.
    fn take(self: &Arc<Self>, deadline: Option<Instant>) -> Option<Taken> {
        let mut turn = self.turn();
        while turn.taken {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            turn.waiting = turn.waiting.saturating_add(1);
            turn = match left {
                None => self.free.wait(turn).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.free.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            turn.waiting = turn.waiting.saturating_sub(1);
        }
        turn.taken = true;
        Some(Taken(Arc::clone(self)))
    }

    pub(crate) fn unanswered(&self) -> Errno {
        Errno(self.unanswered.load(Ordering::Relaxed))
    }
}

impl Listener {
    /// Takes a descriptor of seccomp(2) (`SECCOMP_FILTER_FLAG_NEW_LISTENER`). Requests that are dropped get
    /// `ENOSYS`, as those of a listener that is closed.
    ///
    /// # Errors
    /// [`Error::System`] for another kind of descriptor, on a kernel without notifications (before Linux 5.0) or
    /// one whose structures are larger than what there is room for.
    pub fn new(fd: OwnedFd) -> Result<Self> {
        let kind = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        if kind.map_err(|e| Error::io("looking at a listener", &e))?.as_os_str()
            != "anon_inode:seccomp notify"
        {
            return Err(Error::System { doing: "taking a listener", errno: Errno::ENOTTY });
        }
        let failed = |errno| Error::System { doing: "asking for the size of notifications", errno };
        let Sizes { notification, response, .. } = unotify::sizes().map_err(failed)?;
        if notification > LARGEST || usize::from(response) != size_of::<unotify::Response>() {
            return Err(failed(Errno::E2BIG));
        }
        // Whoever is answered mostly waits for nothing else: no need to look for another processor. An older
        // kernel (before 6.6) knows no such flag.
        let _ = unotify::set_flags(fd.as_raw_fd(), unotify::SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
        Ok(Self(Arc::new(Shared {
            fd,
            unanswered: AtomicI32::new(Errno::ENOSYS.0),
            turn: Mutex::default(),
            free: Condvar::new(),
            stop: Stop::new()?,
            callers: Kept::default(),
        })))
    }

    /// What those get whose request is dropped without an answer.
    #[must_use]
    pub fn unanswered(self, errno: Errno) -> Self {
        self.0.unanswered.store(errno.0, Ordering::Relaxed);
        self
    }

    /// Waits for the next request; `None` when there will be none.
    ///
    /// # Errors
    /// [`Error::System`] when the descriptor is no listener.
    #[allow(clippy::should_implement_trait, reason = "a failure of the descriptor ends nothing")]
    pub fn next(&self) -> Result<Option<Request>> {
        match self.wait(None)? {
            Received::Request(request) => Ok(Some(request)),
            Received::Nothing | Received::End => Ok(None),
        }
    }

    /// As [`Listener::next`], for at most so long. With no time at all it never waits for a request.
    ///
    /// # Errors
    /// As [`Listener::next`].
    ///
    /// ```no_run
    /// # fn f(listener: cofferdam_notify::Listener) -> cofferdam_notify::Result<()> {
    /// use cofferdam_notify::Received;
    /// match listener.next_within(std::time::Duration::from_secs(1))? {
    ///     Received::Request(request) => println!("{:?}", request.name()),
    ///     Received::Nothing => println!("all is quiet"),
    ///     _ => println!("the container has ended"),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn next_within(&self, time: Duration) -> Result<Received> {
        self.wait(Instant::now().checked_add(time))
    }

    /// Ends waiting, now and later, in all threads: they are told [`Received::End`]. Requests that were received are
    /// answered as ever; further ones wait in the kernel for whoever has the descriptor.
    pub fn stop(&self) {
        self.0.stop.stop();
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<Received> {
        let Some(_turn) = self.0.take(deadline) else { return Ok(Received::Nothing) };
        self.receive(deadline)
    }

    /// As [`Listener::next`], keeping the turn, or one that was kept.
    pub(crate) fn next_in_turn(&self, kept: Option<Taken>) -> Result<Option<(Request, Taken)>> {
        let Some(turn) = kept.or_else(|| self.0.take(None)) else { return Ok(None) };
        match self.receive(None)? {
            Received::Request(request) => Ok(Some((request, turn))),
            Received::Nothing | Received::End => Ok(None),
        }
    }

    /// Waits, and receives. Only whose turn it is may do so.
    fn receive(&self, deadline: Option<Instant>) -> Result<Received> {
        loop {
            let mut fds = [self.0.fd.as_raw_fd(), self.0.stop.raw()].map(|fd| PollFd {
                fd,
                events: POLLIN,
                revents: 0,
            });
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            let millis = left.map(|d| u64::try_from(d.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
            let failed = |errno| Error::System { doing: "waiting for a notification", errno };
            if poll::poll(&mut fds, millis).map_err(failed)? == 0 {
                return Ok(Received::Nothing);
            }
            let [listener, stopped] = fds;
            if stopped.revents != 0 {
                return Ok(Received::End);
            }
            if listener.revents & POLLNVAL != 0 {
                return Err(failed(Errno::EBADF));
            }
            if listener.revents & POLLIN == 0 {
                // Ended: nobody has the filter any more.
                return if listener.revents & POLLHUP != 0 {
                    Ok(Received::End)
                } else {
                    Err(failed(Errno::EINVAL))
                };
            }
            match unotify::receive(self.0.fd.as_raw_fd()) {
                Ok(notification) => {
                    return Ok(Received::Request(Request::new(Arc::clone(&self.0), notification)));
                }
                // The caller was killed or interrupted between the two calls. That took its turn from the
                // kernel's count, so that waiting does wait.
                Err(Errno::ENOENT | Errno::EINTR) => {}
                Err(errno) => return Err(Error::System { doing: "receiving a notification", errno }),
            }
        }
    }
}

impl AsFd for Listener {
    /// For poll(2) and epoll(7): readable when there is a request, `POLLHUP` at the end. Receive with
    /// [`Listener::next_within`] and no time.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}
