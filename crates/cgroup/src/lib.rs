//! The budget: a container's cgroups, on version 1, version 2 and both together.
//!
//! Two halves. The pure one ([`plan()`]) turns `linux.resources` into directories, writes and a device
//! program, as plain data. The other ([`Cgroup`]) owns the directories: it makes, fills, joins, freezes,
//! measures, kills and removes them. Called by the library, for which it is the only way to a cgroup; it
//! may not know of a container, read a configuration or print.
//!
//! The order of a start is [`Cgroup::create`], [`Cgroup::apply_limits`], then a join: limits are there
//! before the first instruction of the container runs, and a version 1 cpuset is filled before it has to
//! take a process.
//!
//! # Where it follows whom
//!
//! Where [`PlanOptions::systemd`] asks for it, systemd makes the directories, as a unit's; limits are then its
//! properties as well.
//!
//! Paths, defaults and device rules are those of runc's cgroupfs driver; `cpu.shares` become `cpu.weight`
//! by the formula that runc and crun share. What version 2 cannot obey is rejected, as the
//! specification demands and crun does, unless [`PlanOptions::ignore_v1_only`] asks for runc's silence.

// The pure half.
mod convert;
mod device_bpf;
mod devices;
mod hierarchy;
mod limits;
mod mountinfo;
mod orphan;
mod path;
mod plan;
// The half that owns.
mod apply;
mod cgroup;
mod controllers;
mod delegate;
mod delete;
mod error;
mod file;
mod freeze;
mod join;
mod kill;
mod make;
mod oom;
mod stats;
mod systemd;
mod update;
pub mod usage;

pub use cgroup::{Cgroup, Making, SavedCgroup};
pub use convert::shares_to_weight;
pub use devices::DeviceProgram;
pub use error::{Error, UpdateError};
pub use hierarchy::{Hierarchies, Mode, V1Hierarchy, V2Hierarchy};
pub use oom::{Oom, OomWatch};
pub use plan::{CgroupDir, CgroupPlan, CgroupWrite, Ignored, PlanOptions, Version, plan, plan_update};
pub use stats::{
    Blkio, BlkioEntry, Cpu, CpuUsage, Cpuset, Hugetlb, IntelRdt, Memory, MemoryEntry, NetworkInterface, Pids,
    Psi, PsiLine, Stats, Throttling,
};
pub use systemd::{Manager, Property, SavedUnit, SystemdOptions, UnitPlan, Value};
