//! `cgroups`, and the device nodes that go with its rules.

use cofferdam_oci::{Cpu, Device as OciDevice, DeviceRule, Memory, Pointer, Reject, Resources};

use super::Findings;
use crate::{Cgroup, Config, Device};

/// Path and limits of a container that has cgroups of its own.
pub(super) fn cgroups(config: &Config, findings: &mut Findings) -> (Option<String>, Option<Resources>) {
    let Some(cgroup) = &config.cgroups else { return (None, None) };
    (cgroup.path(), Some(limits(cgroup, findings)))
}

/// The limits alone.
pub(crate) fn resources(cgroup: &Cgroup) -> Result<Resources, Vec<Reject>> {
    let mut findings = Findings::default();
    let limits = limits(cgroup, &mut findings);
    if findings.0.is_empty() { Ok(limits) } else { Err(findings.0) }
}

fn limits(cgroup: &Cgroup, findings: &mut Findings) -> Resources {
    let at = Pointer::new("/cgroups");
    if cgroup.path().is_none() {
        findings.wrong(at.key("name"), "empty: the container would be in its parent's cgroup");
    }
    match cgroup.freezer.as_str() {
        "" | "THAWED" => {}
        "FROZEN" => findings.wrong(at.key("freezer"), "a container that starts frozen never runs"),
        other => findings.wrong(at.key("freezer"), format!("{other:?} is neither FROZEN nor THAWED")),
    }
    Resources {
        devices: rules(cgroup, findings),
        memory: memory(cgroup),
        cpu: cpu(cgroup),
        ..Resources::default()
    }
}

/// 0 is what libcontainer does not write.
fn set<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn memory(c: &Cgroup) -> Option<Memory> {
    let swap = match c.memory_swap {
        0 => set(c.memory.saturating_mul(2)),
        swap => set(swap.max(0)),
    };
    let memory =
        Memory { limit: set(c.memory), reservation: set(c.memory_reservation), swap, ..Memory::default() };
    set(memory)
}

fn cpu(c: &Cgroup) -> Option<Cpu> {
    set(Cpu {
        shares: set(c.cpu_shares),
        quota: set(c.cpu_quota),
        period: set(c.cpu_period),
        cpus: set(c.cpuset_cpus.clone()),
        mems: set(c.cpuset_mems.clone()),
        ..Cpu::default()
    })
}

fn rules(cgroup: &Cgroup, findings: &mut Findings) -> Vec<DeviceRule> {
    let all = |allow| DeviceRule { allow, access: Some("rwm".to_owned()), ..DeviceRule::default() };
    if cgroup.allow_all_devices {
        return vec![all(true)];
    }
    let mut rules = vec![all(false)];
    for (index, device) in cgroup.allowed_devices.iter().enumerate() {
        let at = Pointer::new("/cgroups/allowed_devices").index(index);
        let kind = letter(device, &at, findings);
        rules.push(DeviceRule {
            allow: true,
            kind: Some(kind),
            major: Some(device.major_number),
            minor: Some(device.minor_number),
            access: Some(device.cgroup_permissions.clone()),
        });
    }
    rules
}

/// The nodes of `mount_config.device_nodes`.
pub(super) fn devices(config: &Config, findings: &mut Findings) -> Vec<OciDevice> {
    let nodes = config.mount_config.as_ref().map_or(&[][..], |m| &m.device_nodes);
    let list = Pointer::new("/mount_config/device_nodes");
    let mut devices = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        devices.push(OciDevice {
            kind: letter(node, &list.index(index), findings),
            path: node.path.clone(),
            major: node.major_number,
            minor: node.minor_number,
            file_mode: Some(node.file_mode & 0o7777),
            uid: Some(node.uid),
            gid: Some(node.gid),
        });
    }
    devices
}

fn letter(device: &Device, at: &Pointer, findings: &mut Findings) -> String {
    device.letter().map_or_else(
        || {
            findings.wrong(at.key("type"), format!("{} is not the number of c, b, u or p", device.kind));
            String::new()
        },
        String::from,
    )
}
