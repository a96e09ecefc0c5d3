//! `mounts`: each entry becomes one [`MountPlan`].
//!
//! Called by the init plan. See mount(2), open_tree(2), mount_setattr(2).

use std::path::Path;

use cofferdam_oci::{Mount, Pointer};

use crate::bits::{
    CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY,
};
use crate::findings::Findings;
use crate::mount_options::MountOptions;
use crate::scene::Scene;
use crate::{BindOpen, FsParam, HostPath, IdmapPlan, InPath, MountKind, MountPlan, OwnFile};
use crate::{annotations, cgroup_mount, idmaps, proc_mount};

/// Judges all mounts.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Vec<MountPlan> {
    let list = Pointer::new("/mounts");
    let mounts = &scene.spec.mounts;
    if !mounts.is_empty() && !scene.spaces.own(CLONE_NEWNS) {
        findings.reject_hint(
            list.clone(),
            "without a mount namespace they would be mounts of the host",
            "add a namespace of type mount",
        );
    }
    let one = |(i, mount): (usize, &Mount)| decide_one(scene, &list.index(i), mount, findings);
    let mut plans: Vec<MountPlan> = mounts.iter().enumerate().filter_map(one).collect();
    plans.extend(notify(scene));
    let files = files(scene, &plans);
    plans.extend(files);
    plans
}

fn decide_one(scene: &Scene<'_>, at: &Pointer, mount: &Mount, findings: &mut Findings) -> Option<MountPlan> {
    let mut options = MountOptions::read(&mount.options, &at.key("options"), findings);
    // The type of a bind mount is a dummy; `bind` as the type without the option is a common slip.
    if matches!(mount.kind.as_deref(), Some("bind" | "rbind")) && !options.remount {
        options.bind = true;
        options.recursive |= mount.kind.as_deref() == Some("rbind");
    }
    let target = target(scene, at, &mount.destination, findings);
    let idmap = idmap(scene, at, mount, &options, findings);
    if options.bind && !options.remount {
        options
            .attr
            .let_go_of_the_sources(scene.spaces.own(CLONE_NEWUSER) || !scene.facts.fully_privileged());
    }
    let kind = if options.remount {
        remount(at, &options, findings)
    } else if options.bind {
        bind(scene, at, mount, &options, idmap.is_some(), findings)
    } else {
        filesystem(scene, at, mount, &options, &target, findings)
    }?;
    proc_mount::check(&at.key("destination"), &target, &kind, findings);
    let late = late(&kind, &target) && (options.attr.readonly() || options.recursive_attr.readonly());
    let mut plan = MountPlan {
        pointer: at.clone(),
        target,
        kind,
        attr: options.attr,
        recursive_attr: options.recursive_attr,
        propagation: options.propagation,
        idmap,
        late_readonly: late,
    };
    cgroup_mount::restrict(scene, &mut plan, findings);
    Some(plan)
}

/// Directories for later mounts and device nodes are made in these, so that read-only comes last.
fn late(kind: &MountKind, target: &InPath) -> bool {
    matches!(kind, MountKind::Filesystem { fstype, .. } if fstype == "tmpfs" || target.as_str() == "/dev")
}

fn target(scene: &Scene<'_>, at: &Pointer, destination: &str, findings: &mut Findings) -> InPath {
    let at = at.key("destination");
    let Some(path) = InPath::new(destination) else {
        findings.reject(at, "holds a NUL byte");
        return InPath::root();
    };
    // Some write the host's path of the place, as runc has always taken it.
    let path = scene.inside(Path::new(path.as_str())).unwrap_or(path);
    if path == InPath::root() {
        findings.reject_hint(at, format!("{destination:?} is the container's root"), "use root.path");
    } else if !destination.starts_with('/') {
        findings.warn(at, format!("{destination:?} is relative; {:?} is meant", path.as_str()));
    }
    path
}

fn remount(at: &Pointer, options: &MountOptions, findings: &mut Findings) -> Option<MountKind> {
    if let Some(param) = options.params.first() {
        findings.reject(at.key("options"), format!("a remount cannot change the parameter {:?}", param.key));
    }
    Some(MountKind::Remount)
}

fn bind(
    scene: &Scene<'_>,
    at: &Pointer,
    mount: &Mount,
    options: &MountOptions,
    idmapped: bool,
    findings: &mut Findings,
) -> Option<MountKind> {
    if let Some(param) = options.params.first() {
        findings.reject(
            at.key("options"),
            format!("{:?} is a parameter of a file system; a bind mount has none", param.key),
        );
    }
    if let Some(flag) = options.super_flags.first() {
        findings.warn(at.key("options"), format!("{flag:?} has no effect on a bind mount"));
    }
    let source = mount.source.as_deref().unwrap_or_default();
    if source.is_empty() {
        findings.reject(at.key("source"), "a bind mount needs a source");
        return None;
    }
    let Some(source) = HostPath::new(source, &scene.options.bundle) else {
        findings.reject(at.key("source"), "holds a NUL byte");
        return None;
    };
    let sees_less = scene.spaces.own(CLONE_NEWUSER) && scene.facts.fully_privileged();
    let inside = scene.inside(source.as_path());
    let (source, open) = match (idmapped, sees_less, inside.and_then(|path| host_path(&path))) {
        (true, false, Some(path)) | (false, true, Some(path)) => (path, BindOpen::Inside),
        // The parent alone may map ids of a file system that is not the user namespace's own.
        (true, ..) | (_, true, _) => (source, BindOpen::Parent),
        (false, false, _) => (source, BindOpen::Child),
    };
    Some(MountKind::Bind {
        source,
        recursive: options.recursive,
        open,
        copy_symlink: options.copy_symlink,
        nofollow: options.source_nofollow,
    })
}

fn host_path(path: &InPath) -> Option<HostPath> {
    HostPath::new(path.as_str(), Path::new("/"))
}

fn idmap(
    scene: &Scene<'_>,
    at: &Pointer,
    mount: &Mount,
    options: &MountOptions,
    findings: &mut Findings,
) -> Option<IdmapPlan> {
    let given = !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty();
    if !given && options.idmap.is_none() {
        return None;
    }
    if !options.bind {
        findings.reject(at.clone(), "only bind mounts can be idmapped");
    }
    if !scene.facts.privileged_here() {
        findings.lacks(at.clone(), "an idmapped mount takes a privileged runtime");
    }
    if given {
        for (name, maps) in [("uidMappings", &mount.uid_mappings), ("gidMappings", &mount.gid_mappings)] {
            if maps.is_empty() {
                findings.reject(at.key(name), "an idmapped mount needs both maps");
            }
            idmaps::ranges(&at.key(name), maps, findings);
        }
    } else if !scene.spaces.own(CLONE_NEWUSER) {
        findings.reject_hint(
            at.clone(),
            "there are no ids to map to: neither mappings of the mount nor a user namespace",
            "add uidMappings and gidMappings to the mount",
        );
    }
    Some(IdmapPlan {
        uid: mount.uid_mappings.clone(),
        gid: mount.gid_mappings.clone(),
        recursive: options.idmap == Some(true),
    })
}

fn filesystem(
    scene: &Scene<'_>,
    at: &Pointer,
    mount: &Mount,
    options: &MountOptions,
    target: &InPath,
    findings: &mut Findings,
) -> Option<MountKind> {
    let fstype = mount.kind.as_deref().unwrap_or_default();
    if fstype.is_empty() || fstype == "none" {
        findings.reject_hint(
            at.key("type"),
            "neither a file system type nor a bind mount",
            "add the option bind or rbind, or a type",
        );
        return None;
    }
    findings.no_nul(&at.key("type"), fstype);
    let source = mount.source.as_deref().filter(|s| !s.is_empty());
    findings.no_nul(&at.key("source"), source.unwrap_or_default());
    if fstype == "cgroup" || (fstype == "cgroup2" && scene.facts.cgroup_v2.is_some()) {
        return cgroup_mount::decide(scene, at, options, findings);
    }
    owned(scene, at, fstype, findings);
    mapped_ids(scene, &at.key("options"), options, findings);
    if options.copy_up && fstype != "tmpfs" {
        findings.warn(at.key("options"), "\"tmpcopyup\" has an effect on tmpfs alone");
    }
    Some(MountKind::Filesystem {
        fstype: fstype.to_owned(),
        source: source.map(str::to_owned),
        params: params(scene, fstype, options, target),
        copy_up: options.copy_up && fstype == "tmpfs",
        inherit_mode: fstype == "tmpfs" && options.params.iter().all(|param| param.key != "mode"),
        symlinks: !matches!(fstype, "proc" | "sysfs"),
    })
}

/// Superblock flags first, then the parameters in order, then the label.
fn params(scene: &Scene<'_>, fstype: &str, options: &MountOptions, target: &InPath) -> Vec<FsParam> {
    let late = fstype == "tmpfs" || target.as_str() == "/dev";
    let mut params = Vec::new();
    if options.attr.readonly() && !late {
        params.push(FsParam::flag("ro"));
    }
    params.extend(options.super_flags.iter().map(|flag| FsParam::flag(*flag)));
    params.extend(options.params.iter().cloned());
    // These label their own files, or take no label.
    if !matches!(fstype, "proc" | "sysfs" | "mqueue") {
        let option = annotations::context_option(scene.spec);
        params.extend(scene.mount_label().map(|label| FsParam::text(option, label)));
    }
    params
}

/// The kernel lets a new user namespace mount these only when it owns the namespace that they show.
fn owned(scene: &Scene<'_>, at: &Pointer, fstype: &str, findings: &mut Findings) {
    let (kind, name) = match fstype {
        "proc" => (CLONE_NEWPID, "pid"),
        "sysfs" => (CLONE_NEWNET, "network"),
        "mqueue" => (CLONE_NEWIPC, "ipc"),
        _ => return,
    };
    if scene.spaces.makes(CLONE_NEWUSER) && !scene.spaces.own(kind) {
        findings.reject_hint(
            at.key("type"),
            format!("a new user namespace may mount {fstype} only with a new {name} namespace"),
            &format!("add a namespace of type {name}, or bind the host's"),
        );
    }
}

/// Ids among the parameters (`gid=5` of devpts) must exist in the container.
fn mapped_ids(scene: &Scene<'_>, at: &Pointer, options: &MountOptions, findings: &mut Findings) {
    for param in &options.params {
        let Some(Ok(id)) = param.value.as_deref().map(str::parse::<u32>) else { continue };
        let exists = match param.key.as_str() {
            "uid" => scene.mapped().uid(id),
            "gid" => scene.mapped().gid(id),
            _ => continue,
        };
        if !exists {
            findings.reject_hint(
                at.clone(),
                format!("\"{}={id}\": the user namespace maps no such id", param.key),
                "remove the option, or map the id",
            );
        }
    }
}

/// The directory of the notify socket (sd_notify(3)), read-only at /run/notify.
fn notify(scene: &Scene<'_>) -> Option<MountPlan> {
    let directory = scene.options.notify_directory.as_ref().filter(|_| scene.options.notify_socket)?;
    read_only(scene, Pointer::root(), directory, crate::NOTIFY_DIRECTORY)
}

/// Files that are made for the container, where the document mounts nothing.
fn files(scene: &Scene<'_>, mounts: &[MountPlan]) -> Vec<MountPlan> {
    if !scene.spaces.own(CLONE_NEWNS) {
        return Vec::new();
    }
    let one = |file: &OwnFile| read_only(scene, file.pointer.clone(), &file.source, &file.target);
    let made = scene.options.files.iter().filter_map(one);
    made.filter(|file| mounts.iter().all(|mount| mount.target != file.target)).collect()
}

/// Something of the runtime's that the container sees and does not change.
fn read_only(scene: &Scene<'_>, pointer: Pointer, source: &Path, target: &str) -> Option<MountPlan> {
    let mut options = MountOptions::default();
    options.attr.turn_on(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    Some(MountPlan {
        pointer,
        target: InPath::new(target)?,
        kind: MountKind::Bind {
            source: HostPath::new(source, &scene.options.bundle)?,
            recursive: false,
            // An ordinary user may not take mounts apart outside of the new namespace, and reaches what is there.
            open: if scene.facts.fully_privileged() { BindOpen::Parent } else { BindOpen::Child },
            copy_symlink: false,
            nofollow: false,
        },
        attr: options.attr,
        recursive_attr: options.recursive_attr,
        propagation: Vec::new(),
        idmap: None,
        late_readonly: false,
    })
}
