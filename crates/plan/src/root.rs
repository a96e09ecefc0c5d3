//! `root` and `linux.rootfsPropagation`: where the root filesystem is and how the old one is left.
//!
//! Called by the init plan. See pivot_root(2), mount_namespaces(7).

use cofferdam_oci::Pointer;

use crate::bits::{CLONE_NEWNS, MS_PRIVATE, MS_REC, MS_SLAVE, MS_UNBINDABLE};
use crate::findings::Findings;
use crate::mount_options;
use crate::scene::Scene;
use crate::{HostPath, Pivot, Propagation, RootPlan};

/// Judges the root; `None` only with a rejection.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Option<RootPlan> {
    let own = scene.spaces.own(CLONE_NEWNS);
    let propagation = propagation(scene, findings);
    let Some(root) = &scene.spec.root else {
        findings.reject(Pointer::new("/root"), "missing");
        return None;
    };
    let at = Pointer::new("/root/path");
    if root.path.is_empty() {
        findings.reject(at, "empty");
        return None;
    }
    let Some(path) = HostPath::new(&root.path, &scene.options.bundle) else {
        findings.reject(at, "holds a NUL byte");
        return None;
    };
    if root.readonly && !own {
        findings.reject_hint(
            Pointer::new("/root/readonly"),
            "only a mount namespace of its own can make the root read-only",
            "add a namespace of type mount",
        );
    }
    let slave = Propagation { flag: MS_SLAVE, recursive: true };
    // Of what is unbindable no root filesystem can be bound.
    let first = propagation.filter(|p| p.flag != MS_UNBINDABLE).unwrap_or(slave);
    let pivot = match (own, scene.options.no_pivot) {
        (false, _) => Pivot::Chroot,
        (true, true) => Pivot::MoveRoot,
        (true, false) => Pivot::PivotRoot,
    };
    Some(RootPlan {
        path,
        readonly: root.readonly,
        propagation: flags(first),
        // The first step has made it slave or private already.
        final_propagation: propagation.filter(|p| p.flag & (MS_SLAVE | MS_PRIVATE) == 0).map(flags),
        pivot,
        new_mount_namespace: own,
    })
}

fn propagation(scene: &Scene<'_>, findings: &mut Findings) -> Option<Propagation> {
    let at = Pointer::new("/linux/rootfsPropagation");
    let name = scene.linux.rootfs_propagation.as_deref().filter(|name| !name.is_empty())?;
    let Some(found) = mount_options::propagation(name) else {
        findings.reject(at, format!("{name:?} is no propagation such as \"rslave\""));
        return None;
    };
    if !scene.spaces.own(CLONE_NEWNS) {
        findings.reject_hint(at, "would be that of the host's mounts", "add a namespace of type mount");
    } else if scene.options.no_pivot && found.flag == MS_PRIVATE {
        findings.reject(at, "private is not safe without pivot_root: the host's mounts stay reachable");
    }
    Some(found)
}

fn flags(propagation: Propagation) -> u64 {
    propagation.flag | if propagation.recursive { MS_REC } else { 0 }
}
