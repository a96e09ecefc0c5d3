//! Mounts of a plan, as operations.

use std::ffi::CStr;

use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_oci::Pointer;
use cofferdam_plan::{Attr, BindOpen, CgroupHierarchyMount, FsParam, InitPlan, MountKind, MountPlan};
use cofferdam_sys::mount_setattr::{MOUNT_ATTR_RDONLY, PROPAGATION};

use super::Inputs;
use crate::options::MountCommand;
use crate::program::{Program, c_path, c_string, list};

/// Longest value that fsconfig(2) takes, in bytes.
const LONGEST_VALUE: usize = 255;

/// All mounts, in order; gives whether the cgroups had to be joined on the way.
pub(super) fn mounts(p: &mut Program, plan: &InitPlan, inputs: &Inputs) -> bool {
    let mut joined = false;
    for (index, mount) in plan.mounts.iter().enumerate() {
        let cgroup = matches!(mount.kind, MountKind::CgroupV1 { .. } | MountKind::CgroupV2 { .. });
        if cgroup && !joined {
            // What such a mount shows is the cgroup that the process is in.
            super::cgroup(p, plan);
            joined = true;
        }
        beside(p, mount, inputs, false);
        one(p, plan, mount, inputs.trees.get(&index).copied(), inputs.idmaps.get(&index).copied());
        beside(p, mount, inputs, true);
    }
    joined
}

/// What is to be run before or after a mount.
fn beside(p: &mut Program, mount: &MountPlan, inputs: &Inputs, after: bool) {
    let mounts = Pointer::new("/mounts");
    let wanted = |c: &&MountCommand| c.after == after && mounts.index(c.mount) == mount.pointer;
    for command in inputs.mount_commands.iter().filter(wanted) {
        let argv = list(command.args.iter().map(String::as_str));
        let env = list(command.env.iter().map(String::as_str));
        let op = Op::Hook {
            path: &c_string(command.path.as_str()),
            argv: List::new(&argv),
            env: List::new(&env),
            home: false,
            directory: &c_string(command.directory.as_str()),
            timeout: 0,
            stdout: -1,
            stderr: -1,
            no_new_privs: false,
            filter: &[],
            filter_flags: 0,
        };
        p.step("running the command of a mount", &command.path, &mount.pointer, op);
    }
}

fn one(p: &mut Program, plan: &InitPlan, m: &MountPlan, tree: Option<i32>, idmap: Option<i32>) {
    match &m.kind {
        MountKind::Bind { source, recursive, open, copy_symlink, nofollow } => {
            let flags = BindFlags {
                recursive: *recursive,
                from_inside: *open == BindOpen::Inside,
                copy_symlink: *copy_symlink,
                nofollow: *nofollow,
            };
            bind(p, m, source.as_path(), flags, (tree, idmap));
        }
        MountKind::Filesystem { fstype, source, params, copy_up, inherit_mode, symlinks } => {
            let (copy_up, inherit_mode, symlinks) = (*copy_up, *inherit_mode, *symlinks);
            let fs = Fs { fstype, source: source.as_deref(), params, copy_up, inherit_mode, symlinks };
            filesystem(p, m, m.target.as_str(), &fs, idmap);
        }
        MountKind::CgroupV1 { hierarchies, links } => cgroup_v1(p, plan, m, hierarchies, links),
        MountKind::CgroupV2 { bind: Some(source), .. } => {
            bind(p, m, source.as_path(), BindFlags::default(), (None, None))
        }
        MountKind::CgroupV2 { bind: None, params } => {
            let fs = Fs {
                fstype: "cgroup2",
                source: Some("cgroup"),
                params,
                copy_up: false,
                inherit_mode: false,
                symlinks: true,
            };
            filesystem(p, m, m.target.as_str(), &fs, None);
        }
        MountKind::Remount => set_attr(p, m),
    }
}

#[derive(Default)]
struct BindFlags {
    recursive: bool,
    from_inside: bool,
    copy_symlink: bool,
    nofollow: bool,
}

struct Fs<'a> {
    fstype: &'a str,
    source: Option<&'a str>,
    params: &'a [FsParam],
    copy_up: bool,
    inherit_mode: bool,
    symlinks: bool,
}

/// Attributes for now: what is to become read-only late is left writable.
fn early(m: &MountPlan, attr: Attr) -> u64 {
    if m.late_readonly { attr.set & !MOUNT_ATTR_RDONLY } else { attr.set }
}

fn bind(
    p: &mut Program,
    m: &MountPlan,
    source: &std::path::Path,
    f: BindFlags,
    fds: (Option<i32>, Option<i32>),
) {
    let op = Op::Bind {
        target: &c_string(m.target.as_str()),
        source: &c_path(source),
        from_inside: f.from_inside,
        fd: fds.0.unwrap_or(-1),
        recursive: f.recursive,
        nofollow: f.nofollow,
        copy_symlink: f.copy_symlink,
        set: early(m, m.attr),
        clear: m.attr.clear,
        rec_set: early(m, m.recursive_attr),
        rec_clear: m.recursive_attr.clear,
        propagation: &propagation(m),
        idmap: fds.1.unwrap_or(-1),
        idmap_recursive: m.idmap.as_ref().is_some_and(|i| i.recursive),
    };
    p.step("mounting", format!("{} at {}", source.display(), m.target.as_str()), &m.pointer, op);
}

fn filesystem(p: &mut Program, m: &MountPlan, target: &str, fs: &Fs<'_>, idmap: Option<i32>) {
    let object = format!("{} at {target}", fs.fstype);
    let propagation = propagation(m);
    let (target, fstype) = (c_string(target), c_string(fs.fstype));
    if fs.params.iter().any(|f| f.value.as_ref().is_some_and(|v| v.len() > LONGEST_VALUE)) {
        let data = join_params(fs.params);
        let op = Op::MountLegacy {
            target: &target,
            fstype: &fstype,
            source: &c_string(fs.source.unwrap_or("none")),
            flags: legacy_flags(early(m, m.attr)),
            data: &c_string(data),
            propagation: &propagation,
            hold: m.late_readonly,
        };
        return p.step("mounting", object, &m.pointer, op);
    }
    let params = encode(fs.source, fs.params);
    let op = Op::Mount {
        target: &target,
        fstype: &fstype,
        params: List::new(&params),
        attr: early(m, m.attr),
        rec_set: early(m, m.recursive_attr),
        rec_clear: m.recursive_attr.clear,
        propagation: &propagation,
        symlinks: fs.symlinks,
        copy_up: fs.copy_up,
        inherit_mode: fs.inherit_mode,
        hold: m.late_readonly,
        idmap: idmap.unwrap_or(-1),
    };
    p.step("mounting", object, &m.pointer, op);
}

/// Parameters as [`Op::Mount`] takes them.
fn encode(source: Option<&str>, params: &[FsParam]) -> Vec<u8> {
    let mut items = Vec::new();
    if let Some(source) = source {
        items.extend(["ssource".to_owned(), source.to_owned()]);
    }
    for param in params {
        match &param.value {
            Some(value) => items.extend([format!("s{}", param.key), value.clone()]),
            None => items.push(format!("f{}", param.key)),
        }
    }
    list(items.iter().map(String::as_str))
}

/// Parameters as mount(2) takes them.
fn join_params(params: &[FsParam]) -> String {
    let one = |f: &FsParam| match &f.value {
        Some(value) => format!("{}={value}", f.key),
        None => f.key.clone(),
    };
    params.iter().map(one).collect::<Vec<_>>().join(",")
}

/// `MOUNT_ATTR_*` as `MS_*`: the lowest four bits agree, the others moved.
fn legacy_flags(attr: u64) -> u64 {
    const MOVED: [(u64, u64); 4] = [(0x10, 1 << 10), (0x20, 1 << 24), (0x80, 1 << 11), (0x20_0000, 1 << 8)];
    MOVED.iter().filter(|(a, _)| attr & a != 0).fold(attr & 0xf, |flags, (_, ms)| flags | ms)
}

fn propagation(m: &MountPlan) -> Vec<u8> {
    m.propagation.iter().flat_map(|c| (c.flag & PROPAGATION | u64::from(c.recursive)).to_ne_bytes()).collect()
}

/// A tmpfs with one directory per hierarchy; read-only only when all of them are in.
fn cgroup_v1(
    p: &mut Program,
    plan: &InitPlan,
    m: &MountPlan,
    all: &[CgroupHierarchyMount],
    links: &[(String, String)],
) {
    let param = |key: &str, value: &str| FsParam { key: key.into(), value: Some(value.into()) };
    let mut params = vec![param("mode", "755")];
    if let Some(label) = context(plan) {
        params.push(param("context", &label));
    }
    let base = MountPlan {
        kind: MountKind::Remount,
        attr: Attr { set: m.attr.set & !MOUNT_ATTR_RDONLY, clear: m.attr.clear },
        recursive_attr: Attr::default(),
        late_readonly: false,
        propagation: Vec::new(),
        ..m.clone()
    };
    let tmpfs = Fs {
        fstype: "tmpfs",
        source: Some("tmpfs"),
        params: &params,
        copy_up: false,
        inherit_mode: false,
        symlinks: true,
    };
    filesystem(p, &base, m.target.as_str(), &tmpfs, None);
    for h in all {
        let target = format!("{}/{}", m.target.as_str(), h.directory);
        let Some(path) = cofferdam_plan::InPath::new(&target) else { continue };
        // All of them get the attributes at once, in the end.
        let inner = MountPlan { target: path, attr: Attr::default(), ..base.clone() };
        match &h.bind {
            Some(source) => bind(p, &inner, source.as_path(), BindFlags::default(), (None, None)),
            None => {
                let fs = Fs {
                    fstype: "cgroup",
                    source: Some("cgroup"),
                    params: &h.params,
                    copy_up: false,
                    inherit_mode: false,
                    symlinks: true,
                };
                filesystem(p, &inner, &target, &fs, None);
            }
        }
    }
    for (name, target) in links {
        let path = format!("{}/{name}", m.target.as_str());
        let op = Op::Symlink { path: &c_string(path.as_str()), target: &c_string(target.as_str()) };
        p.step("making symbolic link", path, &m.pointer, op);
    }
    let recursive_attr =
        Attr { set: m.attr.set | m.recursive_attr.set, clear: m.attr.clear | m.recursive_attr.clear };
    set_attr(p, &MountPlan { attr: Attr::default(), recursive_attr, ..m.clone() });
}

/// Attributes of what is mounted at the target already.
fn set_attr(p: &mut Program, m: &MountPlan) {
    let op = Op::SetAttr {
        target: &c_string(m.target.as_str()),
        set: early(m, m.attr),
        clear: m.attr.clear,
        rec_set: early(m, m.recursive_attr),
        rec_clear: m.recursive_attr.clear,
        propagation: &propagation(m),
    };
    p.step("changing the mount at", m.target.as_str(), &m.pointer, op);
}

/// What was left writable until everything inside was made.
pub(super) fn late(p: &mut Program, plan: &InitPlan) {
    for m in plan.mounts.iter().filter(|m| m.late_readonly) {
        let op = Op::Seal { recursive: m.recursive_attr.set & MOUNT_ATTR_RDONLY != 0 };
        p.step("making read-only", m.target.as_str(), &m.pointer, op);
    }
}

/// Before the root is entered: what could no longer be undone from inside.
pub(super) fn seal_root(p: &mut Program, plan: &InitPlan) {
    if plan.root.readonly && plan.root.new_mount_namespace {
        root_attr(p, "making read-only", &Pointer::new("/root/readonly"), MOUNT_ATTR_RDONLY, &[]);
    }
}

/// After the root is entered: pivot_root(2) refuses a root that is shared.
pub(super) fn root_propagation(p: &mut Program, plan: &InitPlan) {
    if let Some(flag) = plan.root.final_propagation {
        const MS_REC: u64 = 1 << 14;
        let recursive = u64::from(flag & MS_REC != 0);
        let pointer = Pointer::new("/linux/rootfsPropagation");
        root_attr(
            p,
            "setting the propagation of",
            &pointer,
            0,
            &(flag & PROPAGATION | recursive).to_ne_bytes(),
        );
    }
}

fn root_attr(p: &mut Program, doing: &'static str, pointer: &Pointer, set: u64, propagation: &[u8]) {
    let op = Op::SetAttr { target: c"/", set, clear: 0, rec_set: 0, rec_clear: 0, propagation };
    p.step(doing, "/", pointer, op);
}

/// SELinux's parameter for what we mount on our own account.
pub(super) fn context(plan: &InitPlan) -> Option<String> {
    plan.mount_label.as_ref().filter(|l| !l.is_empty()).cloned()
}

/// A bind mount of which nothing more is said than what is `set` on it and on those below.
pub(crate) fn plain_bind<'a>(
    target: &'a CStr,
    source: &'a CStr,
    (recursive, nofollow): (bool, bool),
    set: u64,
) -> Op<'a> {
    Op::Bind {
        target,
        source,
        from_inside: false,
        fd: -1,
        recursive,
        nofollow,
        copy_symlink: false,
        set: 0,
        clear: 0,
        rec_set: set,
        rec_clear: 0,
        propagation: &[],
        idmap: -1,
        idmap_recursive: false,
    }
}
