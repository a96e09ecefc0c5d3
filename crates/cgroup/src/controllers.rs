//! Handing version 2 controllers down to a container's cgroup.
//!
//! Called while a cgroup is made. A controller is there only when every ancestor's
//! `cgroup.subtree_control` names it; that is read before it is written, since most of them do already.

use std::io;
use std::path::{Path, PathBuf};

use cofferdam_sys::Errno;

use crate::error::Error;
use crate::file;
use crate::hierarchy::Mode;
use crate::plan::{CgroupDir, CgroupPlan};

/// A controller that could not be enabled: where, and what the kernel said.
struct Refused {
    controller: String,
    path: PathBuf,
    error: io::Error,
}

/// What a write to `dir` needs: the file's prefix, and who asked.
fn needed(plan: &CgroupPlan, index: usize) -> Vec<(&str, &str)> {
    let core = |file: &str| file.starts_with("cgroup.") || file.ends_with(".pressure");
    let writes = plan.writes.iter().filter(|w| w.dir == index && !core(&w.file));
    writes.filter_map(|w| Some((w.file.split_once('.')?.0, w.pointer.as_str()))).collect()
}

/// On a pure version 2 host all controllers are enabled, as runc and crun do, so that they can be
/// measured and updated later; in a hybrid tree only those that a limit needs.
pub(crate) fn enable(plan: &CgroupPlan, index: usize, dir: &CgroupDir) -> Result<(), Error> {
    let needed = needed(plan, index);
    let wanted: Vec<&str> = if plan.mode == Mode::V2 {
        dir.controllers.iter().map(String::as_str).collect()
    } else {
        needed.iter().map(|(name, _)| *name).collect()
    };
    if wanted.is_empty() {
        return Ok(());
    }
    let mut missing = lacking(dir, &wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    let refused = walk(dir, &missing, &needed);
    missing = lacking(dir, &wanted)?;
    thread(dir, &missing, &needed)?;
    match needed.iter().find(|(name, _)| missing.contains(name)) {
        None => Ok(()),
        Some((name, pointer)) => Err(explain(dir, name, refused).asked_by(pointer)),
    }
}

fn words(path: &Path) -> io::Result<Vec<String>> {
    Ok(file::read(path)?.split_whitespace().map(String::from).collect())
}

fn lacking<'w>(dir: &CgroupDir, wanted: &[&'w str]) -> Result<Vec<&'w str>, Error> {
    let path = dir.path.join("cgroup.controllers");
    let present = words(&path).map_err(|e| Error::io("reading the controllers", &path, &e))?;
    Ok(wanted.iter().copied().filter(|w| !present.iter().any(|p| p == w)).collect())
}

/// From the mount point down to the parent.
fn walk(dir: &CgroupDir, missing: &[&str], needed: &[(&str, &str)]) -> Vec<Refused> {
    let mut refused = Vec::new();
    let mut above: Vec<&Path> =
        dir.path.ancestors().skip(1).take_while(|p| p.starts_with(&dir.mount_point)).collect();
    above.reverse();
    for path in above {
        let offered = words(&path.join("cgroup.controllers")).unwrap_or_default();
        let control = path.join("cgroup.subtree_control");
        let enabled = words(&control).unwrap_or_default();
        let has = |list: &[String], name: &str| list.iter().any(|l| l == name);
        let to_enable: Vec<String> = missing
            .iter()
            .filter(|m| has(&offered, m) && !has(&enabled, m))
            .map(|m| format!("+{m}"))
            .collect();
        if to_enable.is_empty() {
            continue;
        }
        let Err(whole) = file::write(&control, &to_enable.join(" ")) else { continue };
        // All or nothing failed: then what can be had alone. But a cgroup with processes would take the
        // controllers that work on threads, and be a threaded domain from then on, its children unfit
        // for anything else: that is done only for limits that need no more than it.
        let populated = file::is(&whole, Errno::EBUSY);
        let alone = needed.iter().all(|(name, _)| THREADED.contains(name));
        for one in to_enable {
            let controller = one.trim_start_matches('+').to_owned();
            let asked = needed.iter().any(|(name, _)| *name == controller);
            if populated && !(alone && asked) {
                let error = io::Error::from_raw_os_error(Errno::EBUSY.0);
                refused.push(Refused { controller, path: control.clone(), error });
            } else if let Err(error) = file::write(&control, &one) {
                refused.push(Refused { controller, path: control.clone(), error });
            }
        }
    }
    refused
}

/// Controllers that work on threads, so may be used in a threaded subtree (cgroups(7), "Thread mode").
const THREADED: [&str; 4] = ["cpu", "cpuset", "pids", "perf_event"];

/// Below a threaded cgroup a new one is "domain invalid" and takes no process until it is threaded too.
fn thread(dir: &CgroupDir, missing: &[&str], needed: &[(&str, &str)]) -> Result<(), Error> {
    let domain_lacks = missing.iter().any(|m| !THREADED.contains(m));
    let path = dir.path.join("cgroup.type");
    if !domain_lacks || needed.iter().any(|(name, _)| !THREADED.contains(name)) {
        return Ok(());
    }
    match file::read(&path) {
        Ok(kind) if kind.trim() == "domain invalid" => {
            file::write(&path, "threaded").map_err(|e| Error::io("making the cgroup threaded", &path, &e))
        }
        _ => Ok(()),
    }
}

fn explain(dir: &CgroupDir, name: &str, refused: Vec<Refused>) -> Error {
    let step = format!("enabling the controller {name} in");
    let Some(refusal) = refused.into_iter().find(|r| r.controller == name) else {
        let kind = file::read(&dir.path.join("cgroup.type")).unwrap_or_default();
        let hint = if kind.trim() == "domain" {
            "an ancestor does not get it from its own parent: let systemd delegate it (Delegate=), or choose another cgroupsPath"
        } else {
            "an ancestor is threaded, and threaded cgroups have cpu, cpuset and pids only: choose another cgroupsPath"
        };
        return Error::new(step, &dir.path, "no ancestor offers it").hint(hint);
    };
    let error = Error::io(step, &refusal.path, &refusal.error);
    let errno = |e: Errno| file::is(&refusal.error, e);
    if errno(Errno::EBUSY) {
        return error.hint(
            "the cgroup has processes of its own, and cgroup v2 gives controllers only to the children of a cgroup \
             without: move them into a child, or choose another cgroupsPath",
        );
    }
    if errno(Errno::EOPNOTSUPP) {
        return error.hint(
            "the cgroup is threaded, or the root of a threaded subtree, which has cpu, cpuset and pids only: \
             choose another cgroupsPath",
        );
    }
    if errno(Errno::EACCES) || errno(Errno::EPERM) || errno(Errno::EROFS) {
        return error
            .hint("this user may not: let systemd delegate the controller (Delegate=), or run as root");
    }
    if errno(Errno::EINVAL) && name == "cpu" {
        return error
            .hint("processes with a real-time schedule keep cpu from being enabled: move them to the root");
    }
    error
}
