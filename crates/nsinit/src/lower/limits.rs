//! `cgroups`, and the device nodes that go with its rules.

use cofferdam_oci::{
    Cpu, Device as OciDevice, DeviceRule, HugepageLimit, InterfacePriority, Memory, NetworkResources,
    Pointer, Reject, Resources,
};

use super::{Findings, blkio};
use crate::{Cgroup, Config, Device};

/// Path and limits of a container that has cgroups of its own.
pub(super) fn cgroups(config: &Config, findings: &mut Findings) -> (Option<String>, Option<Resources>) {
    let Some(cgroup) = &config.cgroups else { return (None, None) };
    (cgroup.path(), Some(limits(cgroup, findings)))
}

/// The limits alone.
pub(crate) fn resources(config: &Config, cgroup: &Cgroup) -> Result<Resources, Vec<Reject>> {
    let mut findings = Findings::default();
    let limits = limits(cgroup, &mut findings);
    findings.finish(config, limits).whole()
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
    let pages = |limit: &crate::HugepageLimit| HugepageLimit {
        page_size: limit.page_size.clone(),
        limit: limit.limit,
    };
    Resources {
        devices: rules(cgroup, findings),
        memory: memory(cgroup),
        cpu: cpu(cgroup),
        block_io: blkio::block_io(cgroup, findings),
        hugepage_limits: cgroup.hugetlb_limit.iter().map(pages).collect(),
        network: network(cgroup, findings),
        ..Resources::default()
    }
}

/// 0 is what libcontainer does not write.
pub(super) fn set<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn memory(c: &Cgroup) -> Option<Memory> {
    let swap = match c.memory_swap {
        0 => set(c.memory.saturating_mul(2)),
        swap => set(swap.max(0)),
    };
    let swappiness = c.memory_swappiness.filter(|n| (0..=100).contains(n));
    set(Memory {
        limit: set(c.memory),
        reservation: set(c.memory_reservation),
        swap,
        kernel: set(c.kernel_memory.max(0)),
        swappiness: swappiness.and_then(|n| u64::try_from(n).ok()),
        disable_oom_killer: set(c.oom_kill_disable),
        ..Memory::default()
    })
}

fn cpu(c: &Cgroup) -> Option<Cpu> {
    set(Cpu {
        shares: set(c.cpu_shares),
        quota: set(c.cpu_quota),
        period: set(c.cpu_period),
        realtime_runtime: set(c.cpu_rt_runtime),
        realtime_period: set(c.cpu_rt_period),
        cpus: set(c.cpuset_cpus.clone()),
        mems: set(c.cpuset_mems.clone()),
        ..Cpu::default()
    })
}

fn network(c: &Cgroup, findings: &mut Findings) -> Option<NetworkResources> {
    let text = c.net_cls_classid.trim();
    let number = match (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")), text) {
        (Some(digits), _) => u32::from_str_radix(digits, 16).ok(),
        (None, "") => None,
        (None, digits) => digits.parse().ok(),
    };
    if number.is_none() && !text.is_empty() {
        let what = format!("{text:?} is neither a number nor one that begins with 0x");
        findings.wrong(Pointer::new("/cgroups/net_cls_classid"), what);
    }
    let one =
        |p: &crate::InterfacePriority| InterfacePriority { name: p.interface.clone(), priority: p.priority };
    set(NetworkResources { class_id: number, priorities: c.net_prio_ifpriomap.iter().map(one).collect() })
}

/// All are refused but those that are allowed; or all are allowed but those that are denied.
fn rules(cgroup: &Cgroup, findings: &mut Findings) -> Vec<DeviceRule> {
    let (allow, list, field) = match cgroup.allow_all_devices {
        true => (false, &cgroup.denied_devices, "denied_devices"),
        false => (true, &cgroup.allowed_devices, "allowed_devices"),
    };
    let all = DeviceRule { allow: !allow, access: Some("rwm".to_owned()), ..DeviceRule::default() };
    let mut rules = vec![all];
    for (index, device) in list.iter().enumerate() {
        let at = Pointer::new("/cgroups").key(field).index(index);
        findings
            .places
            .one(Pointer::new("/linux/resources/devices").index(rules.len()).as_str(), at.as_str());
        rules.push(DeviceRule {
            allow,
            kind: Some(letter(device, &at, findings)),
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
