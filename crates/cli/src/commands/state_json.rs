//! A container as `state` and `list` print it; the fields and their order are runc's.

use cofferdam::{Container, Status};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::failure::Failure;

/// One container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerState {
    pub(super) oci_version: String,
    pub(super) id: String,
    /// 0 once it has stopped.
    pub(super) pid: i32,
    pub(super) status: &'static str,
    pub(super) bundle: String,
    pub(super) rootfs: String,
    pub(super) created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    /// Only `list` says it.
    pub(super) owner: String,
}

impl ContainerState {
    pub(super) fn of(container: &Container, owner: String) -> Result<Self, Failure> {
        let state = container.state()?;
        let status = container.status()?;
        Ok(Self {
            oci_version: state.oci_version,
            id: state.id,
            pid: if status == Status::Stopped { 0 } else { container.pid().unwrap_or(0) },
            status: status.as_str(),
            bundle: state.bundle,
            rootfs: container.rootfs().display().to_string(),
            created: container.created().to_owned(),
            annotations: state.annotations,
            owner,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_find_the_fields_of_runc() {
        let state = ContainerState {
            oci_version: "1.3.0".into(),
            id: "a".into(),
            pid: 0,
            status: "stopped",
            bundle: "/b".into(),
            rootfs: "/b/rootfs".into(),
            created: "2026-01-02T03:04:05.6Z".into(),
            annotations: BTreeMap::new(),
            owner: String::new(),
        };
        assert_eq!(
            serde_json::to_string(&state).unwrap(),
            r#"{"ociVersion":"1.3.0","id":"a","pid":0,"status":"stopped","bundle":"/b","rootfs":"/b/rootfs","created":"2026-01-02T03:04:05.6Z","owner":""}"#
        );
    }
}
