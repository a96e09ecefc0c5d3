//! What the plan of a new container says when nothing is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cofferdam_plan::{
    BindOpen, DeviceSource, HostFacts, MountKind, Options, OwnFile, Pivot, RdtPlan, Setgroups, plan_init,
};
use common::{in_user_namespace, plan, planned, warned, with};
use serde_json::{Value, json};

const MS_REC: u64 = 0x4000;
const MS_PRIVATE: u64 = 1 << 18;
const MS_SLAVE: u64 = 1 << 19;
const MS_SHARED: u64 = 1 << 20;
const CLONE_NEWUSER: u64 = 0x1000_0000;

fn rootless() -> HostFacts {
    HostFacts { euid: 1000, egid: 1000, capabilities: 0, ..HostFacts::typical() }
}

fn own_id() -> Vec<(&'static str, Value)> {
    let maps = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    vec![
        ("/linux/namespaces/-", json!({"type": "user"})),
        ("/linux/uidMappings", maps.clone()),
        ("/linux/gidMappings", maps),
    ]
}

#[test]
fn defaults_are_applied() {
    let plan = planned(&[]);
    assert_eq!(plan.root.path.as_path().to_str(), Some("/bundle/rootfs"));
    assert_eq!((plan.root.propagation, plan.root.final_propagation), (MS_SLAVE | MS_REC, None));
    assert_eq!(plan.root.pivot, Pivot::PivotRoot);
    assert_eq!(plan.keyring.as_deref(), Some("_ses.box"));
    assert_eq!(plan.process.umask, 0o022);
    assert_eq!(plan.process.groups, Some(vec![]));
    assert!(plan.loopback && plan.warnings.is_empty() && plan.process.terminal.is_none());
    let devices: Vec<_> = plan.devices.iter().map(|d| (d.path.as_str(), d.major, d.minor, d.mode)).collect();
    assert_eq!(
        devices,
        [
            ("/dev/null", 1, 3, 0o666),
            ("/dev/zero", 1, 5, 0o666),
            ("/dev/full", 1, 7, 0o666),
            ("/dev/tty", 5, 0, 0o666),
            ("/dev/urandom", 1, 9, 0o666),
            ("/dev/random", 1, 8, 0o666),
        ]
    );
    assert!(plan.devices.iter().all(|d| d.source == DeviceSource::Mknod));
    let links: Vec<_> = plan.symlinks.iter().map(|l| (l.path.as_str(), l.target.as_str())).collect();
    assert_eq!(links[0], ("/dev/fd", "/proc/self/fd"));
    assert!(links.contains(&("/dev/ptmx", "pts/ptmx")));
}

#[test]
fn a_document_without_a_linux_part_is_a_chroot() {
    let plan = planned(&[("/linux", Value::Null), ("/mounts", json!([]))]);
    assert_eq!((plan.new_namespaces, plan.root.pivot), (0, Pivot::Chroot));
    assert!(!plan.root.new_mount_namespace && !plan.loopback);
}

#[test]
fn propagation_words_become_flags() {
    for (word, first, last) in [
        ("slave", MS_SLAVE, None),
        ("rprivate", MS_PRIVATE | MS_REC, None),
        ("rshared", MS_SHARED | MS_REC, Some(MS_SHARED | MS_REC)),
        ("unbindable", (1 << 19) | 0x4000, Some(1 << 17)),
    ] {
        let plan = planned(&[("/linux/rootfsPropagation", json!(word))]);
        assert_eq!((plan.root.propagation, plan.root.final_propagation), (first, last), "{word}");
    }
}

#[test]
fn a_bound_dev_is_left_alone() {
    let bind = json!([{"destination": "/dev/", "source": "/dev", "options": ["rbind"]}]);
    let plan = planned(&[
        ("/mounts", bind),
        ("/linux/devices", json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 1}])),
    ]);
    assert!(plan.devices.is_empty() && plan.symlinks.is_empty());
    assert_eq!(warned(&plan), ["/linux/devices: not made, since /dev is a bind mount"]);
}

#[test]
fn a_device_of_the_document_replaces_the_default_one() {
    let devices = json!([
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 33188, "uid": 7, "gid": 8},
        {"path": "/dev/../dev/fuse", "type": "u", "major": 10, "minor": 229},
        {"path": "/dev/fuse", "type": "c", "major": 1, "minor": 1},
        {"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2},
        {"path": "/dev/pipe", "type": "p"},
    ]);
    let plan = planned(&[("/linux/devices", devices)]);
    let null: Vec<_> = plan.devices.iter().filter(|d| d.path.as_str() == "/dev/null").collect();
    assert_eq!(null.len(), 1);
    assert_eq!((null[0].mode, null[0].uid, null[0].gid), (0o644, 7, 8));
    assert!(plan.devices.iter().all(|d| d.path.as_str() != "/dev/ptmx"));
    assert_eq!(warned(&plan), ["/linux/devices/2/path: ignored: an earlier entry has the same path"]);
}

#[test]
fn a_user_namespace_binds_devices_but_makes_fifos() {
    let mut changes = in_user_namespace();
    changes.push(("/linux/devices", json!([{"path": "/dev/pipe", "type": "p"}])));
    for plan in [
        planned(&changes),
        plan(&with(&changes[3..]), &HostFacts { in_user_namespace: true, ..HostFacts::typical() }).unwrap(),
    ] {
        for device in &plan.devices {
            let made = device.source == DeviceSource::Mknod;
            assert_eq!(made, device.path.as_str() == "/dev/pipe", "{device:?}");
        }
    }
}

#[test]
fn a_rootless_container_of_one_id_may_not_set_groups() {
    let plan = plan(&with(&own_id()), &rootless()).unwrap();
    let maps = plan.id_maps.unwrap();
    assert_eq!((maps.setgroups, maps.helpers), (Setgroups::Deny, None));
    assert_eq!(plan.process.groups, None);
    let mut changes = own_id();
    changes.push(("/process/user", json!({"additionalGids": [0]})));
    let told = common::rejected(&changes, &rootless());
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("/process/user/additionalGids: "), "{told:?}");
}

#[test]
fn a_rootless_container_of_many_ids_sets_groups() {
    let mut changes = in_user_namespace();
    changes.push(("/process/user", json!({"additionalGids": [5]})));
    let plan = plan(&with(&changes), &rootless()).unwrap();
    assert!(plan.id_maps.unwrap().helpers.is_some());
    assert_eq!(plan.process.groups, Some(vec![5]));
}

#[test]
fn groups_stay_where_setgroups_is_denied_or_the_annotation_says_so() {
    let facts = HostFacts { in_user_namespace: true, setgroups_denied: true, ..HostFacts::typical() };
    assert_eq!(plan(&with(&[]), &facts).unwrap().process.groups, None);
    let keep = [("/annotations", json!({"run.oci.keep_original_groups": "1"}))];
    assert_eq!(planned(&keep).process.groups, None);
}

#[test]
fn a_user_namespace_that_is_joined_is_not_mapped_again() {
    let maps = json!([{"containerID": 0, "hostID": 5, "size": 1}]);
    let plan = planned(&[
        ("/linux/namespaces/-", json!({"type": "user", "path": "/proc/5/ns/user"})),
        ("/linux/uidMappings", maps),
        ("/process/user/uid", json!(77)),
    ]);
    assert!(plan.id_maps.is_none());
    assert_eq!(plan.join[0].kind, CLONE_NEWUSER);
    assert_eq!(warned(&plan), ["/linux/uidMappings: ignored: the user namespace that is joined has its own"]);
}

#[test]
fn sysctls_become_files() {
    let plan =
        planned(&[("/linux/sysctl", json!({"net.ipv4.conf.eno2/100.rp_filter": "1", "kernel/shmmax": "2"}))]);
    let files: Vec<_> = plan.sysctls.iter().map(|s| (s.file.as_str(), s.value.as_str())).collect();
    assert_eq!(files, [("kernel/shmmax", "2"), ("net/ipv4/conf/eno2.100/rp_filter", "1")]);
}

#[test]
fn hooks_get_their_name_and_milliseconds() {
    let plan = planned(&[(
        "/hooks",
        json!({
            "createRuntime": [{"path": "/bin/a", "timeout": 5}],
            "startContainer": [{"path": "/bin/b", "args": ["b", "c"]}, {"path": "/bin/b", "env": ["X=1"]}],
        }),
    )]);
    let hook = &plan.hooks.create_runtime[0];
    assert_eq!((hook.args.as_slice(), hook.timeout_ms), (["/bin/a".to_owned()].as_slice(), Some(5000)));
    assert!(hook.env.is_empty());
    let start = &plan.hooks.start_container;
    assert_eq!(start[0].env, plan.process.env);
    assert_eq!(start[1].env, ["X=1"]);
}

#[test]
fn hidden_paths_are_clean_and_told_once() {
    let plan = planned(&[
        ("/linux/maskedPaths", json!(["/proc/kcore", "//proc/./kcore", "proc/keys"])),
        ("/linux/readonlyPaths", json!(["/proc/sys/"])),
    ]);
    let masked: Vec<_> = plan.masked_paths.iter().map(|(_, p)| p.as_str()).collect();
    assert_eq!(masked, ["/proc/kcore", "/proc/keys"]);
    assert_eq!(plan.readonly_paths[0].1.as_str(), "/proc/sys");
    assert_eq!(warned(&plan), ["/linux/maskedPaths/2: \"proc/keys\" is relative; \"/proc/keys\" is meant"]);
}

#[test]
fn a_class_of_service_without_schemata_must_exist() {
    let facts = HostFacts { resctrl: Some("/sys/fs/resctrl".into()), ..HostFacts::typical() };
    let rdt = |value: Value| plan(&with(&[("/linux/intelRdt", value)]), &facts).unwrap().rdt.unwrap();
    let expected = |clos_id: &str, must_exist, schemata: &[&str], monitoring| RdtPlan {
        resctrl: "/sys/fs/resctrl".into(),
        clos_id: clos_id.into(),
        must_exist,
        schemata: schemata.iter().map(|s| (*s).to_owned()).collect(),
        monitoring,
    };
    assert_eq!(rdt(json!({"closID": "gold"})), expected("gold", true, &[], false));
    assert_eq!(rdt(json!({"closID": "/"})), expected("/", true, &[], false));
    assert_eq!(
        rdt(json!({"l3CacheSchema": "L3:0=f", "enableMonitoring": true})),
        expected("box", false, &["L3:0=f"], true)
    );
}

#[test]
fn scheduling_becomes_numbers() {
    let plan = planned(&[
        (
            "/process/scheduler",
            json!({"policy": "SCHED_RR", "priority": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
        ),
        ("/process/ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 7})),
        ("/process/execCPUAffinity", json!({"initial": "0-1", "final": ""})),
        ("/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}])),
        ("/linux/personality", json!({"domain": "LINUX32"})),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_INTERLEAVE", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]}),
        ),
    ]);
    let scheduler = plan.process.scheduler.unwrap();
    assert_eq!((scheduler.policy, scheduler.priority, scheduler.flags), (2, 5, 1));
    assert_eq!(plan.process.io_priority, Some((3 << 13) | 7));
    assert_eq!(plan.process.affinity, cofferdam_plan::AffinityPlan::default());
    assert_eq!(plan.process.rlimits[0].resource, 7);
    assert_eq!(plan.process.personality, Some(8));
    let policy = plan.process.memory_policy.unwrap();
    assert_eq!((policy.mode, policy.nodes), (3 | (1 << 15), vec![3]));
}

#[test]
fn the_notify_socket_is_mounted_and_named() {
    let options = Options {
        notify_socket: true,
        notify_directory: Some("/run/box/notify".into()),
        ..common::options()
    };
    let plan = plan_init(&common::spec(&with(&[])), &HostFacts::typical(), &options).unwrap();
    assert!(plan.process.env.contains(&"NOTIFY_SOCKET=/run/notify/notify.sock".to_owned()));
    let mount = plan.mounts.last().unwrap();
    assert_eq!((mount.target.as_str(), mount.attr.set), ("/run/notify", 0xf));
}

#[test]
fn files_of_the_runtimes_are_bound_where_the_document_mounts_nothing() {
    let file = |target: &str| OwnFile {
        pointer: cofferdam_oci::Pointer::root(),
        source: format!("/run/box{target}").into(),
        target: target.into(),
    };
    let options = Options { files: vec![file("/etc/hosts"), file("/etc/resolv.conf")], ..common::options() };
    let hosts = json!({"destination": "/etc//hosts", "source": "/h", "options": ["bind"]});
    let spec = |changes: &[(&str, Value)]| common::spec(&with(changes));
    let plan = plan_init(&spec(&[("/mounts", json!([hosts]))]), &HostFacts::typical(), &options).unwrap();
    let targets: Vec<_> = plan.mounts.iter().map(|mount| mount.target.as_str()).collect();
    assert_eq!(targets, ["/etc/hosts", "/etc/resolv.conf"]);
    assert_eq!(plan.mounts[1].attr.set, 0xf);
    let open = |plan: &cofferdam_plan::InitPlan| match plan.mounts.last().unwrap().kind {
        MountKind::Bind { open, .. } => open,
        _ => panic!("no bind mount"),
    };
    assert_eq!(open(&plan), BindOpen::Parent);
    let theirs = plan_init(&spec(&own_id()), &rootless(), &options).unwrap();
    assert_eq!(open(&theirs), BindOpen::Child, "an ordinary user opens no detached mounts of the host's");
}

#[test]
fn an_empty_seccomp_profile_is_none() {
    let plan = planned(&[("/linux/seccomp", json!({"defaultAction": ""}))]);
    assert!(plan.process.seccomp.is_none());
    let plan = planned(&[(
        "/linux/seccomp",
        json!({"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}),
    )]);
    assert!(!plan.process.seccomp.unwrap().instructions().is_empty());
}

#[test]
fn newer_versions_are_warned_about() {
    let plan = planned(&[("/ociVersion", json!("1.4.0"))]);
    assert_eq!(warned(&plan), ["/ociVersion: 1.4.0 is newer than 1.3: what it adds is ignored"]);
}
