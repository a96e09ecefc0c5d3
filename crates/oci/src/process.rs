//! `process`: what runs in the container and with which rights (`config.md`, Process). Data only.

use serde::{Deserialize, Serialize};

use crate::read::{is_default, nullable};

/// The container's process; also the document given to `exec --process`.
///
/// ```
/// let p: cofferdam_oci::Process = serde_json::from_str(r#"{"cwd":"/","args":["sh"]}"#).unwrap();
/// assert_eq!(p.args, ["sh"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Whether a pseudoterminal is attached.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub terminal: bool,
    /// The terminal's size in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<ConsoleSize>,
    /// Who it runs as.
    #[serde(default, deserialize_with = "nullable")]
    pub user: User,
    /// The program and its arguments; the first is looked up in `PATH`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub args: Vec<String>,
    /// Environment, `NAME=value` each.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub env: Vec<String>,
    /// Working directory inside the container.
    #[serde(default, deserialize_with = "nullable")]
    pub cwd: String,
    /// The five capability sets; absent means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Resource limits, see setrlimit(2).
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub rlimits: Vec<Rlimit>,
    /// Whether PR_SET_NO_NEW_PRIVS is set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub no_new_privileges: bool,
    /// AppArmor profile to change to at execve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<String>,
    /// Badness adjustment, -1000 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// SELinux label of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<String>,
    /// I/O scheduling class and priority, see ioprio_set(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// CPU scheduling, see sched_setattr(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// CPU affinity of processes that `exec` starts.
    #[serde(rename = "execCPUAffinity", skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<ExecCpuAffinity>,
}

/// Size of a terminal in characters.
///
/// ```
/// let s = cofferdam_oci::ConsoleSize { height: 24, width: 80 };
/// assert!(s.width > s.height);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleSize {
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
}

/// Who a process runs as.
///
/// ```
/// let u: cofferdam_oci::User = serde_json::from_str(r#"{"uid":1,"additionalGids":[5]}"#).unwrap();
/// assert_eq!((u.uid, u.gid, u.additional_gids), (1, 0, vec![5]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// User id inside the container.
    #[serde(default, deserialize_with = "nullable")]
    pub uid: u32,
    /// Group id inside the container.
    #[serde(default, deserialize_with = "nullable")]
    pub gid: u32,
    /// File mode creation mask, see umask(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// Supplementary group ids.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub additional_gids: Vec<u32>,
    /// For Windows; not used on Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// The five capability sets, names as `CAP_KILL`; see capabilities(7).
///
/// ```
/// let c: cofferdam_oci::Capabilities = serde_json::from_str(r#"{"bounding":["CAP_KILL"]}"#).unwrap();
/// assert!(c.ambient.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Bounding set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub bounding: Vec<String>,
    /// Effective set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub effective: Vec<String>,
    /// Inheritable set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub inheritable: Vec<String>,
    /// Permitted set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub permitted: Vec<String>,
    /// Ambient set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub ambient: Vec<String>,
}

/// One resource limit, see setrlimit(2).
///
/// ```
/// let r: cofferdam_oci::Rlimit =
///     serde_json::from_str(r#"{"type":"RLIMIT_NOFILE","hard":1024,"soft":512}"#).unwrap();
/// assert!(r.soft <= r.hard);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// Name as `RLIMIT_NOFILE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Ceiling.
    #[serde(default)]
    pub hard: u64,
    /// Limit in force.
    #[serde(default)]
    pub soft: u64,
}

/// I/O priority, see ioprio_set(2).
///
/// ```
/// let p: cofferdam_oci::IoPriority =
///     serde_json::from_str(r#"{"class":"IOPRIO_CLASS_BE","priority":4}"#).unwrap();
/// assert_eq!(p.priority, 4);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE` or `IOPRIO_CLASS_IDLE`.
    pub class: String,
    /// 0 (highest) to 7.
    #[serde(default, deserialize_with = "nullable")]
    pub priority: i32,
}

/// CPU scheduling, see sched_setattr(2).
///
/// ```
/// let s: cofferdam_oci::Scheduler = serde_json::from_str(r#"{"policy":"SCHED_BATCH"}"#).unwrap();
/// assert!(s.nice.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    /// Policy, such as `SCHED_FIFO`.
    pub policy: String,
    /// Nice value for `SCHED_OTHER` and `SCHED_BATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// Static priority for `SCHED_FIFO` and `SCHED_RR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Flags, such as `SCHED_FLAG_RESET_ON_FORK`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub flags: Vec<String>,
    /// `SCHED_DEADLINE`: run time in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<u64>,
    /// `SCHED_DEADLINE`: deadline in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// `SCHED_DEADLINE`: period in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
}

/// CPU lists (`0-3,7`) for processes that `exec` starts.
///
/// ```
/// let a: cofferdam_oci::ExecCpuAffinity = serde_json::from_str(r#"{"final":"0"}"#).unwrap();
/// assert!(a.initial.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecCpuAffinity {
    /// CPUs while the process joins the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<String>,
    /// CPUs once it has joined.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}
