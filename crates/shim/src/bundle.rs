//! What containerd put beside the configuration, and what the shim keeps there for `delete`.
//!
//! Called by `start`, `create` and `delete`. Of the configuration only annotations are read here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cofferdam::{ContainerId, Error, Result, Store};
use serde::{Deserialize, Serialize};

/// Annotations that say to which shim a container belongs, in their order: runc's own, and those of Kubernetes' engines,
/// containerd and CRI-O.
const GROUPS: [&str; 3] =
    ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"];

/// Where state is kept below, if the options do not say.
const ROOT: &str = "/run/containerd/cofferdam";

/// What `delete` must know of a container whose shim has died.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The directory of states.
    pub(crate) root: PathBuf,
    /// The first process.
    pub(crate) pid: u32,
}

const NOTE: &str = "cofferdam.json";

#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The group of the container whose bundle this is: that of its pod, or the container itself.
pub(crate) fn group(bundle: &Path, id: &str) -> Result<String> {
    let path = bundle.join("config.json");
    let bytes = fs::read(&path).map_err(|e| Error::io("reading the configuration", &path, &e))?;
    let read: Annotated = serde_json::from_slice(&bytes)
        .map_err(|e| crate::failure::malformed("the annotations of the configuration", &e))?;
    let named = GROUPS.iter().find_map(|name| read.annotations.get(*name));
    Ok(named.filter(|group| !group.is_empty()).map_or_else(|| id.to_owned(), Clone::clone))
}

/// The states of a namespace: below the directory of the options, if they name one.
pub(crate) fn store(root: &str, namespace: &str) -> Store {
    let root = if root.is_empty() { ROOT } else { root };
    Store::new(Path::new(root).join(namespace))
}

/// The id, which containerd has checked by rules of its own.
pub(crate) fn id(id: &str) -> Result<ContainerId> {
    ContainerId::new(id)
}

impl Note {
    /// Leaves it for `delete`.
    pub(crate) fn write(&self, bundle: &Path) -> Result<()> {
        let path = bundle.join(NOTE);
        fs::write(&path, serde_json::to_vec(self).unwrap_or_default())
            .map_err(|e| Error::io("writing", &path, &e))
    }

    /// What was left, if anything.
    pub(crate) fn read(bundle: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(bundle.join(NOTE)).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_a_pod_have_its_group_and_others_their_own() {
        let dir = std::env::temp_dir().join(format!("cofferdam-shim-bundle-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let of = |text: &str| {
            fs::write(dir.join("config.json"), text).unwrap();
            group(&dir, "me")
        };
        assert_eq!(of(r#"{"annotations":{"io.kubernetes.cri.sandbox-id":"pod"}}"#).unwrap(), "pod");
        assert_eq!(of(r#"{"annotations":{"io.kubernetes.cri-o.SandboxID":"crio"}}"#).unwrap(), "crio");
        let both =
            r#"{"annotations":{"io.kubernetes.cri.sandbox-id":"pod","io.containerd.runc.v2.group":"g"}}"#;
        assert_eq!(of(both).unwrap(), "g");
        assert_eq!(of("{}").unwrap(), "me");
        assert!(of("[").is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
