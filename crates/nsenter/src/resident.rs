//! Helpers that stay with a target: made at the first call, asked again at the next, made anew when they have
//! ended.
//!
//! Made by [`crate::Enter::resident`]. At most two processes: the child program for built-in operations, the
//! caller's own for modules. Calls from several threads take turns.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock, PoisonError};

use cofferdam::launch::Operations;

use crate::guise::{Disguised, Guise, Ids};
use crate::inside::by::Helper;
use crate::worker::{Caller, Keep, Outcome, Worker};
use crate::{Enter, Result};

/// Helpers inside a target that stay until this value is dropped or its process ends.
///
/// One that crashed, or was ended because it took too long, is replaced at the next call. The namespaces are
/// those of the handles: a target that ends takes its PID namespace, and with it the helpers in it, but leaves
/// the others as they are. A helper keeps what it was made with: capabilities that the target drops later
/// ([`Enter::as_target`]) are not dropped by it. Helpers in another PID namespace are not the caller's children
/// (init reaps them), so that they never keep the target's first process from ending.
///
/// ```no_run
/// use cofferdam_nsenter::{Inside, Target};
/// let inside = Target::open(4711)?.enter().resident();
/// for n in 0..1000 {
///     inside.mkdir(format!("/tmp/{n}"), 0o700)?;
/// }
/// # Ok::<(), cofferdam_nsenter::Error>(())
/// ```
#[derive(Debug)]
pub struct Resident {
    enter: Enter,
    worker: Mutex<Option<Worker>>,
    caller: Mutex<Option<Caller>>,
    /// How ids are called in the user namespace that is joined.
    ids: OnceLock<Ids>,
}

impl Resident {
    pub(crate) fn new(mut enter: Enter) -> Self {
        enter.wanted.stays = true;
        Self { enter, worker: Mutex::new(None), caller: Mutex::new(None), ids: OnceLock::new() }
    }

    /// Ends the helpers; the next call makes new ones.
    pub fn end(&self) {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Has built-in operations done as another process of the same namespaces would do them. Each takes the guise,
    /// acts, and is the helper again.
    ///
    /// ```no_run
    /// use std::os::fd::AsFd;
    /// use cofferdam_nsenter::{Guise, Inside, Target};
    /// let inside = Target::open(4711)?.enter().resident();
    /// let (root, cwd) = (std::fs::File::open("/proc/4712/root").unwrap(), std::fs::File::open("/proc/4712/cwd").unwrap());
    /// let who = Guise { uid: 1000, gid: 1000, umask: 0o022, ..Guise::new(root.as_fd(), cwd.as_fd()) };
    /// inside.disguised(who).mkdir("cache", 0o777)?;
    /// # Ok::<(), cofferdam_nsenter::Error>(())
    /// ```
    #[must_use]
    pub const fn disguised<'a>(&'a self, who: Guise<'a>) -> Disguised<'a> {
        Disguised::new(self, who)
    }

    /// How ids are called inside.
    pub(crate) fn ids(&self) -> Result<&Ids> {
        if let Some(ids) = self.ids.get() {
            return Ok(ids);
        }
        let ids = Ids::of(&self.enter)?;
        Ok(self.ids.get_or_init(|| ids))
    }

    /// Asks the helper that is kept. One that had ended before it heard the wish is replaced once: a wish that
    /// was heard is never repeated.
    fn with<H: Keep, T>(&self, kept: &Mutex<Option<H>>, wish: impl Fn(&mut H) -> Outcome<T>) -> Result<T> {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let was_there = kept.is_some();
        let mut helper = match kept.take() {
            Some(helper) => helper,
            None => self.enter.start()?,
        };
        let mut outcome = wish(&mut helper);
        if was_there && matches!(outcome, Outcome::Unheard(_)) {
            helper = self.enter.start()?;
            outcome = wish(&mut helper);
        }
        match outcome {
            Outcome::Answered(answer) => {
                *kept = Some(helper);
                answer
            }
            Outcome::Lost(e) | Outcome::Unheard(e) => Err(e),
        }
    }
}

impl Helper for Resident {
    fn wish(&self, operations: &Operations, fds: &[i32]) -> Result<Option<OwnedFd>> {
        self.with(&self.worker, |helper| helper.wish(operations, fds, self.enter.limits))
    }

    fn ask(&self, module: &str, input: &[u8]) -> Result<Vec<u8>> {
        self.with(&self.caller, |helper| helper.ask(module, input, self.enter.limits))
    }
}
