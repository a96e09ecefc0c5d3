//! Making the directories of a plan.
//!
//! Called by [`crate::Cgroup::create`] and [`crate::Making`]. The common case is one mkdir(2) per hierarchy; everything else
//! happens only after that said no. It may not write limits.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cofferdam_sys::Errno;

use crate::controllers;
use crate::error::Error;
use crate::file;
use crate::plan::{CgroupDir, CgroupPlan, Version};

/// The directories made so far.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    pub(crate) plan: &'a CgroupPlan,
    /// The plan's, corrected where systemd has put one somewhere else.
    pub(crate) dirs: Vec<CgroupDir>,
    /// In the order of their making.
    pub(crate) made: Vec<PathBuf>,
    /// Indexes of the plan's directories that are there.
    pub(crate) taken: Vec<usize>,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(plan: &'a CgroupPlan) -> Self {
        Self { plan, dirs: plan.dirs.clone(), made: Vec::new(), taken: Vec::new() }
    }

    /// All directories of that version.
    pub(crate) fn all(&mut self, version: Version) -> Result<(), Error> {
        let dirs = self.dirs.clone();
        for (index, dir) in dirs.iter().enumerate().filter(|(_, d)| d.version == version) {
            if self.taken.contains(&index) {
                continue;
            }
            match self.one(index, dir) {
                Ok(()) => self.taken.push(index),
                Err(error) if dir.may_lack && is_forbidden(&error) => {}
                Err(error) => return Err(self.explain(index, error)),
            }
        }
        Ok(())
    }

    /// Takes over what systemd made for its unit, and makes the hierarchies that it does not know. The
    /// process is in it: that tells where a user's manager keeps its units.
    pub(crate) fn adopt(&mut self, pid: u32, unit: &str) -> Result<(), Error> {
        for dir in self.dirs.iter_mut().filter(|d| d.version == Version::V2) {
            let found = crate::join::of_process(dir, pid).filter(|p| p.file_name() == Some(unit.as_ref()));
            dir.path = found.unwrap_or_else(|| dir.path.clone());
        }
        for (index, dir) in self.dirs.clone().iter().enumerate() {
            let fresh = self.leaf(dir)?;
            self.fill(index, dir, fresh).map_err(|e| self.explain(index, e))?;
            self.taken.push(index);
        }
        Ok(())
    }

    pub(crate) fn undo(&mut self) {
        let plan = self.plan;
        for path in self.made.drain(..).rev() {
            // The first error is being returned already.
            let _ = match plan.dirs.iter().find(|d| d.path == path) {
                Some(dir) => crate::delete::tree(&dir.path, Instant::now() + crate::delete::PATIENCE),
                None => std::fs::remove_dir(path),
            };
        }
    }

    fn one(&mut self, index: usize, dir: &CgroupDir) -> Result<(), Error> {
        let fresh = self.leaf(dir)?;
        if !fresh {
            refuse_used(dir)?;
        }
        self.fill(index, dir, fresh)
    }

    fn fill(&self, index: usize, dir: &CgroupDir, fresh: bool) -> Result<(), Error> {
        match dir.version {
            Version::V1 if dir.controllers.iter().any(|c| c == "cpuset") => self.cpuset(index, dir, fresh),
            Version::V1 => Ok(()),
            Version::V2 => controllers::enable(self.plan, index, dir),
        }
    }

    /// Whether it is new.
    fn leaf(&mut self, dir: &CgroupDir) -> Result<bool, Error> {
        // Another container's delete may take a parent away between two steps: then from the start.
        for _ in 0..10 {
            match self.mkdir(&dir.path) {
                Ok(fresh) => return Ok(fresh),
                Err(e) if file::is(&e, Errno::ENOENT) => self.parents(dir)?,
                Err(e) => return Err(Error::io("making the cgroup", &dir.path, &e)),
            }
        }
        Err(Error::new("making the cgroup", &dir.path, "its parent keeps being removed"))
    }

    fn parents(&mut self, dir: &CgroupDir) -> Result<(), Error> {
        let mut missing: Vec<&Path> = dir
            .path
            .ancestors()
            .skip(1)
            .take_while(|p| p.starts_with(&dir.mount_point) && *p != dir.mount_point)
            .collect();
        missing.reverse();
        for path in missing {
            match self.mkdir(path) {
                Ok(_) => {}
                Err(e) if file::is(&e, Errno::ENOENT) && path.parent() != Some(&dir.mount_point) => {
                    return Ok(());
                }
                Err(e) => return Err(Error::io("making the cgroup", path, &e)),
            }
        }
        Ok(())
    }

    fn mkdir(&mut self, path: &Path) -> io::Result<bool> {
        // Not for others to write, whatever the caller's umask is.
        match std::fs::DirBuilder::new().mode(0o755).create(path) {
            Ok(()) => {
                self.made.push(path.to_path_buf());
                Ok(true)
            }
            Err(e) if file::is(&e, Errno::EEXIST) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// A version 1 cpuset takes no process while it has no CPUs or no memory nodes, and a child may only
    /// have what its parent has. What the plan sets itself is left to it.
    fn cpuset(&self, index: usize, dir: &CgroupDir, fresh: bool) -> Result<(), Error> {
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let planned = self.plan.writes.iter().any(|w| w.dir == index && w.file == name);
            let parent = dir.path.parent().unwrap_or(&dir.mount_point);
            let inherited = if fresh || planned {
                inherit(parent, name, &dir.mount_point)?
            } else {
                inherit(&dir.path, name, &dir.mount_point)?
            };
            if fresh && !planned {
                let path = dir.path.join(name);
                file::write(&path, &inherited).map_err(|e| Error::io("filling the cpuset", &path, &e))?;
            }
        }
        Ok(())
    }

    fn explain(&self, index: usize, error: Error) -> Error {
        let asked = self.plan.writes.iter().find(|w| w.dir == index).map(|w| w.pointer.as_str());
        if !is_forbidden(&error) || error.hint.is_some() {
            return error;
        }
        let hint = "this user may not make cgroups here: run as root, or let systemd delegate a cgroup (Delegate=yes), \
             or remove the limits and cgroupsPath";
        error.asked_by(asked.unwrap_or("/linux/cgroupsPath")).hint(hint)
    }
}

impl CgroupDir {
    /// Whether [`crate::Cgroup::create`] will have this directory in the end: always, unless it
    /// [may lack](Self::may_lack) and this user may neither make nor use it.
    ///
    /// ```
    /// use cofferdam_cgroup::{Hierarchies, PlanOptions, plan};
    /// let h = Hierarchies::parse(b"31 1 0:30 / /c rw - cgroup2 cgroup2 rw\n", b"0::/\n");
    /// let plan = plan(&h, Some("/a"), "id", &Default::default(), &PlanOptions::default()).unwrap();
    /// assert!(plan.dirs.iter().all(|d| d.within_reach()));
    /// ```
    #[must_use]
    pub fn within_reach(&self) -> bool {
        if !self.may_lack {
            return true;
        }
        let nearest = self.path.ancestors().find(|p| p.exists()).unwrap_or(&self.mount_point);
        let path = std::ffi::CString::new(nearest.as_os_str().as_bytes());
        path.is_ok_and(|p| cofferdam_sys::access::writable(&p).is_ok())
    }
}

fn is_forbidden(error: &Error) -> bool {
    [Errno::EACCES, Errno::EPERM, Errno::EROFS].iter().any(|e| error.errno == Some(e.0))
}

/// The value of `name` in `dir`, which is filled from its parent when it is empty.
fn inherit(dir: &Path, name: &str, mount_point: &Path) -> Result<String, Error> {
    let path = dir.join(name);
    let value = file::read(&path).map_err(|e| Error::io("reading the cpuset", &path, &e))?;
    let value = value.trim();
    let parent = dir.parent().filter(|_| dir != mount_point);
    let Some(parent) = parent.filter(|_| value.is_empty()) else { return Ok(value.to_owned()) };
    let value = inherit(parent, name, mount_point)?;
    file::write(&path, &value).map_err(|e| Error::io("filling the cpuset", &path, &e))?;
    Ok(value)
}

/// A cgroup that was there before is used only when it is empty and thawed: otherwise limits, freezing
/// and killing would meet someone else's processes.
fn refuse_used(dir: &CgroupDir) -> Result<(), Error> {
    let procs = dir.path.join("cgroup.procs");
    let pids = file::read(&procs).map_err(|e| Error::io("reading the processes of", &procs, &e))?;
    let count = pids.lines().count();
    if count > 0 {
        let what = format!("container's cgroup is not empty: {count} process(es) found");
        return Err(Error::new("using the cgroup", &dir.path, what)
            .asked_by("/linux/cgroupsPath")
            .hint("another container or service uses it: choose another cgroupsPath"));
    }
    let (name, thawed) = match dir.version {
        Version::V1 => ("freezer.state", "THAWED"),
        Version::V2 => ("cgroup.freeze", "0"),
    };
    let state = match file::read(&dir.path.join(name)) {
        Ok(state) => state,
        // Only the freezer's own hierarchy has one.
        Err(e) if file::is(&e, Errno::ENOENT) => return Ok(()),
        Err(e) => return Err(Error::io("reading the freezer of", &dir.path, &e)),
    };
    if state.trim() == thawed {
        return Ok(());
    }
    Err(Error::new("using the cgroup", &dir.path, "container's cgroup unexpectedly frozen")
        .asked_by("/linux/cgroupsPath")
        .hint(format!("thaw it first: write {thawed} to {name}")))
}
