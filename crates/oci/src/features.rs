//! The features document (`features.md`, `features-linux.md`): what a runtime says it can do. Data only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `features` prints.
///
/// ```
/// let f = cofferdam_oci::Features { oci_version_min: "1.0.0".into(), oci_version_max: "1.3.0".into(), ..Default::default() };
/// assert!(serde_json::to_string(&f).unwrap().contains("ociVersionMax"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    /// Oldest version of the specification that is accepted.
    pub oci_version_min: String,
    /// Newest version of the specification that is accepted.
    pub oci_version_max: String,
    /// Kinds of hooks.
    #[serde(default)]
    pub hooks: Vec<String>,
    /// Options of mounts.
    #[serde(default)]
    pub mount_options: Vec<String>,
    /// What is Linux's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linux: Option<LinuxFeatures>,
    /// Facts about the runtime itself.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Annotations of config.json that may change what a container can do to the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub potentially_unsafe_config_annotations: Vec<String>,
}

/// The Linux part of the features.
///
/// ```
/// assert!(cofferdam_oci::LinuxFeatures::default().namespaces.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinuxFeatures {
    /// Namespace types.
    pub namespaces: Vec<String>,
    /// Capability names.
    pub capabilities: Vec<String>,
    /// Control groups.
    pub cgroup: CgroupFeature,
    /// Seccomp.
    pub seccomp: SeccompFeature,
    /// AppArmor.
    pub apparmor: AppArmorFeature,
    /// SELinux.
    pub selinux: EnabledFeature,
    /// Resource director technology.
    pub intel_rdt: IntelRdtFeature,
    /// Extensions to mounts.
    pub mount_extensions: MountExtensions,
    /// Memory policy.
    #[serde(default)]
    pub memory_policy: MemoryPolicyFeature,
    /// Moving network devices.
    pub net_devices: EnabledFeature,
}

/// Control groups.
///
/// ```
/// assert!(!cofferdam_oci::CgroupFeature::default().systemd);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools)]
pub struct CgroupFeature {
    /// Version 1.
    pub v1: bool,
    /// Version 2.
    pub v2: bool,
    /// Through systemd.
    pub systemd: bool,
    /// Through a user's systemd.
    pub systemd_user: bool,
    /// RDMA controller.
    pub rdma: bool,
}

/// Seccomp.
///
/// ```
/// assert!(cofferdam_oci::SeccompFeature::default().archs.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompFeature {
    /// Whether filters are installed.
    pub enabled: bool,
    /// Actions.
    pub actions: Vec<String>,
    /// Operators.
    pub operators: Vec<String>,
    /// Architectures.
    pub archs: Vec<String>,
    /// Flags that are recognised.
    pub known_flags: Vec<String>,
    /// Flags that this kernel has.
    pub supported_flags: Vec<String>,
}

/// Whether something is built in.
///
/// ```
/// assert!(cofferdam_oci::EnabledFeature { enabled: true }.enabled);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnabledFeature {
    /// Whether it is.
    pub enabled: bool,
}

/// AppArmor; the same shape as [`EnabledFeature`].
pub type AppArmorFeature = EnabledFeature;

/// Resource director technology.
///
/// ```
/// let f: cofferdam_oci::IntelRdtFeature = serde_json::from_str(r#"{"enabled":true}"#).unwrap();
/// assert!(f.enabled && !f.schemata);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IntelRdtFeature {
    /// Whether `linux.intelRdt` is read.
    pub enabled: bool,
    /// Whether its `schemata` are.
    pub schemata: bool,
    /// Whether its `enableMonitoring` is.
    pub monitoring: bool,
}

/// Memory policy.
///
/// ```
/// assert!(cofferdam_oci::MemoryPolicyFeature::default().modes.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryPolicyFeature {
    /// Modes that are recognised.
    pub modes: Vec<String>,
    /// Flags that are recognised.
    pub flags: Vec<String>,
}

/// Extensions to mounts.
///
/// ```
/// assert!(!cofferdam_oci::MountExtensions::default().idmap.enabled);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountExtensions {
    /// Idmapped mounts.
    pub idmap: IdmapFeature,
}

/// Idmapped mounts; the same shape as [`EnabledFeature`].
pub type IdmapFeature = EnabledFeature;
