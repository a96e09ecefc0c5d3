//! Changing the limits of a running container.
//!
//! Called by the library for update. Where one file holds two limits, or one limit is counted from
//! another, what the update leaves out is read from the cgroup. It may not change device rules.

use std::path::Path;

use cofferdam_oci::Resources;

use crate::apply;
use crate::cgroup::Cgroup;
use crate::error::UpdateError;
use crate::file;
use crate::hierarchy::Mode;
use crate::plan::{Version, plan_update};
use crate::systemd;

impl Cgroup {
    /// Sets what `resources` mentions and leaves the rest; device rules are not part of an update, as in
    /// runc.
    ///
    /// # Errors
    /// [`UpdateError::Rejected`] before anything is written, with pointers into `resources`;
    /// [`UpdateError::Failed`] at the first write that the kernel refuses.
    pub fn update(&self, resources: &Resources) -> Result<(), UpdateError> {
        let mut resources = resources.clone();
        if let Some(path) = self.v2_with("cpu") {
            keep_quota(&mut resources, path);
        }
        if let Some(path) = self.v2_with("memory") {
            keep_memory_limit(&mut resources, path);
        }
        let writes = plan_update(&self.saved.dirs, &resources).map_err(UpdateError::Rejected)?;
        if let Some(unit) = &self.saved.unit {
            apply::check_all(&self.saved.dirs, &writes)?;
            let version = if self.saved.mode == Mode::V2 { Version::V2 } else { Version::V1 };
            // What the kernel refuses changes no unit; and systemd rounds what it then writes itself, so once more below.
            apply::writes(&self.saved.dirs, &writes)?;
            systemd::set(unit, &systemd::update(&resources, version))?;
        }
        apply::writes(&self.saved.dirs, &writes)?;
        Ok(())
    }

    fn v2_with(&self, controller: &str) -> Option<&Path> {
        let dir = self.dir_with(controller, controller)?;
        (dir.version == Version::V2).then_some(dir.path.as_path())
    }
}

/// `cpu.max` is quota and period; the one that is not mentioned stays.
fn keep_quota(resources: &mut Resources, path: &Path) {
    let Some(cpu) = &mut resources.cpu else { return };
    let wants = |value: bool, other: bool| value && !other;
    let (quota, period) = (cpu.quota.is_some_and(|q| q != 0), cpu.period.is_some_and(|p| p != 0));
    if !wants(quota, period) && !wants(period, quota) {
        return;
    }
    let text = file::read(&path.join("cpu.max")).unwrap_or_default();
    let mut words = text.split_whitespace();
    let (old_quota, old_period) = (words.next(), words.next());
    if quota {
        cpu.period = old_period.and_then(|p| p.parse().ok());
    } else {
        cpu.quota = old_quota.and_then(|q| q.parse().ok());
    }
}

/// Memory and swap together become swap alone, for which the memory limit has to be known.
fn keep_memory_limit(resources: &mut Resources, path: &Path) {
    let Some(memory) = &mut resources.memory else { return };
    if memory.swap.is_some_and(|s| s > 0) && memory.limit.unwrap_or(0) == 0 {
        let text = file::read(&path.join("memory.max")).unwrap_or_default();
        memory.limit = text.trim().parse().ok();
    }
}
