//! The processes of a container as a whole: killing and freezing them.
//!
//! Made by `serve` when a container comes; called by `carry_out`. What is killed or frozen is known to be the
//! container's: a PID namespace of its own, or a cgroup in which nobody else is. A container that shares both with
//! others is left alone, and only the caller is killed.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_cgroup::{Cgroup, Hierarchies, SavedCgroup};
use cofferdam_notify::{Answer, Errno, Error, Namespace, Request, Result};
use cofferdam_sys::{Fd, pidfd};

use super::Done;

const SIGKILL: i32 = 9;
/// How long it may take until the freezer has interrupted a caller that can be.
const INTERRUPTS: Duration = Duration::from_millis(20);
/// Most callers that are known to have been frozen in their calls.
const MOST: usize = 4096;

/// A container's processes.
#[derive(Debug)]
pub(crate) struct Group {
    first: Option<Fd>,
    /// The number of the PID namespace, when it is the container's own.
    namespace: Option<Namespace>,
    paths: BTreeMap<String, PathBuf>,
    /// Threads and the calls in which they were frozen.
    interrupted: Mutex<HashSet<(i32, u32)>>,
}

impl Group {
    /// Of the container with this first process, which still waits for its program.
    pub(crate) fn of(pid1: i32) -> Self {
        let first = pidfd::open(pid1).ok();
        let namespace = space(&pid1.to_string()).filter(|of| Some(*of) != space("self"));
        Self { first, namespace, paths: cgroups(pid1).unwrap_or_default(), interrupted: Mutex::default() }
    }

    /// Kills all of it. The first process of a PID namespace takes all others with it.
    pub(super) fn kill(&self, request: &Request) -> Result<Done> {
        let caller = request.caller()?;
        let failed = |errno| Error::System { doing: "killing the container", errno };
        // The first process's number may have been somebody else's by the time it was looked at.
        let ours = self.namespace.is_some() && self.namespace == Some(caller.namespace("pid")?);
        let reason = match &self.first {
            Some(first) if ours => {
                pidfd::send_signal(first.raw(), SIGKILL).map_err(failed)?;
                "the container was killed"
            }
            _ => "only the caller was killed: it is in no PID namespace of the container's own",
        };
        // The others follow the first within a moment; the caller is not to use it.
        match pidfd::send_signal(std::os::fd::AsRawFd::as_raw_fd(&caller.pidfd()), SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let reason = reason.to_owned();
        Ok(Done { answer: Answer::Errno(Errno::EPERM), reason })
    }

    /// Freezes all of it. A caller that waits interruptibly is frozen in its call, and makes it again when it is
    /// thawed: that time it gets its errno. One that does not (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`) is frozen on
    /// its way out of the call, so it is answered at once.
    pub(super) fn freeze(&self, request: &Request) -> Result<Done> {
        let caller = request.caller()?;
        let call = (caller.tid(), request.number());
        if self.made_again(call) {
            return Ok(super::refuse(Errno::EPERM, "the container was frozen in this call"));
        }
        let ours = self.namespace.is_some() && self.namespace == Some(caller.namespace("pid")?);
        let Some(cgroup) = self.own_cgroup().filter(|_| ours) else {
            return Ok(super::refuse(Errno::EPERM, "not frozen: the container has no cgroup of its own"));
        };
        let freezing = std::thread::Builder::new().name("freeze".to_owned()).spawn(move || cgroup.freeze());
        let freezing =
            freezing.map_err(|_| Error::System { doing: "making a thread", errno: Errno::EAGAIN })?;
        let end = Instant::now() + INTERRUPTS;
        while request.is_valid() && Instant::now() < end {
            std::thread::sleep(Duration::from_micros(200));
        }
        if !request.is_valid() {
            let mut interrupted = self.interrupted();
            // Those that were killed while they were frozen never ask again.
            if interrupted.len() >= MOST {
                interrupted.clear();
            }
            interrupted.insert(call);
        }
        let failed = freezing.is_finished().then(|| freezing.join()).and_then(|r| r.ok()?.err());
        let reason = failed.map_or_else(|| "the container is frozen".to_owned(), |e| e.to_string());
        Ok(super::refuse(Errno::EPERM, reason))
    }

    fn made_again(&self, call: (i32, u32)) -> bool {
        self.interrupted().remove(&call)
    }

    fn interrupted(&self) -> MutexGuard<'_, HashSet<(i32, u32)>> {
        self.interrupted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its cgroups have used, and may use.
    pub(super) fn memory(&self) -> Option<cofferdam_cgroup::usage::Usage> {
        (!self.paths.is_empty())
            .then(|| Cgroup::load(SavedCgroup::from_paths(&self.paths)).usage().ok())
            .flatten()
    }

    /// The cgroup, if all that is in it is the container's.
    fn own_cgroup(&self) -> Option<Cgroup> {
        let namespace = self.namespace?;
        let dirs: BTreeMap<String, PathBuf> = self
            .paths
            .iter()
            .filter(|(_, dir)| alone(dir, namespace))
            .map(|(name, dir)| (name.clone(), dir.clone()))
            .collect();
        (!dirs.is_empty()).then(|| Cgroup::load(SavedCgroup::from_paths(&dirs)))
    }
}

/// The number of a PID namespace.
fn space(pid: &str) -> Option<Namespace> {
    fs::metadata(format!("/proc/{pid}/ns/pid")).ok().map(|meta| meta.ino())
}

/// Whether somebody is in a cgroup, and nobody who is not in this PID namespace.
fn alone(dir: &Path, namespace: Namespace) -> bool {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut pids = text.lines().peekable();
    pids.peek().is_some() && pids.all(|pid| space(pid).is_none_or(|of| of == namespace))
}

/// The directories of a process's cgroups, but for the roots. Version 2's has the empty name.
fn cgroups(pid: i32) -> Option<BTreeMap<String, PathBuf>> {
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let own = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    let found = Hierarchies::parse(&mounts, &own);
    let mut dirs = BTreeMap::new();
    for hierarchy in found.v1.iter().filter(|of| of.own_dir() != of.mount_point) {
        for name in &hierarchy.controllers {
            dirs.insert(name.clone(), hierarchy.own_dir());
        }
    }
    if let Some(v2) = found.v2.as_ref().filter(|of| of.own_dir() != of.mount_point) {
        dirs.insert(String::new(), v2.own_dir());
    }
    Some(dirs)
}
