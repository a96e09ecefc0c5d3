//! A mount of type `cgroup`: what it is depends on the host and on the cgroup namespace.
//!
//! Called by `mounts`. See cgroups(7), cgroup_namespaces(7).

use cofferdam_oci::Pointer;

use crate::bits::{
    CLONE_NEWCGROUP, CLONE_NEWUSER, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY,
};
use crate::findings::Findings;
use crate::mount_options::MountOptions;
use crate::scene::Scene;
use crate::{CgroupHierarchyMount, FsParam, HostPath, MountKind, MountPlan, V1Mount};

/// What is mounted.
pub(crate) fn decide(
    scene: &Scene<'_>,
    at: &Pointer,
    options: &MountOptions,
    findings: &mut Findings,
) -> Option<MountKind> {
    if let Some(tree) = &scene.facts.cgroup_v2 {
        // Without a namespace /proc/self/cgroup tells the path from the top of the tree: so the whole tree.
        let bind = if own(scene) { None } else { HostPath::new(tree, "/".as_ref()) };
        return Some(MountKind::CgroupV2 { bind, params: options.params.clone() });
    }
    if scene.facts.cgroup_v1.is_empty() {
        findings.lacks(at.key("type"), "no cgroup hierarchy is mounted on this host");
        return None;
    }
    let mut hierarchies: Vec<CgroupHierarchyMount> = Vec::new();
    let mut left_out = Vec::new();
    for mounted in &scene.facts.cgroup_v1 {
        let directory = directory(mounted);
        if hierarchies.iter().any(|h| h.directory == directory) {
            continue;
        }
        let bind = match (own(scene), container_directory(scene, mounted)) {
            (true, _) => None,
            (false, Some(path)) => Some(path),
            (false, None) => {
                left_out.push(directory);
                continue;
            }
        };
        hierarchies.push(CgroupHierarchyMount { directory, params: params(mounted), bind });
    }
    // One that has no cgroup anywhere was to have none.
    if !left_out.is_empty() && !scene.options.cgroup_dirs.is_empty() {
        let names = left_out.join(" ");
        findings.warn(at.clone(), format!("left out, since the container has no cgroup there: {names}"));
    }
    let links = hierarchies.iter().flat_map(|h| links(&h.directory)).collect();
    Some(MountKind::CgroupV1 { hierarchies, links })
}

fn own(scene: &Scene<'_>) -> bool {
    scene.spaces.own(CLONE_NEWCGROUP)
}

/// Attributes that the document has no say in.
pub(crate) fn restrict(scene: &Scene<'_>, plan: &mut MountPlan, findings: &mut Findings) {
    match plan.kind {
        MountKind::CgroupV1 { .. } => {
            plan.attr.turn_on(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        }
        MountKind::CgroupV2 { .. } => {}
        _ => return,
    }
    // CVE-2023-25809: the tree holds directories that the user owns on the host, and without a cgroup
    // namespace the container's root is that user.
    let same_user = scene.spaces.own(CLONE_NEWUSER) || scene.facts.in_user_namespace;
    if !own(scene) && same_user && !plan.attr.readonly() {
        plan.attr.turn_on(MOUNT_ATTR_RDONLY);
        findings.warn(plan.pointer.clone(), "mounted read-only, since there is no cgroup namespace");
    }
}

/// `cpu,cpuacct` of `/sys/fs/cgroup/cpu,cpuacct`.
fn directory(mounted: &V1Mount) -> String {
    match mounted.mount_point.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => mounted.options.join(","),
    }
}

/// A named hierarchy has no controllers, which `none` says.
fn params(mounted: &V1Mount) -> Vec<FsParam> {
    let mut params = Vec::new();
    for option in &mounted.options {
        match option.strip_prefix("name=") {
            Some(name) => params.extend([FsParam::flag("none"), FsParam::text("name", name)]),
            None => params.push(FsParam::flag(option.clone())),
        }
    }
    params
}

/// Programs look for `cpu` where the host has `cpu,cpuacct`.
fn links(directory: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = directory.split(',').collect();
    if parts.len() < 2 {
        return Vec::new();
    }
    parts.into_iter().map(|part| (part.to_owned(), directory.to_owned())).collect()
}

fn container_directory(scene: &Scene<'_>, mounted: &V1Mount) -> Option<HostPath> {
    let same = |options: &[String]| {
        options.len() == mounted.options.len() && options.iter().all(|o| mounted.options.contains(o))
    };
    let found = scene.options.cgroup_dirs.iter().find(|dir| same(&dir.options))?;
    HostPath::new(&found.path, "/".as_ref())
}
