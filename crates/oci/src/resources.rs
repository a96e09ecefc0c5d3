//! `linux.resources`: the limits (`config-linux.md`, Control groups). Data only; `cofferdam-cgroup` obeys it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::read::{is_default, nullable};

/// A container's limits; also the document of `update -r`.
///
/// ```
/// let r: cofferdam_oci::Resources = serde_json::from_str(r#"{"pids":{"limit":100}}"#).unwrap();
/// assert_eq!(r.pids.unwrap().limit, Some(100));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Device rules, in order.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub devices: Vec<DeviceRule>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<Pids>,
    /// Block devices.
    #[serde(rename = "blockIO", skip_serializing_if = "Option::is_none")]
    pub block_io: Option<BlockIo>,
    /// Huge pages.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// net_cls and net_prio (cgroup v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkResources>,
    /// RDMA, by device.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub rdma: BTreeMap<String, Rdma>,
    /// Files of cgroup v2 written as they are.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub unified: BTreeMap<String, String>,
}

/// Allows or denies devices.
///
/// ```
/// let d: cofferdam_oci::DeviceRule = serde_json::from_str(r#"{"allow":false,"access":"rwm"}"#).unwrap();
/// assert!(d.major.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Whether access is allowed.
    #[serde(default, deserialize_with = "nullable")]
    pub allow: bool,
    /// `a`, `c` or `b`; absent is all.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Major number; absent or -1 is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Minor number; absent or -1 is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// `r`, `w`, `m` together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// Memory limits in bytes; -1 is unlimited.
///
/// ```
/// let m: cofferdam_oci::Memory = serde_json::from_str(r#"{"limit":536870912}"#).unwrap();
/// assert_eq!(m.limit, Some(512 << 20));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Soft limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<i64>,
    /// Memory and swap together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<i64>,
    /// Kernel memory (cgroup v1; ignored by today's kernels).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<i64>,
    /// Kernel TCP memory (cgroup v1).
    #[serde(rename = "kernelTCP", skip_serializing_if = "Option::is_none")]
    pub kernel_tcp: Option<i64>,
    /// 0 to 100 (cgroup v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u64>,
    /// Stops the OOM killer (cgroup v1).
    #[serde(rename = "disableOOMKiller", skip_serializing_if = "Option::is_none")]
    pub disable_oom_killer: Option<bool>,
    /// Hierarchical accounting (cgroup v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_hierarchy: Option<bool>,
    /// Refuse a limit below what is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_before_update: Option<bool>,
}

/// CPU limits.
///
/// ```
/// let c: cofferdam_oci::Cpu = serde_json::from_str(r#"{"shares":1024,"cpus":"0-1"}"#).unwrap();
/// assert_eq!(c.shares, Some(1024));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// Relative weight, 2 to 262144 (cgroup v1's scale).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shares: Option<u64>,
    /// Microseconds per period; -1 is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<i64>,
    /// Microseconds that may be saved up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Period in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    /// Real-time microseconds per period (cgroup v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime_runtime: Option<i64>,
    /// Real-time period in microseconds (cgroup v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime_period: Option<u64>,
    /// CPU list, `0-3,7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// Memory node list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mems: Option<String>,
    /// 1 makes it SCHED_IDLE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<i64>,
}

/// Limit on the number of processes.
///
/// ```
/// let p: cofferdam_oci::Pids = serde_json::from_str(r#"{"limit":0}"#).unwrap();
/// assert_eq!(p.limit, Some(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pids {
    /// At most so many; -1 is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Block device weights and throttles.
///
/// ```
/// let b: cofferdam_oci::BlockIo = serde_json::from_str(r#"{"weight":500}"#).unwrap();
/// assert!(b.weight_device.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockIo {
    /// 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// Weight against child groups (CFQ only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
    /// Weights by device.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub weight_device: Vec<WeightDevice>,
    /// Bytes per second read.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Bytes per second written.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Operations per second read.
    #[serde(
        rename = "throttleReadIOPSDevice",
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "is_default"
    )]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Operations per second written.
    #[serde(
        rename = "throttleWriteIOPSDevice",
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "is_default"
    )]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// Weight of one block device.
///
/// ```
/// let w: cofferdam_oci::WeightDevice =
///     serde_json::from_str(r#"{"major":8,"minor":0,"weight":500}"#).unwrap();
/// assert_eq!(w.weight, Some(500));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightDevice {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// Weight against child groups (CFQ only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
}

/// Throttle of one block device.
///
/// ```
/// let t: cofferdam_oci::ThrottleDevice =
///     serde_json::from_str(r#"{"major":8,"minor":0,"rate":600}"#).unwrap();
/// assert_eq!(t.rate, 600);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleDevice {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Bytes or operations per second.
    #[serde(default, deserialize_with = "nullable")]
    pub rate: u64,
}

/// Limit on huge pages of one size.
///
/// ```
/// let h: cofferdam_oci::HugepageLimit =
///     serde_json::from_str(r#"{"pageSize":"2MB","limit":0}"#).unwrap();
/// assert_eq!(h.page_size, "2MB");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HugepageLimit {
    /// `2MB` style.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

/// net_cls and net_prio.
///
/// ```
/// assert!(cofferdam_oci::NetworkResources::default().priorities.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkResources {
    /// Tag of packets.
    #[serde(rename = "classID", skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u32>,
    /// Priorities by interface.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub priorities: Vec<InterfacePriority>,
}

/// Priority of one interface.
///
/// ```
/// let p = cofferdam_oci::InterfacePriority { name: "eth0".into(), priority: 500 };
/// assert_eq!(p.name, "eth0");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfacePriority {
    /// Interface.
    pub name: String,
    /// Priority.
    #[serde(default)]
    pub priority: u32,
}

/// RDMA limits of one device.
///
/// ```
/// assert!(cofferdam_oci::Rdma::default().hca_handles.is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rdma {
    /// Handles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_handles: Option<u32>,
    /// Objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_objects: Option<u32>,
}
