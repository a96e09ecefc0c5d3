//! Helpers, from the outside: the child program, which runs built-in operations, and the caller's own program,
//! which runs modules.
//!
//! Called by `enter`, for one call, and by `resident`, for many. A helper joins once, then answers one wish
//! after the other; dropped, it is ended and reaped.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cofferdam::launch::{Child, Operations, Said};
use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_sys::mount_setattr::{MOUNT_ATTR_RDONLY, MountAttr, mount_setattr};
use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::{Errno, Fd, fsopen, open, poll};

use crate::error::Crash;
use crate::join::{self, Wanted};
use crate::speech::{self, ANSWER, ERROR, MARK, PANIC, UNKNOWN, Unheard};
use crate::{Error, ModuleError, Result, Target};

/// How long, and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Option<Duration>,
    pub(crate) answer: u64,
}

/// What came of a wish.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// An answer; the helper can be asked again.
    Answered(Result<T>),
    /// The helper is of no more use.
    Lost(Error),
    /// The helper had ended before it could hear the wish, which may be sent to another.
    Unheard(Error),
}

/// A helper that can be kept.
pub(crate) trait Keep: Sized {
    /// Makes one.
    fn start(target: &Target, wanted: Wanted, limits: Limits) -> Result<Self>;
}

/// The child program.
#[derive(Debug)]
pub(crate) struct Worker(Child);

impl Keep for Worker {
    fn start(target: &Target, wanted: Wanted, _: Limits) -> Result<Self> {
        let (mut operations, keep) = join::at_once(target, wanted)?;
        if wanted.stays {
            operations.park();
        }
        operations.push("waiting for wishes", "", Op::Obey {});
        Child::spawn(operations, &keep).map(Self).map_err(Error::Helper)
    }
}

impl Worker {
    /// Has operations run, and gives the descriptor that they hand over.
    pub(crate) fn wish(
        &mut self,
        wish: &Operations,
        fds: &[i32],
        limits: Limits,
    ) -> Outcome<Option<OwnedFd>> {
        let deadline = deadline(limits);
        if let Err(e) = self.0.tell(wish, fds) {
            return unheard(&mut self.0, wish, e, deadline);
        }
        let mut handed = None;
        loop {
            match self.0.hear(wish, deadline) {
                Ok(Said::Descriptor(fd)) => handed = Some(fd),
                Ok(Said::Done) => return Outcome::Answered(Ok(handed)),
                Ok(Said::Failed(e)) => return Outcome::Answered(Err(Error::Operation(e))),
                Ok(Said::NotReady(e)) => return Outcome::Lost(Error::Join(e)),
                Ok(Said::Nothing) => return Outcome::Lost(timed_out(limits)),
                Ok(Said::Ended(status)) => return Outcome::Lost(Error::Crashed(status.into())),
                Err(e) => return Outcome::Lost(Error::Helper(e)),
            }
        }
    }
}

/// The caller's own program.
#[derive(Debug)]
pub(crate) struct Caller(Child);

impl Keep for Caller {
    fn start(target: &Target, wanted: Wanted, limits: Limits) -> Result<Self> {
        if !crate::helper::initialised() {
            return Err(Error::NotInitialised);
        }
        let executable = executable()?;
        let joins = join::around_exec(target, wanted, executable)?;
        let keep = joins.keep;
        let control = keep.iter().max().map_or(3, |highest| highest.saturating_add(1));
        let (argv, env) = (list(&[MARK.as_bytes(), control.to_string().as_bytes()]), environment());
        let mut process = joins.process;
        process.push(
            "executing the caller's program",
            "",
            Op::ExecFd { fd: executable, control, argv: List::new(&argv), env: List::new(&env) },
        );
        let mut caller = Self(Child::spawn(process, &keep).map_err(Error::Helper)?);
        caller.join(&joins.rest, limits)?;
        Ok(caller)
    }
}

impl Caller {
    fn join(&mut self, rest: &Operations, limits: Limits) -> Result<()> {
        let deadline = deadline(limits);
        if let Err(e) = self.0.tell(rest, &[]) {
            return match unheard::<()>(&mut self.0, rest, e, deadline) {
                Outcome::Answered(done) => done,
                Outcome::Lost(e) | Outcome::Unheard(e) => Err(e),
            };
        }
        match self.0.hear(rest, deadline) {
            Ok(Said::Done) => Ok(()),
            Ok(Said::Failed(e) | Said::NotReady(e)) => Err(Error::Join(e)),
            Ok(Said::Nothing) => Err(timed_out(limits)),
            Ok(Said::Ended(status)) => Err(Error::Crashed(status.into())),
            Ok(Said::Descriptor(_)) => Err(garbled(Errno::EBADMSG)),
            Err(e) => Err(Error::Helper(e)),
        }
    }

    /// Has a module run.
    pub(crate) fn ask(&mut self, module: &str, input: &[u8], limits: Limits) -> Outcome<Vec<u8>> {
        let (control, deadline) = (self.0.control(), deadline(limits));
        match speech::call(control, module, input) {
            Ok(()) => {}
            Err(Errno::EPIPE | Errno::ECONNRESET) => {
                return Outcome::Unheard(Error::Crashed(self.0.kill().into()));
            }
            Err(e) => return Outcome::Answered(Err(garbled(e))),
        }
        match readable(control, deadline) {
            Ok(true) => {}
            Ok(false) => return Outcome::Lost(timed_out(limits)),
            Err(e) => return Outcome::Lost(garbled(e)),
        }
        let (message, file) = match speech::receive(control) {
            Ok((message, _)) if message.is_empty() => {
                return Outcome::Lost(Error::Crashed(self.0.wait().into()));
            }
            Ok(heard) => heard,
            Err(e) => return Outcome::Lost(garbled(e)),
        };
        match speech::parse_answer(&message, file, limits.answer) {
            Ok((frame, body)) => answered(module, frame, body),
            Err(Unheard::TooLarge(size)) => {
                Outcome::Answered(Err(Error::TooLarge { size, limit: limits.answer }))
            }
            Err(Unheard::Garbled(e)) => Outcome::Lost(garbled(e)),
        }
    }
}

fn answered(module: &str, frame: cofferdam_child::frame::Frame, body: Vec<u8>) -> Outcome<Vec<u8>> {
    let words = || String::from_utf8_lossy(&body).into_owned();
    match frame.kind {
        ANSWER => Outcome::Answered(Ok(body)),
        ERROR => Outcome::Answered(Err(Error::Module(ModuleError::new(frame.errno, words())))),
        UNKNOWN => Outcome::Answered(Err(Error::UnknownModule(module.to_owned()))),
        PANIC => Outcome::Lost(Error::Crashed(Crash::Panicked(words()))),
        _ => Outcome::Lost(garbled(Errno::EBADMSG)),
    }
}

/// A helper that could not be told: why it has ended, if it said so.
fn unheard<T>(
    child: &mut Child,
    told: &Operations,
    e: cofferdam::Error,
    deadline: Option<Instant>,
) -> Outcome<T> {
    match e.errno().map(Errno) {
        Some(Errno::EPIPE | Errno::ECONNRESET) => {}
        _ => return Outcome::Answered(Err(Error::Helper(e))),
    }
    match child.hear(told, deadline) {
        Ok(Said::NotReady(e)) => Outcome::Lost(Error::Join(e)),
        Ok(Said::Ended(status)) => Outcome::Unheard(Error::Crashed(status.into())),
        _ => Outcome::Unheard(Error::Helper(e)),
    }
}

/// The caller's program, opened once: as a mount of its own that is read-only, so that nobody inside can
/// write to it through a helper's /proc/PID/exe (CVE-2019-5736), where there is the right to make one.
fn executable() -> Result<i32> {
    static EXECUTABLE: OnceLock<Fd> = OnceLock::new();
    if let Some(fd) = EXECUTABLE.get() {
        return Ok(fd.raw());
    }
    let read_only = || {
        let tree = fsopen::open_tree(open::AT_FDCWD, c"/proc/self/exe", fsopen::OPEN_TREE_CLONE)?;
        mount_setattr(tree.raw(), 0, &MountAttr { set: MOUNT_ATTR_RDONLY, ..MountAttr::default() })?;
        Ok::<Fd, Errno>(tree)
    };
    let opened = read_only().or_else(|_| open::open(c"/proc/self/exe", open::O_PATH)).map_err(|e| {
        Error::Helper(
            cofferdam::Error::system("opening the caller's program", e).with_object("/proc/self/exe"),
        )
    })?;
    Ok(EXECUTABLE.get_or_init(|| opened).raw())
}

/// Nothing of the caller's environment but what its program may need to be loaded at all.
fn environment() -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    if path.is_empty() {
        return Vec::new();
    }
    list(&[&[b"LD_LIBRARY_PATH=", path.as_bytes()].concat()])
}

fn list(words: &[&[u8]]) -> Vec<u8> {
    words.iter().flat_map(|word| word.iter().copied().chain([0])).collect()
}

fn deadline(limits: Limits) -> Option<Instant> {
    limits.time.and_then(|time| Instant::now().checked_add(time))
}

fn readable(fd: i32, deadline: Option<Instant>) -> cofferdam_sys::Result<bool> {
    let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
    let millis = left.map(|d| u64::try_from(d.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
    poll::poll(&mut [PollFd { fd, events: POLLIN, revents: 0 }], millis).map(|n| n > 0)
}

fn timed_out(limits: Limits) -> Error {
    Error::TimedOut(limits.time.unwrap_or_default())
}

fn garbled(e: Errno) -> Error {
    Error::Helper(cofferdam::Error::system("speaking to the helper", e))
}
