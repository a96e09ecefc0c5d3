//! The words of a profile: actions, operators and flags, and what they are to the kernel.
//!
//! Called by `check` and, for the features document, by the command line. Facts of seccomp(2) and
//! `linux/seccomp.h`.

use crate::ir::Operator;

pub(crate) const KILL_THREAD: u32 = 0x0000_0000;
pub(crate) const ERRNO: u32 = 0x0005_0000;
pub(crate) const USER_NOTIF: u32 = 0x7fc0_0000;
pub(crate) const TRACE: u32 = 0x7ff0_0000;
pub(crate) const LOG: u32 = 0x7ffc_0000;
pub(crate) const ALLOW: u32 = 0x7fff_0000;

pub(crate) const EPERM: u32 = 1;
pub(crate) const ENOSYS: u32 = 38;

pub(crate) const FLAG_TSYNC: u32 = 1;
pub(crate) const FLAG_SPEC_ALLOW: u32 = 1 << 2;
pub(crate) const FLAG_NEW_LISTENER: u32 = 1 << 3;
pub(crate) const FLAG_TSYNC_ESRCH: u32 = 1 << 4;
pub(crate) const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

const ACTION_NAMES: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];
const ACTIONS: [u32; 9] =
    [ALLOW, ERRNO, KILL_THREAD, 0x8000_0000, KILL_THREAD, LOG, USER_NOTIF, TRACE, 0x0003_0000];

const OPERATOR_NAMES: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];
const OPERATORS: [Operator; 7] = {
    use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, MaskedEqual, NotEqual};
    [Equal, GreaterEqual, Greater, LessEqual, Less, MaskedEqual, NotEqual]
};

const FLAG_NAMES: [&str; 4] = [
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];
const FLAGS: [u32; 4] = [FLAG_TSYNC, FLAG_SPEC_ALLOW, 1 << 1, FLAG_WAIT_KILLABLE_RECV];

fn lookup<T: Copy>(names: &[&str], values: &[T], name: &str) -> Option<T> {
    let index = names.iter().position(|known| *known == name)?;
    values.get(index).copied()
}

/// `SECCOMP_RET_*` without data.
pub(crate) fn action(name: &str) -> Option<u32> {
    lookup(&ACTION_NAMES, &ACTIONS, name)
}

/// The name of an action without its data; what the kernel does not know kills the process.
pub(crate) fn name(action: u32) -> &'static str {
    match ACTIONS.iter().position(|known| *known == action) {
        Some(index) if action == KILL_THREAD => ACTION_NAMES.get(index + 2),
        Some(index) => ACTION_NAMES.get(index),
        None => None,
    }
    .copied()
    .unwrap_or("SCMP_ACT_KILL_PROCESS")
}

pub(crate) fn operator(name: &str) -> Option<Operator> {
    lookup(&OPERATOR_NAMES, &OPERATORS, name)
}

/// `SECCOMP_FILTER_FLAG_*`.
pub(crate) fn flag(name: &str) -> Option<u32> {
    lookup(&FLAG_NAMES, &FLAGS, name)
}

/// Every action that a profile may name.
///
/// ```
/// assert!(cofferdam_seccomp::known_actions().contains(&"SCMP_ACT_NOTIFY"));
/// ```
#[must_use]
pub fn known_actions() -> &'static [&'static str] {
    &ACTION_NAMES
}

/// Every operator that a profile may name.
///
/// ```
/// assert!(cofferdam_seccomp::known_operators().contains(&"SCMP_CMP_MASKED_EQ"));
/// ```
#[must_use]
pub fn known_operators() -> &'static [&'static str] {
    &OPERATOR_NAMES
}

/// Every flag that a profile may name.
///
/// ```
/// assert!(cofferdam_seccomp::known_flags().contains(&"SECCOMP_FILTER_FLAG_LOG"));
/// ```
#[must_use]
pub fn known_flags() -> &'static [&'static str] {
    &FLAG_NAMES
}
