//! Who made the call: thread, process, credentials, namespaces.
//!
//! Made by [`crate::Request::caller`]. The order is the one that a number that may change hands demands: a handle
//! is opened by number, then the request is asked for; if it is still waiting, so was the thread when the handle
//! was opened, and the handle is of it and stays so.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use cofferdam_sys::{Errno, dirs, open, pidfd};

use crate::handles::{Handles, handle, read};
use crate::{Error, Request, Result};

/// The thread whose call it is, and its process.
///
/// ```no_run
/// # fn f(request: cofferdam_notify::Request) -> cofferdam_notify::Result<()> {
/// let caller = request.caller()?;
/// let who = caller.credentials();
/// if who.has(21) && caller.namespace("user")? == cofferdam_notify::Caller::own_namespace("user")? {
///     println!("thread {} of process {} has CAP_SYS_ADMIN over the host", caller.tid(), caller.pid());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Caller {
    tid: i32,
    pid: i32,
    inside: Option<i32>,
    handles: Arc<Handles>,
    credentials: Credentials,
}

/// With what rights the caller made its call, as the kernel shows them in `/proc/PID/status`: ids as seen from
/// here, capabilities over its own user namespace.
///
/// ```
/// # fn f(caller: &cofferdam_notify::Caller) {
/// let cofferdam_notify::Credentials { uid, fs_uid, .. } = caller.credentials();
/// println!("user {uid}, whose files are {fs_uid}'s");
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Real user, as who it sends messages of unix(7).
    pub real_uid: u32,
    /// Real group.
    pub real_gid: u32,
    /// User with which files are accessed.
    pub fs_uid: u32,
    /// Group with which files are accessed.
    pub fs_gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Effective capabilities, one bit each.
    pub effective: u64,
    /// Permitted capabilities.
    pub permitted: u64,
    /// File mode creation mask.
    pub umask: u32,
    /// Whether it can gain no rights by execve(2).
    pub no_new_privs: bool,
}

impl Credentials {
    /// Whether a capability is effective, by its number (capabilities(7)).
    ///
    /// ```
    /// assert!(!cofferdam_notify::Credentials::default().has(21));
    /// ```
    #[must_use]
    pub const fn has(&self, capability: u32) -> bool {
        capability < 64 && self.effective >> capability & 1 == 1
    }
}

/// The kernel's number of a namespace, which tells it from all others that exist.
pub type Namespace = u64;

impl Caller {
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let tid = request.tid()?;
        let gone = |e: Errno| match e {
            Errno::ENOENT | Errno::ESRCH => Error::Gone,
            errno => Error::System { doing: "looking at the caller", errno },
        };
        let (handles, status) = request.handles(tid).map_err(gone)?;
        let parsed = parse(&String::from_utf8_lossy(&status));
        // All of it was the caller's, if it still waits; of one that has ended not all is there.
        request.validate()?;
        let parsed = parsed.ok_or(Error::System { doing: "reading status", errno: Errno::EBADMSG });
        let (pid, inside, credentials) = parsed?;
        request.listener().callers.keep(&handles);
        Ok(Self { tid, pid, inside, handles, credentials })
    }

    /// The thread's number as seen from here.
    #[must_use]
    pub const fn tid(&self) -> i32 {
        self.tid
    }

    /// The number of its process (thread group) as seen from here.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// The thread's number in its own PID namespace, where the kernel tells (Linux 4.1).
    #[must_use]
    pub const fn inside_tid(&self) -> Option<i32> {
        self.inside
    }

    /// The thread's pidfd; before Linux 6.9 the process's.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.handles.pidfd.as_fd()
    }

    /// Its rights when it was looked at.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Which namespace of a kind it is in: `mnt`, `net`, `pid`, `ipc`, `uts`, `user`, `cgroup` or `time`.
    ///
    /// # Errors
    /// [`Error::System`] without the right to look, [`Error::Gone`] when it has ended.
    pub fn namespace(&self, kind: &str) -> Result<Namespace> {
        const DOING: &str = "looking at the caller's namespaces";
        let name = CString::new(format!("ns/{kind}")).map_err(|_| self.failed(DOING, Errno::EINVAL))?;
        let mut buffer = [0; 64];
        let link = dirs::readlinkat(self.handles.proc.as_raw_fd(), &name, &mut buffer);
        let link = link.map_err(|errno| self.failed(DOING, errno))?;
        number(link).ok_or(Error::System { doing: DOING, errno: Errno::EBADMSG })
    }

    /// A handle of one of its namespaces.
    pub(crate) fn open_namespace(&self, kind: &str) -> Result<OwnedFd> {
        handle(&self.handles.proc, &format!("ns/{kind}"), open::O_RDONLY)
            .map(OwnedFd::from)
            .map_err(|errno| self.failed("opening a namespace of the caller", errno))
    }

    /// Whether it is a program of 32 bits by its personality; not, where that is not told.
    pub(crate) fn is_linux32(&self) -> bool {
        const PER_LINUX32: u32 = 8;
        let text = read(&self.handles.proc, "personality").unwrap_or_default();
        u32::from_str_radix(text.trim(), 16).is_ok_and(|personality| personality & 0xff == PER_LINUX32)
    }

    /// Which one we are in.
    ///
    /// # Errors
    /// [`Error::System`] for a kind that the kernel does not know.
    pub fn own_namespace(kind: &str) -> Result<Namespace> {
        const DOING: &str = "looking at our namespaces";
        let link = std::fs::read_link(format!("/proc/thread-self/ns/{kind}"));
        let link = link.map_err(|e| Error::io(DOING, &e))?;
        number(link.as_os_str().as_encoded_bytes())
            .ok_or(Error::System { doing: DOING, errno: Errno::EBADMSG })
    }

    /// Whether it is in another namespace of a kind than we are.
    pub(crate) fn in_other(&self, kind: &str) -> Result<bool> {
        Ok(self.namespace(kind)? != Self::own_namespace(kind)?)
    }

    /// Its label of a security module (`/proc/PID/attr/current`), if there is one that labels processes.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        static LABELS: OnceLock<bool> = OnceLock::new();
        // None does where even we have no label.
        let known = *LABELS.get_or_init(|| std::fs::read("/proc/thread-self/attr/current").is_ok());
        known
            .then(|| read(&self.handles.proc, "attr/current").ok().filter(|label| !label.is_empty()))
            .flatten()
    }

    /// Its cgroups, as `/proc/PID/cgroup` lists them (cgroups(7)).
    ///
    /// # Errors
    /// [`Error::Gone`] when it has ended.
    pub fn cgroups(&self) -> Result<String> {
        read(&self.handles.proc, "cgroup").map_err(|errno| self.failed("reading the caller's cgroups", errno))
    }

    /// A duplicate of one of its descriptors: the same open file (pidfd_getfd(2), Linux 5.6).
    ///
    /// # Errors
    /// [`Error::Refused`] (`EBADF`) when it has none of this number; [`Error::System`] without the right to trace
    /// it, or where it is a thread whose table cannot be told from its process's (before Linux 6.9).
    pub fn descriptor(&self, number: i32) -> Result<OwnedFd> {
        const DOING: &str = "taking a descriptor of the caller";
        if !self.handles.of_thread {
            return Err(Error::System { doing: DOING, errno: Errno::EOPNOTSUPP });
        }
        match pidfd::getfd(self.handles.pidfd.as_raw_fd(), number) {
            Ok(fd) => Ok(fd.into()),
            Err(Errno::EBADF) => Err(Error::Refused(Errno::EBADF)),
            Err(errno) => Err(self.failed(DOING, errno)),
        }
    }

    /// What one of its descriptors names, as a place only (`O_PATH`): for the `dirfd` of openat(2) and the like.
    /// -100 (`AT_FDCWD`) is its working directory.
    ///
    /// # Errors
    /// [`Error::Refused`] (`EBADF`) when it has none of this number; [`Error::Gone`].
    pub fn place(&self, number: i32) -> Result<OwnedFd> {
        const AT_FDCWD: i32 = -100;
        let file = if number == AT_FDCWD { "cwd".to_owned() } else { format!("fd/{number}") };
        match handle(&self.handles.proc, &file, open::O_PATH) {
            Ok(fd) => Ok(fd.into()),
            Err(Errno::ENOENT) if self.is_alive() => Err(Error::Refused(Errno::EBADF)),
            Err(errno) => Err(self.failed("opening a place of the caller", errno)),
        }
    }

    /// Its root directory, as a place only.
    ///
    /// # Errors
    /// [`Error::Gone`]; [`Error::System`] without the right to look.
    pub fn root(&self) -> Result<OwnedFd> {
        handle(&self.handles.proc, "root", open::O_PATH | open::O_DIRECTORY)
            .map(OwnedFd::from)
            .map_err(|errno| self.failed("opening the caller's root", errno))
    }

    /// Whether the thread is still there, and more than what is left to be reaped.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // The name, in parentheses, may hold anything; the state follows it.
        let stat = read(&self.handles.proc, "stat").unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    fn failed(&self, doing: &'static str, errno: Errno) -> Error {
        if self.is_alive() { Error::System { doing, errno } } else { Error::Gone }
    }
}

/// The number in `mnt:[4026531841]`.
fn number(link: &[u8]) -> Option<Namespace> {
    let (_, number) = std::str::from_utf8(link).ok()?.split_once('[')?;
    number.strip_suffix(']')?.parse().ok()
}

/// The process, the thread's number in the innermost PID namespace, and the rights.
fn parse(status: &str) -> Option<(i32, Option<i32>, Credentials)> {
    let (mut pid, mut inside, mut found) = (None, None, 0u32);
    let mut who = Credentials::default();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name {
            "Tgid" => pid = Some(value.parse().ok()?),
            "NSpid" => {
                inside = value.split_whitespace().next_back().and_then(|pid| pid.parse().ok());
                continue;
            }
            "Umask" => who.umask = u32::from_str_radix(value, 8).ok()?,
            "Uid" => (who.real_uid, who.uid, who.fs_uid) = ids(value)?,
            "Gid" => (who.real_gid, who.gid, who.fs_gid) = ids(value)?,
            "Groups" => {
                who.groups = value.split_whitespace().map(str::parse).collect::<Result2<_>>().ok()?;
            }
            "CapPrm" => who.permitted = u64::from_str_radix(value, 16).ok()?,
            "CapEff" => who.effective = u64::from_str_radix(value, 16).ok()?,
            "NoNewPrivs" => who.no_new_privs = value != "0",
            _ => continue,
        }
        found = found.saturating_add(1);
    }
    // Each of the eight that must be there, once.
    Some((pid.filter(|_| found == 8)?, inside, who))
}

/// Real and effective id, and that for files.
fn ids(value: &str) -> Option<(u32, u32, u32)> {
    let mut ids = value.split_whitespace().map(str::parse::<u32>);
    let (real, effective, _saved) = (ids.next()?.ok()?, ids.next()?.ok()?, ids.next()?.ok()?);
    Some((real, effective, ids.next()?.ok()?))
}

type Result2<T> = std::result::Result<T, std::num::ParseIntError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_process_ids_and_rights() {
        let status = "Name:\tTgid:\t7\nUmask:\t0027\nTgid:\t5\nPid:\t6\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n\
            Groups:\t8 9 \nNSpid:\t6\t2\nCapPrm:\t0000000000200003\nCapEff:\t0000000000200002\nNoNewPrivs:\t1\n";
        let (pid, inside, who) = parse(status).unwrap();
        assert_eq!((pid, inside), (5, Some(2)));
        assert_eq!((who.uid, who.fs_uid, who.gid, who.fs_gid, who.umask), (2, 4, 6, 8, 0o27));
        assert_eq!((who.real_uid, who.real_gid), (1, 5));
        assert!(who.has(21) && who.has(1) && !who.has(0) && !who.has(64) && who.no_new_privs);
        assert_eq!(who.groups, [8, 9]);
        assert!(parse("Name:\tx\n").is_none());
    }
}
