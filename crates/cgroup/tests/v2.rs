//! What only a pure version 2 host can show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers outside of #[test]

mod common;

use cofferdam_cgroup::{Cgroup, Mode};
use common::{Sandbox, dir, read};

fn sandbox(name: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::new(name)?;
    if sandbox.hierarchies.mode != Mode::V2 {
        println!("skipped: this host is not a pure cgroup v2 host");
        return None;
    }
    Some(sandbox)
}

fn start(sandbox: &Sandbox, below: &str, json: &str) -> Cgroup {
    let cgroup = Cgroup::create(&sandbox.plan_below(below, json)).unwrap_or_else(|e| panic!("{e}"));
    cgroup.apply_limits().unwrap_or_else(|e| panic!("{e}"));
    cgroup
}

#[test]
fn limits_are_converted_and_written() {
    let Some(sandbox) = sandbox("v2limits") else { return };
    let cgroup = start(
        &sandbox,
        "/a/b",
        r#"{"memory":{"limit":67108864,"swap":134217728,"reservation":33554432},
        "cpu":{"shares":2048,"quota":50000,"period":200000,"burst":1000,"cpus":"0","mems":"0"},"pids":{"limit":0},
        "blockIO":{"weight":100},"unified":{"memory.high":"50331648","cgroup.max.depth":"5"}}"#,
    );
    let path = dir(&cgroup, "memory");
    for (file, value) in [
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        ("memory.high", "50331648"),
        ("cpu.weight", "174"),
        ("cpu.max", "50000 200000"),
        ("cpu.max.burst", "1000"),
        ("cpuset.cpus", "0"),
        ("cpuset.mems", "0"),
        ("pids.max", "1"),
        ("cgroup.max.depth", "5"),
    ] {
        assert_eq!(read(path.join(file)), value, "{file}");
    }
    if path.join("memory.swap.max").exists() {
        assert_eq!(read(path.join("memory.swap.max")), "67108864");
    }
}

#[test]
fn an_update_keeps_what_it_does_not_mention() {
    let Some(sandbox) = sandbox("v2update") else { return };
    let cgroup =
        start(&sandbox, "/box", r#"{"cpu":{"quota":50000,"period":200000},"memory":{"limit":67108864}}"#);
    let path = dir(&cgroup, "cpu");
    cgroup.update(&Sandbox::resources(r#"{"cpu":{"quota":30000}}"#)).unwrap();
    assert_eq!(read(path.join("cpu.max")), "30000 200000");
    cgroup.update(&Sandbox::resources(r#"{"cpu":{"period":100000}}"#)).unwrap();
    assert_eq!(read(path.join("cpu.max")), "30000 100000");
    cgroup.update(&Sandbox::resources(r#"{"memory":{"swap":134217728}}"#)).unwrap();
    if path.join("memory.swap.max").exists() {
        assert_eq!(read(path.join("memory.swap.max")), "67108864");
    }
    assert_eq!(read(path.join("memory.max")), "67108864");
}

#[test]
fn a_limit_below_what_is_in_use_is_refused_when_asked_to_check() {
    let Some(mut sandbox) = sandbox("v2check") else { return };
    let cgroup = start(&sandbox, "/box", "{}");
    let pid = sandbox.spawn("x=$(head -c 8000000 /dev/zero | tr '\\0' x); read -r _; read -r _");
    cgroup.join(pid).unwrap();
    sandbox.go(pid);
    let current = dir(&cgroup, "memory").join("memory.current");
    while read(&current).parse::<u64>().unwrap() < 4_000_000 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let resources = Sandbox::resources(r#"{"memory":{"limit":1000000,"checkBeforeUpdate":true}}"#);
    let error = cgroup.update(&resources).unwrap_err().to_string();
    assert!(error.contains("are in use"), "{error}");
    assert_eq!(read(dir(&cgroup, "memory").join("memory.max")), "max");
}

#[test]
fn a_parent_with_processes_is_named_as_the_reason() {
    let Some(mut sandbox) = sandbox("v2busy") else { return };
    let parent = start(&sandbox, "/p", "{}");
    let pid = sandbox.spawn("sleep 100");
    parent.join(pid).unwrap();
    let error =
        Cgroup::create(&sandbox.plan_below("/p/box", r#"{"memory":{"limit":67108864}}"#)).unwrap_err();
    assert_eq!(error.errno, Some(16), "{error}");
    assert_eq!(error.pointer.as_deref(), Some("/linux/resources/memory/limit"));
    assert!(error.to_string().contains("processes of its own"), "{error}");
    assert!(!dir(&parent, "memory").join("box").exists(), "nothing is left");
    // Without a limit it is not in the way.
    Cgroup::create(&sandbox.plan_below("/p/box", "{}")).unwrap();
}

#[test]
fn a_process_goes_beside_init_when_the_container_has_split_its_cgroup() {
    let Some(mut sandbox) = sandbox("v2split") else { return };
    let cgroup = start(&sandbox, "/box", "{}");
    let (init, other) = (sandbox.spawn("sleep 100"), sandbox.spawn("sleep 100"));
    let path = dir(&cgroup, "memory");
    std::fs::create_dir(path.join("init.scope")).unwrap();
    cgroup.join_below(init, "init.scope".as_ref(), &[]).unwrap();
    std::fs::write(path.join("cgroup.subtree_control"), "+memory").unwrap();
    let error = cgroup.join(other).unwrap_err();
    assert_eq!(error.errno, Some(16), "{error}");
    cgroup.join_running(other, init).unwrap();
    assert!(read(path.join("init.scope/cgroup.procs")).lines().any(|l| l == other.to_string()));
}

#[test]
fn below_a_threaded_cgroup_a_new_one_is_threaded_too() {
    let Some(sandbox) = sandbox("v2thread") else { return };
    let top = start(&sandbox, "/t", "{}");
    let path = dir(&top, "memory");
    std::fs::create_dir(path.join("member")).unwrap();
    if std::fs::write(path.join("member/cgroup.type"), "threaded").is_err() {
        println!("skipped: threaded cgroups cannot be made here");
        return;
    }
    let error =
        Cgroup::create(&sandbox.plan_below("/t/member/box", r#"{"memory":{"limit":67108864}}"#)).unwrap_err();
    assert!(error.to_string().contains("threaded"), "{error}");
    let cgroup = Cgroup::create(&sandbox.plan_below("/t/member/box", r#"{"pids":{"limit":5}}"#)).unwrap();
    assert_eq!(read(dir(&cgroup, "pids").join("cgroup.type")), "threaded");
}

#[test]
fn a_second_device_program_takes_the_place_of_the_first() {
    let Some(mut sandbox) = sandbox("v2devices") else { return };
    let json = r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#;
    start(&sandbox, "/box", "{}").keep();
    let again = start(&sandbox, "/box", json);
    let pid = sandbox.spawn("exec 5</dev/kmsg");
    again.join(pid).unwrap();
    sandbox.go(pid);
    assert_eq!(sandbox.child(pid).wait().unwrap().code(), Some(0));
}

#[test]
fn only_what_is_safe_to_delegate_changes_its_owner() {
    let Some(sandbox) = sandbox("v2chown") else { return };
    let cgroup = start(&sandbox, "/box", "{}");
    cgroup.delegate(12345).unwrap();
    use std::os::unix::fs::MetadataExt;
    let path = dir(&cgroup, "memory");
    let owner = |name: &str| path.join(name).metadata().unwrap().uid();
    for name in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owner(name), 12345, "{name}");
    }
    for name in ["memory.max", "pids.max", "cgroup.freeze"] {
        assert_eq!(owner(name), 0, "{name}");
    }
}
