//! What both generations of the statistics have in common.

use cofferdam_cgroup::{BlkioEntry, usage};
use serde::{Deserialize, Serialize};

use super::present;

/// Processor time.
///
/// ```
/// let json = r#"{"cpu_usage":{"total_usage":5}}"#;
/// let cpu: cofferdam_nsinit::stats::CpuStats = serde_json::from_str(json).unwrap();
/// assert_eq!(cpu.cpu_usage.unwrap().total_usage, Some(5));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuStats {
    /// Time used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_usage: Option<CpuUsage>,
    /// Time refused by the quota. v1.0 wrote `throlling_data`.
    #[serde(skip_serializing_if = "Option::is_none", alias = "throlling_data")]
    pub throttling_data: Option<ThrottlingData>,
}

/// Processor time used since the container was made, in nanoseconds.
///
/// ```
/// let usage = cofferdam_nsinit::stats::CpuUsage { total_usage: Some(0), ..Default::default() };
/// assert_eq!(serde_json::to_string(&usage).unwrap(), r#"{"total_usage":0}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// In all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_usage: Option<u64>,
    /// By processor; cgroup version 1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percpu_usage: Option<Vec<u64>>,
    /// In the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_in_kernelmode: Option<u64>,
    /// In programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_in_usermode: Option<u64>,
}

/// What the quota did.
///
/// ```
/// let none = cofferdam_nsinit::stats::ThrottlingData::default();
/// assert_eq!(serde_json::to_string(&none).unwrap(), r#"{"periods":0,"throttled_periods":0,"throttled_time":0}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThrottlingData {
    /// Periods in which it ran under a quota.
    pub periods: u64,
    /// Periods in which it was stopped.
    pub throttled_periods: u64,
    /// How long, in nanoseconds.
    pub throttled_time: u64,
}

/// Block devices; each list is absent where the kernel has no such counter.
///
/// ```
/// let io = cofferdam_nsinit::stats::BlkioStats { io_serviced_recursive: Some(vec![]), ..Default::default() };
/// assert_eq!(serde_json::to_string(&io).unwrap(), r#"{"io_serviced_recursive":[]}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioStats {
    /// Bytes carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_service_bytes_recursive: Option<Vec<BlkioStatEntry>>,
    /// Operations. v1.0 wrote `io_serviced_recusrive`.
    #[serde(skip_serializing_if = "Option::is_none", alias = "io_serviced_recusrive")]
    pub io_serviced_recursive: Option<Vec<BlkioStatEntry>>,
    /// Operations that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_queue_recursive: Option<Vec<BlkioStatEntry>>,
    /// Nanoseconds that operations took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_service_time_recursive: Option<Vec<BlkioStatEntry>>,
    /// Nanoseconds that operations waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_wait_time_recursive: Option<Vec<BlkioStatEntry>>,
    /// Operations that became part of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_merged_recursive: Option<Vec<BlkioStatEntry>>,
    /// Milliseconds of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_time_recursive: Option<Vec<BlkioStatEntry>>,
    /// Sectors of 512 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sectors_recursive: Option<Vec<BlkioStatEntry>>,
}

/// One number of one device.
///
/// ```
/// let read = cofferdam_nsinit::stats::BlkioStatEntry { major: 8, minor: 0, op: "Read".into(), value: 0 };
/// assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"major":8,"minor":0,"op":"Read","value":0}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioStatEntry {
    /// The device's major number.
    pub major: u64,
    /// Its minor number.
    pub minor: u64,
    /// `Read`, `Write` and others of version 1; empty for what has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The number.
    pub value: u64,
}

pub(super) fn cpu(cpu: &usage::Cpu) -> Option<CpuStats> {
    let cpu_usage = present(CpuUsage {
        total_usage: cpu.total,
        percpu_usage: cpu.by_cpu.clone(),
        usage_in_kernelmode: cpu.kernel,
        usage_in_usermode: cpu.user,
    });
    let throttling_data = cpu.throttling.map(|throttling| ThrottlingData {
        periods: throttling.periods,
        throttled_periods: throttling.throttled_periods,
        throttled_time: throttling.throttled_time,
    });
    present(CpuStats { cpu_usage, throttling_data })
}

pub(super) fn blkio(io: &usage::Io) -> Option<BlkioStats> {
    let entry =
        |e: &BlkioEntry| BlkioStatEntry { major: e.major, minor: e.minor, op: e.op.clone(), value: e.value };
    let list = |list: &Option<Vec<BlkioEntry>>| Some(list.as_ref()?.iter().map(entry).collect());
    present(BlkioStats {
        io_service_bytes_recursive: list(&io.bytes),
        io_serviced_recursive: list(&io.operations),
        io_queue_recursive: list(&io.queued),
        io_service_time_recursive: list(&io.service_time),
        io_wait_time_recursive: list(&io.wait_time),
        io_merged_recursive: list(&io.merged),
        io_time_recursive: list(&io.time),
        sectors_recursive: list(&io.sectors),
    })
}
