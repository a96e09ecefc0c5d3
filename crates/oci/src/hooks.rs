//! `hooks`: programs run at points of the container's life (`config.md`, POSIX-platform Hooks). Data only.

use serde::{Deserialize, Serialize};

use crate::read::{is_default, nullable};

/// The six lists of hooks.
///
/// ```
/// assert!(cofferdam_oci::Hooks::default().poststop.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Deprecated; runs where `createRuntime` runs, before it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub prestart: Vec<Hook>,
    /// During create, in the runtime's namespaces, before pivot_root.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub create_runtime: Vec<Hook>,
    /// During create, in the container's namespaces, before pivot_root.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub create_container: Vec<Hook>,
    /// During start, in the container, before the user's program.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub start_container: Vec<Hook>,
    /// After start, in the runtime's namespaces.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub poststart: Vec<Hook>,
    /// After delete, in the runtime's namespaces.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub poststop: Vec<Hook>,
}

/// One program, started by execve(2), the container's state on its standard input.
///
/// ```
/// let h: cofferdam_oci::Hook = serde_json::from_str(r#"{"path":"/bin/true","timeout":5}"#).unwrap();
/// assert_eq!(h.timeout, Some(5));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Absolute path.
    pub path: String,
    /// Arguments, the program's own name first.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub args: Vec<String>,
    /// Environment, `NAME=value` each.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub env: Vec<String>,
    /// Seconds after which it is killed and counts as failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}
