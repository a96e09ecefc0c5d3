//! What a container uses, in the form that `runc events --stats` prints under `data`.
//!
//! Called by the library for events. Field names and units are runc's (its `types/events.go`), because
//! the programs that read them exist; zero values that runc leaves out are left out.

mod of_usage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::error::Error;

// serde hands over references.
fn zero(n: &u64) -> bool {
    *n == 0
}

/// Everything that is measured.
///
/// ```
/// let stats = cofferdam_cgroup::Stats::default();
/// let json = serde_json::to_value(&stats).unwrap();
/// assert_eq!(json["cpu"]["usage"]["kernel"], 0);
/// assert!(json["network_interfaces"].is_null());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Processors and memory nodes (version 1).
    pub cpuset: Cpuset,
    /// Memory.
    pub memory: Memory,
    /// Tasks.
    pub pids: Pids,
    /// Block devices.
    pub blkio: Blkio,
    /// Huge pages by size.
    pub hugetlb: BTreeMap<String, Hugetlb>,
    /// Intel RDT; not measured here.
    pub intel_rdt: IntelRdt,
    /// Network interfaces; not a cgroup's matter, left to the caller.
    pub network_interfaces: Option<Vec<NetworkInterface>>,
}

/// Processor time.
///
/// ```
/// assert!(cofferdam_cgroup::Cpu::default().psi.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// Time used.
    pub usage: CpuUsage,
    /// Time refused by the quota.
    pub throttling: Throttling,
    /// Pressure (version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// Processor time used, in nanoseconds.
///
/// ```
/// let json = serde_json::to_string(&cofferdam_cgroup::CpuUsage::default()).unwrap();
/// assert_eq!(json, r#"{"kernel":0,"user":0}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// In all.
    #[serde(skip_serializing_if = "zero")]
    pub total: u64,
    /// By processor (version 1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    /// In the kernel, by processor (version 1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_kernel: Vec<u64>,
    /// In programs, by processor (version 1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// In programs.
    pub user: u64,
}

/// What the quota did.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_cgroup::Throttling::default()).unwrap(), "{}");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Throttling {
    /// Periods in which it ran.
    #[serde(skip_serializing_if = "zero")]
    pub periods: u64,
    /// Periods in which it was stopped.
    #[serde(skip_serializing_if = "zero")]
    pub throttled_periods: u64,
    /// How long, in nanoseconds.
    #[serde(skip_serializing_if = "zero")]
    pub throttled_time: u64,
}

/// The cpuset of version 1 and its flags.
///
/// ```
/// assert!(cofferdam_cgroup::Cpuset::default().cpus.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    pub cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u16>,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

/// Memory in bytes.
///
/// ```
/// assert!(cofferdam_cgroup::Memory::default().raw.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Page cache.
    #[serde(skip_serializing_if = "zero")]
    pub cache: u64,
    /// Memory.
    pub usage: MemoryEntry,
    /// Memory and swap together.
    pub swap: MemoryEntry,
    /// Kernel memory (version 1).
    pub kernel: MemoryEntry,
    /// Kernel memory for TCP (version 1).
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// `memory.stat` as it is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, u64>,
    /// Pressure (version 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// One kind of memory, in bytes; no limit is the largest number.
///
/// ```
/// let json = serde_json::to_string(&cofferdam_cgroup::MemoryEntry::default()).unwrap();
/// assert_eq!(json, r#"{"limit":0,"failcnt":0}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryEntry {
    /// How much may be used.
    pub limit: u64,
    /// How much is used.
    #[serde(skip_serializing_if = "zero")]
    pub usage: u64,
    /// How much was used at most.
    #[serde(skip_serializing_if = "zero")]
    pub max: u64,
    /// How often the limit was met.
    pub failcnt: u64,
}

/// Tasks.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_cgroup::Pids::default()).unwrap(), "{}");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pids {
    /// How many there are.
    #[serde(skip_serializing_if = "zero")]
    pub current: u64,
    /// How many there may be; 0 is no limit.
    #[serde(skip_serializing_if = "zero")]
    pub limit: u64,
    /// How often one more was refused.
    #[serde(skip_serializing_if = "zero")]
    pub failcnt: u64,
}

/// Block devices. Only the first two are counted on today's kernels.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_cgroup::Blkio::default()).unwrap(), "{}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Blkio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    #[serde(rename = "ioQueueRecursive", skip_serializing_if = "Vec::is_empty")]
    pub io_queued_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// One number of one device.
///
/// ```
/// let e = cofferdam_cgroup::BlkioEntry { major: 8, minor: 0, op: "Read".into(), value: 1 };
/// assert_eq!(serde_json::to_string(&e).unwrap(), r#"{"major":8,"op":"Read","value":1}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioEntry {
    /// Major number.
    #[serde(skip_serializing_if = "zero")]
    pub major: u64,
    /// Minor number.
    #[serde(skip_serializing_if = "zero")]
    pub minor: u64,
    /// `Read`, `Write`, `Sync`…
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The number.
    #[serde(skip_serializing_if = "zero")]
    pub value: u64,
}

/// Huge pages of one size, in bytes.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_cgroup::Hugetlb::default()).unwrap(), r#"{"failcnt":0}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hugetlb {
    /// How much is used.
    #[serde(skip_serializing_if = "zero")]
    pub usage: u64,
    /// How much was used at most (version 1).
    #[serde(skip_serializing_if = "zero")]
    pub max: u64,
    /// How often the limit was met.
    pub failcnt: u64,
}

/// Intel RDT: an empty object.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_cgroup::IntelRdt::default()).unwrap(), "{}");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntelRdt {}

/// One network interface; the names are runc's.
///
/// ```
/// let n = cofferdam_cgroup::NetworkInterface { name: "eth0".into(), ..Default::default() };
/// assert_eq!(serde_json::to_value(&n).unwrap()["Name"], "eth0");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs)]
pub struct NetworkInterface {
    pub name: String,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// Pressure stall information (Documentation/accounting/psi.rst).
///
/// ```
/// assert_eq!(cofferdam_cgroup::Psi::default().some.total, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Psi {
    /// Some task waited.
    pub some: PsiLine,
    /// All tasks waited.
    pub full: PsiLine,
}

/// Percentages over ten seconds, one and five minutes, and microseconds in all.
///
/// ```
/// assert_eq!(cofferdam_cgroup::PsiLine::default().total, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PsiLine {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total: u64,
}

impl Cgroup {
    /// Measures the container, in runc's form: what this host has no controller for is zero, as
    /// [`Cgroup::usage`] does not say it.
    ///
    /// # Errors
    /// When a file is there but cannot be read.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.usage().map(Stats::from)
    }
}
