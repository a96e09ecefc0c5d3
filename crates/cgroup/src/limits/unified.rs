//! `resources.unified`: files of version 2 as they are.
//!
//! Called by [`super::Limits`], last.

use std::collections::BTreeMap;

use cofferdam_oci::{Pointer, Reject};

use super::Limits;
use crate::convert;
use crate::plan::Version;

/// Files that do something instead of limiting something.
const NOT_LIMITS: [&str; 5] =
    ["cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.subtree_control"];

pub(super) fn limits(out: &mut Limits<'_>, unified: &BTreeMap<String, String>) {
    let at = out.base.key("unified");
    let v2 = out.dirs.iter().position(|d| d.version == Version::V2);
    for (file, value) in unified {
        let pointer = at.key(file);
        if !convert::is_file_name(file) {
            out.reject(&pointer, format!("{file:?} is not a cgroup file's name (CONTROLLER.PARAMETER)"));
        } else if NOT_LIMITS.contains(&file.as_str()) {
            out.reject(&pointer, format!("{file:?} is not a limit"));
        } else if value.bytes().any(|b| b == 0) {
            out.reject(&pointer, "the value has a NUL character");
        } else if let Some(dir) = v2 {
            one(out, dir, file, value, &pointer);
        } else {
            let reject = Reject::host(
                pointer,
                "invalid configuration: this host has cgroup v1 only, and unified is for cgroup v2",
            );
            out.rejects.push(reject.hint("use the version-neutral fields of /linux/resources"));
        }
    }
}

/// Each line is a write of its own: that is how nested keyed files (`io.max`) want it.
fn one(out: &mut Limits<'_>, dir: usize, file: &str, value: &str, pointer: &Pointer) {
    let controller = file.split('.').next().unwrap_or_default();
    // cgroup.* and pressure files belong to the core.
    let core = controller == "cgroup" || file.ends_with(".pressure");
    let has = |name: &str| out.dirs.get(dir).is_some_and(|d| d.controllers.iter().any(|c| c == name));
    if !core && !has(controller) {
        out.lacking(pointer, controller, "invalid configuration: ");
        return;
    }
    for line in value.lines().filter(|line| !line.is_empty()) {
        out.put(dir, file, line, pointer);
    }
}
