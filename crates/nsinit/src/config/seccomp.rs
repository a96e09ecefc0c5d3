//! `seccomp`: what v2 says of system calls, in numbers.

use serde::{Deserialize, Serialize};

use super::empty;

/// What happens at certain system calls; all others are allowed.
///
/// ```
/// use cofferdam_nsinit::{Seccomp, SeccompCall};
/// let chroot = SeccompCall { value: 161, action: 1, ..SeccompCall::default() };
/// let filter = Seccomp { syscalls: vec![chroot] };
/// assert_eq!(filter.syscalls[0].action, 1); // EPERM
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seccomp {
    /// The calls. Of two for one call the last counts.
    pub syscalls: Vec<SeccompCall>,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeccompCall {
    /// Its number on this machine.
    pub value: i64,
    /// -3 kills, -2 sends SIGSYS, -1 allows; else the errno that the call gives.
    pub action: i64,
    /// When that happens: at any one of these; always, without any.
    #[serde(skip_serializing_if = "empty")]
    pub args: Vec<SeccompArg>,
}

/// A condition on an argument.
///
/// ```
/// // clone(2) with CLONE_NEWUSER.
/// let arg = cofferdam_nsinit::SeccompArg { index: 0, value: 0x1000_0000, op: 4 };
/// assert_eq!(serde_json::to_string(&arg).unwrap(), r#"{"index":0,"value":268435456,"op":4}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeccompArg {
    /// Which argument, from 0.
    pub index: i64,
    /// What it is compared with.
    pub value: u32,
    /// How: 0 equal, 1 not equal, 2 equal or greater, 3 equal or less, 4 all its bits are set.
    pub op: i64,
}
