//! One system call that waits for an answer.
//!
//! Made by [`crate::Listener`] only. Whoever has it can look, and must answer: the answer takes the request
//! away, and one that is dropped without is answered with what the listener says, so that no caller hangs.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use cofferdam_seccomp::Arch;
use cofferdam_sys::seccomp_unotify::{self as unotify, AddFd, Notification, Response};
use cofferdam_sys::{Errno, process_vm_readv};

use crate::listener::Shared;
use crate::{Answer, Call, Caller, Descriptor, Error, Memory, Result, names};

const O_CLOEXEC: u32 = 0o2_000_000;

/// A system call whose caller waits.
///
/// ```no_run
/// use cofferdam_notify::{Answer, Call, Errno, Listener};
/// # fn f(listener: Listener) -> cofferdam_notify::Result<()> {
/// while let Some(request) = listener.next()? {
///     let answer = match request.call() {
///         Ok(Call::Mkdir { path, .. }) if path.as_bytes() == b"/forbidden" => Answer::Errno(Errno::EACCES),
///         Ok(_) => Answer::Errno(Errno::ENOSYS),
///         Err(e) => Answer::Errno(e.for_caller().unwrap_or(Errno::EPERM)),
///     };
///     // The caller may have been killed meanwhile: that is no failure.
///     let _ = request.answer(answer);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Request {
    listener: Arc<Shared>,
    notification: Notification,
    arch: Option<Arch>,
    answered: bool,
}

impl Request {
    pub(crate) fn new(listener: Arc<Shared>, notification: Notification) -> Self {
        let arch = names::abi(notification.arch, notification.nr.cast_unsigned());
        Self { listener, notification, arch, answered: false }
    }

    /// The kernel's number of this request; no other of the same filter has it.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.notification.id
    }

    /// The number of the calling thread as seen from here. It may be another thread's by the time it is looked
    /// at: see [`Request::caller`].
    ///
    /// # Errors
    /// [`Error::Foreign`] when it has none here.
    pub fn tid(&self) -> Result<i32> {
        match i32::try_from(self.notification.pid) {
            Ok(tid) if tid > 0 => Ok(tid),
            _ => Err(Error::Foreign),
        }
    }

    /// The ABI by which the call was made; `None` for one that is not known here.
    #[must_use]
    pub const fn arch(&self) -> Option<Arch> {
        self.arch
    }

    /// The number of the system call, in its ABI (with bit 30 on x32).
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.notification.nr.cast_unsigned()
    }

    /// The name of the system call; `None` when it is newer than the table.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        names::name(self.arch?, self.number())
    }

    /// The arguments as they are in the registers.
    #[must_use]
    pub const fn args(&self) -> [u64; 6] {
        self.notification.args
    }

    /// Where in the caller's memory the call was made.
    #[must_use]
    pub const fn instruction_pointer(&self) -> u64 {
        self.notification.instruction_pointer
    }

    /// Whether the caller still waits. What was found out about it before this says yes is about it; afterwards
    /// it may go at any moment.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        unotify::id_valid(self.raw(), self.id()).is_ok()
    }

    /// Fails when the caller does not wait any more.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn validate(&self) -> Result<()> {
        unotify::id_valid(self.raw(), self.id()).map_err(|e| Error::system("asking for the caller", e))
    }

    /// Reads the caller's memory, and gives what was read once it is known to have been the caller's: the
    /// request is asked for again *after* `read`. Everything is read once; what it points to later does not
    /// matter, as long as only the value that was read is acted upon.
    ///
    /// # Errors
    /// [`Error::Gone`] when the caller does not wait any more, whatever was read; [`Error::Foreign`]; those of
    /// `read`.
    ///
    /// ```no_run
    /// # fn f(request: cofferdam_notify::Request) -> cofferdam_notify::Result<()> {
    /// let [path, ..] = request.args();
    /// let path = request.read(|memory| memory.path(path))?;
    /// # Ok(()) }
    /// ```
    pub fn read<T: 'static>(&self, read: impl Fn(&Memory) -> Result<T>) -> Result<T> {
        let outcome = read(&Memory::new(self.tid()?, self.arch.is_none_or(names::wide)));
        self.validate()?;
        outcome
    }

    /// Writes into the caller's memory: what a call such as uname(2) gives besides its result. A caller that a
    /// signal interrupts between the check here and the writing gets it where its call would have written; with
    /// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` in its filter (Linux 5.19) only its death can come between.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Foreign`]; [`Error::Memory`] when it cannot all be written there.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        const CHUNK: usize = 64 << 10;
        let tid = self.tid()?;
        let fault = || Error::Memory { address, errno: Errno::EFAULT };
        let mut at = address;
        for chunk in bytes.chunks(CHUNK) {
            self.validate()?;
            match process_vm_readv::write(tid, at, chunk) {
                Ok(n) if n == chunk.len() => at = at.checked_add(n as u64).ok_or_else(fault)?,
                Ok(_) | Err(Errno::EFAULT) => return Err(fault()),
                Err(Errno::ESRCH) => return Err(Error::Gone),
                Err(errno) => return Err(Error::System { doing: "writing the caller's memory", errno }),
            }
        }
        Ok(())
    }

    /// The call with its arguments by their types, read once.
    ///
    /// # Errors
    /// As [`Request::read`]: what the caller got wrong says what the kernel would have answered.
    pub fn call(&self) -> Result<Call> {
        Call::of(self)
    }

    /// Who the caller is. Handles of it, once they are given, are of no other.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Foreign`]; [`Error::System`] without the right to look.
    pub fn caller(&self) -> Result<Caller> {
        Caller::of(self)
    }

    /// Puts a descriptor into the caller's table, before it is answered, and gives its number there (Linux 5.9).
    /// Should the caller be interrupted before the answer, it stays there: [`Answer::Descriptor`] does both in
    /// one.
    ///
    /// # Errors
    /// [`Error::Gone`]; [`Error::Refused`] (`EMFILE`) when the caller's table is full.
    pub fn add_fd(&self, descriptor: &Descriptor) -> Result<i32> {
        self.put(descriptor, 0)
    }

    /// Answers.
    ///
    /// # Errors
    /// [`Error::Gone`] when nobody waits any more; [`Error::Refused`] when a descriptor could not be put into the
    /// caller's table: the call then failed with that error.
    pub fn answer(mut self, answer: Answer) -> Result<()> {
        self.answered = true;
        self.give(answer)
    }

    /// What drops its request is not left waiting.
    fn give(&self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Errno(errno) => self.fail(errno),
            Answer::Value(value) => self.send(value, 0, 0),
            Answer::Continue(_) => self.send(0, 0, unotify::SECCOMP_USER_NOTIF_FLAG_CONTINUE),
            Answer::Descriptor(descriptor) => self.hand_over(&descriptor),
            Answer::After(delay, answer) => {
                std::thread::sleep(delay);
                self.give(*answer)
            }
        }
    }

    fn hand_over(&self, descriptor: &Descriptor) -> Result<()> {
        let put = match self.put(descriptor, unotify::SECCOMP_ADDFD_FLAG_SEND) {
            // Before Linux 5.14: in two steps.
            Err(Error::System { errno: Errno::EINVAL, .. }) => {
                self.put(descriptor, 0).and_then(|number| self.send(number.into(), 0, 0))
            }
            other => other.map(drop),
        };
        match put {
            Ok(()) => Ok(()),
            Err(Error::Gone) => Err(Error::Gone),
            Err(e) => {
                self.fail(e.for_caller().unwrap_or(Errno::EMFILE))?;
                Err(e)
            }
        }
    }

    fn put(&self, descriptor: &Descriptor, flags: u32) -> Result<i32> {
        let at = if descriptor.at.is_some() { unotify::SECCOMP_ADDFD_FLAG_SETFD } else { 0 };
        let add = AddFd {
            id: self.id(),
            flags: flags | at,
            srcfd: unotify::source(descriptor.fd.as_raw_fd()),
            newfd: descriptor.at.unwrap_or(0),
            newfd_flags: if descriptor.cloexec { O_CLOEXEC } else { 0 },
        };
        loop {
            return match unotify::add_fd(self.raw(), &add) {
                Ok(number) => Ok(unotify::number(number)),
                // Nothing was put there yet.
                Err(Errno::EINTR) => continue,
                Err(errno @ (Errno::EMFILE | Errno::EBADF | Errno::ENFILE)) => Err(Error::Refused(errno)),
                Err(errno) => Err(Error::system("handing a descriptor to the caller", errno)),
            };
        }
    }

    fn fail(&self, errno: Errno) -> Result<()> {
        let known = (1..=4095).contains(&errno.0);
        self.send(0, if known { -errno.0 } else { -Errno::EIO.0 }, 0)
    }

    fn send(&self, val: i64, error: i32, flags: u32) -> Result<()> {
        let response = Response { id: self.id(), val, error, flags };
        loop {
            match unotify::send(self.raw(), &response) {
                Err(Errno::EINTR) => {}
                other => return other.map_err(|e| Error::system("answering", e)),
            }
        }
    }

    pub(crate) fn listener(&self) -> &Shared {
        &self.listener
    }

    fn raw(&self) -> i32 {
        self.listener.fd.as_fd().as_raw_fd()
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.answered {
            // Nobody waits any more, or nothing can be done.
            let _ = self.fail(self.listener.unanswered());
        }
    }
}
