//! The plans themselves: [`InitPlan`] for a new container, [`ExecPlan`] for a process in an existing one.
//!
//! Two types on purpose: they share steps ([`ProcessPlan`]), never branches. Data only.

use cofferdam_oci::{IdMapping, Pointer};
use std::path::PathBuf;

use crate::{HostPath, InPath, MountPlan, ProcessPlan};

/// What the command line or the embedder asks for besides the document.
///
/// ```
/// let options = cofferdam_plan::Options { bundle: "/b".into(), id: "box".into(), ..Default::default() };
/// assert!(!options.no_pivot);
/// ```
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct Options {
    /// The bundle: an absolute directory that relative paths start from.
    pub bundle: PathBuf,
    /// The container's id (default host objects are named after it).
    pub id: String,
    /// Do not pivot_root(2): move the root mount and chroot(2), for hosts whose root is a ramdisk.
    pub no_pivot: bool,
    /// Do not make a session keyring.
    pub no_new_keyring: bool,
    /// The container's cgroup directories, as `cofferdam-cgroup` has planned them (empty: none).
    pub cgroup_dirs: Vec<CgroupDir>,
    /// A notify socket (`NOTIFY_SOCKET`) is proxied into the container: its environment names it.
    pub notify_socket: bool,
    /// Directory on the host that holds `notify.sock`; bound read-only at [`crate::NOTIFY_DIRECTORY`] if
    /// `notify_socket`. `None` when the mount is made elsewhere.
    pub notify_directory: Option<PathBuf>,
    /// Files that are made for the container and bound read-only inside, unless the document mounts something
    /// there.
    pub files: Vec<OwnFile>,
    /// Number of descriptors from 3 on that the process keeps (`--preserve-fds`, `LISTEN_FDS`).
    pub preserve_fds: u32,
}

/// A file that is made for a container.
///
/// ```
/// let pointer = cofferdam_oci::Pointer::root();
/// let hosts = cofferdam_plan::OwnFile { pointer, source: "/run/box/hosts".into(), target: "/etc/hosts".into() };
/// assert_eq!(cofferdam_plan::Options { files: vec![hosts], ..Default::default() }.files.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    /// What asks for it.
    pub pointer: Pointer,
    /// The file on the host.
    pub source: PathBuf,
    /// Where it is seen inside.
    pub target: String,
}

/// One of the container's cgroup directories.
///
/// ```
/// let dir = cofferdam_plan::CgroupDir { options: vec!["pids".into()], path: "/sys/fs/cgroup/pids/box".into() };
/// assert!(dir.path.is_absolute());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupDir {
    /// As [`crate::V1Mount::options`]; empty for the v2 tree.
    pub options: Vec<String>,
    /// Directory on the host.
    pub path: PathBuf,
}

/// A new container.
///
/// ```
/// use cofferdam_plan::{HostFacts, Options, plan_init};
/// let spec = cofferdam_oci::parse_spec(
///     br#"{"ociVersion": "1.3.0", "root": {"path": "/r"}, "process": {"cwd": "/", "args": ["sh"]}}"#,
/// )
/// .unwrap();
/// let options = Options { bundle: "/b".into(), ..Options::default() };
/// let plan = plan_init(&spec, &HostFacts::typical(), &options).unwrap();
/// assert_eq!(plan.new_namespaces, 0);
/// ```
#[derive(Clone, Debug)]
pub struct InitPlan {
    /// The root filesystem.
    pub root: RootPlan,
    /// Namespaces to make, `CLONE_NEW*` bits.
    pub new_namespaces: u64,
    /// Namespaces to join, in the order in which they are joined (user first).
    pub join: Vec<JoinNamespace>,
    /// Id maps of a new user namespace.
    pub id_maps: Option<IdMaps>,
    /// Offsets of a new time namespace.
    pub time_offsets: Vec<TimeOffsetPlan>,
    /// Mounts, in order.
    pub mounts: Vec<MountPlan>,
    /// Device nodes, default ones included; empty when /dev is a bind mount of the host's.
    pub devices: Vec<Device>,
    /// Default symbolic links of /dev; empty as `devices` may be. One that exists is left alone, but
    /// /dev/ptmx is replaced.
    pub symlinks: Vec<Symlink>,
    /// Host name.
    pub hostname: Option<String>,
    /// NIS domain name.
    pub domainname: Option<String>,
    /// Kernel parameters.
    pub sysctls: Vec<SysctlPlan>,
    /// Paths made unreadable.
    pub masked_paths: Vec<(Pointer, InPath)>,
    /// Paths made read-only.
    pub readonly_paths: Vec<(Pointer, InPath)>,
    /// Name of the session keyring that is made, if one is.
    pub keyring: Option<String>,
    /// SELinux label of mounts made on our own account (masks, devices).
    pub mount_label: Option<String>,
    /// The loopback device of a new network namespace is set up.
    pub loopback: bool,
    /// Network devices that the parent moves in.
    pub net_devices: Vec<NetDevicePlan>,
    /// Resource director technology, done by the parent.
    pub rdt: Option<RdtPlan>,
    /// Hooks.
    pub hooks: HooksPlan,
    /// What runs.
    pub process: ProcessPlan,
    /// `preserve_fds` of the options.
    pub preserve_fds: u32,
    /// What is odd but obeyed all the same, for the log (an unknown capability, say).
    pub warnings: Vec<(Pointer, String)>,
}

/// The root filesystem.
///
/// ```
/// use cofferdam_plan::{HostPath, Pivot, RootPlan};
/// let root = RootPlan {
///     path: HostPath::new("rootfs", "/bundle".as_ref()).unwrap(),
///     readonly: true,
///     propagation: (1 << 19) | (1 << 14), // MS_SLAVE | MS_REC
///     final_propagation: None,
///     pivot: Pivot::PivotRoot,
///     new_mount_namespace: true,
/// };
/// assert!(root.path.as_path().is_absolute());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPlan {
    /// Directory on the host.
    pub path: HostPath,
    /// Read-only once everything is in place.
    pub readonly: bool,
    /// Propagation given to every mount of the new mount namespace first: `MS_SLAVE` or
    /// `MS_PRIVATE`, recursive, unless the document asks for `shared` or others.
    pub propagation: u64,
    /// Propagation of the container's `/` at the end, if the document asks for one.
    pub final_propagation: Option<u64>,
    /// How the root is left.
    pub pivot: Pivot,
    /// Whether the container has a mount namespace of its own, new or joined; without one only chroot(2)
    /// is left.
    pub new_mount_namespace: bool,
}

/// How the old root is left.
///
/// ```
/// assert_ne!(cofferdam_plan::Pivot::PivotRoot, cofferdam_plan::Pivot::Chroot);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pivot {
    /// pivot_root(2).
    PivotRoot,
    /// `MS_MOVE` and chroot(2) (`--no-pivot`).
    MoveRoot,
    /// chroot(2) alone: there is no mount namespace.
    Chroot,
}

/// A namespace to join.
///
/// ```
/// use cofferdam_plan::{HostPath, JoinNamespace};
/// let join = JoinNamespace {
///     pointer: cofferdam_oci::Pointer::new("/linux/namespaces/0"),
///     kind: 0x4000_0000, // CLONE_NEWNET
///     path: HostPath::new("/run/netns/a", "/".as_ref()).unwrap(),
/// };
/// assert_eq!(join.kind.count_ones(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinNamespace {
    /// The entry of the document.
    pub pointer: Pointer,
    /// `CLONE_NEW*` bit.
    pub kind: u64,
    /// The namespace's file.
    pub path: HostPath,
}

/// Id maps of a new user namespace.
///
/// ```
/// use cofferdam_plan::{IdMaps, Setgroups};
/// let own = cofferdam_oci::IdMapping { container_id: 0, host_id: 1000, size: 1 };
/// let maps = IdMaps { uid: vec![own], gid: vec![own], setgroups: Setgroups::Deny, helpers: None };
/// assert_eq!(maps.uid, maps.gid);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMaps {
    /// User ids.
    pub uid: Vec<IdMapping>,
    /// Group ids.
    pub gid: Vec<IdMapping>,
    /// What /proc/PID/setgroups gets first.
    pub setgroups: Setgroups,
    /// newuidmap(1) and newgidmap(1), when the kernel would refuse us.
    pub helpers: Option<(PathBuf, PathBuf)>,
}

/// See user_namespaces(7), /proc/PID/setgroups.
///
/// ```
/// assert_ne!(cofferdam_plan::Setgroups::Allow, cofferdam_plan::Setgroups::Deny);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setgroups {
    /// Left as it is.
    Allow,
    /// Written: an unprivileged runtime must (CVE-2014-8989).
    Deny,
}

/// One clock of a new time namespace.
///
/// ```
/// let pointer = cofferdam_oci::Pointer::new("/linux/timeOffsets/boottime");
/// let offset = cofferdam_plan::TimeOffsetPlan { pointer, clock: "boottime", secs: -5, nanosecs: 0 };
/// assert_eq!(format!("{} {} {}", offset.clock, offset.secs, offset.nanosecs), "boottime -5 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeOffsetPlan {
    /// The entry of the document.
    pub pointer: Pointer,
    /// `monotonic` or `boottime`.
    pub clock: &'static str,
    /// Seconds.
    pub secs: i64,
    /// Nanoseconds.
    pub nanosecs: u32,
}

/// A device node.
///
/// ```
/// use cofferdam_plan::{Device, DeviceKind, DeviceSource, InPath};
/// let null = Device {
///     pointer: cofferdam_oci::Pointer::root(),
///     path: InPath::new("/dev/null").unwrap(),
///     kind: DeviceKind::Character,
///     major: 1,
///     minor: 3,
///     mode: 0o666,
///     uid: 0,
///     gid: 0,
///     source: DeviceSource::Mknod,
/// };
/// assert_eq!(null.path.as_str(), "/dev/null");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The entry of the document; the root for default devices.
    pub pointer: Pointer,
    /// Where, inside.
    pub path: InPath,
    /// Which kind.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner inside.
    pub uid: u32,
    /// Group inside.
    pub gid: u32,
    /// How it is made.
    pub source: DeviceSource,
}

/// Kinds of device nodes.
///
/// ```
/// assert_ne!(cofferdam_plan::DeviceKind::Block, cofferdam_plan::DeviceKind::Character);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// `c` and `u`.
    Character,
    /// `b`.
    Block,
    /// `p`.
    Fifo,
}

/// How a device node is made.
///
/// ```
/// use cofferdam_plan::{DeviceSource, HostPath};
/// let bind = DeviceSource::Bind(HostPath::new("/dev/fuse", "/".as_ref()).unwrap());
/// assert_ne!(bind, DeviceSource::Mknod);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceSource {
    /// mknod(2).
    Mknod,
    /// The host's node is bound: a user namespace may not make nodes.
    Bind(HostPath),
}

/// A symbolic link.
///
/// ```
/// use cofferdam_plan::{InPath, Symlink};
/// let link = Symlink { path: InPath::new("/dev/ptmx").unwrap(), target: "pts/ptmx".into() };
/// assert!(!link.target.starts_with('/'));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symlink {
    /// Where, inside.
    pub path: InPath,
    /// What it says.
    pub target: String,
}

/// A kernel parameter.
///
/// ```
/// let pointer = cofferdam_oci::Pointer::new("/linux/sysctl").key("net.ipv4.ip_forward");
/// let sysctl = cofferdam_plan::SysctlPlan { pointer, file: "net/ipv4/ip_forward".into(), value: "1".into() };
/// assert!(!sysctl.file.starts_with('/'));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysctlPlan {
    /// The entry of the document.
    pub pointer: Pointer,
    /// File below /proc/sys, such as `net/ipv4/ip_forward`.
    pub file: String,
    /// What is written.
    pub value: String,
}

/// A network device to move.
///
/// ```
/// let pointer = cofferdam_oci::Pointer::new("/linux/netDevices/eth1");
/// let device = cofferdam_plan::NetDevicePlan { pointer, host_name: "eth1".into(), name: "eth0".into() };
/// assert_ne!(device.host_name, device.name);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetDevicePlan {
    /// The entry of the document.
    pub pointer: Pointer,
    /// Its name on the host.
    pub host_name: String,
    /// Its name inside.
    pub name: String,
}

/// Resource director technology.
///
/// ```
/// let rdt = cofferdam_plan::RdtPlan {
///     resctrl: "/sys/fs/resctrl".into(),
///     clos_id: "gold".into(),
///     must_exist: false,
///     schemata: vec!["L3:0=ff".into()],
///     monitoring: false,
/// };
/// assert!(rdt.resctrl.join(&rdt.clos_id).ends_with("gold"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdtPlan {
    /// Where resctrl is mounted.
    pub resctrl: PathBuf,
    /// Name of the class of service, a directory of resctrl; `/` is resctrl's own.
    pub clos_id: String,
    /// Whether the class must exist already (a `closID` without any schema).
    pub must_exist: bool,
    /// Lines for the schemata file.
    pub schemata: Vec<String>,
    /// Whether a monitoring group is made.
    pub monitoring: bool,
}

/// The six kinds of hooks.
///
/// ```
/// assert!(cofferdam_plan::HooksPlan::default().poststop.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HooksPlan {
    /// `prestart`.
    pub prestart: Vec<HookPlan>,
    /// `createRuntime`.
    pub create_runtime: Vec<HookPlan>,
    /// `createContainer`.
    pub create_container: Vec<HookPlan>,
    /// `startContainer`.
    pub start_container: Vec<HookPlan>,
    /// `poststart`.
    pub poststart: Vec<HookPlan>,
    /// `poststop`.
    pub poststop: Vec<HookPlan>,
}

/// One hook.
///
/// ```
/// let hook = cofferdam_plan::HookPlan {
///     pointer: cofferdam_oci::Pointer::new("/hooks/poststop/0"),
///     path: "/bin/true".into(),
///     args: vec!["/bin/true".into()],
///     env: vec![],
///     home: false,
///     timeout_ms: Some(5000),
///     output: [None, None],
/// };
/// assert!(hook.path.starts_with('/'));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookPlan {
    /// The entry of the document.
    pub pointer: Pointer,
    /// Absolute path of the program.
    pub path: String,
    /// Its arguments, the first its name (the path, when the document gives none).
    pub args: Vec<String>,
    /// Its whole environment. For `startContainer` hooks without one it is the process's, as for runc.
    pub env: Vec<String>,
    /// Whether `HOME` is added to it as for the process: of `startContainer` hooks that get its environment.
    pub home: bool,
    /// Milliseconds it may take; `None` is for ever.
    pub timeout_ms: Option<u64>,
    /// Files of the host's that its standard output and standard error are added to.
    pub output: [Option<PathBuf>; 2],
}

/// A process in an existing container.
///
/// ```
/// use cofferdam_plan::{ExecOptions, HostFacts, plan_exec};
/// let spec = cofferdam_oci::parse_spec(br#"{"ociVersion": "1.3.0"}"#).unwrap();
/// let process = cofferdam_oci::parse(br#"{"cwd": "/", "args": ["ps"]}"#).unwrap();
/// let options = ExecOptions { no_new_keyring: true, ..ExecOptions::default() };
/// assert!(plan_exec(&process, &spec, &HostFacts::typical(), &options).unwrap().keyring.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct ExecPlan {
    /// Namespaces of the container's init that are joined, `CLONE_NEW*` bits, all in one setns(2) on
    /// its pidfd.
    pub namespaces: u64,
    /// Name of the session keyring that is joined, so that the caller's does not come along.
    pub keyring: Option<String>,
    /// What runs.
    pub process: ProcessPlan,
    /// `--preserve-fds`.
    pub preserve_fds: u32,
    /// What is odd but obeyed all the same.
    pub warnings: Vec<(Pointer, String)>,
}

/// What `exec` needs to know besides the process document.
///
/// ```
/// let options = cofferdam_plan::ExecOptions { id: "box".into(), ..Default::default() };
/// assert!(!options.setgroups_denied);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// The container's id (its session keyring is named after it).
    pub id: String,
    /// The container was made without a session keyring.
    pub no_new_keyring: bool,
    /// Namespaces that differ between the container's init and us, `CLONE_NEW*` bits.
    pub namespaces: u64,
    /// Whether the container has its own user namespace.
    pub user_namespace: bool,
    /// Whether setgroups(2) is denied there.
    pub setgroups_denied: bool,
    /// `--preserve-fds`.
    pub preserve_fds: u32,
}
