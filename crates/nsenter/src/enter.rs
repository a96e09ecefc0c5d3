//! What is entered, as whom, and how long it may take; and one call with it.
//!
//! Made by [`crate::Target::enter`]. Each call makes a helper, joins, acts, and ends the helper.

use std::os::fd::OwnedFd;
use std::time::Duration;

use cofferdam::launch::Operations;

use crate::inside::by::Helper;
use crate::join::Wanted;
use crate::resident::Resident;
use crate::worker::{Caller, Keep, Limits, Outcome, Worker};
use crate::{Result, Set, Target};

const TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER: u64 = 64 << 20;

/// A way into a target: which handles, as whom. Each operation (see [`crate::Inside`]) runs in a process of its
/// own; the caller's process, whatever threads it has, never joins anything.
///
/// ```no_run
/// use cofferdam_nsenter::{Inside, Set, Target};
/// let enter = Target::open(4711)?.enter();
/// // Only the network: paths would still be the caller's.
/// for interface in enter.clone().only(Set::NET).interfaces()? {
///     println!("{} {:?}", interface.name, interface.addresses);
/// }
/// // As the target itself, with no more rights than it has.
/// enter.as_target().mkdir("cache", 0o777)?;
/// # Ok::<(), cofferdam_nsenter::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Enter {
    pub(crate) target: Target,
    pub(crate) wanted: Wanted,
    pub(crate) limits: Limits,
}

impl Enter {
    pub(crate) fn new(target: Target) -> Self {
        let wanted = Wanted { set: Set::ALL, as_target: false, labelled: false, stays: false };
        Self { target, wanted, limits: Limits { time: Some(TIMEOUT), answer: ANSWER } }
    }

    /// Only these handles, as far as they differ from the caller's.
    #[must_use]
    pub fn only(mut self, set: Set) -> Self {
        self.wanted.set = set;
        self
    }

    /// Not these.
    #[must_use]
    pub fn without(mut self, set: Set) -> Self {
        self.wanted.set = self.wanted.set.without(set);
        self
    }

    /// With the target's ids, groups, capabilities, umask, `no_new_privs` and security label, as they are when
    /// the helper is made: what the target could not do, the helper cannot. Its seccomp filter and its cgroups
    /// are not taken over. Needs the target's user namespace among the handles, if it is another one.
    #[must_use]
    pub fn as_target(mut self) -> Self {
        self.wanted.as_target = true;
        self
    }

    /// With the target's security label, and nothing else of what [`Enter::as_target`] takes over.
    #[must_use]
    pub fn labelled(mut self) -> Self {
        self.wanted.labelled = true;
        self
    }

    /// How long one call may take before its helper is ended: 30 seconds unless something else is said, and as
    /// long as it likes with `None`.
    #[must_use]
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.limits.time = limit;
        self
    }

    /// Most bytes that a module may answer with; 64 MiB unless something else is said.
    #[must_use]
    pub fn answer_limit(mut self, bytes: u64) -> Self {
        self.limits.answer = bytes;
        self
    }

    /// Helpers that stay: the second and later calls make no process.
    #[must_use]
    pub fn resident(self) -> Resident {
        Resident::new(self)
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn start<T: Keep>(&self) -> Result<T> {
        T::start(&self.target, self.wanted, self.limits)
    }
}

impl Helper for Enter {
    fn wish(&self, operations: &Operations, fds: &[i32]) -> Result<Option<OwnedFd>> {
        once(self.start::<Worker>()?.wish(operations, fds, self.limits))
    }

    fn ask(&self, module: &str, input: &[u8]) -> Result<Vec<u8>> {
        once(self.start::<Caller>()?.ask(module, input, self.limits))
    }
}

fn once<T>(outcome: Outcome<T>) -> Result<T> {
    match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::Lost(e) | Outcome::Unheard(e) => Err(e),
    }
}
