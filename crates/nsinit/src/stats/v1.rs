//! The form of v1.4: what `nsinit stats` prints.

use std::collections::BTreeMap;

use cofferdam_cgroup::NetworkInterface;
use serde::{Deserialize, Serialize};

use super::{BlkioStats, CpuStats, Measurement, common, present};

/// libcontainer's `ContainerStats`.
///
/// ```
/// use cofferdam_nsinit::stats::v1::ContainerStats;
/// let json = r#"{"cgroup_stats":{"memory_stats":{"usage":4096}}}"#;
/// let stats: ContainerStats = serde_json::from_str(json).unwrap();
/// assert_eq!(serde_json::to_string(&stats).unwrap(), json);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerStats {
    /// What went through its interfaces; absent when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_stats: Option<NetworkStats>,
    /// What its cgroups say; absent when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_stats: Option<CgroupStats>,
}

/// The sums over a container's interfaces but loopback, as it sees them.
///
/// ```
/// let stats = cofferdam_nsinit::stats::v1::NetworkStats { rx_bytes: 7, ..Default::default() };
/// assert!(serde_json::to_string(&stats).unwrap().starts_with(r#"{"rx_bytes":7,"rx_packets":0"#));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkStats {
    /// Bytes that the container received.
    pub rx_bytes: u64,
    /// Packets that it received.
    pub rx_packets: u64,
    /// Packets that it received with errors.
    pub rx_errors: u64,
    /// Packets that it received and that were thrown away.
    pub rx_dropped: u64,
    /// Bytes that it sent.
    pub tx_bytes: u64,
    /// Packets that it sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets that were thrown away instead of sent.
    pub tx_dropped: u64,
}

/// libcontainer's `cgroups.Stats`.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_nsinit::stats::v1::CgroupStats::default()).unwrap(), "{}");
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
}

/// Memory, in bytes.
///
/// ```
/// let stats = cofferdam_nsinit::stats::v1::MemoryStats { failcnt: Some(0), ..Default::default() };
/// assert_eq!(serde_json::to_string(&stats).unwrap(), r#"{"failcnt":0}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// How much is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// How much was used at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_usage: Option<u64>,
    /// `memory.stat` as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<BTreeMap<String, u64>>,
    /// How often the limit was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failcnt: Option<u64>,
}

impl From<&Measurement> for ContainerStats {
    fn from(measured: &Measurement) -> Self {
        let memory = &measured.usage.memory;
        let memory_stats = present(MemoryStats {
            usage: memory.usage.used,
            max_usage: memory.usage.peak,
            stats: memory.stat.clone(),
            failcnt: memory.usage.refused,
        });
        let cgroup_stats = present(CgroupStats {
            cpu_stats: common::cpu(&measured.usage.cpu),
            memory_stats,
            blkio_stats: common::blkio(&measured.usage.io),
        });
        let interfaces = measured.interfaces.as_deref().unwrap_or_default();
        let network_stats = (!interfaces.is_empty())
            .then(|| interfaces.iter().fold(NetworkStats::default(), NetworkStats::and));
        Self { network_stats, cgroup_stats }
    }
}

impl NetworkStats {
    fn and(self, interface: &NetworkInterface) -> Self {
        Self {
            rx_bytes: self.rx_bytes.saturating_add(interface.rx_bytes),
            rx_packets: self.rx_packets.saturating_add(interface.rx_packets),
            rx_errors: self.rx_errors.saturating_add(interface.rx_errors),
            rx_dropped: self.rx_dropped.saturating_add(interface.rx_dropped),
            tx_bytes: self.tx_bytes.saturating_add(interface.tx_bytes),
            tx_packets: self.tx_packets.saturating_add(interface.tx_packets),
            tx_errors: self.tx_errors.saturating_add(interface.tx_errors),
            tx_dropped: self.tx_dropped.saturating_add(interface.tx_dropped),
        }
    }
}
