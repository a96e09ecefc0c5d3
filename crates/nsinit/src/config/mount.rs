//! `mount_config`: how the container's file system is put together.

use serde::{Deserialize, Serialize};

use super::{Device, empty};

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
    #[serde(skip_serializing_if = "empty")]
    pub no_pivot_root: bool,
    /// A directory inside for pivot_root(2) to put the old root; nothing of the kind is needed here.
    #[serde(skip_serializing_if = "empty")]
    pub pivot_dir: String,
    /// Whether the root is read-only.
    #[serde(skip_serializing_if = "empty")]
    pub readonly_fs: bool,
    /// Whether nothing that is mounted on the host later appears; absent, that is so unless `no_pivot_root`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_fs: Option<bool>,
    /// Which mounts every container has besides.
    #[serde(skip_serializing_if = "empty")]
    pub system_mounts: SystemMounts,
    /// Mounts besides those that every container has.
    #[serde(skip_serializing_if = "empty")]
    pub mounts: Vec<Mount>,
    /// Device nodes besides those that every container has.
    #[serde(skip_serializing_if = "empty")]
    pub device_nodes: Vec<Device>,
    /// SELinux label of mounts.
    #[serde(skip_serializing_if = "empty")]
    pub mount_label: String,
}

/// The mounts that a container has without naming them.
///
/// ```
/// use cofferdam_nsinit::{Config, SystemMounts};
/// let config = Config::parse(br#"{"rootfs": "/srv/box", "mounts": []}"#)?;
/// assert_eq!(config.mount_config.unwrap().system_mounts, SystemMounts::None);
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SystemMounts {
    /// proc, a small /dev, /dev/shm, /dev/mqueue, /dev/pts and sysfs: v1.
    #[default]
    Standard,
    /// proc, sysfs, a small /dev, /dev/shm, /dev/pts and a tmpfs at /run: February of 2014.
    First,
    /// None: v2 names them all.
    None,
}

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// `bind` or `tmpfs`; with [`Mount::flags`] also `proc`, `sysfs`, `mqueue`, `devpts` and `cgroup`.
    #[serde(rename = "type", skip_serializing_if = "empty")]
    pub kind: String,
    /// File or directory of the host's, for `bind`.
    #[serde(skip_serializing_if = "empty")]
    pub source: String,
    /// Where in the container.
    #[serde(skip_serializing_if = "empty")]
    pub destination: String,
    /// Whether a bind mount can be written to.
    #[serde(skip_serializing_if = "empty")]
    pub writable: bool,
    /// `z` or `Z`: the source gets the mount's SELinux label.
    #[serde(skip_serializing_if = "empty")]
    pub relabel: String,
    /// Nothing is propagated.
    #[serde(skip_serializing_if = "empty")]
    pub private: bool,
    /// What is mounted below the source appears.
    #[serde(skip_serializing_if = "empty")]
    pub slave: bool,
    /// `MS_*` of mount(2), as v2 has them: `writable`, `private` and `slave` mean nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    /// The file system's own options, separated by commas.
    #[serde(skip_serializing_if = "empty")]
    pub data: String,
    /// Run before it is mounted.
    #[serde(skip_serializing_if = "empty")]
    pub premount_cmds: Vec<MountCommand>,
    /// Run once it is mounted.
    #[serde(skip_serializing_if = "empty")]
    pub postmount_cmds: Vec<MountCommand>,
}

/// A program of the host's that is run in the container's namespaces beside a mount, before its root is
/// entered.
///
/// ```
/// let touch: cofferdam_nsinit::MountCommand =
///     serde_json::from_str(r#"{"path": "/bin/touch", "args": ["/srv/data/ready"]}"#).unwrap();
/// assert_eq!(touch.args.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountCommand {
    /// The program.
    pub path: String,
    /// Its arguments, without its name.
    #[serde(skip_serializing_if = "empty")]
    pub args: Vec<String>,
    /// All its variables; without any it gets those of the container's program.
    #[serde(skip_serializing_if = "empty")]
    pub env: Vec<String>,
    /// Where it starts.
    #[serde(skip_serializing_if = "empty")]
    pub dir: String,
}
