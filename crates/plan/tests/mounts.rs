//! What the plan says about mounts when nothing is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cofferdam_plan::{
    Attr, BindOpen, CgroupDir, CgroupHierarchyMount, FsParam, HostFacts, HostPath, MountKind, MountPlan,
    Options, V1Mount, plan_init,
};
use common::{in_user_namespace, plan, planned, warned, with};
use serde_json::{Value, json};

const RDONLY: u64 = 1;

fn mount(value: Value) -> MountPlan {
    planned(&[("/mounts", json!([value]))]).mounts.remove(0)
}

fn params(kind: &MountKind) -> Vec<String> {
    let MountKind::Filesystem { params, .. } = kind else { panic!("{kind:?} is no file system") };
    let text = |p: &FsParam| p.value.as_ref().map_or_else(|| p.key.clone(), |v| format!("{}={v}", p.key));
    params.iter().map(text).collect()
}

#[test]
fn a_relative_source_starts_at_the_bundle() {
    let m = mount(json!({"destination": "a", "source": "b", "options": ["bind", "ro", "nosuid"]}));
    assert_eq!(m.target.as_str(), "/a");
    assert_eq!(m.attr.set, 3);
    let MountKind::Bind { source, recursive: false, open: BindOpen::Child, .. } = m.kind else {
        panic!("{m:?}")
    };
    assert_eq!(source.as_path().to_str(), Some("/bundle/b"));
}

#[test]
fn a_bind_with_any_flag_lets_go_of_the_others_of_its_source() {
    const NOSYMFOLLOW: u64 = 0x20_0000;
    let bind = |options: &[&str]| json!({"destination": "/a", "source": "/b", "options": options});
    assert_eq!(mount(bind(&["rbind", "rprivate"])).attr, Attr { set: 0, clear: 0 });
    assert_eq!(mount(bind(&["bind", "ro"])).attr, Attr { set: 1, clear: NOSYMFOLLOW | 0xe });
    assert_eq!(mount(bind(&["bind", "rw"])).attr, Attr { set: 0, clear: NOSYMFOLLOW | 0xf });
    // Access times stay as they are unless they are spoken of.
    assert_eq!(mount(bind(&["bind", "nosuid"])).attr.clear & 0xf0, 0);
    // What a user namespace locks stays too.
    let mut changes = in_user_namespace();
    changes.push(("/mounts", json!([bind(&["bind", "rw", "nosuid"])])));
    assert_eq!(planned(&changes).mounts[0].attr, Attr { set: 2, clear: NOSYMFOLLOW | 1 });
}

#[test]
fn the_type_bind_is_a_bind_mount_and_other_types_of_one_mean_nothing() {
    let m = mount(json!({"destination": "/a", "source": "/b", "type": "bind"}));
    assert!(matches!(m.kind, MountKind::Bind { recursive: false, .. }));
    let m = mount(json!({"destination": "/a", "source": "/b", "type": "tmpfs", "options": ["rbind"]}));
    assert!(matches!(m.kind, MountKind::Bind { recursive: true, .. }));
}

#[test]
fn options_of_crun_and_propagation_are_kept() {
    let options = ["rbind", "copy-symlink", "src-nofollow", "rshared", "rro", "rnoatime"];
    let m = mount(json!({"destination": "/a", "source": "/b", "options": options}));
    assert!(matches!(m.kind, MountKind::Bind { copy_symlink: true, nofollow: true, .. }));
    assert_eq!(m.propagation.len(), 1);
    assert_eq!(m.recursive_attr, Attr { set: 0x11, clear: 0x70 });
    assert!(!m.late_readonly);
}

#[test]
fn superblock_flags_come_first_then_the_parameters_in_order() {
    let m = mount(json!({"destination": "/a", "type": "ext4", "source": "/dev/x",
        "options": ["data=journal", "sync", "ro", "noexec", "errors=panic,quota", "lazytime"]}));
    assert_eq!(params(&m.kind), ["ro", "sync", "lazytime", "data=journal", "errors=panic", "quota"]);
    assert_eq!(m.attr.set, RDONLY | 8);
    assert!(matches!(m.kind, MountKind::Filesystem { symlinks: true, .. }));
}

#[test]
fn a_read_only_tmpfs_or_dev_is_so_only_at_the_end() {
    let m = mount(json!({"destination": "/t", "type": "tmpfs", "options": ["ro", "size=1m", "tmpcopyup"]}));
    assert_eq!(params(&m.kind), ["size=1m"]);
    assert!(m.late_readonly && m.attr.set == RDONLY);
    assert!(matches!(m.kind, MountKind::Filesystem { copy_up: true, inherit_mode: true, .. }));
    let m = mount(json!({"destination": "/t", "type": "tmpfs", "options": ["mode=755"]}));
    assert!(matches!(m.kind, MountKind::Filesystem { inherit_mode: false, .. }));
    let m = mount(json!({"destination": "/dev/", "type": "devtmpfs", "options": ["ro"]}));
    assert!(m.late_readonly && params(&m.kind).is_empty());
    let m = mount(json!({"destination": "/sys", "type": "sysfs", "options": ["ro"]}));
    assert!(!m.late_readonly && params(&m.kind) == ["ro"]);
}

#[test]
fn proc_and_sysfs_are_not_mounted_through_symbolic_links() {
    for kind in ["proc", "sysfs"] {
        let m = mount(json!({"destination": format!("/{}", &kind[..4]), "type": kind}));
        assert!(matches!(m.kind, MountKind::Filesystem { symlinks: false, .. }), "{kind}");
    }
}

#[test]
fn a_remount_changes_attributes_only() {
    let m = mount(json!({"destination": "/a", "options": ["remount", "bind", "ro", "exec"]}));
    assert_eq!(m.kind, MountKind::Remount);
    assert_eq!(m.attr, Attr { set: RDONLY, clear: 8 });
}

#[test]
fn mounts_are_labelled_where_file_systems_take_labels() {
    let facts = HostFacts { selinux: true, ..HostFacts::typical() };
    let document = with(&[
        ("/linux/mountLabel", json!("u:object_r:f:s0:c1,c2")),
        ("/mounts/-", json!({"destination": "/t", "type": "tmpfs", "options": ["size=1"]})),
    ]);
    let plan = plan(&document, &facts).unwrap();
    assert!(params(&plan.mounts[0].kind).is_empty());
    assert_eq!(params(&plan.mounts[1].kind), ["size=1", "context=u:object_r:f:s0:c1,c2"]);
    assert_eq!(plan.mount_label.as_deref(), Some("u:object_r:f:s0:c1,c2"));
}

#[test]
fn the_type_of_a_mounts_context_is_that_of_the_annotation() {
    let facts = HostFacts { selinux: true, ..HostFacts::typical() };
    let document = with(&[
        ("/annotations", json!({"run.oci.mount_context_type": "rootcontext"})),
        ("/linux/mountLabel", json!("u:r:t:s0")),
        ("/mounts/-", json!({"destination": "/t", "type": "tmpfs"})),
    ]);
    assert_eq!(params(&plan(&document, &facts).unwrap().mounts[1].kind), ["rootcontext=u:r:t:s0"]);
}

#[test]
fn the_parent_opens_what_a_user_namespace_may_not_see() {
    let bind = json!({"destination": "/a", "source": "/b", "options": ["bind"]});
    let mut changes = in_user_namespace();
    changes.push(("/mounts", json!([bind])));
    let open = |facts: &HostFacts| match plan(&with(&changes), facts).unwrap().mounts[0].kind {
        MountKind::Bind { open, .. } => open,
        _ => panic!("no bind mount"),
    };
    assert_eq!(open(&HostFacts::typical()), BindOpen::Parent);
    let unprivileged = HostFacts { euid: 1000, capabilities: 0, ..HostFacts::typical() };
    assert_eq!(open(&unprivileged), BindOpen::Child);
    assert_eq!(open(&HostFacts { in_user_namespace: true, ..HostFacts::typical() }), BindOpen::Child);
}

#[test]
fn mappings_of_a_mount_imply_an_idmapped_one() {
    let maps = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    let m = mount(json!({"destination": "/a", "source": "/b", "options": ["rbind", "ridmap"],
        "uidMappings": maps, "gidMappings": maps}));
    let idmap = m.idmap.unwrap();
    assert!(idmap.recursive && idmap.uid.len() == 1);
    assert!(matches!(m.kind, MountKind::Bind { open: BindOpen::Parent, .. }));
    let m = mount(json!({"destination": "/a", "source": "/b", "options": ["bind"],
        "uidMappings": maps, "gidMappings": maps}));
    assert!(!m.idmap.unwrap().recursive);
}

#[test]
fn an_idmapped_mount_without_mappings_takes_those_of_the_user_namespace() {
    let mut changes = in_user_namespace();
    changes.push(("/mounts", json!([{"destination": "/a", "source": "/b", "options": ["bind", "idmap"]}])));
    let idmap = planned(&changes).mounts.remove(0).idmap.unwrap();
    assert!(idmap.uid.is_empty() && idmap.gid.is_empty());
}

#[test]
fn what_has_no_effect_is_warned_about() {
    let plan = planned(&[(
        "/mounts",
        json!([
            {"destination": "a", "source": "/b", "options": ["bind", "sync", "iversion"]},
            {"destination": "/p", "type": "ramfs", "options": ["tmpcopyup"]},
        ]),
    )]);
    assert_eq!(
        warned(&plan),
        [
            "/mounts/0/options/2: \"iversion\" has no effect",
            "/mounts/0/destination: \"a\" is relative; \"/a\" is meant",
            "/mounts/0/options: \"sync\" has no effect on a bind mount",
            "/mounts/1/options: \"tmpcopyup\" has an effect on tmpfs alone",
        ]
    );
}

fn cgroup_changes(own_namespace: bool) -> Vec<(&'static str, Value)> {
    let options = json!(["ro", "nosuid", "nsdelegate"]);
    let mut changes =
        vec![("/mounts", json!([{"destination": "/sys/fs/cgroup", "type": "cgroup", "options": options}]))];
    if !own_namespace {
        changes.push(("/linux/namespaces", json!([{"type": "mount"}])));
    }
    changes
}

fn host(path: &str) -> HostPath {
    HostPath::new(path, "/".as_ref()).unwrap()
}

#[test]
fn cgroup_v2_is_mounted_afresh_in_its_namespace_and_bound_without_one() {
    let m = planned(&cgroup_changes(true)).mounts.remove(0);
    assert_eq!(m.kind, MountKind::CgroupV2 { bind: None, params: vec![FsParam::flag("nsdelegate")] });
    assert_eq!(m.attr.set, 3);
    let m = planned(&cgroup_changes(false)).mounts.remove(0);
    assert!(matches!(m.kind, MountKind::CgroupV2 { bind: Some(path), .. } if path == host("/sys/fs/cgroup")));
}

#[test]
fn cgroup_v2_of_a_user_without_a_namespace_is_read_only() {
    let mut changes = cgroup_changes(false);
    changes[0].1[0]["options"] = json!(["rw"]);
    let facts = HostFacts { in_user_namespace: true, ..HostFacts::typical() };
    let plan = plan(&with(&changes), &facts).unwrap();
    assert_eq!(plan.mounts[0].attr, Attr { set: RDONLY, clear: 0 });
    assert_eq!(warned(&plan), ["/mounts/0: mounted read-only, since there is no cgroup namespace"]);
}

fn hybrid() -> HostFacts {
    let v1 = |options: &[&str], at: &str| V1Mount {
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        mount_point: at.into(),
    };
    HostFacts {
        cgroup_v2: None,
        cgroup_v1: vec![
            v1(&["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct"),
            v1(&["name=systemd"], "/sys/fs/cgroup/systemd"),
            v1(&["pids"], "/sys/fs/cgroup/pids"),
        ],
        ..HostFacts::typical()
    }
}

#[test]
fn cgroup_v1_has_a_directory_a_hierarchy_and_a_link_a_controller() {
    let m = plan(&with(&cgroup_changes(true)), &hybrid()).unwrap().mounts.remove(0);
    let MountKind::CgroupV1 { hierarchies, links } = m.kind else { panic!("{m:?}") };
    let hierarchy =
        |directory: &str, params| CgroupHierarchyMount { directory: directory.into(), params, bind: None };
    assert_eq!(
        hierarchies,
        [
            hierarchy("cpu,cpuacct", vec![FsParam::flag("cpu"), FsParam::flag("cpuacct")]),
            hierarchy("systemd", vec![FsParam::flag("none"), FsParam::text("name", "systemd")]),
            hierarchy("pids", vec![FsParam::flag("pids")]),
        ]
    );
    let link = |name: &str| (name.to_owned(), "cpu,cpuacct".to_owned());
    assert_eq!(links, [link("cpu"), link("cpuacct")]);
    assert_eq!(m.attr.set, 0xf);
}

#[test]
fn without_a_cgroup_namespace_the_containers_own_directories_are_bound() {
    let dir = |options: &[&str], path: &str| CgroupDir {
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        path: path.into(),
    };
    let options = Options {
        cgroup_dirs: vec![
            dir(&["pids"], "/sys/fs/cgroup/pids/box"),
            dir(&["cpuacct", "cpu"], "/sys/fs/cgroup/cpu,cpuacct/box"),
        ],
        ..common::options()
    };
    let spec = common::spec(&with(&cgroup_changes(false)));
    let plan = plan_init(&spec, &hybrid(), &options).unwrap();
    let MountKind::CgroupV1 { hierarchies, .. } = &plan.mounts[0].kind else { panic!("{plan:?}") };
    let binds: Vec<_> = hierarchies.iter().map(|h| h.bind.clone().unwrap()).collect();
    assert_eq!(binds, [host("/sys/fs/cgroup/cpu,cpuacct/box"), host("/sys/fs/cgroup/pids/box")]);
    assert_eq!(warned(&plan), ["/mounts/0: left out, since the container has no cgroup there: systemd"]);
}

#[test]
fn the_type_cgroup2_on_a_hybrid_host_is_a_plain_file_system() {
    let changes = [("/mounts", json!([{"destination": "/c", "type": "cgroup2"}]))];
    let m = plan(&with(&changes), &hybrid()).unwrap().mounts.remove(0);
    assert!(matches!(m.kind, MountKind::Filesystem { fstype, .. } if fstype == "cgroup2"));
    assert!(matches!(
        mount(json!({"destination": "/c", "type": "cgroup2"})).kind,
        MountKind::CgroupV2 { .. }
    ));
}
