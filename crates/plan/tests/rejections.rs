//! Rules about the container that reject, as a table: a change to a good document, and what is told.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cofferdam_plan::HostFacts;
use common::{check, in_user_namespace, plan, rejected, tell, with};
use serde_json::{Value, json};

#[test]
fn a_document_without_its_parts_is_rejected() {
    check(vec![
        ("/root", Value::Null, &["/root: missing"]),
        ("/root/path", json!(""), &["/root/path: empty"]),
        ("/root/path", json!("a\0b"), &["/root/path: holds a NUL byte"]),
        ("/process", Value::Null, &["/process: missing"]),
        ("/ociVersion", json!("2.0.0"), &["/ociVersion: 2.0.0 is not supported; versions 1.x.y are"]),
        ("/ociVersion", json!(""), &["/ociVersion: \"\" is no version such as \"1.3.0\""]),
    ]);
}

#[test]
fn what_needs_a_namespace_is_rejected_without_it() {
    let told = rejected(
        &[
            ("/linux/namespaces", json!([])),
            ("/root/readonly", json!(true)),
            ("/hostname", json!("a")),
            ("/domainname", json!("b")),
            ("/linux/maskedPaths", json!(["/a"])),
            ("/linux/readonlyPaths", json!(["/b"])),
            ("/linux/rootfsPropagation", json!("shared")),
            ("/linux/timeOffsets", json!({"boottime": {"secs": 1}})),
            ("/linux/netDevices", json!({"eth0": {}})),
            ("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"})),
            ("/linux/uidMappings", json!([{"containerID": 0, "hostID": 0, "size": 1}])),
        ],
        &HostFacts::typical(),
    );
    assert_eq!(
        told,
        [
            "/linux/uidMappings: there is no new user namespace to map",
            "/linux/rootfsPropagation: would be that of the host's mounts",
            "/root/readonly: only a mount namespace of its own can make the root read-only",
            "/mounts: without a mount namespace they would be mounts of the host",
            "/linux/maskedPaths: without a mount namespace they would be the host's",
            "/linux/readonlyPaths: without a mount namespace they would be the host's",
            "/hostname: would be the host's",
            "/domainname: would be the host's",
            "/linux/timeOffsets: only a new time namespace takes offsets",
            "/linux/sysctl/net.ipv4.ip_forward: would be the host's",
            "/linux/netDevices: the container has no network of its own to move them into",
        ]
    );
}

#[test]
fn sysctls_of_the_whole_host_are_rejected() {
    check(vec![(
        "/linux/sysctl",
        json!({
            "kernel.hostname": "a", "kernel.panic": "1", "kernel/shmmax": "1", "net/../kernel/panic": "1",
            "user.max_user_namespaces": "0", "vm.swappiness": "1", "net.ipv4.tcp_syncookies": "1",
            "fs.mqueue.msg_max": "1", "kernel.domainname": "x", "": "1", "net..x": "1",
        }),
        &[
            "/linux/sysctl/: no name of a parameter",
            "/linux/sysctl/kernel.hostname: has a field of its own",
            "/linux/sysctl/kernel.panic: belongs to the whole host: no namespace has it",
            "/linux/sysctl/net..x: no name of a parameter",
            "/linux/sysctl/net~1..~1kernel~1panic: no name of a parameter",
            "/linux/sysctl/user.max_user_namespaces: would be the host's",
            "/linux/sysctl/vm.swappiness: belongs to the whole host: no namespace has it",
        ],
    )]);
}

#[test]
fn bad_mounts_are_rejected() {
    let mount = |m: Value| json!([m]);
    check(vec![
        (
            "/mounts",
            mount(json!({"destination": "/"})),
            &[
                "/mounts/0/destination: \"/\" is the container's root",
                "/mounts/0/type: neither a file system type nor a bind mount",
            ],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/a/..", "type": "tmpfs"})),
            &["/mounts/0/destination: \"/a/..\" is the container's root"],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/a", "type": "none", "source": "/x"})),
            &["/mounts/0/type: neither a file system type nor a bind mount"],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/a", "options": ["rbind"]})),
            &["/mounts/0/source: a bind mount needs a source"],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/a", "source": "b", "options": ["bind", "size=1"]})),
            &["/mounts/0/options: \"size\" is a parameter of a file system; a bind mount has none"],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/a", "options": ["remount", "size=1"]})),
            &["/mounts/0/options: a remount cannot change the parameter \"size\""],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/proc", "type": "tmpfs"})),
            &["/mounts/0/destination: only procfs may be mounted on /proc"],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/proc/sys", "type": "tmpfs"})),
            &["/mounts/0/destination: \"/proc/sys\" is inside /proc"],
        ),
        (
            "/mounts",
            mount(json!({"destination": "a\0", "type": "t\0", "source": "s\0", "options": ["o\0"]})),
            &[
                "/mounts/0/options/0: holds a NUL byte",
                "/mounts/0/destination: holds a NUL byte",
                "/mounts/0/type: holds a NUL byte",
                "/mounts/0/source: holds a NUL byte",
            ],
        ),
    ]);
}

#[test]
fn bad_idmapped_mounts_are_rejected() {
    let mount = |m: Value| json!([m]);
    check(vec![
        (
            "/mounts",
            mount(json!({"destination": "/a", "type": "tmpfs", "options": ["idmap"]})),
            &[
                "/mounts/0: only bind mounts can be idmapped",
                "/mounts/0: there are no ids to map to: neither mappings of the mount nor a user namespace",
            ],
        ),
        (
            "/mounts",
            mount(json!({"destination": "/a", "source": "/b", "options": ["bind"],
                "uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}]})),
            &[
                "/mounts/0/uidMappings/0/size: maps no id at all",
                "/mounts/0/gidMappings: an idmapped mount needs both maps",
            ],
        ),
    ]);
}

#[test]
fn bad_devices_are_rejected() {
    check(vec![(
        "/linux/devices",
        json!([
            {"path": "/dev/a", "type": "x", "major": -1, "minor": 1_048_576},
            {"path": "/dev/..", "type": "c", "major": 1, "minor": 1},
            {"path": "/dev/fifo", "type": "p", "major": -1},
        ]),
        &[
            "/linux/devices/0/type: \"x\" is no device type; there are b, c, p and u",
            "/linux/devices/0/major: -1 is not between 0 and 4095",
            "/linux/devices/0/minor: 1048576 is not between 0 and 1048575",
            "/linux/devices/1/path: \"/dev/..\" is no path of a file",
        ],
    )]);
}

#[test]
fn bad_hooks_are_rejected() {
    check(vec![(
        "/hooks",
        json!({
            "prestart": [{"path": "bin/a"}],
            "poststop": [{"path": "/a", "timeout": 0}, {"path": "/a", "timeout": -1, "args": ["\0"]}],
        }),
        &[
            "/hooks/prestart/0/path: \"bin/a\" is not an absolute path",
            "/hooks/poststop/0/timeout: 0 is not more than 0 seconds",
            "/hooks/poststop/1/args/0: holds a NUL byte",
            "/hooks/poststop/1/timeout: -1 is not more than 0 seconds",
        ],
    )]);
}

#[test]
fn bad_network_devices_are_rejected() {
    check(vec![(
        "/linux/netDevices",
        json!({
            "a/b": {}, "eth%d": {}, "eth0": {"name": "x y"}, "eth1": {"name": "n"}, "n": {},
            "o": {"name": "eth%s"}, "p": {"name": "lan%d"}, "q": {"name": "lan%d"},
        }),
        &[
            "/linux/netDevices/a~1b: \"a/b\" is no name of a network device",
            "/linux/netDevices/eth%d: \"eth%d\" is no name of a network device",
            "/linux/netDevices/eth0/name: \"x y\" is no name of a network device",
            "/linux/netDevices/n/name: \"eth1\" is to be called \"n\" too",
            "/linux/netDevices/o/name: \"eth%s\" is no template: of '%' the kernel takes one \"%d\" alone",
        ],
    )]);
    let facts = HostFacts { in_user_namespace: true, ..HostFacts::typical() };
    assert_eq!(
        rejected(&[("/linux/netDevices", json!({"eth0": {}}))], &facts),
        ["/linux/netDevices: moving a device of the host takes a runtime that is the host's root"]
    );
}

#[test]
fn bad_names_offsets_propagations_and_hidden_paths_are_rejected() {
    let long = "x".repeat(65);
    check(vec![
        ("/hostname", json!(long), &["/hostname: 65 bytes; the kernel takes 64"]),
        (
            "/linux/rootfsPropagation",
            json!("ro"),
            &["/linux/rootfsPropagation: \"ro\" is no propagation such as \"rslave\""],
        ),
        (
            "/linux/maskedPaths",
            json!(["/..", "\0"]),
            &[
                "/linux/maskedPaths/0: \"/..\" is the container's root",
                "/linux/maskedPaths/1: holds a NUL byte",
            ],
        ),
    ]);
    let told = rejected(
        &[
            ("/linux/namespaces/-", json!({"type": "time"})),
            ("/linux/timeOffsets", json!({"realtime": {}, "boottime": {"nanosecs": 1_000_000_000}})),
        ],
        &HostFacts::typical(),
    );
    assert_eq!(
        told,
        [
            "/linux/timeOffsets/boottime/nanosecs: 1000000000 is a second or more",
            "/linux/timeOffsets/realtime: no such clock; there are boottime and monotonic",
        ]
    );
}

#[test]
fn offsets_do_not_go_with_a_time_namespace_that_is_joined() {
    let told = rejected(
        &[
            ("/linux/namespaces/-", json!({"type": "time", "path": "/proc/7/ns/time"})),
            ("/linux/timeOffsets", json!({"boottime": {"secs": 1}})),
        ],
        &HostFacts::typical(),
    );
    assert_eq!(told, ["/linux/timeOffsets: only a new time namespace takes offsets"]);
}

#[test]
fn what_the_host_lacks_is_told_as_the_hosts_fault() {
    let facts = HostFacts { seccomp: false, cgroup_v2: None, ..HostFacts::typical() };
    let document = with(&[
        ("/process/apparmorProfile", json!("docker-default")),
        ("/process/selinuxLabel", json!("u:r:t:s0")),
        ("/linux/mountLabel", json!("u:r:f:s0")),
        ("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"})),
        ("/linux/intelRdt", json!({"closID": "a"})),
        ("/mounts/-", json!({"destination": "/sys/fs/cgroup", "type": "cgroup"})),
    ]);
    let rejects = plan(&document, &facts).map(|_| ()).unwrap_err();
    assert!(rejects.iter().all(|r| r.host), "{rejects:?}");
    assert_eq!(
        tell(&rejects),
        [
            "/process/apparmorProfile: \"docker-default\" asks for AppArmor, which this host has not enabled",
            "/process/selinuxLabel: \"u:r:t:s0\" asks for SELinux, which this host has not enabled",
            "/linux/seccomp: this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)",
            "/mounts/1/type: no cgroup hierarchy is mounted on this host",
            "/linux/mountLabel: \"u:r:f:s0\" asks for SELinux, which this host has not enabled",
            "/linux/intelRdt: resctrl is not mounted",
        ]
    );
}

#[test]
fn rejections_of_the_seccomp_profile_are_among_the_others() {
    let told = rejected(
        &[("/process/args", json!([])), ("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_X"}))],
        &HostFacts::typical(),
    );
    assert_eq!(told.len(), 2);
    assert!(told[1].starts_with("/linux/seccomp/defaultAction: "), "{told:?}");
}

#[test]
fn a_class_of_service_is_one_directory() {
    let facts = HostFacts { resctrl: Some("/sys/fs/resctrl".into()), ..HostFacts::typical() };
    for bad in ["..", ".", "a/b", "/a"] {
        let told = rejected(&[("/linux/intelRdt", json!({"closID": bad}))], &facts);
        assert_eq!(told, [format!("/linux/intelRdt/closID: {bad:?} is no name of a directory")]);
    }
}

#[test]
fn ids_that_are_not_mapped_are_rejected() {
    let mut changes = in_user_namespace();
    changes.push(("/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 5000]})));
    changes.push((
        "/mounts/-",
        json!({"destination": "/dev/pts", "type": "devpts", "options": ["newinstance", "gid=1005"]}),
    ));
    assert_eq!(
        rejected(&changes, &HostFacts::typical()),
        [
            "/process/user/uid: the user namespace maps no user id 1000",
            "/process/user/gid: the user namespace maps no group id 1001",
            "/process/user/additionalGids/1: the user namespace maps no group id 5000",
            "/mounts/1/options: \"gid=1005\": the user namespace maps no such id",
        ]
    );
}

#[test]
fn a_new_user_namespace_mounts_only_what_its_namespaces_show() {
    let mut changes = vec![("/linux/namespaces", json!([{"type": "mount"}]))];
    changes.extend(in_user_namespace());
    changes.push((
        "/mounts",
        json!([
            {"destination": "/proc", "type": "proc"}, {"destination": "/sys", "type": "sysfs"},
            {"destination": "/dev/mqueue", "type": "mqueue"}, {"destination": "/tmp", "type": "tmpfs"},
        ]),
    ));
    assert_eq!(
        rejected(&changes, &HostFacts::typical()),
        [
            "/mounts/0/type: a new user namespace may mount proc only with a new pid namespace",
            "/mounts/1/type: a new user namespace may mount sysfs only with a new network namespace",
            "/mounts/2/type: a new user namespace may mount mqueue only with a new ipc namespace",
        ]
    );
}

#[test]
fn private_propagation_needs_pivot_root() {
    let spec = common::spec(&with(&[("/linux/rootfsPropagation", json!("rprivate"))]));
    let options = cofferdam_plan::Options { no_pivot: true, ..common::options() };
    let rejects = cofferdam_plan::plan_init(&spec, &HostFacts::typical(), &options).map(|_| ()).unwrap_err();
    assert_eq!(
        tell(&rejects),
        [
            "/linux/rootfsPropagation: private is not safe without pivot_root: the host's mounts stay reachable"
        ]
    );
}

#[test]
fn a_relative_bundle_is_rejected() {
    let options = cofferdam_plan::Options { bundle: "b".into(), ..common::options() };
    let rejects = cofferdam_plan::plan_init(&common::spec(&with(&[])), &HostFacts::typical(), &options);
    assert_eq!(tell(&rejects.map(|_| ()).unwrap_err()), [": the bundle \"b\" is not an absolute path"]);
}
