//! `linux.maskedPaths` and `linux.readonlyPaths`.
//!
//! Called by the init plan. Paths that do not exist are passed over by the child.

use cofferdam_oci::Pointer;

use crate::InPath;
use crate::bits::CLONE_NEWNS;
use crate::findings::Findings;
use crate::scene::Scene;

/// Both lists: masked, read-only.
pub(crate) type Hidden = (Vec<(Pointer, InPath)>, Vec<(Pointer, InPath)>);

/// Judges both lists.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Hidden {
    let masked = list(scene, "maskedPaths", &scene.linux.masked_paths, findings);
    let readonly = list(scene, "readonlyPaths", &scene.linux.readonly_paths, findings);
    (masked, readonly)
}

fn list(scene: &Scene<'_>, name: &str, paths: &[String], findings: &mut Findings) -> Vec<(Pointer, InPath)> {
    let at = Pointer::new("/linux").key(name);
    if !paths.is_empty() && !scene.spaces.own(CLONE_NEWNS) {
        findings.reject_hint(
            at.clone(),
            "without a mount namespace they would be the host's",
            "add a namespace of type mount",
        );
    }
    let mut result: Vec<(Pointer, InPath)> = Vec::new();
    for (i, text) in paths.iter().enumerate() {
        let here = at.index(i);
        let Some(path) = InPath::new(text) else {
            findings.reject(here, "holds a NUL byte");
            continue;
        };
        if path == InPath::root() {
            findings.reject_hint(here, format!("{text:?} is the container's root"), "use root.readonly");
        } else if result.iter().all(|(_, known)| *known != path) {
            if !text.starts_with('/') {
                findings.warn(here.clone(), format!("{text:?} is relative; {:?} is meant", path.as_str()));
            }
            result.push((here, path));
        }
    }
    result
}
