//! `cgroups`: where the container is counted, and its limits.

use serde::{Deserialize, Serialize};

use super::{Device, empty};

/// The container's cgroups.
///
/// ```
/// let cgroups: cofferdam_nsinit::Cgroup =
///     serde_json::from_str(r#"{"name": "koye", "parent": "docker", "memory": 67108864}"#).unwrap();
/// assert_eq!(cgroups.path().as_deref(), Some("/docker/koye"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cgroup {
    /// The last part of its path.
    #[serde(skip_serializing_if = "empty")]
    pub name: String,
    /// The part before.
    #[serde(skip_serializing_if = "empty")]
    pub parent: String,
    /// Whether all devices may be used, instead of `allowed_devices` alone.
    #[serde(skip_serializing_if = "empty")]
    pub allow_all_devices: bool,
    /// Devices that may be used.
    #[serde(skip_serializing_if = "empty")]
    pub allowed_devices: Vec<Device>,
    /// Devices that may not be used, where all others may.
    #[serde(skip_serializing_if = "empty")]
    pub denied_devices: Vec<Device>,
    /// Bytes; 0 is no limit, as in all of these.
    #[serde(skip_serializing_if = "empty")]
    pub memory: i64,
    /// Bytes that are left to it when memory gets scarce.
    #[serde(skip_serializing_if = "empty")]
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; 0 is twice `memory`, -1 no limit.
    #[serde(skip_serializing_if = "empty")]
    pub memory_swap: i64,
    /// Bytes of the kernel's memory.
    #[serde(skip_serializing_if = "empty")]
    pub kernel_memory: i64,
    /// 0 to 100: how readily memory is swapped out. Others, and none, leave it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swappiness: Option<i64>,
    /// Whether processes wait for memory instead of being killed.
    #[serde(skip_serializing_if = "empty")]
    pub oom_kill_disable: bool,
    /// Weight against others.
    #[serde(skip_serializing_if = "empty")]
    pub cpu_shares: u64,
    /// Microseconds a period.
    #[serde(skip_serializing_if = "empty")]
    pub cpu_quota: i64,
    /// Microseconds.
    #[serde(skip_serializing_if = "empty")]
    pub cpu_period: u64,
    /// Microseconds a period for real-time processes.
    #[serde(alias = "cpu_rt_quota", skip_serializing_if = "empty")]
    pub cpu_rt_runtime: i64,
    /// Microseconds, for real-time processes.
    #[serde(skip_serializing_if = "empty")]
    pub cpu_rt_period: u64,
    /// CPUs, `0-3,7`.
    #[serde(skip_serializing_if = "empty")]
    pub cpuset_cpus: String,
    /// Memory nodes.
    #[serde(skip_serializing_if = "empty")]
    pub cpuset_mems: String,
    /// `MAJOR:MINOR RATE` lines: bytes read a second.
    #[serde(skip_serializing_if = "empty")]
    pub blkio_throttle_read_bps_device: String,
    /// Bytes written a second.
    #[serde(skip_serializing_if = "empty")]
    pub blkio_throttle_write_bps_device: String,
    /// Reads a second.
    #[serde(skip_serializing_if = "empty")]
    pub blkio_throttle_read_iops_device: String,
    /// Writes a second.
    #[serde(skip_serializing_if = "empty")]
    pub blkio_throttle_write_iops_device: String,
    /// Weight of input and output against others, 10 to 1000.
    #[serde(skip_serializing_if = "empty")]
    pub blkio_weight: u16,
    /// `MAJOR:MINOR WEIGHT` lines.
    #[serde(skip_serializing_if = "empty")]
    pub blkio_weight_device: String,
    /// Huge pages.
    #[serde(skip_serializing_if = "empty")]
    pub hugetlb_limit: Vec<HugepageLimit>,
    /// Priorities of traffic by interface.
    #[serde(skip_serializing_if = "empty")]
    pub net_prio_ifpriomap: Vec<InterfacePriority>,
    /// Class of packets, `0x100001` or a decimal number.
    #[serde(skip_serializing_if = "empty")]
    pub net_cls_classid: String,
    /// `FROZEN` or `THAWED`.
    #[serde(skip_serializing_if = "empty")]
    pub freezer: String,
    /// systemd's slice; without systemd it means nothing.
    #[serde(skip_serializing_if = "empty")]
    pub slice: String,
}

/// How many bytes of huge pages may be used.
///
/// ```
/// let limit = cofferdam_nsinit::HugepageLimit { page_size: "2MB".into(), limit: 4 << 20 };
/// assert_eq!(serde_json::to_string(&limit).unwrap(), r#"{"page_size":"2MB","limit":4194304}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HugepageLimit {
    /// The pages' size, `2MB` or `1GB`.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// The priority of traffic that leaves by an interface.
///
/// ```
/// let first = cofferdam_nsinit::InterfacePriority { interface: "eth0".into(), priority: 1 };
/// assert_eq!(serde_json::to_string(&first).unwrap(), r#"{"interface":"eth0","priority":1}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfacePriority {
    /// Its name.
    pub interface: String,
    /// The priority.
    pub priority: u32,
}

impl Cgroup {
    /// Where systemd is to make it: slice, prefix and name of the scope, as `linux.cgroupsPath` has them.
    ///
    /// ```
    /// let cgroups = cofferdam_nsinit::Cgroup { name: "koye".into(), parent: "docker".into(), ..Default::default() };
    /// assert_eq!(cgroups.systemd_path(), "system.slice:docker:koye");
    /// ```
    #[must_use]
    pub fn systemd_path(&self) -> String {
        let slice = if self.slice.is_empty() { "system.slice" } else { &self.slice };
        format!("{slice}:{}:{}", self.parent, self.name)
    }

    /// Its path from the root of every hierarchy; none without a name.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let parts = self.parent.split('/').chain(self.name.split('/')).filter(|part| !part.is_empty());
        let name = self.name.split('/').any(|part| !part.is_empty());
        name.then(|| parts.fold(String::new(), |path, part| format!("{path}/{part}")))
    }
}
