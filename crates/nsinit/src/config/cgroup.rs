//! `cgroups`: where the container is counted, and its limits.

use serde::{Deserialize, Serialize};

use super::{Device, empty, nullable};

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
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub name: String,
    /// The part before.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub parent: String,
    /// Whether all devices may be used, instead of `allowed_devices` alone.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub allow_all_devices: bool,
    /// Devices that may be used.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub allowed_devices: Vec<Device>,
    /// Bytes; 0 is no limit, as in all of these.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub memory: i64,
    /// Bytes that are left to it when memory gets scarce.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; 0 is twice `memory`, -1 no limit.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub memory_swap: i64,
    /// Weight against others.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub cpu_shares: u64,
    /// Microseconds a period.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub cpu_quota: i64,
    /// Microseconds.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub cpu_period: u64,
    /// CPUs, `0-3,7`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub cpuset_cpus: String,
    /// Memory nodes.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub cpuset_mems: String,
    /// `FROZEN` or `THAWED`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub freezer: String,
    /// systemd's slice; without systemd it means nothing.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub slice: String,
}

impl Cgroup {
    /// Its path from the root of every hierarchy; none without a name.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let parts = self.parent.split('/').chain(self.name.split('/')).filter(|part| !part.is_empty());
        let name = self.name.split('/').any(|part| !part.is_empty());
        name.then(|| parts.fold(String::new(), |path, part| format!("{path}/{part}")))
    }
}
