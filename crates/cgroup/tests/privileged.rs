//! The owner of the directories, on this host's own hierarchies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers outside of #[test]

#[macro_use]
mod common;

use std::time::{Duration, Instant};

use cofferdam_cgroup::{Cgroup, CgroupDir, Mode, Oom, SavedCgroup, UpdateError, Version};
use common::{Sandbox, dir, read};

fn start(sandbox: &Sandbox, json: &str) -> Cgroup {
    let cgroup = Cgroup::create(&sandbox.plan(json)).unwrap_or_else(|e| panic!("{e}"));
    cgroup.apply_limits().unwrap_or_else(|e| panic!("{e}"));
    cgroup
}

fn is_v1(sandbox: &Sandbox) -> bool {
    let v1 = sandbox.hierarchies.mode != Mode::V2;
    if !v1 {
        println!("skipped: this host has cgroup v2 only");
    }
    v1
}

#[test]
fn directories_are_made_in_every_hierarchy_and_removed_with_their_parents() {
    let sandbox = sandbox!("make");
    let cgroup = Cgroup::create(&sandbox.plan("{}")).unwrap();
    let paths: Vec<_> = cgroup.dirs().iter().map(|d| d.path.clone()).collect();
    assert_eq!(paths.len(), sandbox.plan("{}").dirs.len());
    assert!(paths.iter().all(|p| p.is_dir()));
    use std::os::unix::fs::PermissionsExt;
    assert!(paths.iter().all(|p| p.metadata().unwrap().permissions().mode() & 0o022 == 0));
    assert_eq!(cgroup.saved().parents.len(), paths.len());
    cgroup.delete().unwrap();
    assert!(paths.iter().all(|p| !p.exists() && !p.parent().unwrap().exists()));
    cgroup.delete().expect("what is gone already is fine");
}

#[test]
fn a_cgroup_that_nobody_keeps_is_removed() {
    let sandbox = sandbox!("drop");
    let cgroup = Cgroup::create(&sandbox.plan("{}")).unwrap();
    let path = cgroup.dirs()[0].path.clone();
    drop(cgroup);
    assert!(!path.exists());
    let cgroup = Cgroup::create(&sandbox.plan("{}")).unwrap();
    let saved = cgroup.keep();
    drop(cgroup);
    assert!(path.is_dir());
    let text = serde_json::to_string(&saved).unwrap();
    Cgroup::load(serde_json::from_str::<SavedCgroup>(&text).unwrap()).delete().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let sandbox = sandbox!("undo");
    let mut plan = sandbox.plan("{}");
    let nowhere = "/sys/fs/cgroup-that-is-not/x";
    plan.dirs.push(CgroupDir {
        mount_point: "/sys/fs/cgroup-that-is-not".into(),
        path: nowhere.into(),
        ..plan.dirs[0].clone()
    });
    let error = Cgroup::create(&plan).unwrap_err();
    assert!(error.to_string().contains(nowhere), "{error}");
    assert!(plan.dirs.iter().all(|d| !d.path.exists() && !d.path.parent().unwrap().exists()));
}

#[test]
fn limits_are_written() {
    let sandbox = sandbox!("limits");
    if !is_v1(&sandbox) {
        return;
    }
    let cgroup = start(
        &sandbox,
        r#"{"memory":{"limit":67108864,"swap":134217728,"reservation":33554432,"swappiness":10,"disableOOMKiller":true},
        "cpu":{"shares":512,"quota":50000,"period":200000,"burst":1000,"cpus":"0","mems":"0"},"pids":{"limit":32}}"#,
    );
    for (controller, file, value) in [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.memsw.limit_in_bytes", "134217728"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("memory", "memory.swappiness", "10"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_period_us", "200000"),
        ("cpu", "cpu.cfs_burst_us", "1000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("cpuset", "cpuset.mems", "0"),
        ("pids", "pids.max", "32"),
    ] {
        assert_eq!(read(dir(&cgroup, controller).join(file)), value, "{file}");
    }
    assert!(read(dir(&cgroup, "memory").join("memory.oom_control")).contains("oom_kill_disable 1"));
}

#[test]
fn a_cpuset_is_filled_from_its_parents() {
    let sandbox = sandbox!("cpuset");
    if !is_v1(&sandbox) {
        return;
    }
    let cgroup = Cgroup::create(&sandbox.plan_below("/a/b/c", "{}")).unwrap();
    let leaf = dir(&cgroup, "cpuset");
    let root = sandbox.hierarchies.v1_with("cpuset").unwrap().mount_point.clone();
    for file in ["cpuset.cpus", "cpuset.mems"] {
        for above in leaf.ancestors().take_while(|p| p.starts_with(&root)) {
            assert_eq!(read(above.join(file)), read(root.join(file)), "{}", above.display());
        }
    }
    let narrow = Cgroup::create(&sandbox.plan_below("/a/b/d", r#"{"cpu":{"cpus":"0"}}"#)).unwrap();
    assert_eq!(read(dir(&narrow, "cpuset").join("cpuset.cpus")), "", "left to the plan's own write");
    narrow.apply_limits().unwrap();
    assert_eq!(read(dir(&narrow, "cpuset").join("cpuset.cpus")), "0");
}

#[test]
fn a_process_joins_every_hierarchy() {
    let mut sandbox = sandbox!("join");
    let cgroup = start(&sandbox, "{}");
    let pid = sandbox.spawn("sleep 100");
    cgroup.join(pid).unwrap();
    for d in cgroup.dirs() {
        assert_eq!(read(d.path.join("cgroup.procs")), pid.to_string(), "{}", d.path.display());
    }
    assert_eq!(cgroup.pids(true).unwrap(), [pid]);
    let error = cgroup.join(u32::MAX >> 1).unwrap_err();
    assert_eq!(error.errno, Some(3), "{error}");
}

#[test]
fn a_process_with_one_thread_joins_by_itself() {
    let mut sandbox = sandbox!("self");
    let cgroup = start(&sandbox, "{}");
    let tasks = cgroup.tasks().unwrap();
    let v1 = cgroup.dirs().iter().filter(|d| d.version == Version::V1).count();
    assert_eq!(tasks.len(), v1);
    assert_eq!(cgroup.open_v2_dir().unwrap().is_some(), sandbox.hierarchies.v2.is_some());
    let mut numbers = String::new();
    for fd in &tasks {
        use std::os::fd::AsRawFd;
        cofferdam_sys::open::set_cloexec(fd.as_raw_fd(), false).unwrap();
        numbers += &format!(" {}", fd.as_raw_fd());
    }
    let pid = sandbox.spawn(&format!("for fd in{numbers}; do echo -n 0 >&$fd; done; exec sleep 100"));
    sandbox.go(pid);
    let end = Instant::now() + Duration::from_secs(5);
    for d in cgroup.dirs().iter().filter(|d| d.version == Version::V1) {
        while read(d.path.join("cgroup.procs")) != pid.to_string() {
            assert!(Instant::now() < end, "{}", d.path.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn all_processes_are_killed_also_those_in_cgroups_inside() {
    let mut sandbox = sandbox!("kill");
    let cgroup = start(&sandbox, "{}");
    let pids = [sandbox.spawn("sleep 100"), sandbox.spawn("sleep 100")];
    for d in cgroup.dirs() {
        std::fs::create_dir(d.path.join("inside")).unwrap();
        for name in ["cpuset.cpus", "cpuset.mems"] {
            if d.version == Version::V1 && d.path.join(name).exists() {
                std::fs::write(d.path.join("inside").join(name), read(d.path.join(name))).unwrap();
            }
        }
    }
    cgroup.join(pids[0]).unwrap();
    cgroup.join_below(pids[1], "inside".as_ref(), &[]).unwrap();
    assert_eq!(cgroup.pids(false).unwrap(), [pids[0]]);
    assert_eq!(cgroup.pids(true).unwrap().len(), 2);
    assert!(cgroup.join_below(pids[1], "../x".as_ref(), &[]).is_err());
    cgroup.kill(9).unwrap();
    for pid in pids {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(sandbox.child(pid).wait().unwrap().signal(), Some(9));
    }
    cgroup.delete().unwrap();
}

#[test]
fn another_signal_reaches_each_once() {
    let mut sandbox = sandbox!("signal");
    let cgroup = start(&sandbox, "{}");
    let pid = sandbox.spawn("sleep 100");
    cgroup.join(pid).unwrap();
    cgroup.kill(15).unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(sandbox.child(pid).wait().unwrap().signal(), Some(15));
}

#[test]
fn a_frozen_container_stands_still_until_it_is_thawed() {
    let mut sandbox = sandbox!("freeze");
    let cgroup = start(&sandbox, "{}");
    let pid = sandbox.spawn("exit 7");
    cgroup.join(pid).unwrap();
    assert!(!cgroup.is_frozen().unwrap());
    cgroup.freeze().unwrap();
    assert!(cgroup.is_frozen().unwrap());
    sandbox.go(pid);
    std::thread::sleep(Duration::from_millis(100));
    assert!(sandbox.child(pid).try_wait().unwrap().is_none());
    cgroup.thaw().unwrap();
    assert!(!cgroup.is_frozen().unwrap());
    assert_eq!(sandbox.child(pid).wait().unwrap().code(), Some(7));
}

#[test]
fn a_frozen_container_can_be_killed() {
    let mut sandbox = sandbox!("freezekill");
    let cgroup = start(&sandbox, "{}");
    let pid = sandbox.spawn("sleep 100");
    cgroup.join(pid).unwrap();
    cgroup.freeze().unwrap();
    cgroup.kill(9).unwrap();
    assert!(!sandbox.child(pid).wait().unwrap().success());
}

#[test]
fn a_cgroup_with_processes_is_neither_taken_nor_removed() {
    let mut sandbox = sandbox!("used");
    let cgroup = start(&sandbox, "{}");
    let plan = sandbox.plan("{}");
    Cgroup::create(&plan).expect("an empty one may be used").keep();
    let pid = sandbox.spawn("sleep 100");
    cgroup.join(pid).unwrap();
    let error = Cgroup::create(&plan).unwrap_err();
    assert!(error.to_string().contains("not empty: 1 process") && error.hint.is_some(), "{error}");
    assert!(cgroup.dirs().iter().all(|d| d.path.is_dir()));
    let error = cgroup.delete().unwrap_err();
    assert!(error.to_string().contains(&pid.to_string()), "{error}");
}

#[test]
fn a_frozen_cgroup_is_not_taken() {
    let sandbox = sandbox!("frozen");
    let cgroup = start(&sandbox, "{}");
    cgroup.freeze().unwrap();
    let error = Cgroup::create(&sandbox.plan("{}")).unwrap_err();
    assert!(error.to_string().contains("unexpectedly frozen"), "{error}");
    cgroup.thaw().unwrap();
}

#[test]
fn memory_is_raised_and_lowered_past_the_other_limit() {
    let sandbox = sandbox!("update");
    if !is_v1(&sandbox) {
        return;
    }
    let cgroup = start(&sandbox, r#"{"memory":{"limit":20971520,"swap":31457280}}"#);
    let now = || {
        let memory = dir(&cgroup, "memory");
        (read(memory.join("memory.limit_in_bytes")), read(memory.join("memory.memsw.limit_in_bytes")))
    };
    for (limit, swap) in
        [(52428800, 62914560), (10485760, 20971520), (104857600, 104857600), (4194304, 8388608)]
    {
        let json = format!(r#"{{"memory":{{"limit":{limit},"swap":{swap}}}}}"#);
        cgroup.update(&Sandbox::resources(&json)).unwrap();
        assert_eq!(now(), (limit.to_string(), swap.to_string()));
    }
    cgroup.update(&Sandbox::resources(r#"{"memory":{"limit":-1}}"#)).unwrap();
    assert_eq!(now().0, now().1);
    assert!(now().0.parse::<u64>().unwrap() > 1 << 60);
}

#[test]
fn a_smaller_period_is_set_with_its_quota() {
    let sandbox = sandbox!("period");
    if !is_v1(&sandbox) {
        return;
    }
    // The child may not get more than its parent: the order of the two writes matters.
    let parent =
        Cgroup::create(&sandbox.plan_below("/p", r#"{"cpu":{"quota":50000,"period":100000}}"#)).unwrap();
    parent.apply_limits().unwrap();
    let cgroup =
        Cgroup::create(&sandbox.plan_below("/p/box", r#"{"cpu":{"quota":40000,"period":100000}}"#)).unwrap();
    cgroup.apply_limits().unwrap();
    cgroup.update(&Sandbox::resources(r#"{"cpu":{"quota":4000,"period":10000}}"#)).unwrap();
    assert_eq!(read(dir(&cgroup, "cpu").join("cpu.cfs_period_us")), "10000");
    assert_eq!(read(dir(&cgroup, "cpu").join("cpu.cfs_quota_us")), "4000");
    drop(cgroup);
}

#[test]
fn an_update_that_cannot_be_obeyed_writes_nothing() {
    let sandbox = sandbox!("noupdate");
    let cgroup = start(&sandbox, r#"{"pids":{"limit":10}}"#);
    let resources = Sandbox::resources(r#"{"pids":{"limit":20},"memory":{"limit":-7}}"#);
    assert!(
        matches!(cgroup.update(&resources), Err(UpdateError::Rejected(r)) if r[0].pointer.as_str() == "/memory/limit")
    );
    assert_eq!(read(dir(&cgroup, "pids").join("pids.max")), "10");
}

#[test]
fn a_refusal_names_file_errno_and_field() {
    let sandbox = sandbox!("refusal");
    if !is_v1(&sandbox) {
        return;
    }
    let cgroup = Cgroup::create(&sandbox.plan(r#"{"blockIO":{"leafWeight":100}}"#)).unwrap();
    let error = cgroup.apply_limits().unwrap_err();
    assert_eq!(error.errno, Some(2));
    assert_eq!(error.pointer.as_deref(), Some("/linux/resources/blockIO/leafWeight"));
    let text = error.to_string();
    assert!(
        text.starts_with("writing \"100\" to /")
            && text.contains("blkio.leaf_weight")
            && text.contains("CFQ"),
        "{text}"
    );
}

#[test]
fn a_device_that_no_rule_allows_cannot_be_opened() {
    let mut sandbox = sandbox!("devices");
    let cgroup = start(&sandbox, "{}");
    // kmsg is 1:11; the shell's own redirections need null and zero.
    let pid = sandbox.spawn(
        "exec 3</dev/zero || exit 1; exec 4>/dev/null || exit 2; if (exec 5</dev/kmsg); then exit 3; fi",
    );
    cgroup.join(pid).unwrap();
    sandbox.go(pid);
    assert_eq!(sandbox.child(pid).wait().unwrap().code(), Some(0));
}

#[test]
fn an_allowed_device_can_be_opened() {
    let mut sandbox = sandbox!("allow");
    let cgroup = start(
        &sandbox,
        r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#,
    );
    let pid = sandbox.spawn("(exec 5</dev/kmsg) || exit 1; if (exec 5<>/dev/kmsg); then exit 2; fi");
    cgroup.join(pid).unwrap();
    sandbox.go(pid);
    assert_eq!(sandbox.child(pid).wait().unwrap().code(), Some(0));
}

#[test]
fn running_out_of_memory_is_noticed() {
    let mut sandbox = sandbox!("oom");
    let cgroup = start(&sandbox, r#"{"memory":{"limit":16777216,"swap":16777216}}"#);
    let mut watch = cgroup.oom_watch().unwrap();
    assert_eq!(watch.wait(Duration::ZERO).unwrap(), Oom::Nothing);
    let pid = sandbox.spawn("x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}");
    cgroup.join(pid).unwrap();
    sandbox.go(pid);
    assert_eq!(watch.wait(Duration::from_secs(20)).unwrap(), Oom::Killed);
    assert!(cgroup.oom_kills().unwrap() > 0);
    cgroup.kill(9).unwrap();
    sandbox.child(pid).wait().unwrap();
    cgroup.delete().unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while watch.wait(Duration::from_millis(10)).unwrap() != Oom::Gone {
        assert!(Instant::now() < end);
    }
}

#[test]
fn a_container_is_measured() {
    let mut sandbox = sandbox!("stats");
    let cgroup = start(&sandbox, r#"{"pids":{"limit":40},"memory":{"limit":67108864}}"#);
    let pid = sandbox.spawn("for i in {1..20000}; do :; done; read -r _ ; read -r _");
    cgroup.join(pid).unwrap();
    sandbox.go(pid);
    std::thread::sleep(Duration::from_millis(300));
    let stats = cgroup.stats().unwrap();
    assert_eq!((stats.pids.current, stats.pids.limit), (1, 40));
    assert!(stats.cpu.usage.total > 1_000_000);
    assert_eq!(stats.memory.usage.limit, 67_108_864);
    assert!(stats.memory.usage.usage > 0 && !stats.memory.raw.is_empty());
}

#[test]
fn a_controller_of_the_hybrid_tree_is_enabled_on_demand() {
    let sandbox = sandbox!("hybrid");
    let tree = sandbox.hierarchies.v2.clone();
    let has = tree.as_ref().is_some_and(|v| v.controllers.iter().any(|c| c == "hugetlb"));
    if sandbox.hierarchies.mode != Mode::Hybrid
        || !has
        || !std::path::Path::new("/sys/kernel/mm/hugepages/hugepages-2048kB").exists()
    {
        println!("skipped: no hugetlb in a hybrid version 2 tree");
        return;
    }
    struct Restore(std::path::PathBuf, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            if !self.1 {
                let _ = std::fs::write(&self.0, "-hugetlb");
            }
        }
    }
    let control = tree.unwrap().mount_point.join("cgroup.subtree_control");
    let before = Restore(control.clone(), read(&control).contains("hugetlb"));
    let cgroup = start(&sandbox, r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#);
    assert_eq!(read(dir(&cgroup, "hugetlb").join("hugetlb.2MB.max")), "4194304");
    assert_eq!(read(dir(&cgroup, "hugetlb").join("hugetlb.2MB.rsvd.max")), "4194304");
    drop(cgroup);
    drop(sandbox);
    drop(before);
}
