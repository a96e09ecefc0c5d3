//! `linux.seccomp`: the profile (`config-linux.md`, Seccomp). Data only; `cofferdam-seccomp` compiles it.

use serde::{Deserialize, Serialize};

use crate::read::{is_default, nullable};

/// A seccomp profile.
///
/// ```
/// let s: cofferdam_oci::Seccomp = serde_json::from_str(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
/// assert!(s.syscalls.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seccomp {
    /// What happens to calls that no rule names.
    pub default_action: String,
    /// Error number of `defaultAction` when it is `SCMP_ACT_ERRNO` or `SCMP_ACT_TRACE`; absent is EPERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// Architectures besides the host's own, `SCMP_ARCH_X86` style.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub architectures: Vec<String>,
    /// Flags of seccomp(2), `SECCOMP_FILTER_FLAG_LOG` style. Absent leaves the choice to the runtime, an empty
    /// list is no flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// Unix socket of the agent that gets the notification descriptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// Opaque text handed to the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    /// The rules.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub syscalls: Vec<SeccompRule>,
}

/// One rule: an action for some system calls, perhaps only with some arguments.
///
/// ```
/// let r: cofferdam_oci::SeccompRule =
///     serde_json::from_str(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW"}"#).unwrap();
/// assert_eq!(r.names, ["read"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompRule {
    /// Names of system calls.
    #[serde(default, deserialize_with = "nullable")]
    pub names: Vec<String>,
    /// What happens.
    pub action: String,
    /// Error number for `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE`; absent is EPERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions, all of which must hold.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub args: Vec<SeccompArg>,
}

/// A condition on one argument.
///
/// ```
/// let a: cofferdam_oci::SeccompArg =
///     serde_json::from_str(r#"{"index":0,"value":8,"op":"SCMP_CMP_EQ"}"#).unwrap();
/// assert_eq!(a.value_two, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompArg {
    /// Which argument, from 0.
    pub index: u32,
    /// Compared with; the mask of `SCMP_CMP_MASKED_EQ`.
    pub value: u64,
    /// The masked value of `SCMP_CMP_MASKED_EQ`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub value_two: u64,
    /// `SCMP_CMP_EQ` and others.
    pub op: String,
}
