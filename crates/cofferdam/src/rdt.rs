//! Resource director technology: directories of resctrl that the parent makes, fills and removes.
//!
//! See the kernel's Documentation/filesystems/resctrl.rst.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_oci::{IntelRdt, Pointer};
use cofferdam_plan::RdtPlan;

use crate::container::Container;
use crate::{Error, ErrorKind, Result};

/// The directories that will be the container's own: those that are not there yet.
pub(crate) fn directories(plan: Option<&RdtPlan>, id: &str) -> Vec<PathBuf> {
    let Some(plan) = plan else { return Vec::new() };
    let class = plan.resctrl.join(&plan.clos_id);
    let mut own = Vec::new();
    if plan.monitoring {
        own.push(class.join("mon_groups").join(id));
    }
    if !class.exists() && !plan.must_exist {
        own.push(class);
    }
    own
}

/// Puts the process into its class and monitoring group.
pub(crate) fn apply(plan: Option<&RdtPlan>, pid: i32) -> Result<()> {
    let Some(plan) = plan else { return Ok(()) };
    let class = plan.resctrl.join(&plan.clos_id);
    let at = Pointer::new("/linux/intelRdt");
    if !class.is_dir() {
        if plan.must_exist {
            return Err(Error::new(ErrorKind::Host, "the class of service does not exist:")
                .with_object(class.display().to_string())
                .with_pointer(&at.key("closID")));
        }
        fs::create_dir(&class)
            .map_err(|e| Error::io("making", &class, &e).with_pointer(&at.key("closID")))?;
    }
    if !plan.schemata.is_empty() {
        let text: String = plan.schemata.iter().map(|line| format!("{line}\n")).collect();
        put(&class.join("schemata"), &text, &at.key("schemata"))?;
    }
    put(&class.join("tasks"), &pid.to_string(), &at)
}

fn put(path: &Path, text: &str, pointer: &Pointer) -> Result<()> {
    fs::write(path, text).map_err(|e| Error::io("writing", path, &e).with_pointer(pointer))
}

impl Container {
    /// Changes the schemata of its class of service: what `asked` gives of `l3CacheSchema`, `memBwSchema` and
    /// `schemata`; the rest of it is not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::Host`] where resctrl is not mounted, [`ErrorKind::WrongState`] when it was made without
    /// `linux.intelRdt` and so is in a class with others; what the kernel does not take.
    pub fn update_rdt(&self, asked: &IntelRdt) -> Result<()> {
        let at = Pointer::new("/linux/intelRdt");
        let lines = cofferdam_plan::rdt_schemata(asked).map_err(Error::rejected)?;
        let resctrl = crate::facts::resctrl().ok_or_else(|| {
            Error::new(ErrorKind::Host, "resctrl is not mounted")
                .with_hint("mount -t resctrl resctrl /sys/fs/resctrl")
        })?;
        let Some(own) = self.spec()?.linux.and_then(|l| l.intel_rdt) else {
            return Err(self
                .wrong_state("the container has no class of service of its own")
                .with_hint("set linux.intelRdt in config.json"));
        };
        let class = own.clos_id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.id.to_string());
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        put(&resctrl.join(class).join("schemata"), &text, &at.key("schemata"))
    }
}

/// Removes what was the container's own.
pub(crate) fn remove(directories: &[PathBuf]) -> Result<()> {
    for dir in directories {
        match fs::remove_dir(dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("removing", dir, &e)),
            _ => {}
        }
    }
    Ok(())
}
