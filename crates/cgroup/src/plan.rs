//! The plan: directories, writes and a device program, as plain data.
//!
//! Called by the library before anything is created, and by whoever wants to print what would happen.
//! Pure given the [`Hierarchies`]: it may not read a file or ask the kernel.

use std::path::PathBuf;

use cofferdam_oci::{Pointer, Reject, Resources};
use serde::{Deserialize, Serialize};

use crate::devices::{self, DeviceProgram};
use crate::hierarchy::{Hierarchies, Mode, V1Hierarchy, V2Hierarchy};
use crate::limits::Limits;
use crate::path::{self, Inner};
use crate::systemd::{self, Manager, Name, SystemdOptions, UnitPlan};

/// Which cgroup interface a directory has.
///
/// ```
/// assert_ne!(cofferdam_cgroup::Version::V1, cofferdam_cgroup::Version::V2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// cgroups(7), "Cgroups version 1".
    V1,
    /// cgroups(7), "Cgroups version 2".
    V2,
}

/// The container's cgroup in one hierarchy.
///
/// ```
/// use cofferdam_cgroup::{Hierarchies, PlanOptions, plan};
/// let h = Hierarchies::parse(b"31 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", b"0::/\n");
/// let plan = plan(&h, Some("/a"), "id", &Default::default(), &PlanOptions::default()).unwrap();
/// assert_eq!(plan.dirs[0].path, std::path::Path::new("/sys/fs/cgroup/a"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupDir {
    /// Which interface its files have.
    pub version: Version,
    /// Version 1: its controllers, or `name=systemd`. Version 2: what the tree could offer.
    pub controllers: Vec<String>,
    /// Where the hierarchy is mounted; nothing above it is ever touched.
    pub mount_point: PathBuf,
    /// Which directory of the hierarchy is mounted there.
    pub mount_root: PathBuf,
    /// The directory.
    pub path: PathBuf,
    /// It is left out when it may not be made (rootless, and nothing asks for it).
    pub may_lack: bool,
}

/// One value for one file.
///
/// ```
/// use cofferdam_cgroup::CgroupWrite;
/// let w = CgroupWrite::new(0, "pids.max", "100", "/linux/resources/pids/limit");
/// assert_eq!(w.to_string(), "pids.max = 100");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupWrite {
    /// Index into [`CgroupPlan::dirs`].
    pub dir: usize,
    /// The file's name.
    pub file: String,
    /// What is written, in one write(2).
    pub value: String,
    /// The JSON pointer of the field that asks for it.
    pub pointer: String,
    /// Another file and value, where the first file does not exist.
    pub alias: Option<(String, String)>,
    /// That neither file exists is no failure.
    pub may_lack: bool,
    /// `EINVAL` may come from the order of two limits: then it is written again after the others.
    pub again: bool,
    /// Refused unless this file's number is less than the given one (`checkBeforeUpdate`).
    pub above: Option<(String, u64)>,
}

impl CgroupWrite {
    /// A write without a second chance.
    #[must_use]
    pub fn new(dir: usize, file: &str, value: impl Into<String>, pointer: &str) -> Self {
        Self { dir, file: file.into(), value: value.into(), pointer: pointer.into(), ..Self::default() }
    }
}

impl std::fmt::Display for CgroupWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.file, self.value)
    }
}

/// A field that has no effect here, and why.
///
/// ```
/// use cofferdam_cgroup::Ignored;
/// let i = Ignored { pointer: "/linux/resources/memory/kernel".into(), reason: "gone".into() };
/// assert_eq!(i.to_string(), "/linux/resources/memory/kernel is ignored: gone");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// The field.
    pub pointer: String,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for Ignored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is ignored: {}", self.pointer, self.reason)
    }
}

/// Everything that will be done to cgroups for one container.
///
/// ```
/// use cofferdam_cgroup::{Hierarchies, PlanOptions, plan};
/// let h = Hierarchies::parse(b"31 1 0:30 / /c/pids rw - cgroup cgroup rw,pids\n", b"1:pids:/\n");
/// let r = serde_json::from_str(r#"{"pids":{"limit":5}}"#).unwrap();
/// let options = PlanOptions { rootless: true, ..Default::default() };
/// let plan = plan(&h, Some("/a"), "id", &r, &options).unwrap();
/// assert_eq!(plan.writes[0].to_string(), "pids.max = 5");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CgroupPlan {
    /// How cgroups are mounted.
    pub mode: Mode,
    /// The directories, one per hierarchy.
    pub dirs: Vec<CgroupDir>,
    /// The writes, in order.
    pub writes: Vec<CgroupWrite>,
    /// The device program of version 2; version 1 has its rules among the writes.
    pub devices: Option<DeviceProgram>,
    /// Fields that have no effect here.
    pub ignored: Vec<Ignored>,
    /// The unit whose cgroup it is, where systemd makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitPlan>,
}

/// What the plan must know besides the document.
///
/// ```
/// let o = cofferdam_cgroup::PlanOptions { rootless: true, ..Default::default() };
/// assert!(!o.ignore_v1_only);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// The caller is not the host's root: cgroups that cannot be made are left out unless a limit or a
    /// `cgroupsPath` asks for them, and device rules are left out.
    pub rootless: bool,
    /// On version 2, ignore fields that only version 1 can obey (swappiness, the OOM killer, real-time,
    /// leaf weights, network) as runc does, instead of rejecting them as the specification says.
    pub ignore_v1_only: bool,
    /// Paths in `linux.devices`: a default device of the same path is not allowed on its own.
    pub device_paths: Vec<String>,
    /// systemd makes the cgroup, as a unit's: `cgroupsPath` is then `SLICE:PREFIX:NAME`.
    pub systemd: Option<SystemdOptions>,
}

/// Decides everything that will be done to cgroups for the container `id`.
///
/// # Errors
/// Every field that cannot be obeyed, each with its JSON pointer below `/linux`. A limit whose
/// controller this host lacks is among them; a controller that nothing asks for may be absent.
///
/// ```
/// use cofferdam_cgroup::{Hierarchies, PlanOptions, plan};
/// let h = Hierarchies::parse(b"31 1 0:30 / /c rw - cgroup2 cgroup2 rw\n", b"0::/\n");
/// let r = serde_json::from_str(r#"{"memory":{"limit":5}}"#).unwrap();
/// let rejects = plan(&h, None, "id", &r, &PlanOptions::default()).unwrap_err();
/// assert_eq!(rejects[0].pointer.as_str(), "/linux/resources/memory/limit");
/// assert!(rejects[0].host);
/// ```
pub fn plan(
    hierarchies: &Hierarchies,
    cgroups_path: Option<&str>,
    id: &str,
    resources: &Resources,
    options: &PlanOptions,
) -> Result<CgroupPlan, Vec<Reject>> {
    let mut rejects = Vec::new();
    let mut name = None;
    // A wrong path does not keep the limits from being judged too.
    let inner = match &options.systemd {
        Some(systemd) => inside_unit(hierarchies, cgroups_path, id, systemd).map(|(unit, inner)| {
            name = Some(unit);
            inner
        }),
        None => path::inner(cgroups_path, id),
    };
    let inner = inner.or_else(|reject| {
        rejects.push(reject);
        path::inner(None, "rejected")
    });
    let Ok(inner) = inner else { return Err(rejects) };
    let mut dirs = dirs(hierarchies, &inner);
    let base = Pointer::new("/linux/resources");
    let mut limits = Limits::new(&dirs, base.clone(), options.ignore_v1_only, false);
    limits.all(resources);
    let asked: Vec<usize> = limits.writes.iter().map(|w| w.dir).collect();
    let (devices, set) = devices::plan(&mut limits, &resources.devices, options);
    let Limits { writes, rejects: more, ignored, .. } = limits;
    rejects.extend(more);
    let version = if hierarchies.mode == Mode::V2 { Version::V2 } else { Version::V1 };
    let unit = name.zip(options.systemd.as_ref());
    let unit = unit.map(|(name, o)| systemd::plan(name, resources, set.as_ref(), version, id, o)).transpose();
    let unit = unit.unwrap_or_else(|more| {
        rejects.extend(more);
        None
    });
    if !rejects.is_empty() {
        return Err(rejects);
    }
    let named = cgroups_path.is_some_and(|p| !p.is_empty()) || unit.is_some();
    for (index, dir) in dirs.iter_mut().enumerate() {
        dir.may_lack = options.rootless && !named && !asked.contains(&index);
    }
    Ok(CgroupPlan { mode: hierarchies.mode, dirs, writes, devices, ignored, unit })
}

/// The unit, and its cgroup in every hierarchy.
fn inside_unit(
    hierarchies: &Hierarchies,
    cgroups_path: Option<&str>,
    id: &str,
    options: &SystemdOptions,
) -> Result<(Name, Inner), Reject> {
    if options.manager == Manager::User && hierarchies.mode != Mode::V2 {
        let pointer = Pointer::new("/linux/cgroupsPath");
        let what = "a user's systemd has no rights to cgroup v1, which this host uses";
        return Err(Reject::host(pointer, what).hint("leave out --systemd-cgroup"));
    }
    let name = Name::parse(cgroups_path, id, options.manager)?;
    let inner = Inner::absolute(systemd::above(hierarchies, options).join(&name.path));
    Ok((name, inner))
}

/// Decides what an update of existing cgroups writes; pointers are those of the update's own document.
/// Device rules are not part of an update, as in runc.
///
/// # Errors
/// Every field that cannot be obeyed.
///
/// ```
/// let r = serde_json::from_str(r#"{"pids":{"limit":5}}"#).unwrap();
/// assert!(cofferdam_cgroup::plan_update(&[], &r).unwrap_err()[0].host);
/// ```
pub fn plan_update(dirs: &[CgroupDir], resources: &Resources) -> Result<Vec<CgroupWrite>, Vec<Reject>> {
    let mut limits = Limits::new(dirs, Pointer::root(), false, true);
    limits.all(resources);
    if limits.rejects.is_empty() { Ok(limits.writes) } else { Err(limits.rejects) }
}

fn dirs(hierarchies: &Hierarchies, inner: &Inner) -> Vec<CgroupDir> {
    let v1 =
        hierarchies.v1.iter().filter(|h| !h.controllers.is_empty() || h.name.as_deref() == Some("systemd"));
    let v1 = v1.map(|h: &V1Hierarchy| CgroupDir {
        version: Version::V1,
        controllers: match &h.name {
            Some(name) if h.controllers.is_empty() => vec![format!("name={name}")],
            _ => h.controllers.clone(),
        },
        mount_point: h.mount_point.clone(),
        mount_root: h.mount_root.clone(),
        path: inner.in_v1(h),
        may_lack: false,
    });
    let v2 = hierarchies.v2.iter().map(|h: &V2Hierarchy| CgroupDir {
        version: Version::V2,
        controllers: h.controllers.clone(),
        mount_point: h.mount_point.clone(),
        mount_root: h.mount_root.clone(),
        path: inner.in_v2(h, hierarchies.mode),
        may_lack: false,
    });
    v1.chain(v2).collect()
}
