//! A process, decided: shared by create and exec. Data only.

use cofferdam_oci::Pointer;
use cofferdam_seccomp::Filter;

use crate::InPath;

/// Everything between "in the namespaces" and execve(2).
///
/// ```
/// use cofferdam_plan::{ExecOptions, HostFacts, plan_exec};
/// let spec = cofferdam_oci::parse_spec(br#"{"ociVersion": "1.3.0"}"#).unwrap();
/// let process = cofferdam_oci::parse(br#"{"cwd": "/x/..", "args": ["ps"], "env": ["A=1", "A=2"]}"#).unwrap();
/// let plan = plan_exec(&process, &spec, &HostFacts::typical(), &ExecOptions::default()).unwrap().process;
/// assert_eq!((plan.cwd.as_str(), plan.env), ("/", vec!["A=2".to_owned()]));
/// ```
#[derive(Clone, Debug)]
pub struct ProcessPlan {
    /// Where the process stands in the document (`/process`, or the root for `exec --process`).
    pub pointer: Pointer,
    /// Program and arguments; never empty, no NUL bytes.
    pub args: Vec<String>,
    /// Environment; no NUL bytes, a later duplicate has replaced the earlier.
    pub env: Vec<String>,
    /// Whether HOME must be looked up in the container's /etc/passwd (`/` when it is not there), since
    /// `env` has none.
    pub home_from_passwd: bool,
    /// Working directory.
    pub cwd: InPath,
    /// The terminal, if one is wanted.
    pub terminal: Option<TerminalPlan>,
    /// User id inside.
    pub uid: u32,
    /// Group id inside.
    pub gid: u32,
    /// Supplementary groups; `None` leaves them as they are (setgroups(2) is denied, or they are kept).
    pub groups: Option<Vec<u32>>,
    /// File mode creation mask.
    pub umask: u32,
    /// The capability sets.
    pub caps: CapSets,
    /// Resource limits.
    pub rlimits: Vec<RlimitPlan>,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privs: bool,
    /// AppArmor profile.
    pub apparmor: Option<String>,
    /// SELinux label.
    pub selinux: Option<String>,
    /// Written to oom_score_adj by the parent, −1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// sched_setattr(2).
    pub scheduler: Option<SchedulerPlan>,
    /// Value of ioprio_set(2): class and priority in one.
    pub io_priority: Option<u32>,
    /// CPU affinity (exec only).
    pub affinity: AffinityPlan,
    /// set_mempolicy(2).
    pub memory_policy: Option<MempolicyPlan>,
    /// Value of personality(2).
    pub personality: Option<u32>,
    /// The compiled filter.
    pub seccomp: Option<Filter>,
}

/// The terminal.
///
/// ```
/// let size = cofferdam_plan::TerminalPlan { rows: 24, columns: 80 };
/// assert_ne!(size, cofferdam_plan::TerminalPlan::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalPlan {
    /// Rows; 0 leaves the size alone.
    pub rows: u16,
    /// Columns; 0 leaves the size alone.
    pub columns: u16,
}

/// The five sets of capabilities(7), one bit per capability.
///
/// ```
/// assert_eq!(cofferdam_plan::CapSets::default().bounding, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapSets {
    /// Bounding.
    pub bounding: u64,
    /// Permitted.
    pub permitted: u64,
    /// Effective.
    pub effective: u64,
    /// Inheritable.
    pub inheritable: u64,
    /// Ambient.
    pub ambient: u64,
}

/// One resource limit.
///
/// ```
/// let pointer = cofferdam_oci::Pointer::new("/process/rlimits/0");
/// let core = cofferdam_plan::RlimitPlan { pointer, resource: 4, soft: 0, hard: u64::MAX };
/// assert!(core.soft <= core.hard);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RlimitPlan {
    /// The entry of the document.
    pub pointer: Pointer,
    /// `RLIMIT_*` number.
    pub resource: u32,
    /// Limit in force.
    pub soft: u64,
    /// Ceiling.
    pub hard: u64,
}

/// `struct sched_attr`.
///
/// ```
/// let batch = cofferdam_plan::SchedulerPlan { policy: 3, nice: 5, ..Default::default() };
/// assert_eq!(batch.priority, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerPlan {
    /// `SCHED_*` number.
    pub policy: u32,
    /// `SCHED_FLAG_*` bits.
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// CPU masks, lowest CPU in the lowest bit of the first word.
///
/// ```
/// let two = cofferdam_plan::AffinityPlan { initial: None, last: Some(vec![0b11]) };
/// assert!(two.initial.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AffinityPlan {
    /// Before the process joins the container's cgroup.
    pub initial: Option<Vec<u64>>,
    /// After.
    pub last: Option<Vec<u64>>,
}

/// set_mempolicy(2).
///
/// ```
/// let bind = cofferdam_plan::MempolicyPlan { mode: 2, nodes: vec![1] };
/// assert_eq!(bind.nodes, [1]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MempolicyPlan {
    /// Mode and flags.
    pub mode: u32,
    /// Node mask, lowest node in the lowest bit of the first word.
    pub nodes: Vec<u64>,
}
