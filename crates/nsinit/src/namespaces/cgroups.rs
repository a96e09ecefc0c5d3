//! SetupCgroups and EnterCgroups: for callers that start their processes by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_cgroup::{Cgroup, CgroupPlan, Hierarchies, PlanOptions, SavedCgroup};
use cofferdam_oci::Resources;

use crate::{Config, State, lower};

/// libcontainer's `SetupCgroups`: makes the configuration's cgroups with their limits, puts the process into
/// them and gives their directories by controller; none where the configuration has no cgroups.
///
/// They are the caller's from then on: [`remove_cgroups`]. [`super::exec`] needs none of this.
///
/// # Errors
/// All limits that this host cannot keep; a cgroup that cannot be made, or has processes already.
///
/// ```no_run
/// # fn f(config: &cofferdam_nsinit::Config, process: &std::process::Child) -> cofferdam::Result<()> {
/// use cofferdam_nsinit::namespaces::{remove_cgroups, setup_cgroups};
/// let paths = setup_cgroups(config, process.id())?;
/// println!("{:?}", paths.get("memory"));
/// // Once the process has ended:
/// remove_cgroups(&paths)?;
/// # Ok(())
/// # }
/// ```
pub fn setup_cgroups(config: &Config, pid: u32) -> Result<BTreeMap<String, PathBuf>> {
    let Some(wanted) = &config.cgroups else { return Ok(BTreeMap::new()) };
    let resources = lower::resources(config, wanted).map_err(Error::rejected)?;
    let nodes = config.mount_config.iter().flat_map(|m| &m.device_nodes);
    let cgroup = Cgroup::create(&plan(wanted, &resources, nodes.map(|node| node.path.clone()).collect())?)?;
    cgroup.apply_limits()?;
    cgroup.join(pid)?;
    Ok(cgroup.keep().paths())
}

/// The cgroups of a name and a parent, whoever made them: to be measured, stopped or removed. Limits of `wanted` mean
/// nothing here.
///
/// # Errors
/// [`ErrorKind::NotFound`] when there are none.
///
/// ```no_run
/// use cofferdam_nsinit::{Cgroup, namespaces::find_cgroups};
/// let wanted = Cgroup { name: "box".into(), parent: "docker".into(), ..Cgroup::default() };
/// println!("{:?}", find_cgroups(&wanted)?.pids(true)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn find_cgroups(wanted: &crate::Cgroup) -> Result<Cgroup> {
    let plan = plan(wanted, &Resources::default(), Vec::new())?;
    if !plan.dirs.iter().any(|dir| dir.path.is_dir()) {
        return Err(Error::new(ErrorKind::NotFound, "finding the cgroup")
            .with_object(wanted.path().unwrap_or_default()));
    }
    Ok(Cgroup::load(SavedCgroup::intended(&plan)))
}

fn plan(wanted: &crate::Cgroup, resources: &Resources, device_paths: Vec<String>) -> Result<CgroupPlan> {
    let options = PlanOptions { ignore_v1_only: true, device_paths, ..PlanOptions::default() };
    let (hierarchies, path) = (Hierarchies::detect()?, wanted.path());
    cofferdam_cgroup::plan(&hierarchies, path.as_deref(), &wanted.name, resources, &options)
        .map_err(Error::rejected)
}

/// libcontainer's `EnterCgroups`: puts a process into the cgroups of a container.
///
/// # Errors
/// `ESRCH` when the process has ended or there is no right to it. Directories that are gone
/// are passed over, as libcontainer does.
///
/// ```no_run
/// # fn f(process: &std::process::Child) -> cofferdam::Result<()> {
/// use cofferdam_nsinit::{State, namespaces::enter_cgroups};
/// enter_cgroups(&State::get("/var/lib/box".as_ref())?, process.id())
/// # }
/// ```
pub fn enter_cgroups(state: &State, pid: u32) -> Result<()> {
    for dir in directories(&state.cgroup_paths).iter().filter(|dir| dir.exists()) {
        let file = dir.join("cgroup.procs");
        fs::write(&file, pid.to_string()).map_err(|e| Error::io("moving the process into", dir, &e))?;
    }
    Ok(())
}

/// libcontainer's `cgroups.RemovePaths`: removes the directories that [`setup_cgroups`] made.
///
/// # Errors
/// `EBUSY` when there are processes in them for a second still.
///
/// ```
/// // Nothing to remove.
/// cofferdam_nsinit::namespaces::remove_cgroups(&Default::default()).unwrap();
/// ```
pub fn remove_cgroups(paths: &BTreeMap<String, PathBuf>) -> Result<()> {
    const TRIES: u32 = 100;
    for dir in directories(paths) {
        let mut tries = 0;
        while let Err(e) = fs::remove_dir(&dir) {
            match e.kind() {
                std::io::ErrorKind::NotFound => break,
                std::io::ErrorKind::ResourceBusy if tries < TRIES => sleep(Duration::from_millis(10)),
                _ => return Err(Error::io("removing the cgroup", &dir, &e)),
            }
            tries += 1;
        }
    }
    Ok(())
}

/// Controllers may share one.
fn directories(paths: &BTreeMap<String, PathBuf>) -> BTreeSet<PathBuf> {
    paths.values().cloned().collect()
}
