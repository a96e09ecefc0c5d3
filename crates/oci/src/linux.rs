//! `linux`: what only Linux has (`config-linux.md`). Data only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::read::{is_default, nullable};
use crate::{Resources, Seccomp};

/// The Linux part of a configuration.
///
/// ```
/// let l: cofferdam_oci::Linux =
///     serde_json::from_str(r#"{"namespaces":[{"type":"pid"}],"maskedPaths":null}"#).unwrap();
/// assert_eq!(l.namespaces[0].kind, "pid");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Linux {
    /// Namespaces made or joined; the others are shared with the runtime.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub namespaces: Vec<Namespace>,
    /// User ids of a new user namespace.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub uid_mappings: Vec<IdMapping>,
    /// Group ids of a new user namespace.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub gid_mappings: Vec<IdMapping>,
    /// Offsets of a new time namespace, by clock (`boottime`, `monotonic`).
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub time_offsets: BTreeMap<String, TimeOffset>,
    /// Devices made besides the default ones.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub devices: Vec<Device>,
    /// Network devices moved into the container, by their name on the host.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// The cgroup's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups_path: Option<String>,
    /// Limits, kept by cgroups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Cache and memory bandwidth allocation (resctrl).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
    /// NUMA policy, see set_mempolicy(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_policy: Option<MemoryPolicy>,
    /// Kernel parameters, `net.ipv4.ip_forward` style.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub sysctl: BTreeMap<String, String>,
    /// The seccomp profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// Propagation of the root mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rootfs_propagation: Option<String>,
    /// Paths made unreadable.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub masked_paths: Vec<String>,
    /// Paths made read-only.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub readonly_paths: Vec<String>,
    /// SELinux label of mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_label: Option<String>,
    /// Execution domain, see personality(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
}

/// A namespace made, or joined by its path; see namespaces(7).
///
/// ```
/// let n = cofferdam_oci::Namespace { kind: "network".into(), path: Some("/run/netns/a".into()) };
/// assert!(n.path.is_some());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup` or `time`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Namespace file to join; absent or empty makes a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A range of ids, see user_namespaces(7).
///
/// ```
/// let m: cofferdam_oci::IdMapping =
///     serde_json::from_str(r#"{"containerID":0,"hostID":100000,"size":65536}"#).unwrap();
/// assert_eq!(m.host_id, 100_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMapping {
    /// First id inside.
    #[serde(rename = "containerID", default)]
    pub container_id: u32,
    /// First id outside.
    #[serde(rename = "hostID", default)]
    pub host_id: u32,
    /// How many.
    #[serde(default)]
    pub size: u32,
}

/// Offset of one clock of a time namespace, see time_namespaces(7).
///
/// ```
/// let t: cofferdam_oci::TimeOffset = serde_json::from_str(r#"{"secs":86400}"#).unwrap();
/// assert_eq!(t.nanosecs, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeOffset {
    /// Seconds.
    #[serde(default, deserialize_with = "nullable")]
    pub secs: i64,
    /// Nanoseconds, below 1,000,000,000.
    #[serde(default, deserialize_with = "nullable")]
    pub nanosecs: u32,
}

/// A device node, see mknod(2).
///
/// ```
/// let d: cofferdam_oci::Device =
///     serde_json::from_str(r#"{"path":"/dev/fuse","type":"c","major":10,"minor":229}"#).unwrap();
/// assert_eq!(d.minor, 229);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// `c`, `u`, `b` or `p`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where in the container.
    pub path: String,
    /// Major number.
    #[serde(default, deserialize_with = "nullable")]
    pub major: i64,
    /// Minor number.
    #[serde(default, deserialize_with = "nullable")]
    pub minor: i64,
    /// Permission bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    /// Owner inside the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group inside the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// A network device's name inside the container.
///
/// ```
/// assert!(cofferdam_oci::NetDevice::default().name.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetDevice {
    /// New name; absent keeps the old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Resource director technology (`config-linux.md`, IntelRdt).
///
/// ```
/// let r: cofferdam_oci::IntelRdt = serde_json::from_str(r#"{"closID":"guaranteed"}"#).unwrap();
/// assert_eq!(r.clos_id.as_deref(), Some("guaranteed"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntelRdt {
    /// Class of service; absent is the container's id.
    #[serde(rename = "closID", skip_serializing_if = "Option::is_none")]
    pub clos_id: Option<String>,
    /// Lines written to the schemata file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemata: Option<Vec<String>>,
    /// L3 cache part of the schemata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l3_cache_schema: Option<String>,
    /// Memory bandwidth part of the schemata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_bw_schema: Option<String>,
    /// Whether a monitoring group is made.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub enable_monitoring: bool,
}

/// NUMA memory policy, see set_mempolicy(2).
///
/// ```
/// let p: cofferdam_oci::MemoryPolicy =
///     serde_json::from_str(r#"{"mode":"MPOL_BIND","nodes":"0"}"#).unwrap();
/// assert!(p.flags.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPolicy {
    /// `MPOL_BIND` and others.
    #[serde(default, deserialize_with = "nullable")]
    pub mode: String,
    /// Nodes, `0-1,3` style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
    /// `MPOL_F_STATIC_NODES` and others.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub flags: Vec<String>,
}

/// Execution domain, see personality(2).
///
/// ```
/// let p: cofferdam_oci::Personality = serde_json::from_str(r#"{"domain":"LINUX32"}"#).unwrap();
/// assert_eq!(p.domain, "LINUX32");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personality {
    /// `LINUX` or `LINUX32`.
    #[serde(default, deserialize_with = "nullable")]
    pub domain: String,
    /// Additional flags; the specification defines none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub flags: Vec<String>,
}
