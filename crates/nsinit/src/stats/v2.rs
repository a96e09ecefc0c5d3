//! The form of version 2: what `Container.Stats` gives. Go's own field names where libcontainer gave none.

use std::collections::BTreeMap;

use cofferdam_cgroup::NetworkInterface;
use cofferdam_cgroup::usage::Counter;
use serde::{Deserialize, Serialize};

use super::{BlkioStats, CpuStats, Measurement, common, present};

/// libcontainer's `Stats`.
///
/// ```
/// use cofferdam_nsinit::stats::v2::Stats;
/// let json = r#"{"Interfaces":[],"CgroupStats":{"memory_stats":{"cache":0}}}"#;
/// let stats: Stats = serde_json::from_str(json).unwrap();
/// assert_eq!(serde_json::to_string(&stats).unwrap(), json);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Its interfaces but loopback, as the container sees them; absent when it has no network of its own.
    #[serde(rename = "Interfaces", alias = "interfaces", skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<NetworkInterface>>,
    /// What its cgroups say; absent when it has none.
    #[serde(rename = "CgroupStats", alias = "cgroup_stats", skip_serializing_if = "Option::is_none")]
    pub cgroup_stats: Option<CgroupStats>,
}

/// libcontainer's `cgroups.Stats`.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_nsinit::stats::v2::CgroupStats::default()).unwrap(), "{}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupStats {
    /// Processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_stats: Option<CpuStats>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_stats: Option<MemoryStats>,
    /// Block devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_stats: Option<BlkioStats>,
    /// Huge pages by size, such as `2MB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hugetlb_stats: Option<BTreeMap<String, MemoryData>>,
}

/// Memory, in bytes.
///
/// ```
/// let stats = cofferdam_nsinit::stats::v2::MemoryStats { cache: Some(1), ..Default::default() };
/// assert_eq!(serde_json::to_string(&stats).unwrap(), r#"{"cache":1}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// Page cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<u64>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<MemoryData>,
    /// Memory and swap together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_usage: Option<MemoryData>,
    /// Kernel memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_usage: Option<MemoryData>,
    /// `memory.stat` as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<BTreeMap<String, u64>>,
}

/// One kind of memory, in bytes. libcontainer's `MemoryData`, and its `HugetlbStats`, which has the same fields.
///
/// ```
/// let data = cofferdam_nsinit::stats::v2::MemoryData { usage: Some(0), ..Default::default() };
/// assert_eq!(serde_json::to_string(&data).unwrap(), r#"{"usage":0}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryData {
    /// How much is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// How much was used at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_usage: Option<u64>,
    /// How often the limit was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failcnt: Option<u64>,
}

impl From<&Counter> for MemoryData {
    fn from(counter: &Counter) -> Self {
        Self { usage: counter.used, max_usage: counter.peak, failcnt: counter.refused }
    }
}

impl From<&Measurement> for Stats {
    fn from(measured: &Measurement) -> Self {
        let (usage, memory) = (&measured.usage, &measured.usage.memory);
        let data = |counter: &Counter| present(MemoryData::from(counter));
        let memory_stats = present(MemoryStats {
            cache: memory.cache,
            usage: data(&memory.usage),
            swap_usage: data(&memory.with_swap),
            kernel_usage: data(&memory.kernel),
            stats: memory.stat.clone(),
        });
        let sizes = |sizes: &BTreeMap<String, Counter>| {
            sizes.iter().map(|(size, counter)| (size.clone(), counter.into())).collect()
        };
        let cgroup_stats = present(CgroupStats {
            cpu_stats: common::cpu(&usage.cpu),
            memory_stats,
            blkio_stats: common::blkio(&usage.io),
            hugetlb_stats: usage.hugetlb.as_ref().map(sizes),
        });
        Self { interfaces: measured.interfaces.clone(), cgroup_stats }
    }
}
