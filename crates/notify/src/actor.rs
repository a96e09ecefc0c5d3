//! Acting for a caller: in its namespaces, below its root, from its working directory, with its umask, ids and
//! capabilities, and what is granted besides.
//!
//! Made by handlers from a request. The acting is done by helpers of `cofferdam-nsenter` that stay, one for each
//! set of namespaces, however many processes a container has; the supervisor's own process joins nothing. What
//! was asked for is decided before, from values that were read once; here it is only done.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cofferdam_nsenter::{Disguised, Guise, Resident, Set, Target};
use cofferdam_sys::{memfd_create, stat};

use crate::{AT_FDCWD, Caller, Error, Namespace, Request, Result};

/// How long one operation may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The helpers of a supervisor, or of one of its containers: as many as there are sets of namespaces, and no more
/// than allowed. The one that was not needed for the longest time makes way.
///
/// ```no_run
/// use cofferdam_notify::{Actors, Answer, Call, Registry};
/// let actors = Actors::new(4);
/// let registry = Registry::new().on(&["mkdir", "mkdirat"], move |request| {
///     let call = request.call()?;
///     actors.for_caller(request)?.perform(&call)
/// });
/// # drop(registry);
/// ```
#[derive(Debug)]
pub struct Actors {
    most: usize,
    /// The one that was needed last comes last.
    kept: Mutex<Vec<Kept>>,
    /// Mounts that are attached nowhere yet.
    detached: Mutex<VecDeque<Detached>>,
}

/// A mount that is attached nowhere yet, and what its caller has in its place.
#[derive(Debug)]
struct Detached {
    known_by: Mark,
    mount: OwnedFd,
    /// Kept, so that no other has its mark.
    _stand_in: OwnedFd,
}

/// The mount and the inode of an open file.
type Mark = (u64, u64);

#[derive(Debug)]
struct Kept {
    key: Key,
    resident: Arc<Resident>,
}

/// What tells helpers apart: the namespaces that are joined, and the label that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    namespaces: Vec<(Set, Namespace)>,
    label: Option<String>,
}

/// The namespaces that an operation may depend on.
const KINDS: [(Set, &str); 8] = [
    (Set::MNT, "mnt"),
    (Set::NET, "net"),
    (Set::PID, "pid"),
    (Set::IPC, "ipc"),
    (Set::UTS, "uts"),
    (Set::USER, "user"),
    (Set::CGROUP, "cgroup"),
    (Set::TIME, "time"),
];

impl Actors {
    /// With at most so many helpers.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(Vec::new()), detached: Mutex::new(VecDeque::new()) }
    }

    /// Somebody who acts for the caller, with the caller's rights.
    ///
    /// # Errors
    /// As [`Request::caller`].
    pub fn for_caller<'a>(&'a self, request: &'a Request) -> Result<Actor<'a>> {
        let caller = request.caller()?;
        let root = caller.root()?;
        Ok(Actor { actors: self, request, caller, root, granted: 0, outside: false })
    }

    /// How many helpers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends all helpers. They hold namespaces of containers that have ended.
    pub fn end(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.detached.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps a new file system's mount until it is attached: it would end with its descriptor, which is a place only
    /// (`O_PATH`), and no such descriptor can be put into a caller's table. What the caller gets is its root
    /// directory, opened.
    pub(crate) fn detach(&self, mount: OwnedFd) -> Result<OwnedFd> {
        let failed = |e| Error::io("opening the root of a mount", &e);
        let root = File::open(format!("/proc/self/fd/{}", mount.as_raw_fd())).map_err(failed)?;
        self.keep(mount, root.into())
    }

    /// Keeps the copy of a mount (open_tree(2)) until it is attached. What the caller gets in its place is an empty
    /// file, which means the copy in move_mount(2) and mount_setattr(2): opened, the copy would be read with the
    /// supervisor's rights.
    ///
    /// # Errors
    /// [`Error::System`] when no file can be made.
    pub fn stand_in(&self, copy: OwnedFd) -> Result<OwnedFd> {
        let made = memfd_create::memfd_create(c"cofferdam-mount", false);
        let file = made.map_err(|errno| Error::System { doing: "making a file in memory", errno })?;
        self.keep(copy, file.into())
    }

    fn keep(&self, mount: OwnedFd, stand_in: OwnedFd) -> Result<OwnedFd> {
        const MOST: usize = 32;
        let copy = stand_in.try_clone().map_err(|e| Error::io("keeping a mount", &e))?;
        let new = Detached { known_by: mark(&stand_in)?, mount, _stand_in: copy };
        let mut detached = self.detached.lock().unwrap_or_else(PoisonError::into_inner);
        if detached.len() >= MOST {
            detached.pop_front();
        }
        detached.push_back(new);
        Ok(stand_in)
    }

    /// The mount that a caller's descriptor stands for, if it was given for one that is attached nowhere yet; with
    /// `take` it is not kept any longer.
    ///
    /// # Errors
    /// [`Error::System`] when the descriptor cannot be looked at.
    pub fn detached(&self, stand_in: &OwnedFd, take: bool) -> Result<Option<OwnedFd>> {
        let wanted = mark(stand_in)?;
        let mut detached = self.detached.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = detached.iter().position(|known| known.known_by == wanted) else { return Ok(None) };
        if take {
            return Ok(detached.remove(at).map(|known| known.mount));
        }
        let mount = detached.get(at).map(|known| known.mount.try_clone());
        mount.transpose().map_err(|e| Error::io("duplicating a mount", &e))
    }

    fn resident(&self, key: Key, make: impl FnOnce() -> Result<Resident>) -> Result<Arc<Resident>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|known| known.key == key) {
            let known = kept.remove(at);
            let resident = Arc::clone(&known.resident);
            kept.push(known);
            return Ok(resident);
        }
        let resident = Arc::new(make()?);
        if kept.len() >= self.most.max(1) {
            kept.remove(0);
        }
        kept.push(Kept { key, resident: Arc::clone(&resident) });
        Ok(resident)
    }
}

/// Both are no other's as long as they exist. (Before Linux 5.8 statx(2) tells no mount: see proc_pid_fdinfo(5).)
fn mark(fd: &OwnedFd) -> Result<Mark> {
    let failed = |e| Error::io("looking for a mount", &e);
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).map_err(failed)?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    let inode =
        stat::stat(fd.as_raw_fd()).map_err(|errno| Error::System { doing: "looking for a mount", errno })?;
    Ok((id.ok_or_else(|| Error::malformed("fdinfo"))?, inode.ino))
}

/// Acts for one caller.
///
/// ```no_run
/// # fn f(actors: &cofferdam_notify::Actors, request: &cofferdam_notify::Request) -> cofferdam_notify::Result<()> {
/// use cofferdam_notify::{Actor, AT_FDCWD, Set};
/// use cofferdam_nsenter::{Inside, Mount};
/// const CAP_SYS_ADMIN: u32 = 21;
/// let actor: Actor = actors.for_caller(request)?.granting(CAP_SYS_ADMIN);
/// actor.act(Set::NAMESPACES, AT_FDCWD, |inside| inside.mount(&Mount::new("tmpfs", "scratch").data("size=1m")))
/// # }
/// ```
#[derive(Debug)]
pub struct Actor<'a> {
    pub(crate) actors: &'a Actors,
    pub(crate) request: &'a Request,
    pub(crate) caller: Caller,
    root: OwnedFd,
    granted: u64,
    outside: bool,
}

impl Actor<'_> {
    /// With a capability (capabilities(7)) that the caller may not have: over its user namespace, or over the
    /// supervisor's with [`Actor::outside_user_namespace`]. The supervisor must have it itself.
    #[must_use]
    pub const fn granting(mut self, capability: u32) -> Self {
        if capability < 64 {
            self.granted |= 1 << capability;
        }
        self
    }

    /// Without entering the caller's user namespace: capabilities are then over the supervisor's, as mknod(2) of
    /// devices and mounts of most file systems need. Of the caller's own capabilities, which mean nothing there,
    /// none is taken over.
    #[must_use]
    pub const fn outside_user_namespace(mut self) -> Self {
        self.outside = true;
        self
    }

    /// Who it is done for.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Acts: in these of the caller's namespaces (its user namespace besides), with relative paths from `dir`, a
    /// descriptor of the caller's or [`AT_FDCWD`]. `act` gets what [`cofferdam_nsenter::Inside`] can do.
    ///
    /// # Errors
    /// [`crate::Error::Gone`] when the caller does not wait any more: then nothing was done.
    /// [`crate::Error::Inside`] when it failed; what the kernel said is for the caller.
    pub fn act<T>(
        &self,
        namespaces: Set,
        dir: i32,
        act: impl FnOnce(&Disguised<'_>) -> cofferdam_nsenter::Result<T>,
    ) -> Result<T> {
        let who = self.caller.credentials();
        let place = if dir == NOWHERE { None } else { Some(self.caller.place(dir)?) };
        let cwd = place.as_ref().unwrap_or(&self.root);
        let resident = self.helper(namespaces)?;
        // Capabilities over another user namespace than the caller's are not the caller's.
        let own = if self.outside && self.caller.in_other("user")? { 0 } else { who.effective };
        let guise = Guise {
            umask: who.umask,
            uid: who.fs_uid,
            gid: who.fs_gid,
            groups: &who.groups,
            effective: own | self.granted,
            ..Guise::new(self.root.as_fd(), cwd.as_fd())
        };
        // Up to here everything could be of somebody who has gone.
        self.request.validate()?;
        Ok(act(&resident.disguised(guise))?)
    }

    /// A descriptor of the caller's as a place to start from: see [`Caller::place`].
    ///
    /// # Errors
    /// As there.
    pub fn place(&self, dir: i32) -> Result<OwnedFd> {
        self.caller.place(dir)
    }

    fn helper(&self, namespaces: Set) -> Result<Arc<Resident>> {
        let set = if self.outside { namespaces.without(Set::USER) } else { namespaces | Set::USER };
        let mut key = Key { namespaces: Vec::new(), label: None };
        for (kind, name) in KINDS.into_iter().filter(|(kind, _)| set.contains(*kind)) {
            key.namespaces.push((kind, self.caller.namespace(name)?));
        }
        // What is granted would be taken away again by a label that does not know of it.
        let labelled = self.granted == 0;
        if labelled {
            key.label = self.caller.label();
        }
        self.actors.resident(key, || {
            let target = Target::open(self.caller.tid())?.recheck(|_| self.request.is_valid())?;
            let enter = target.enter().only(set).timeout(Some(PATIENCE));
            Ok(if labelled { enter.labelled() } else { enter }.resident())
        })
    }
}

/// The directory descriptor of calls that have none.
pub(crate) const HERE: i32 = AT_FDCWD;
/// That of paths which begin at the root: what the caller says besides is not looked at, as in the kernel.
const NOWHERE: i32 = i32::MIN;

/// Where a path begins.
pub(crate) const fn start(dir: i32, path: &CStr) -> i32 {
    match path.to_bytes().first() {
        Some(b'/') => NOWHERE,
        // No descriptor has this number.
        _ if dir == NOWHERE => -1,
        _ => dir,
    }
}
