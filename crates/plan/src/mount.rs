//! One mount, decided: what is mounted, where, with which attributes.
//!
//! Made from an entry of `mounts`; turned into operations by the lowering. Data only.

use cofferdam_oci::{IdMapping, Pointer};

use crate::{HostPath, InPath};

/// One mount of the container, in the order of the document.
///
/// ```
/// use cofferdam_plan::{Attr, InPath, MountKind, MountPlan};
/// let readonly = MountPlan {
///     pointer: cofferdam_oci::Pointer::new("/mounts/0"),
///     target: InPath::new("/data").unwrap(),
///     kind: MountKind::Remount,
///     attr: Attr { set: 1, clear: 0 }, // MOUNT_ATTR_RDONLY
///     recursive_attr: Attr::default(),
///     propagation: vec![],
///     idmap: None,
///     late_readonly: false,
/// };
/// assert_eq!(readonly.target.as_str(), "/data");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPlan {
    /// The entry of the document.
    pub pointer: Pointer,
    /// Where, inside the container. Missing directories (or, for the bind mount of a file, a missing
    /// file) are made.
    pub target: InPath,
    /// What.
    pub kind: MountKind,
    /// Attributes of this mount (`ro`, `nosuid`, `noatime`…).
    pub attr: Attr,
    /// Attributes of this mount and all below it (`rro`, `rnosuid`…), applied after `attr`.
    pub recursive_attr: Attr,
    /// Propagation, in the order of the options.
    pub propagation: Vec<Propagation>,
    /// Ids of an idmapped mount.
    pub idmap: Option<IdmapPlan>,
    /// The `MOUNT_ATTR_RDONLY` of `attr` and `recursive_attr` is set only once all mounts, devices and
    /// links are in place: others are made inside this one (a read-only tmpfs, or /dev).
    pub late_readonly: bool,
}

/// What is mounted.
///
/// ```
/// use cofferdam_plan::{BindOpen, HostPath, MountKind};
/// let bind = MountKind::Bind {
///     source: HostPath::new("/srv", "/".as_ref()).unwrap(),
///     recursive: true,
///     open: BindOpen::Child,
///     copy_symlink: false,
///     nofollow: false,
/// };
/// assert_ne!(bind, MountKind::Remount);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A bind mount, see open_tree(2).
    Bind {
        /// File or directory on the host.
        source: HostPath,
        /// Whether mounts below the source come along (`rbind`).
        recursive: bool,
        /// Which side opens the source.
        open: BindOpen,
        /// `copy-symlink` (crun's name): a source that is a symbolic link is copied as one.
        copy_symlink: bool,
        /// `src-nofollow` (crun's name): a source that is a symbolic link is bound itself, not followed.
        nofollow: bool,
    },
    /// A new file system, see fsopen(2). Note that fsconfig(2) takes values of at most 255 bytes, and
    /// mount(2) a page of parameters in all.
    Filesystem {
        /// Type, as in filesystems(5).
        fstype: String,
        /// `source` parameter.
        source: Option<String>,
        /// Parameters, in order.
        params: Vec<FsParam>,
        /// `tmpcopyup`: what the root filesystem holds at the target is copied into it.
        copy_up: bool,
        /// A tmpfs that the document gives no `mode`: it gets the permission bits of what it covers, if there
        /// is something, as for runc. Otherwise the kernel's 1777 would open a closed directory.
        inherit_mode: bool,
        /// Whether the target may be reached through symbolic links inside the root (never for proc and
        /// sysfs: CVE-2019-19921).
        symlinks: bool,
    },
    /// The container's cgroups, v1: a tmpfs (`mode=755`) holding one directory per hierarchy. The mount's
    /// attributes are those of every hierarchy; the tmpfs gets them once it is filled.
    CgroupV1 {
        /// The hierarchies.
        hierarchies: Vec<CgroupHierarchyMount>,
        /// Symbolic links for controllers mounted together: (`cpu`, `cpu,cpuacct`).
        links: Vec<(String, String)>,
    },
    /// The container's cgroup, v2.
    CgroupV2 {
        /// Host directory to bind when there is no cgroup namespace.
        bind: Option<HostPath>,
        /// Parameters of a fresh mount, such as `nsdelegate`.
        params: Vec<FsParam>,
    },
    /// Attributes of an existing mount change (`remount`).
    Remount,
}

/// One cgroup v1 hierarchy inside the container.
///
/// ```
/// use cofferdam_plan::{CgroupHierarchyMount, FsParam};
/// let pids = CgroupHierarchyMount { directory: "pids".into(), params: vec![FsParam::flag("pids")], bind: None };
/// assert_eq!(pids.params[0].key, pids.directory);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupHierarchyMount {
    /// Directory name below the target: `cpu,cpuacct`, `systemd`.
    pub directory: String,
    /// Mount parameters: `cpu`, `cpuacct`; `none`, `name=systemd`.
    pub params: Vec<FsParam>,
    /// Host directory to bind when there is no cgroup namespace.
    pub bind: Option<HostPath>,
}

/// Which side opens the source of a bind mount.
///
/// ```
/// assert_ne!(cofferdam_plan::BindOpen::Child, cofferdam_plan::BindOpen::Parent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindOpen {
    /// The child, before it leaves the host's root.
    Child,
    /// The parent, before the clone: the child's user namespace may not be allowed to look at it, or
    /// may not idmap it.
    Parent,
    /// The child, below the container's root, where the source then is: an earlier mount may have put it there.
    Inside,
}

/// A parameter of fsconfig(2): a flag or a string.
///
/// ```
/// let param = cofferdam_plan::FsParam { key: "mode".into(), value: Some("755".into()) };
/// assert_ne!(param, cofferdam_plan::FsParam::flag("mode"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsParam {
    /// Key, such as `mode` or `ro`.
    pub key: String,
    /// Value; `None` is a flag.
    pub value: Option<String>,
}

/// Mount attributes to set and to clear, `MOUNT_ATTR_*` bits of mount_setattr(2).
///
/// ```
/// let noatime = cofferdam_plan::Attr { set: 0x10, clear: 0x70 };
/// assert_eq!(noatime.set & noatime.clear, noatime.set); // cleared first, then set
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attr {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear.
    pub clear: u64,
}

/// A change of propagation, see mount_namespaces(7).
///
/// ```
/// let rslave = cofferdam_plan::Propagation { flag: 1 << 19, recursive: true };
/// assert!(rslave.recursive);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// `MS_SHARED`, `MS_PRIVATE`, `MS_SLAVE` or `MS_UNBINDABLE`.
    pub flag: u64,
    /// Whether mounts below change too.
    pub recursive: bool,
}

/// Ids of an idmapped mount, see mount_setattr(2).
///
/// ```
/// let of_the_container = cofferdam_plan::IdmapPlan { uid: vec![], gid: vec![], recursive: true };
/// assert!(of_the_container.uid.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdmapPlan {
    /// The mount's own user ids; empty means those of the container's user namespace.
    pub uid: Vec<IdMapping>,
    /// The mount's own group ids.
    pub gid: Vec<IdMapping>,
    /// `ridmap`: mounts below are mapped too.
    pub recursive: bool,
}
