//! `Stats`: what a container uses, as containerd's metrics of the host's cgroup version.
//!
//! Called by `service`. What the host does not count is zero there.

mod v1;
mod v2;

use cofferdam::{Container, Result};
use containerd_shim_protos::protobuf::well_known_types::any::Any;

use crate::events::pack;

/// Measures it.
pub(crate) fn of(container: &Container) -> Result<Any> {
    let usage = container.usage()?;
    // A hybrid host is one of version 1, as for runc.
    if container.cgroup_paths().keys().any(|controller| !controller.is_empty()) {
        return Ok(pack("io.containerd.cgroups.v1", &v1::metrics(&usage)));
    }
    let (events, swap) = v2::memory_files(container);
    Ok(pack("io.containerd.cgroups.v2", &v2::metrics(&usage, events, swap)))
}

/// The name of a block device's file, as far as the kernel says it.
fn device(major: u64, minor: u64) -> String {
    let uevent =
        std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/uevent")).unwrap_or_default();
    let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    name.map(|name| format!("/dev/{name}")).unwrap_or_default()
}
