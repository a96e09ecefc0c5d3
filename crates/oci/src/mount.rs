//! One entry of `mounts` (`config.md`, Mounts; `config-linux.md`). Data only.

use serde::{Deserialize, Serialize};

use crate::IdMapping;
use crate::read::{is_default, nullable};

/// A mount, as mount(8) would be asked for it.
///
/// ```
/// let m: cofferdam_oci::Mount =
///     serde_json::from_str(r#"{"destination":"/proc","type":"proc","source":"proc"}"#).unwrap();
/// assert_eq!(m.kind.as_deref(), Some("proc"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where in the container; relative paths are below `/`.
    pub destination: String,
    /// File system type (`type`); `bind` or absent for bind mounts.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Device, directory or file; relative to the bundle for bind mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Options of mount(8) and of the specification.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub options: Vec<String>,
    /// User ids of an idmapped mount.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub uid_mappings: Vec<IdMapping>,
    /// Group ids of an idmapped mount.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub gid_mappings: Vec<IdMapping>,
}
