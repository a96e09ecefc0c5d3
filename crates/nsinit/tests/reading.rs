//! Reading container.json: what is wrong in it, where, and what means nothing. Needs no rights.
#![allow(clippy::unwrap_used)] // helpers outside of #[test]

use cofferdam_nsinit::{Config, ExecUser, Generation, spec};

/// Everything that reading says is wrong.
#[track_caller]
fn wrong(text: &str) -> Vec<String> {
    Config::read(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The places of all that is wrong once it is read.
#[track_caller]
fn misplaced(text: &str) -> Vec<String> {
    let config = Config::parse(text.as_bytes()).unwrap();
    let rejects = spec(&config, &ExecUser::default(), &["sh".into()]).unwrap_err();
    rejects.iter().map(|reject| reject.pointer.to_string()).collect()
}

#[track_caller]
fn warnings(text: &str) -> Vec<String> {
    Config::read(text.as_bytes()).unwrap().warnings.iter().map(|one| one.pointer.to_string()).collect()
}

#[test]
fn a_syntax_error_has_line_and_column() {
    let told = wrong("{\n  \"tty\": no\n}");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("line 2 column"), "{told:?}");
}

#[test]
fn every_member_of_the_wrong_type_is_told_at_once() {
    let told = wrong(
        r#"{"tty": "yes", "environment": [1, "A=b", {}], "mount_config": {"mounts": [{"writable": 3}, 7], "readonly_fs": []},
            "cgroups": {"memory": "a lot", "cpu_shares": -1}, "rlimits": {}, "namespaces": 5, "networks": [{"mtu": 1.5}]}"#,
    );
    let places: Vec<_> = told.iter().map(|line| line.split(':').next().unwrap()).collect();
    let mut sorted = places.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "/cgroups/cpu_shares",
            "/cgroups/memory",
            "/environment/0",
            "/environment/2",
            "/mount_config/mounts/0/writable",
            "/mount_config/mounts/1",
            "/mount_config/readonly_fs",
            "/namespaces",
            "/networks/0/mtu",
            "/rlimits",
            "/tty",
        ],
        "{told:#?}"
    );
}

#[test]
fn a_hostile_document_is_told_in_bounds() {
    let deep = format!("{{\"mounts\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(wrong(&deep)[0].contains("recursion limit"));
    let many = format!("{{\"environment\": [{}1]}}", "1,".repeat(50_000));
    assert_eq!(wrong(&many).len(), 100);
    let large = format!("{{\"hostname\": \"{}\"}}", "a".repeat(1 << 20));
    assert!(wrong(&large)[0].contains("at most"));
    for nothing in ["", "null", "[]", "7", "\"\"", "{} {}"] {
        assert_eq!(wrong(nothing).len(), 1, "{nothing}");
    }
    assert!(
        wrong(r#"{"tty": true, "cgroups": {"memory": 99999999999999999999}}"#)[0]
            .starts_with("/cgroups/memory")
    );
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    assert_eq!(wrong(r#"{"hostname": "a", "hostname": "b"}"#), ["/hostname: is there twice"]);
    assert_eq!(
        wrong(r#"{"mount_config": {"readonly_fs": true, "ReadOnly_FS": false}}"#),
        ["/mount_config/ReadOnly_FS: is there twice"]
    );
    assert_eq!(
        wrong(r#"{"rootfs": "/", "system_properties": {"a.b": "1", "a.b": "2"}}"#),
        ["/system_properties/a.b: is there twice"]
    );
}

#[test]
fn the_case_of_a_member_does_not_matter_and_null_is_absent() {
    let config = Config::parse(
        br#"{"HostName": "box", "MOUNT_CONFIG": {"ReadOnly_Fs": true}, "cgroups": null, "user": null}"#,
    )
    .unwrap();
    assert_eq!((config.hostname.as_str(), config.cgroups, config.user.as_str()), ("box", None, ""));
    assert!(config.mount_config.unwrap().readonly_fs);
}

#[test]
fn a_member_that_means_nothing_is_a_warning_and_a_misspelt_one_an_error() {
    assert_eq!(
        warnings(r#"{"comment": 1, "mount_config": {"x": {}}, "cgroups": {"name": "a", "pids_max": 3}}"#),
        ["/comment", "/mount_config/x", "/cgroups/pids_max"]
    );
    assert_eq!(
        wrong(r#"{"mount_config": {"readonly_f": true}}"#),
        ["/mount_config/readonly_f: means nothing; is readonly_fs meant?"]
    );
    assert_eq!(wrong(r#"{"egres": {"allow": []}}"#), ["/egres: means nothing; is egress meant?"]);
    assert_eq!(wrong(r#"{"capabilites": ["KILL"]}"#).len(), 1);
}

#[test]
fn what_is_wrong_is_told_in_the_form_of_the_users_own_document() {
    // v1.0.
    assert_eq!(
        misplaced(
            r#"{"readonly_fs": true, "namespaces": {"NEWPID": true}, "context": {"mount_label": "l"},
                "networks": [{"type": "veth", "context": {"bridge": "no such/bridge", "prefix": "much-too-long"}, "mtu": 3}, {"type": "netns"}],
                "mounts": [{"type": "nfs"}], "device_nodes": [{"type": 120}]}"#
        ),
        [
            "/namespaces",
            "/networks/1/context/nspath",
            "/device_nodes/0/type",
            "/mounts/0/type",
            "/networks/0/context/bridge",
            "/networks/0/context/prefix",
            "/networks/0/mtu",
            "/networks/1/context/nspath",
            "/networks",
            "/root_fs",
        ]
    );
    // February.
    assert_eq!(
        misplaced(
            r#"{"id": "koye", "command": {"args": ["sh"], "environment": ["A"]}, "namespaces": ["NEWNS", "NEWNET"],
                "network": {"ip": "10.0.0.2", "bridge": "b/r", "gateway": "nowhere"}}"#
        ),
        ["/command/environment/0", "/network/bridge", "/network/ip", "/network/gateway", "/rootfs"]
    );
    // v2.
    assert_eq!(
        misplaced(
            r#"{"rootfs": "", "namespaces": [{"type": "NEWNS"}], "capabilities": ["FLY"],
                "mounts": [{"device": "nfs", "flags": 8192, "relabel": "q", "premount_cmds": [{"path": "bin/touch"}]}],
                "devices": [{"type": 7, "major": 1}], "cgroups": {"name": "a", "allowed_devices": [{"type": 1}], "net_cls_classid": "x",
                "blkio_throttle_read_bps_device": "8:0"},
                "seccomp": {"syscalls": [{"value": 99999, "action": -9, "args": [{"index": 6, "op": 5}]}]}}"#
        ),
        [
            "/capabilities/0",
            "/cgroups/allowed_devices/0/type",
            "/cgroups/blkio_throttle_read_bps_device",
            "/cgroups/net_cls_classid",
            "/devices/0/type",
            "/seccomp/syscalls/0/value",
            "/seccomp/syscalls/0/action",
            "/seccomp/syscalls/0/args/0/index",
            "/seccomp/syscalls/0/args/0/op",
            "/mounts/0/device",
            "/mounts/0/flags",
            "/mounts/0/relabel",
            "/mounts/0/premount_cmds/0/path",
            "/rootfs",
        ]
    );
}

#[test]
fn the_first_generations_drop_capabilities_and_later_ones_keep_them() {
    let kept = |text: &str| Config::parse(text.as_bytes()).unwrap().capabilities;
    let dropped = kept(r#"{"id": "a", "namespaces": ["NEWNS"], "capabilities": ["MKNOD", "SYS_ADMIN"]}"#);
    assert!(!dropped.contains(&"MKNOD".to_owned()) && dropped.contains(&"CHOWN".to_owned()));
    assert_eq!(dropped.len(), cofferdam_plan::known_capabilities().len() - 2);
    let all = kept(r#"{"id": "a", "namespaces": ["NEWNS"]}"#);
    assert_eq!(all.len(), cofferdam_plan::known_capabilities().len());
    let masked =
        kept(r#"{"namespaces": {"NEWNS": true}, "capabilities_mask": {"MKNOD": true, "SYSLOG": false}}"#);
    assert!(masked.contains(&"MKNOD".to_owned()) && !masked.contains(&"SYSLOG".to_owned()));
    assert_eq!(
        kept(r#"{"readonly_fs": true, "namespaces": {"NEWNS": true}, "capabilities": ["KILL"]}"#),
        ["KILL"]
    );
    assert_eq!(
        wrong(r#"{"id": "a", "namespaces": ["NEWNS", "NEWFOO", 3], "capabilities": ["FLY"]}"#),
        [
            "/namespaces/2: neither a name nor {key, enabled}",
            "/namespaces/1: there is no namespace \"NEWFOO\"",
            "/capabilities/0: there is no capability FLY",
        ]
    );
}

#[test]
fn what_a_file_says_of_one_run_is_a_warning() {
    let text = r#"{"id": "a", "namespace_pid": 7, "log_file": "/l", "user": "x", "network": {"temp_veth": "v", "context": {"a": "b"}}}"#;
    assert_eq!(
        warnings(text),
        ["/namespace_pid", "/log_file", "/network/context/a", "/network/temp_veth", "/user"]
    );
}

#[test]
fn the_quota_of_v2_is_what_it_is_called() {
    let config = Config::parse(
        br#"{"rootfs": "/srv/box", "cgroups": {"name": "a", "cpu_quota": 50, "cpu_period": 100, "cpu_rt_quota": 7, "cpu_rt_period": 8}}"#,
    );
    let config = config.unwrap();
    assert_eq!(config.generation, Generation::V2);
    let cgroups = config.cgroups.unwrap();
    assert_eq!((cgroups.cpu_quota, cgroups.cpu_period), (50, 100));
    assert_eq!((cgroups.cpu_rt_runtime, cgroups.cpu_rt_period), (7, 8));
}

#[test]
fn memory_and_swap_are_twice_the_memory_unless_it_is_said() {
    let swap = |cgroups: &str| {
        let text = format!(
            r#"{{"root_fs": "/srv/box", "namespaces": {{"NEWNS": true}}, "cgroups": {{"name": "a", {cgroups}}}}}"#
        );
        let spec =
            spec(&Config::parse(text.as_bytes()).unwrap(), &ExecUser::default(), &["sh".into()]).unwrap();
        spec.linux.unwrap().resources.unwrap().memory.and_then(|memory| memory.swap)
    };
    assert_eq!(swap(r#""memory": 1000"#), Some(2000));
    assert_eq!(swap(r#""memory": 1000, "memory_swap": 1500"#), Some(1500));
    assert_eq!(swap(r#""memory": 1000, "memory_swap": -1"#), None);
    assert_eq!(swap(r#""cpu_shares": 2"#), None);
}
