//! The decision: `Spec + HostFacts + Options → InitPlan | ExecPlan`, or all rejections at once.
//!
//! Called by the library before anything is created, and by `cofferdam plan`. Pure: it reads no file,
//! makes no system call and must build anywhere. What it returns has no "unset" left in it: every
//! default is applied, every word is a number, every path is absolute and clean.
//!
//! ```
//! use cofferdam_plan::{HostFacts, Options, plan_init};
//! let spec = cofferdam_oci::parse_spec(
//!     br#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},
//!          "process": {"cwd": "tmp", "args": []},
//!          "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}"#,
//! )
//! .unwrap();
//! let options = Options { bundle: "/bundle".into(), id: "box".into(), ..Options::default() };
//! let rejects = plan_init(&spec, &HostFacts::typical(), &options).unwrap_err();
//! let told: Vec<String> = rejects.iter().map(ToString::to_string).collect();
//! assert_eq!(
//!     told,
//!     ["/process/args: empty", "/process/cwd: \"tmp\" is not an absolute path (hint: start it with /)"]
//! );
//! ```

mod annotations;
mod facts;
mod init;
mod mount;
mod path;
mod process;

mod bits;
mod findings;
mod scene;

mod version;

mod cgroup_mount;
mod devices;
mod fs_param;
mod hidden;
mod hooks;
mod idmaps;
mod mount_options;
mod mounts;
mod names;
mod namespaces;
mod net_devices;
mod plan_init;
mod proc_mount;
mod rdt;
mod root;
mod sysctl;
mod time_offsets;

mod args;
mod caps;
mod env;
mod id_list;
mod labels;
mod memory_policy;
mod plan_exec;
mod plan_process;
mod rlimits;
mod scheduling;
mod user;

pub use facts::{HostFacts, V1Mount};
pub use init::{
    CgroupDir, Device, DeviceKind, DeviceSource, ExecOptions, ExecPlan, HookPlan, HooksPlan, IdMaps,
    InitPlan, JoinNamespace, NetDevicePlan, Options, OwnFile, Pivot, RdtPlan, RootPlan, Setgroups, Symlink,
    SysctlPlan, TimeOffsetPlan,
};
pub use mount::{
    Attr, BindOpen, CgroupHierarchyMount, FsParam, IdmapPlan, MountKind, MountPlan, Propagation,
};
pub use path::{HostPath, InPath};
pub use process::{
    AffinityPlan, CapSets, MempolicyPlan, ProcessPlan, RlimitPlan, SchedulerPlan, TerminalPlan,
};

pub use annotations::{adopt_seccomp_receiver, pidfd_receiver};
pub use caps::{capability_bit, known_capabilities};
pub use hooks::{known_hooks, plan_hooks};
pub use memory_policy::{known_memory_policy_flags, known_memory_policy_modes};
pub use mount_options::known_mount_options;
pub use namespaces::known_namespaces;
pub use plan_exec::plan_exec;
pub use plan_init::plan_init;
pub use rdt::rdt_schemata;
pub use rlimits::{known_rlimits, rlimit_number};

/// Where the notify socket's directory is bound in the container; the socket is `notify.sock` in it.
///
/// ```
/// assert_eq!(cofferdam_plan::NOTIFY_DIRECTORY, "/run/notify");
/// ```
pub const NOTIFY_DIRECTORY: &str = "/run/notify";
