//! Putting processes into a container's cgroups.
//!
//! Called by the library for create and exec. On version 1 there are two ways, and their price differs
//! by an order of magnitude: a write of a number to `cgroup.procs` waits until no process of the host is
//! in the middle of a fork or exit (cgroup_threadgroup_rwsem, milliseconds), while a process with one
//! thread that writes "0" to `tasks` moves itself without that. [`Cgroup::tasks`] is for the second way.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use cofferdam_sys::Errno;

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::file;
use crate::plan::{CgroupDir, Version};
use crate::systemd;

impl Cgroup {
    /// Moves a process with all its threads into every one of the container's cgroups.
    ///
    /// # Errors
    /// `ESRCH` when it has ended, `EACCES` without the right, `EBUSY` where a version 2 cgroup has given
    /// its controllers to children, `ENOSPC` where a cpuset is empty.
    pub fn join(&self, pid: u32) -> Result<(), Error> {
        for dir in &self.saved.dirs {
            match put(&dir.path, pid) {
                Ok(()) => {}
                Err(e) if dir.may_lack && (file::is(&e, Errno::EACCES) || file::is(&e, Errno::EPERM)) => {}
                Err(e) => return Err(explain(&dir.path, pid, &e)),
            }
        }
        Ok(())
    }

    /// As [`Cgroup::join`], for another process of a running container: where its version 2 cgroup takes
    /// none any more because the container has split it up, the process goes where `init` is.
    ///
    /// # Errors
    /// As [`Cgroup::join`].
    pub fn join_running(&self, pid: u32, init: u32) -> Result<(), Error> {
        for dir in &self.saved.dirs {
            let error = match put(&dir.path, pid) {
                Ok(()) => continue,
                Err(e) if dir.may_lack && (file::is(&e, Errno::EACCES) || file::is(&e, Errno::EPERM)) => {
                    continue;
                }
                Err(e) => e,
            };
            let forbidden = file::is(&error, Errno::EACCES) || file::is(&error, Errno::EPERM);
            if let Some(unit) = self.saved.unit.as_ref().filter(|_| forbidden) {
                // From another part of the tree only systemd may.
                systemd::attach(unit, pid)?;
                continue;
            }
            let split = dir.version == Version::V2 && file::is(&error, Errno::EBUSY);
            match split.then(|| beside(dir, init)).flatten() {
                Some(path) => put(&path, pid).map_err(|e| explain(&path, pid, &e))?,
                None => return Err(explain(&dir.path, pid, &error)),
            }
        }
        Ok(())
    }

    /// Moves a process into `below`, a directory that exists inside the container's cgroups, in the
    /// hierarchies of `controllers` (all, when there are none).
    ///
    /// # Errors
    /// When `below` could leave the container's cgroup, and as [`Cgroup::join`].
    pub fn join_below(&self, pid: u32, below: &Path, controllers: &[&str]) -> Result<(), Error> {
        let inside =
            |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir | Component::RootDir);
        if !below.components().all(inside) {
            return Err(Error::new(
                "joining the cgroup",
                below,
                "bad sub cgroup path: it leaves the container's cgroup",
            ));
        }
        let known =
            |name: &&&str| self.saved.dirs.iter().any(|dir| dir.controllers.iter().any(|c| c == **name));
        if let Some(unknown) = controllers.iter().find(|name| !known(name)) {
            return Err(Error::new("joining the cgroup", below, format!("unknown controller {unknown}")));
        }
        let below: PathBuf = below.components().filter(|c| matches!(c, Component::Normal(_))).collect();
        for dir in &self.saved.dirs {
            let asked =
                controllers.is_empty() || controllers.iter().any(|c| dir.controllers.iter().any(|d| d == c));
            if asked {
                let path = dir.path.join(&below);
                put(&path, pid).map_err(|e| explain(&path, pid, &e))?;
            }
        }
        Ok(())
    }

    /// The `tasks` file of each version 1 hierarchy, with which a new process joins by itself, cheaply: it
    /// writes "0" to each, once, while it has one thread. The kernel checks the right to do so against
    /// whoever opened them.
    ///
    /// # Errors
    /// When a file cannot be opened.
    ///
    /// ```no_run
    /// # fn f(cgroup: &cofferdam_cgroup::Cgroup) -> Result<(), cofferdam_cgroup::Error> {
    /// let tasks = cgroup.tasks()?;
    /// // in the child, for each of them: write(fd, "0", 1)
    /// # Ok(())
    /// # }
    /// ```
    pub fn tasks(&self) -> Result<Vec<OwnedFd>, Error> {
        let mut tasks = Vec::new();
        for dir in self.saved.dirs.iter().filter(|d| d.version == Version::V1) {
            let path = dir.path.join("tasks");
            match file::open(&path) {
                Ok(open) => tasks.push(open.into()),
                Err(e) if dir.may_lack && file::is(&e, Errno::EACCES) => {}
                Err(e) => return Err(Error::io("opening", &path, &e)),
            }
        }
        Ok(tasks)
    }

    /// The version 2 directory for `CLONE_INTO_CGROUP`; none on a pure version 1 host.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_v2_dir(&self) -> Result<Option<OwnedFd>, Error> {
        self.v2().map(open_dir).transpose()
    }
}

pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, Error> {
    let dir = File::open(path).map_err(|e| Error::io("opening the cgroup", path, &e))?;
    Ok(dir.into())
}

fn put(dir: &Path, pid: u32) -> io::Result<()> {
    let mut procs = file::open(&dir.join("cgroup.procs"))?;
    let pid = pid.to_string();
    for _ in 0..5 {
        match file::put(&mut procs, &pid) {
            // A process that is still being forked (TASK_NEW) cannot be moved yet.
            Err(e) if file::is(&e, Errno::EINVAL) => sleep(Duration::from_millis(10)),
            other => return other,
        }
    }
    file::put(&mut procs, &pid)
}

/// Moves a process into one cgroup.
pub(crate) fn into(dir: &Path, pid: u32) -> Result<(), Error> {
    put(dir, pid).map_err(|e| explain(dir, pid, &e))
}

/// The cgroup of `pid` in this hierarchy, when it is inside of `dir`.
fn beside(dir: &CgroupDir, pid: u32) -> Option<PathBuf> {
    of_process(dir, pid).filter(|path| path.starts_with(&dir.path))
}

/// The cgroup of `pid` in the version 2 hierarchy that `dir` is in.
pub(crate) fn of_process(dir: &CgroupDir, pid: u32) -> Option<PathBuf> {
    let text = file::read(Path::new(&format!("/proc/{pid}/cgroup"))).ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let path = dir.mount_point.join(Path::new(own).strip_prefix(&dir.mount_root).ok()?);
    let clean = path.components().all(|c| c != Component::ParentDir);
    clean.then_some(path)
}

fn explain(dir: &Path, pid: u32, error: &io::Error) -> Error {
    let out = Error::io(format!("adding pid {pid} to"), dir, error);
    let errno = |e: Errno| file::is(error, e);
    if errno(Errno::EBUSY) {
        return out
            .hint("it has given controllers to children, and cgroup v2 allows no processes beside them");
    }
    if errno(Errno::EOPNOTSUPP) {
        return out.hint(
            "it is below a threaded cgroup, which takes threads but no processes: choose another cgroupsPath",
        );
    }
    if errno(Errno::ENOSPC) {
        return out.hint("its cpuset has no CPUs or no memory nodes");
    }
    if errno(Errno::ESRCH) {
        return out.hint("the process has ended");
    }
    out
}
