//! v2 of container.json: the members and their order of its `configs.Config`.
//!
//! Read into [`Config`], and written for whoever expects that form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Cgroup, Config, Device, HugepageLimit, IdMap, InterfacePriority, Mount, MountCommand, MountConfig,
    NamespaceType, Namespaces, Network, Rlimit, Route, Seccomp, SystemMounts, names_or_numbers,
};

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    no_pivot_root: bool,
    parent_death_signal: u32,
    pivot_dir: String,
    rootfs: String,
    readonlyfs: bool,
    privatefs: bool,
    mounts: Vec<NewMount>,
    devices: Vec<NewDevice>,
    mount_label: String,
    hostname: String,
    namespaces: Namespaces,
    capabilities: Vec<String>,
    networks: Vec<Network>,
    routes: Vec<Route>,
    #[serde(skip_serializing_if = "super::empty")]
    hosts: Vec<cofferdam_net::HostSpec>,
    #[serde(skip_serializing_if = "super::empty")]
    dns: cofferdam_net::DnsSpec,
    #[serde(skip_serializing_if = "super::empty")]
    masquerade: bool,
    #[serde(skip_serializing_if = "super::empty")]
    publish: Vec<cofferdam_net::PublishSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<cofferdam_net::EgressSpec>,
    #[serde(skip_serializing_if = "super::empty")]
    user_mode: String,
    cgroups: Option<NewCgroup>,
    apparmor_profile: String,
    process_label: String,
    rlimits: Vec<Rlimit>,
    #[serde(deserialize_with = "names_or_numbers")]
    additional_groups: Vec<String>,
    uid_mappings: Vec<IdMap>,
    gid_mappings: Vec<IdMap>,
    mask_paths: Vec<String>,
    readonly_paths: Vec<String>,
    system_properties: BTreeMap<String, String>,
    seccomp: Option<Seccomp>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct NewMount {
    source: String,
    destination: String,
    device: String,
    flags: u32,
    data: String,
    relabel: String,
    premount_cmds: Vec<MountCommand>,
    postmount_cmds: Vec<MountCommand>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct NewDevice {
    #[serde(rename = "type")]
    kind: u32,
    path: String,
    major: i64,
    minor: i64,
    permissions: String,
    file_mode: u32,
    uid: u32,
    gid: u32,
}

/// Two of its members had each other's names: `cpu_quota` and `cpu_period` stood for the real-time ones too, so
/// that Go read neither. Here they are what they are called, and the real-time ones have names of their own.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct NewCgroup {
    name: String,
    parent: String,
    allow_all_devices: bool,
    allowed_devices: Vec<NewDevice>,
    denied_devices: Vec<NewDevice>,
    memory: i64,
    memory_reservation: i64,
    memory_swap: i64,
    kernel_memory: i64,
    cpu_shares: u64,
    cpu_quota: i64,
    cpu_period: u64,
    #[serde(alias = "cpu_rt_quota", skip_serializing_if = "super::empty")]
    cpu_rt_runtime: i64,
    #[serde(skip_serializing_if = "super::empty")]
    cpu_rt_period: u64,
    cpuset_cpus: String,
    cpuset_mems: String,
    blkio_throttle_read_bps_device: String,
    blkio_throttle_write_bps_device: String,
    blkio_throttle_read_iops_device: String,
    blkio_throttle_write_iops_device: String,
    blkio_weight: u16,
    blkio_weight_device: String,
    freezer: String,
    hugetlb_limit: Vec<HugepageLimit>,
    slice: String,
    oom_kill_disable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_swappiness: Option<i64>,
    net_prio_ifpriomap: Vec<InterfacePriority>,
    net_cls_classid: String,
}

impl From<Document> for Config {
    fn from(d: Document) -> Self {
        Self {
            mount_config: Some(MountConfig {
                no_pivot_root: d.no_pivot_root,
                pivot_dir: d.pivot_dir,
                readonly_fs: d.readonlyfs,
                private_fs: Some(d.privatefs),
                system_mounts: SystemMounts::None,
                mounts: d.mounts.into_iter().map(Mount::from).collect(),
                device_nodes: devices(d.devices),
                mount_label: d.mount_label,
            }),
            root_fs: d.rootfs,
            hostname: d.hostname,
            namespaces: d.namespaces,
            capabilities: d.capabilities,
            networks: d.networks,
            routes: d.routes,
            hosts: d.hosts,
            dns: d.dns,
            masquerade: d.masquerade,
            publish: d.publish,
            egress: d.egress,
            user_mode: d.user_mode,
            cgroups: d.cgroups.map(Cgroup::from),
            apparmor_profile: d.apparmor_profile,
            process_label: d.process_label,
            rlimits: d.rlimits,
            additional_groups: d.additional_groups,
            uid_mappings: d.uid_mappings,
            gid_mappings: d.gid_mappings,
            parent_death_signal: Some(d.parent_death_signal),
            mask_paths: d.mask_paths,
            readonly_paths: d.readonly_paths,
            system_properties: d.system_properties,
            seccomp: d.seccomp,
            ..Self::default()
        }
    }
}

impl From<&Config> for Document {
    fn from(c: &Config) -> Self {
        const SIGKILL: u32 = 9;
        let own = c.mount_config.clone().unwrap_or_default();
        let restricted = crate::lower::restricted(c);
        let mut namespaces = c.namespaces.clone();
        if !c.ipc.is_empty() {
            namespaces.add(NamespaceType::Ipc, c.ipc.clone());
        }
        let (joined, networks) = c.networks.iter().cloned().partition::<Vec<_>, _>(|one| one.kind == "netns");
        for one in joined {
            namespaces.add(NamespaceType::Network, one.ns_path);
        }
        Self {
            no_pivot_root: own.no_pivot_root,
            parent_death_signal: c.parent_death_signal.unwrap_or(SIGKILL),
            pivot_dir: own.pivot_dir.clone(),
            rootfs: c.root_fs.clone(),
            readonlyfs: own.readonly_fs,
            privatefs: own.private_fs.unwrap_or(!own.no_pivot_root),
            mounts: crate::lower::all_mounts(c).into_iter().map(NewMount::from).collect(),
            devices: own.device_nodes.into_iter().map(NewDevice::from).collect(),
            mount_label: own.mount_label,
            hostname: c.hostname.clone(),
            namespaces,
            capabilities: c.capabilities.clone(),
            networks,
            routes: c.routes.clone(),
            hosts: c.hosts.clone(),
            dns: c.dns.clone(),
            masquerade: c.masquerade,
            publish: c.publish.clone(),
            egress: c.egress.clone(),
            user_mode: c.user_mode.clone(),
            cgroups: c.cgroups.clone().map(NewCgroup::from),
            apparmor_profile: c.apparmor_profile.clone(),
            process_label: c.process_label.clone(),
            rlimits: c.rlimits.clone(),
            additional_groups: c.additional_groups.clone(),
            uid_mappings: c.uid_mappings.clone(),
            gid_mappings: c.gid_mappings.clone(),
            mask_paths: restricted.hidden,
            readonly_paths: restricted.readonly,
            system_properties: c.system_properties.clone(),
            seccomp: c.seccomp.clone(),
        }
    }
}

impl From<NewMount> for Mount {
    fn from(m: NewMount) -> Self {
        Self {
            kind: m.device,
            source: m.source,
            destination: m.destination,
            relabel: m.relabel,
            flags: Some(m.flags),
            data: m.data,
            premount_cmds: m.premount_cmds,
            postmount_cmds: m.postmount_cmds,
            ..Self::default()
        }
    }
}

impl From<Mount> for NewMount {
    fn from(m: Mount) -> Self {
        Self {
            flags: crate::lower::mount_flags(&m),
            source: m.source,
            destination: m.destination,
            device: m.kind,
            data: m.data,
            relabel: m.relabel,
            premount_cmds: m.premount_cmds,
            postmount_cmds: m.postmount_cmds,
        }
    }
}

fn devices(all: Vec<NewDevice>) -> Vec<Device> {
    all.into_iter().map(Device::from).collect()
}

impl From<NewDevice> for Device {
    fn from(d: NewDevice) -> Self {
        Self {
            kind: d.kind,
            path: d.path,
            major_number: d.major,
            minor_number: d.minor,
            cgroup_permissions: d.permissions,
            file_mode: d.file_mode,
            uid: d.uid,
            gid: d.gid,
        }
    }
}

impl From<Device> for NewDevice {
    fn from(d: Device) -> Self {
        Self {
            kind: d.kind,
            path: d.path,
            major: d.major_number,
            minor: d.minor_number,
            permissions: d.cgroup_permissions,
            file_mode: d.file_mode,
            uid: d.uid,
            gid: d.gid,
        }
    }
}

/// Both forms have the same members, but for what they say of devices.
macro_rules! cgroup {
    ($to:ident from $c:ident, $devices:expr) => {
        $to {
            allowed_devices: $devices($c.allowed_devices),
            denied_devices: $devices($c.denied_devices),
            name: $c.name,
            parent: $c.parent,
            allow_all_devices: $c.allow_all_devices,
            memory: $c.memory,
            memory_reservation: $c.memory_reservation,
            memory_swap: $c.memory_swap,
            kernel_memory: $c.kernel_memory,
            cpu_shares: $c.cpu_shares,
            cpu_quota: $c.cpu_quota,
            cpu_period: $c.cpu_period,
            cpu_rt_runtime: $c.cpu_rt_runtime,
            cpu_rt_period: $c.cpu_rt_period,
            cpuset_cpus: $c.cpuset_cpus,
            cpuset_mems: $c.cpuset_mems,
            blkio_throttle_read_bps_device: $c.blkio_throttle_read_bps_device,
            blkio_throttle_write_bps_device: $c.blkio_throttle_write_bps_device,
            blkio_throttle_read_iops_device: $c.blkio_throttle_read_iops_device,
            blkio_throttle_write_iops_device: $c.blkio_throttle_write_iops_device,
            blkio_weight: $c.blkio_weight,
            blkio_weight_device: $c.blkio_weight_device,
            freezer: $c.freezer,
            hugetlb_limit: $c.hugetlb_limit,
            slice: $c.slice,
            oom_kill_disable: $c.oom_kill_disable,
            memory_swappiness: $c.memory_swappiness,
            net_prio_ifpriomap: $c.net_prio_ifpriomap,
            net_cls_classid: $c.net_cls_classid,
        }
    };
}

impl From<NewCgroup> for Cgroup {
    fn from(c: NewCgroup) -> Self {
        cgroup!(Self from c, devices)
    }
}

impl From<Cgroup> for NewCgroup {
    fn from(c: Cgroup) -> Self {
        cgroup!(Self from c, |all: Vec<Device>| all.into_iter().map(NewDevice::from).collect())
    }
}
