//! `config.json` itself: the outermost object and its root filesystem.
//!
//! See `config.md` of the runtime-spec. Data only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::read::{is_default, nullable};
use crate::{Hooks, Linux, Mount, Process};

/// A container's configuration (`config.md`).
///
/// ```
/// let spec = cofferdam_oci::parse_spec(br#"{"ociVersion":"1.3.0","hostname":"box"}"#).unwrap();
/// assert_eq!(spec.hostname.as_deref(), Some("box"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Version of the specification the document complies with (SemVer 2.0).
    pub oci_version: String,
    /// What runs in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The container's root filesystem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// Host name seen inside; needs a new UTS namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// NIS domain name seen inside; needs a new UTS namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Mounts besides the root, in order.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub mounts: Vec<Mount>,
    /// Programs run at points of the container's life.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub hooks: Hooks,
    /// Free key-value pairs; some are instructions to runtimes.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    /// What is Linux's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linux: Option<Linux>,
}

/// The container's root filesystem (`config.md`, root).
///
/// ```
/// let root = cofferdam_oci::Root { path: "rootfs".into(), readonly: true };
/// assert_eq!(serde_json::to_string(&root).unwrap(), r#"{"path":"rootfs","readonly":true}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Directory; relative to the bundle unless absolute.
    pub path: String,
    /// Whether it is mounted read-only once the container is made.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub readonly: bool,
}
