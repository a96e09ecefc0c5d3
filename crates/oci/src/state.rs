//! The state that hooks, `state` and seccomp agents are given (`runtime.md`, State; `config-linux.md`,
//! containerProcessState). Data only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::read::{is_default, nullable};

/// A container's state.
///
/// ```
/// let s = cofferdam_oci::State { id: "a".into(), status: "created".into(), ..Default::default() };
/// assert!(serde_json::to_string(&s).unwrap().contains(r#""status":"created""#));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Version of the specification.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// `creating`, `created`, `running`, `stopped` (and, as other runtimes do, `paused`).
    pub status: String,
    /// The process's id as the runtime sees it; 0 when there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pid: i32,
    /// Absolute path of the bundle.
    pub bundle: String,
    /// The configuration's annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// What a seccomp agent receives beside the descriptors.
///
/// ```
/// let s = cofferdam_oci::ContainerProcessState { fds: vec!["seccompFd".into()], ..Default::default() };
/// assert_eq!(s.fds.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProcessState {
    /// Version of the specification.
    pub oci_version: String,
    /// Names of the descriptors sent along, in order.
    pub fds: Vec<String>,
    /// The process that made the descriptors.
    pub pid: i32,
    /// `linux.seccomp.listenerMetadata`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// The container's state.
    pub state: State,
}
