//! container.json: libcontainer's configuration as plain data.
//!
//! Read by the namespaces API and by commands above it; judged and translated by [`crate::spec`]. Field names
//! and meanings are those of docker/libcontainer, `config.go`, v1.0 to v1.4 and the namespaces of the
//! commits after it.

mod cgroup;
mod namespaces;
mod network;

use serde::{Deserialize, Deserializer, Serialize};

pub use cgroup::Cgroup;
pub use namespaces::{Namespace, NamespaceType, Namespaces};
pub use network::{Network, Route};

/// What is put into a container and around it.
///
/// ```
/// use cofferdam_nsinit::{Config, NamespaceType};
/// let config = Config::parse(br#"{"hostname": "koye", "namespaces": {"NEWUTS": true, "NEWNET": false}}"#)?;
/// assert!(config.namespaces.contains(NamespaceType::Uts));
/// assert!(!config.namespaces.contains(NamespaceType::Network));
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Mounts, device nodes and how the root is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_config: Option<MountConfig>,
    /// The root file system's directory.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub root_fs: String,
    /// Host name; needs NEWUTS.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub hostname: String,
    /// Who the program runs as: `user`, `uid`, `user:group`, `uid:gid` or a mixture, by the container's
    /// /etc/passwd and /etc/group.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub user: String,
    /// Where the program starts; empty is `/`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub working_dir: String,
    /// All variables of the program, `NAME=value` each; nothing of the caller's is added.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub environment: Vec<String>,
    /// Whether the program gets a terminal.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub tty: bool,
    /// Namespaces that are made or joined; the others are the caller's.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub namespaces: Namespaces,
    /// Capabilities that are kept, without `CAP_`; all others are dropped.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub capabilities: Vec<String>,
    /// Networks.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub networks: Vec<Network>,
    /// An IPC namespace to join, by its file.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub ipc: String,
    /// Routes.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub routes: Vec<Route>,
    /// The container's cgroups; absent, it stays in the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<Cgroup>,
    /// AppArmor profile of the program.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub apparmor_profile: String,
    /// SELinux label of the program.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub process_label: String,
    /// Whether /sys and what configures the kernel in /proc are read-only, and /proc/kcore is empty.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub restrict_sys: bool,
    /// Resource limits.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub rlimits: Vec<Rlimit>,
    /// Supplementary groups besides those that the user is a member of.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub additional_groups: Vec<u32>,
    /// User ids of a new user namespace.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub uid_mappings: Vec<IdMap>,
    /// Group ids of a new user namespace.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub gid_mappings: Vec<IdMap>,
    /// Signal that the container's first process gets when whoever started it ends; 0 is libcontainer's
    /// own choice, SIGKILL.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub parent_death_signal: u32,
}

/// How the container's file system is put together.
///
/// ```
/// use cofferdam_nsinit::{Mount, MountConfig};
/// let tmp = Mount { kind: "tmpfs".into(), destination: "/tmp".into(), ..Mount::default() };
/// let mounts = MountConfig { readonly_fs: true, mounts: vec![tmp], ..MountConfig::default() };
/// assert!(!mounts.no_pivot_root);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountConfig {
    /// Enter the root by moving its mount, where pivot_root(2) is not possible (a ramfs).
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub no_pivot_root: bool,
    /// Whether the root is read-only.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub readonly_fs: bool,
    /// Mounts besides those that every container has.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub mounts: Vec<Mount>,
    /// Device nodes besides those that every container has.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub device_nodes: Vec<Device>,
    /// SELinux label of mounts.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub mount_label: String,
}

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// `bind` or `tmpfs`.
    #[serde(rename = "type", deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub kind: String,
    /// File or directory of the host's, for `bind`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub source: String,
    /// Where in the container.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub destination: String,
    /// Whether a bind mount can be written to.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub writable: bool,
    /// `z` or `Z`: the source gets the mount's SELinux label.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub relabel: String,
    /// Nothing is propagated.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub private: bool,
    /// What is mounted below the source appears.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub slave: bool,
}

/// A device: a node to be made, or a rule of the devices cgroup.
///
/// ```
/// let null: cofferdam_nsinit::Device = serde_json::from_str(
///     r#"{"type": 99, "path": "/dev/null", "major_number": 1, "minor_number": 3, "file_mode": 438}"#,
/// ).unwrap();
/// assert_eq!((null.letter(), null.file_mode), (Some('c'), 0o666));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// The letter's number: 99 is `c`, 98 is `b`.
    #[serde(rename = "type", deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub kind: u32,
    /// Where in the container; empty for a rule.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub path: String,
    /// Major number; -1 is all of them, for a rule.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub major_number: i64,
    /// Minor number; -1 is all of them, for a rule.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub minor_number: i64,
    /// `r`, `w`, `m` together.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub cgroup_permissions: String,
    /// Permission bits.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub file_mode: u32,
    /// Owner inside the container.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub uid: u32,
    /// Group inside the container.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub gid: u32,
}

impl Device {
    /// Its type as mknod(1) has it.
    #[must_use]
    pub fn letter(&self) -> Option<char> {
        char::from_u32(self.kind).filter(|letter| "cbup".contains(*letter))
    }
}

/// A resource limit, see setrlimit(2).
///
/// ```
/// let limit = cofferdam_nsinit::Rlimit { kind: 7, hard: 1024, soft: 1024 }; // open files
/// assert_eq!(serde_json::to_string(&limit).unwrap(), r#"{"type":7,"hard":1024,"soft":1024}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rlimit {
    /// The number of `RLIMIT_*`.
    #[serde(rename = "type")]
    pub kind: u32,
    /// Ceiling.
    pub hard: u64,
    /// Limit in force.
    pub soft: u64,
}

/// A range of ids, see user_namespaces(7).
///
/// ```
/// let all = cofferdam_nsinit::IdMap { container_id: 0, host_id: 100_000, size: 65_536 };
/// assert_eq!(all.host(5), Some(100_005));
/// assert_eq!(all.host(70_000), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMap {
    /// First id inside.
    pub container_id: u32,
    /// First id outside.
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

impl IdMap {
    /// The id outside of one inside.
    #[must_use]
    pub fn host(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.container_id).filter(|offset| *offset < self.size)?;
        self.host_id.checked_add(offset)
    }
}

impl Config {
    /// Reads a container.json.
    ///
    /// # Errors
    /// [`cofferdam::ErrorKind::Configuration`] with the member that could not be read.
    pub fn parse(bytes: &[u8]) -> cofferdam::Result<Self> {
        cofferdam_oci::parse(bytes).map_err(|e| {
            cofferdam::Error::new(
                cofferdam::ErrorKind::Configuration,
                "reading the container's configuration",
            )
            .with_detail(e.message)
            .with_pointer(&e.pointer)
        })
    }
}

/// `null` counts as absent, as it does for Go.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

pub(crate) fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
