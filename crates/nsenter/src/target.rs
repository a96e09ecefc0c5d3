//! A process to be entered: its handles, opened once, before anything is decided.
//!
//! Made by the caller; used by `join`. Opening changes nothing; what is opened stays what it is, whatever
//! the process does meanwhile and whoever gets its number.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use cofferdam::Container;
use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::{Errno, Fd, ioctl_ns, open, pidfd, poll, stat};

use crate::set::{KINDS, Set};
use crate::{Enter, Error, Result};

/// Device and inode: what tells one namespace from another.
pub(crate) type Identity = (u64, u64);

/// A namespace of the target.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) kind: Set,
    pub(crate) name: &'static str,
    pub(crate) flag: u64,
    pub(crate) fd: OwnedFd,
    /// Whether it is another one than the caller's.
    pub(crate) differs: bool,
    /// The user namespace that owns it, where that can be known.
    pub(crate) owner: Option<Identity>,
    pub(crate) identity: Identity,
}

#[derive(Debug)]
struct Handles {
    pid: i32,
    pidfd: OwnedFd,
    /// Its directory in /proc: reading below it fails once the process has ended.
    proc: OwnedFd,
    spaces: Vec<Space>,
    root: OwnedFd,
    cwd: OwnedFd,
}

/// A process whose namespaces, root and working directory are held open.
///
/// The order is: open, check again that it is the process that was meant, enter. Between the first and the
/// last step its number may pass to another process; the handles do not.
///
/// ```no_run
/// use cofferdam_nsenter::{Inside, Target};
/// # let (pid, still_valid) = (1, || true);
/// let target = Target::open(pid)?.recheck(|_| still_valid())?;
/// target.enter().mkdir("/var/cache/example", 0o755)?;
/// # Ok::<(), cofferdam_nsenter::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Target(Arc<Handles>);

impl Target {
    /// Opens the handles of a process, or of a thread, by its number.
    ///
    /// # Errors
    /// [`Error::Gone`] when there is none, or it ended meanwhile; [`Error::Handle`] without the right to
    /// look into it (`PTRACE_MODE_READ_FSCREDS`, see ptrace(2)).
    pub fn open(pid: i32) -> Result<Self> {
        if pid <= 0 {
            // A seccomp notification says 0 for a process that the agent's PID namespace does not have.
            return Err(Error::Gone { pid, why: "it has no number here, in this PID namespace" });
        }
        let gone = |_| Error::Gone { pid, why: "there is no such process" };
        let proc: OwnedFd = proc_dir(pid).map_err(gone)?.into();
        let leader = leader(&proc).map_err(|_| Error::Gone { pid, why: "it has ended" })?;
        let process = pidfd::open(leader).map_err(gone)?;
        Self::with(pid, process.into(), proc)
    }

    /// As [`Target::open`], of the process of a pidfd.
    ///
    /// # Errors
    /// As [`Target::open`].
    ///
    /// ```no_run
    /// # fn f(child: std::os::fd::OwnedFd) -> Result<(), cofferdam_nsenter::Error> {
    /// let target = cofferdam_nsenter::Target::of_pidfd(child)?;
    /// # Ok(()) }
    /// ```
    pub fn of_pidfd(process: OwnedFd) -> Result<Self> {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd()));
        let number = info.ok().and_then(|info| {
            info.lines().find_map(|l| l.strip_prefix("Pid:")).and_then(|pid| pid.trim().parse().ok())
        });
        let pid = number.filter(|pid| *pid > 0).ok_or(Error::Gone { pid: -1, why: "it has ended" })?;
        let proc = proc_dir(pid).map_err(|_| Error::Gone { pid, why: "it has ended" })?;
        Self::with(pid, process, proc.into())
    }

    /// As [`Target::open`], of the first process of a container.
    ///
    /// # Errors
    /// As [`Target::open`].
    ///
    /// ```no_run
    /// use cofferdam::{ContainerId, Store};
    /// let container = Store::new("/run/example").load(&ContainerId::new("one")?)?;
    /// let target = cofferdam_nsenter::Target::of(&container)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(container: &Container) -> Result<Self> {
        let gone = Error::Gone { pid: -1, why: "the container has no process" };
        let Some(pid) = container.pid() else { return Err(gone) };
        // Asked again after the handles are open: the number has not changed hands in between.
        Self::open(pid)?.recheck(|_| container.pid() == Some(pid))
    }

    fn with(pid: i32, pidfd: OwnedFd, proc: OwnedFd) -> Result<Self> {
        let watch = pidfd::duplicate(pidfd.as_raw_fd());
        match Self::open_all(pid, pidfd, proc) {
            // Files of a process that has ended fail in several ways; its root and its working directory go
            // while it is on its way, before its pidfd tells.
            Err(Error::Handle { errno, .. })
                if errno == Errno::ENOENT || watch.is_ok_and(|w| ended(w.raw())) =>
            {
                Err(Error::Gone { pid, why: "it has ended" })
            }
            other => other,
        }
    }

    fn open_all(pid: i32, pidfd: OwnedFd, proc: OwnedFd) -> Result<Self> {
        let root = handle(&proc, "root", open::O_PATH | open::O_DIRECTORY)?;
        let cwd = handle(&proc, "cwd", open::O_PATH | open::O_DIRECTORY)?;
        let mut spaces = Vec::new();
        for (kind, name, flag) in KINDS {
            let file = format!("ns/{name}");
            match handle(&proc, &file, open::O_RDONLY) {
                Ok(fd) => spaces.push(space((kind, name, flag), fd)?),
                // A kernel without this kind: all processes are in the same.
                Err(Error::Handle { errno: Errno::ENOENT, .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let target = Self(Arc::new(Handles { pid, pidfd, proc, spaces, root, cwd }));
        // Alive after all was opened: the directory in /proc was this process's and no other's.
        if target.is_alive() { Ok(target) } else { Err(Error::Gone { pid, why: "it has ended" }) }
    }

    /// Whether the process, and the thread if it is one, is still there.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !ended(self.0.pidfd.as_raw_fd()) && self.read("stat").is_ok()
    }

    /// Asks whether it is the process that was meant, now that its handles are open: that a seccomp
    /// notification is still valid, that a supervisor still knows it.
    ///
    /// # Errors
    /// [`Error::Refused`] when `check` says no, [`Error::Gone`] when the process has ended.
    ///
    /// ```
    /// use cofferdam_nsenter::{Error, Target};
    /// let me = i32::try_from(std::process::id()).unwrap();
    /// let target = Target::open(me)?;
    /// assert!(matches!(target.recheck(|_| false), Err(Error::Refused { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn recheck(self, check: impl FnOnce(&Self) -> bool) -> Result<Self> {
        if !check(&self) {
            return Err(Error::Refused { pid: self.pid() });
        }
        if self.is_alive() { Ok(self) } else { Err(Error::Gone { pid: self.pid(), why: "it has ended" }) }
    }

    /// Its number when it was opened.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// The process's pidfd.
    #[must_use]
    pub fn pidfd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0.pidfd)
    }

    /// What of the target is another than the caller's.
    ///
    /// ```
    /// use cofferdam_nsenter::{Set, Target};
    /// let me = i32::try_from(std::process::id()).unwrap();
    /// assert!(!Target::open(me)?.differing().contains(Set::NET));
    /// # Ok::<(), cofferdam_nsenter::Error>(())
    /// ```
    #[must_use]
    pub fn differing(&self) -> Set {
        self.0.spaces.iter().filter(|s| s.differs).fold(Set::NONE, |set, space| set | space.kind)
    }

    /// Enters everything that differs, its root and its working directory; nothing happens before the first
    /// operation or call.
    #[must_use]
    pub fn enter(&self) -> Enter {
        Enter::new(self.clone())
    }

    pub(crate) fn spaces(&self) -> &[Space] {
        &self.0.spaces
    }

    pub(crate) fn root(&self) -> i32 {
        self.0.root.as_raw_fd()
    }

    pub(crate) fn cwd(&self) -> i32 {
        self.0.cwd.as_raw_fd()
    }

    /// Reads a file of its directory in /proc.
    pub(crate) fn read(&self, file: &str) -> Result<String> {
        let fd = handle(&self.0.proc, file, open::O_RDONLY)?;
        let mut text = Vec::new();
        let read = File::from(fd).read_to_end(&mut text);
        read.map_err(|e| failed(file, Errno(e.raw_os_error().unwrap_or(Errno::EIO.0))))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Whether the process of a pidfd has ended, reaped or not.
fn ended(pidfd: i32) -> bool {
    let mut fds = [PollFd { fd: pidfd, events: POLLIN, revents: 0 }];
    !poll::poll(&mut fds, Some(0)).is_ok_and(|n| n == 0)
}

fn proc_dir(pid: i32) -> cofferdam_sys::Result<Fd> {
    let path = CString::new(format!("/proc/{pid}")).map_err(|_| Errno::EINVAL)?;
    let dir = open::open(&path, open::O_PATH | open::O_DIRECTORY)?;
    if stat::filesystem(dir.raw())? == stat::PROC_SUPER_MAGIC { Ok(dir) } else { Err(Errno::ENODEV) }
}

/// A pidfd is a process's, and a seccomp notification may name one of its threads.
fn leader(proc: &OwnedFd) -> Result<i32> {
    let mut text = String::new();
    let fd = handle(proc, "status", open::O_RDONLY)?;
    let read = File::from(fd).read_to_string(&mut text);
    let number = text.lines().find_map(|l| l.strip_prefix("Tgid:")).and_then(|n| n.trim().parse().ok());
    match (read, number) {
        (Ok(_), Some(number)) => Ok(number),
        _ => Err(failed("status", Errno::ESRCH)),
    }
}

fn handle(proc: &OwnedFd, file: &str, flags: u64) -> Result<OwnedFd> {
    let name = CString::new(file).map_err(|_| failed(file, Errno::EINVAL))?;
    open::openat2(proc.as_raw_fd(), &name, flags, 0, 0).map(OwnedFd::from).map_err(|e| failed(file, e))
}

fn failed(file: &str, errno: Errno) -> Error {
    Error::Handle { file: file.to_owned(), errno }
}

fn space((kind, name, flag): (Set, &'static str, u64), fd: OwnedFd) -> Result<Space> {
    let file = || format!("ns/{name}");
    let (identity, fd) = identify(fd).map_err(|e| failed(&file(), e))?;
    let ours = std::fs::metadata(format!("/proc/thread-self/ns/{name}")).map(|m| (m.dev(), m.ino()));
    let owner = ioctl_ns::owner(fd.as_raw_fd()).and_then(|owner| identify(owner.into()));
    Ok(Space {
        kind,
        name,
        flag,
        fd,
        differs: ours.ok() != Some(identity),
        owner: owner.ok().map(|(identity, _)| identity),
        identity,
    })
}

fn identify(fd: OwnedFd) -> cofferdam_sys::Result<(Identity, OwnedFd)> {
    let file = File::from(fd);
    let m = file.metadata().map_err(|e| Errno(e.raw_os_error().unwrap_or(Errno::EIO.0)))?;
    Ok(((m.dev(), m.ino()), file.into()))
}
