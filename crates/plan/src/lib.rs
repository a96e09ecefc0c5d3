//! The decision: `Spec + HostFacts + Options → InitPlan | ExecPlan`, or all rejections at once.
//!
//! Called by the library before anything is created, and by `cofferdam plan`. Pure: it reads no file,
//! makes no system call and must build anywhere. What it returns has no "unset" left in it: every
//! default is applied, every word is a number, every path is absolute and clean.

mod facts;
mod init;
mod mount;
mod path;
mod process;

pub use facts::{HostFacts, V1Mount};
pub use init::{
    CgroupDir, Device, DeviceKind, DeviceSource, ExecOptions, ExecPlan, HookPlan, HooksPlan, IdMaps, InitPlan, JoinNamespace,
    NetDevicePlan, Options, Pivot, RdtPlan, RootPlan, Setgroups, Symlink, SysctlPlan, TimeOffsetPlan,
};
pub use mount::{Attr, BindOpen, CgroupHierarchyMount, FsParam, IdmapPlan, MountKind, MountPlan, Propagation};
pub use path::{HostPath, InPath};
pub use process::{AffinityPlan, CapSets, MempolicyPlan, ProcessPlan, RlimitPlan, SchedulerPlan, TerminalPlan};
