//! One container's cgroups: the owner of the directories.
//!
//! Made by the library from a plan, or from what the state file kept. It undoes what it made until
//! [`Cgroup::keep`] says that the state file owns it now. It may not decide what a limit means: that was
//! the plan.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::devices::DeviceProgram;
use crate::error::Error;
use crate::hierarchy::Mode;
use crate::make::Maker;
use crate::plan::{CgroupDir, CgroupPlan, CgroupWrite, Version};
use crate::systemd::{self, SavedUnit};
use crate::{apply, delete, join};

/// A container's cgroups, one directory per hierarchy.
///
/// ```no_run
/// use cofferdam_cgroup::{Cgroup, Hierarchies, PlanOptions, plan};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let resources = serde_json::from_str(r#"{"pids":{"limit":100}}"#)?;
/// let hierarchies = Hierarchies::detect()?;
/// let plan = plan(&hierarchies, Some("/demo"), "demo", &resources, &PlanOptions::default())
///     .map_err(|rejects| rejects[0].to_string())?;
/// let cgroup = Cgroup::create(&plan)?;
/// cgroup.apply_limits()?;
/// cgroup.join(std::process::id())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Cgroup {
    pub(crate) saved: SavedCgroup,
    /// Directories that [`Cgroup::create`] made, parents first; none for a loaded one.
    pub(crate) made: Vec<PathBuf>,
    writes: Vec<CgroupWrite>,
    devices: Option<DeviceProgram>,
    /// Dropping it removes the directories.
    pub(crate) undo: AtomicBool,
}

/// What the state file keeps of a container's cgroups.
///
/// ```
/// let saved: cofferdam_cgroup::SavedCgroup =
///     serde_json::from_str(r#"{"mode":"v2","dirs":[],"parents":[]}"#).unwrap();
/// assert!(cofferdam_cgroup::Cgroup::load(saved).pids(true).unwrap().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCgroup {
    /// How cgroups were mounted.
    pub mode: Mode,
    /// The container's directories.
    pub dirs: Vec<CgroupDir>,
    /// Directories above them that were made on the way; removed with them when nobody else uses them, or with
    /// whoever uses them last.
    pub parents: Vec<PathBuf>,
    /// The unit of systemd's that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<SavedUnit>,
}

impl SavedCgroup {
    /// What a plan is going to own: to be kept before [`Cgroup::create`], so that whatever was made is
    /// found again should the caller be killed in the middle.
    #[must_use]
    pub fn intended(plan: &CgroupPlan) -> Self {
        let mut parents: Vec<PathBuf> = Vec::new();
        let unit = plan.unit.as_ref();
        let unit = unit.map(|u| SavedUnit { manager: u.manager, name: u.name.clone() });
        // Slices are systemd's to remove.
        for dir in plan.dirs.iter().filter(|d| unit.is_none() || d.version == Version::V1) {
            let above = dir.path.ancestors().skip(1);
            let own = above.take_while(|p| p.starts_with(&dir.mount_point) && **p != *dir.mount_point);
            let mut missing: Vec<PathBuf> = own.take_while(|p| !p.exists()).map(Path::to_path_buf).collect();
            missing.reverse();
            parents.extend(missing);
        }
        Self { mode: plan.mode, dirs: plan.dirs.clone(), parents, unit }
    }

    /// Directories by controller, as [`SavedCgroup::paths`] gives them and libcontainer's state has them: enough
    /// to measure them and to ask their freezer. Nothing above them is known, so nothing above is touched.
    ///
    /// ```
    /// let paths = [("memory".into(), "/sys/fs/cgroup/memory/box".into())].into();
    /// let saved = cofferdam_cgroup::SavedCgroup::from_paths(&paths);
    /// assert_eq!(saved.paths(), paths);
    /// ```
    #[must_use]
    pub fn from_paths(paths: &BTreeMap<String, PathBuf>) -> Self {
        let mut dirs: Vec<CgroupDir> = Vec::new();
        for (name, path) in paths {
            let version = if name.is_empty() { Version::V2 } else { Version::V1 };
            let controllers = vec![name.clone()];
            match dirs.iter_mut().find(|dir| dir.path == *path) {
                Some(dir) => dir.controllers.extend(controllers),
                None => dirs.push(CgroupDir {
                    version,
                    controllers,
                    mount_point: path.clone(),
                    mount_root: "/".into(),
                    path: path.clone(),
                    may_lack: true,
                }),
            }
        }
        let mode = match (paths.contains_key(""), paths.len()) {
            (true, 1) => Mode::V2,
            (true, _) => Mode::Hybrid,
            (false, _) => Mode::V1,
        };
        Self { mode, dirs, parents: Vec::new(), unit: None }
    }

    /// The directories by controller, as runc's state has them: the v2 tree is the empty name, and
    /// `name=systemd` keeps its prefix.
    #[must_use]
    pub fn paths(&self) -> BTreeMap<String, PathBuf> {
        let entries = |dir: &CgroupDir| {
            let names = match dir.version {
                Version::V1 => dir.controllers.clone(),
                Version::V2 => vec![String::new()],
            };
            names.into_iter().map(|name| (name, dir.path.clone())).collect::<Vec<_>>()
        };
        self.dirs.iter().flat_map(entries).collect()
    }
}

impl Cgroup {
    /// Makes the directories of a plan; limits are not written yet ([`Cgroup::apply_limits`]).
    ///
    /// Parents that do not exist are made, version 1 cpusets are filled from their parents, version 2
    /// controllers are enabled in every ancestor.
    ///
    /// # Errors
    /// When a directory cannot be made, exists with processes in it or is frozen, or a needed controller
    /// cannot be enabled. What was made is removed again.
    pub fn create(plan: &CgroupPlan) -> Result<Self, Error> {
        Making::begin(plan)?.finish()
    }

    /// Existing cgroups, from what the state file kept. Nothing is touched or checked.
    #[must_use]
    pub fn load(saved: SavedCgroup) -> Self {
        Self { saved, made: Vec::new(), writes: Vec::new(), devices: None, undo: AtomicBool::new(false) }
    }

    /// What the state file keeps.
    #[must_use]
    pub fn saved(&self) -> SavedCgroup {
        self.saved.clone()
    }

    /// From now on somebody else (the state file) answers for the directories: dropping this no longer
    /// removes them.
    pub fn keep(&self) -> SavedCgroup {
        self.undo.store(false, Ordering::Relaxed);
        self.saved()
    }

    /// The container's directories; those left out of a rootless container are not among them.
    #[must_use]
    pub fn dirs(&self) -> &[CgroupDir] {
        &self.saved.dirs
    }

    /// Writes the plan's limits and device rules.
    ///
    /// # Errors
    /// The first one that the kernel refuses, with the field that asked for it.
    pub fn apply_limits(&self) -> Result<(), Error> {
        apply::writes(&self.saved.dirs, &self.writes)?;
        let Some(devices) = &self.devices else { return Ok(()) };
        let Some(dir) = self.saved.dirs.get(devices.dir) else { return Ok(()) };
        // systemd's own program, where it has one, says the same: both hold.
        let fresh = self.saved.unit.is_some() || self.made.contains(&dir.path);
        apply::device_program(&dir.path, &devices.program, fresh)
    }

    /// The directory whose hierarchy has `controller`.
    pub(crate) fn dir_with(&self, v1: &str, v2: &str) -> Option<&CgroupDir> {
        let has = |d: &&CgroupDir| match d.version {
            Version::V1 => d.controllers.iter().any(|c| c == v1),
            Version::V2 => d.controllers.iter().any(|c| c == v2),
        };
        let dirs = &self.saved.dirs;
        dirs.iter().find(|d| d.version == Version::V1 && has(d)).or_else(|| dirs.iter().find(has))
    }

    pub(crate) fn v1(&self, controller: &str) -> Option<&Path> {
        let has = |d: &&CgroupDir| d.version == Version::V1 && d.controllers.iter().any(|c| c == controller);
        self.saved.dirs.iter().find(has).map(|d| d.path.as_path())
    }

    pub(crate) fn v2(&self) -> Option<&Path> {
        self.saved.dirs.iter().find(|d| d.version == Version::V2).map(|d| d.path.as_path())
    }
}

/// Cgroups half-made: the version 2 directory, which a process can be born into. The others cost more, and
/// can be made while that process is busy already. Dropping it removes what was made.
///
/// ```no_run
/// # fn f(plan: &cofferdam_cgroup::CgroupPlan) -> Result<(), cofferdam_cgroup::Error> {
/// let making = cofferdam_cgroup::Making::begin(plan)?;
/// let born_in = making.open_v2_dir()?;
/// // clone3(CLONE_INTO_CGROUP, born_in)
/// let cgroup = making.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Making<'a> {
    maker: Maker<'a>,
    /// systemd, before it was asked for the plan's unit.
    asking: Option<systemd::Asking<'a>>,
    /// And after, with the process that is to be in it.
    asked: Option<(systemd::Asked<'a>, u32)>,
    /// Whether the unit is there and ours.
    unit: Option<SavedUnit>,
}

impl<'a> Making<'a> {
    /// Makes the version 2 directory, where the plan has one and it is not systemd's to make; then it connects
    /// to systemd.
    ///
    /// # Errors
    /// As [`Cgroup::create`], and when systemd cannot be reached.
    pub fn begin(plan: &'a CgroupPlan) -> Result<Self, Error> {
        let asking = plan.unit.as_ref().map(systemd::Asking::begin).transpose()?;
        let mut making = Self { maker: Maker::new(plan), asking, asked: None, unit: None };
        if plan.unit.is_none() {
            making.maker.all(Version::V2)?;
        }
        Ok(making)
    }

    /// Asks systemd for the plan's unit, with process `pid` in it, and does not wait: [`Making::finish`]
    /// does. Does nothing where the plan has no unit.
    ///
    /// # Errors
    /// When systemd does not let us in.
    pub fn ask(&mut self, pid: u32) -> Result<(), Error> {
        if let Some(asking) = self.asking.take() {
            self.asked = Some((systemd::Asked::ask(asking, pid)?, pid));
        }
        Ok(())
    }

    /// The version 2 directory for `CLONE_INTO_CGROUP` (Linux 5.7); none on a pure version 1 host.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_v2_dir(&self) -> Result<Option<OwnedFd>, Error> {
        let mut dirs = self.maker.taken.iter().filter_map(|t| self.maker.plan.dirs.get(*t));
        dirs.find(|d| d.version == Version::V2).map(|d| crate::join::open_dir(&d.path)).transpose()
    }

    /// Makes the others.
    ///
    /// # Errors
    /// As [`Cgroup::create`].
    pub fn finish(mut self) -> Result<Cgroup, Error> {
        self.settle()?;
        self.maker.all(Version::V1)?;
        let plan = self.maker.plan;
        let made = std::mem::take(&mut self.maker.made);
        let mut taken = std::mem::take(&mut self.maker.taken);
        taken.sort_unstable();
        // Writes keep pointing at their directories when others were left out.
        let index = |old: usize| taken.iter().position(|t| *t == old).unwrap_or(old);
        let writes = plan.writes.iter().map(|w| CgroupWrite { dir: index(w.dir), ..w.clone() }).collect();
        let devices = plan.devices.as_ref().filter(|d| taken.contains(&d.dir));
        let devices = devices.map(|d| DeviceProgram { dir: index(d.dir), program: d.program.clone() });
        let dirs: Vec<CgroupDir> = taken.iter().filter_map(|t| self.maker.dirs.get(*t).cloned()).collect();
        let is_leaf = |path: &PathBuf| dirs.iter().any(|d| d.path == *path);
        let parents = made.iter().filter(|p| !is_leaf(p)).cloned().collect();
        Ok(Cgroup {
            saved: SavedCgroup { mode: plan.mode, dirs, parents, unit: self.unit.take() },
            made,
            writes,
            devices,
            undo: AtomicBool::new(true),
        })
    }
}

impl Making<'_> {
    /// Waits for systemd, and takes over what it made.
    fn settle(&mut self) -> Result<(), Error> {
        let Some(unit) = &self.maker.plan.unit else { return Ok(()) };
        let Some((asked, pid)) = self.asked.take() else {
            return Err(Error::new("making the unit", &unit.name, "it needs a process to be in it")
                .hint("Making::ask comes before Making::finish"));
        };
        if asked.granted()? {
            self.unit = Some(SavedUnit { manager: unit.manager, name: unit.name.clone() });
        }
        self.maker.adopt(pid, &unit.name)?;
        if unit.name.ends_with(".slice") {
            // systemd puts no processes into slices.
            let dirs = self.maker.dirs.iter().filter(|d| d.version == Version::V2);
            dirs.map(|d| join::into(&d.path, pid)).collect::<Result<Vec<()>, Error>>()?;
        }
        Ok(())
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.maker.undo();
        if let Some(unit) = &self.unit {
            // The error is being returned already; without processes the unit ends by itself.
            let _ = systemd::stop(unit);
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.undo.load(Ordering::Relaxed) {
            // There is nobody left to tell; the state file's intention finds what stays.
            let _ = delete::all(&self.saved);
        }
    }
}
