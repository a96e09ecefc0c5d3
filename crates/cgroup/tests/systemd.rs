//! Resources and the properties of a unit that they become: pure, no systemd is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside of #[test]

use std::collections::BTreeMap;

use cofferdam_cgroup::{Hierarchies, Manager, PlanOptions, SystemdOptions, UnitPlan, plan};
use cofferdam_oci::{Reject, Resources};

fn v2(own: &str) -> Hierarchies {
    let own = format!("0::{own}\n");
    let mut h = Hierarchies::parse(b"9 1 0:9 / /c rw - cgroup2 c rw\n", own.as_bytes());
    let all = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];
    h.v2.as_mut().unwrap().controllers = all.map(String::from).to_vec();
    h
}

fn v1() -> Hierarchies {
    let names = ["cpu", "cpuset", "memory", "devices", "blkio", "pids", "freezer"];
    let mount = |(i, name): (usize, &&str)| format!("{i} 1 0:{i} / /c/{name} rw - cgroup c rw,{name}\n");
    let text: String = names.iter().enumerate().map(|(i, n)| mount((i + 10, n))).collect();
    Hierarchies::parse((text + "9 1 0:9 / /c/systemd rw - cgroup c rw,name=systemd\n").as_bytes(), b"")
}

fn options(manager: Manager, annotations: &[(&str, &str)]) -> PlanOptions {
    let annotations: BTreeMap<String, String> =
        annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let systemd = Some(SystemdOptions { manager, uid: 1000, annotations });
    PlanOptions { rootless: manager == Manager::User, ignore_v1_only: true, systemd, ..Default::default() }
}

fn try_unit(h: &Hierarchies, json: &str, annotations: &[(&str, &str)]) -> Result<UnitPlan, Vec<Reject>> {
    let resources: Resources = serde_json::from_str(json).unwrap();
    let options = options(Manager::System, annotations);
    Ok(plan(h, Some("system.slice:t:c"), "c", &resources, &options)?.unit.unwrap())
}

/// What `json` adds to what every container has.
fn added(h: &Hierarchies, json: &str) -> Vec<String> {
    let all = |json: &str| -> Vec<String> {
        try_unit(h, json, &[]).unwrap().properties.iter().map(ToString::to_string).collect()
    };
    let base = all("{}");
    all(json).into_iter().filter(|p| !base.contains(p)).collect()
}

fn check(json: &str, on_v1: &[&str], on_v2: &[&str]) {
    assert_eq!(added(&v1(), json), on_v1, "version 1: {json}");
    assert_eq!(added(&v2("/"), json), on_v2, "version 2: {json}");
}

#[test]
fn every_container_is_a_delegated_scope_with_accounting_and_the_usual_devices() {
    let unit = try_unit(&v2("/"), "{}", &[]).unwrap();
    assert_eq!((unit.name.as_str(), unit.slice.as_str()), ("t-c.scope", "system.slice"));
    let lines: Vec<String> = unit.properties.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[..9],
        [
            "Description = 'cofferdam container c'",
            "Slice = 'system.slice'",
            "Delegate = true",
            "CollectMode = 'inactive-or-failed'",
            "MemoryAccounting = true",
            "CPUAccounting = true",
            "IOAccounting = true",
            "TasksAccounting = true",
            "DefaultDependencies = false",
        ]
    );
    assert_eq!(lines[9], "DevicePolicy = 'strict'");
    assert!(
        lines[10].starts_with("DeviceAllow = [('block-*', 'm'), ('char-*', 'm'), ('/dev/char/1:3', 'rwm')")
    );
    assert!(lines[10].contains("('char-136', 'rwm')"), "{}", lines[10]);
    let accounting = try_unit(&v1(), "{}", &[]).unwrap();
    assert!(accounting.properties.iter().any(|p| p.name == "BlockIOAccounting"));
}

#[test]
fn memory() {
    check(
        r#"{"memory":{"limit":100,"swap":300,"reservation":50}}"#,
        &["MemoryLimit = uint64 100"],
        &["MemoryMax = uint64 100", "MemoryLow = uint64 50", "MemorySwapMax = uint64 200"],
    );
    let infinity = "uint64 18446744073709551615";
    check(
        r#"{"memory":{"limit":-1}}"#,
        &[&format!("MemoryLimit = {infinity}")],
        &[&format!("MemoryMax = {infinity}"), &format!("MemorySwapMax = {infinity}")],
    );
}

#[test]
fn cpu() {
    check(
        r#"{"cpu":{"shares":1024,"quota":50000,"period":100000,"cpus":"0-1","mems":"0"}}"#,
        &[
            "CPUShares = uint64 1024",
            "CPUQuotaPeriodUSec = uint64 100000",
            "CPUQuotaPerSecUSec = uint64 500000",
            "AllowedCPUs = [byte 0x03]",
            "AllowedMemoryNodes = [byte 0x01]",
        ],
        &[
            "CPUWeight = uint64 100",
            "CPUQuotaPeriodUSec = uint64 100000",
            "CPUQuotaPerSecUSec = uint64 500000",
            "AllowedCPUs = [byte 0x03]",
            "AllowedMemoryNodes = [byte 0x01]",
        ],
    );
    check(
        r#"{"cpu":{"quota":-1}}"#,
        &["CPUQuotaPerSecUSec = uint64 18446744073709551615"],
        &["CPUQuotaPerSecUSec = uint64 18446744073709551615"],
    );
}

#[test]
fn an_idle_container_has_no_weight_and_only_systemd_252_is_told_so() {
    let unit = try_unit(&v2("/"), r#"{"cpu":{"idle":1,"shares":500}}"#, &[]).unwrap();
    let weights: Vec<_> = unit.properties.iter().filter(|p| p.name == "CPUWeight").collect();
    assert_eq!(weights.len(), 1);
    assert_eq!((weights[0].to_string(), weights[0].since), ("CPUWeight = uint64 0".to_owned(), 252));
    assert_eq!(weights[0].pointer, "/linux/resources/cpu/idle");
}

#[test]
fn pids_and_block_io() {
    check(r#"{"pids":{"limit":7}}"#, &["TasksMax = uint64 7"], &["TasksMax = uint64 7"]);
    check(r#"{"pids":{"limit":0}}"#, &["TasksMax = uint64 1"], &["TasksMax = uint64 1"]);
    check(r#"{"blockIO":{"weight":500}}"#, &["BlockIOWeight = uint64 500"], &["IOWeight = uint64 4950"]);
}

#[test]
fn unified_files_become_the_properties_that_there_are() {
    let json = r#"{"unified":{
        "cpu.max":"50000 100000","cpu.weight":"200","cpuset.cpus":"1","cpuset.mems":"0","memory.high":"10M",
        "memory.low":"1","memory.max":"max","memory.min":"2","memory.swap.max":"0","pids.max":"9",
        "hugetlb.2MB.max":"0","memory.oom.group":"1"}}"#;
    assert_eq!(
        added(&v2("/"), json),
        [
            "OOMPolicy = 'kill'",
            "CPUQuotaPeriodUSec = uint64 100000",
            "CPUQuotaPerSecUSec = uint64 500000",
            "CPUWeight = uint64 200",
            "AllowedCPUs = [byte 0x02]",
            "AllowedMemoryNodes = [byte 0x01]",
            "MemoryHigh = uint64 10485760",
            "MemoryLow = uint64 1",
            "MemoryMax = uint64 18446744073709551615",
            "MemoryMin = uint64 2",
            "MemorySwapMax = uint64 0",
            "TasksMax = uint64 9",
        ]
    );
    // Idle overrules the weight.
    assert_eq!(added(&v2("/"), r#"{"unified":{"cpu.idle":"1","cpu.weight":"5"}}"#), ["CPUWeight = uint64 0"]);
}

#[test]
fn rules_that_systemd_cannot_say_are_left_to_our_own_program() {
    let policy = |h: &Hierarchies, json: &str| -> Vec<String> {
        let unit = try_unit(h, json, &[]).unwrap();
        let of_devices = unit.properties.iter().filter(|p| p.name.starts_with("Device"));
        of_devices.map(ToString::to_string).collect()
    };
    let open = ["DevicePolicy = 'auto'", "DeviceAllow = @a(ss) []"];
    let all = r#"{"devices":[{"allow":true,"access":"rwm"}]}"#;
    assert_eq!(
        (policy(&v1(), all), policy(&v2("/"), all)),
        (open.map(String::from).to_vec(), open.map(String::from).to_vec())
    );
    let all_but_one = r#"{"devices":[{"allow":true,"access":"rwm"},{"allow":false,"type":"c","major":10,"minor":229,"access":"rwm"}]}"#;
    assert_eq!(policy(&v2("/"), all_but_one), open);
    assert_eq!(policy(&v1(), all_but_one), ["DevicePolicy = 'strict'", "DeviceAllow = @a(ss) []"]);
    let one = r#"{"devices":[{"allow":true,"type":"b","major":8,"minor":0,"access":"r"}]}"#;
    assert!(policy(&v2("/"), one)[1].contains("('/dev/block/8:0', 'r')"));
}

#[test]
fn annotations_set_properties_and_seconds_become_microseconds() {
    let annotations = [
        ("org.systemd.property.TimeoutStopSec", "5"),
        ("org.systemd.property.CollectMode", "'inactive'"),
        ("org.systemd.property.After", "['a.service']"),
        ("org.other", "x"),
    ];
    let unit = try_unit(&v2("/"), "{}", &annotations).unwrap();
    let lines: Vec<String> = unit.properties.iter().map(ToString::to_string).collect();
    assert!(lines.contains(&"TimeoutStopUSec = uint64 5000000".to_owned()), "{lines:?}");
    assert!(lines.contains(&"After = ['a.service']".to_owned()));
    assert!(lines.contains(&"CollectMode = 'inactive'".to_owned()));
    assert_eq!(lines.iter().filter(|l| l.starts_with("CollectMode")).count(), 1);
    let wrong = [
        ("org.systemd.property.A1", "5"),
        ("org.systemd.property.Foo", "nonsense"),
        ("org.systemd.property.XSec", "'a'"),
    ];
    let rejects = try_unit(&v2("/"), "{}", &wrong).unwrap_err();
    assert_eq!(rejects.len(), 2, "{rejects:?}");
    assert_eq!(rejects[0].pointer.as_str(), "/annotations/org.systemd.property.A1");
}

#[test]
fn the_cgroup_is_where_the_slice_is() {
    let path = |h: &Hierarchies, manager, path| {
        plan(h, Some(path), "c", &Resources::default(), &options(manager, &[])).unwrap().dirs[0].path.clone()
    };
    let system = |p| path(&v2("/"), Manager::System, p);
    assert_eq!(system("machine.slice:libpod:x").to_str(), Some("/c/machine.slice/libpod-x.scope"));
    assert_eq!(system("a-b.slice:p:x").to_str(), Some("/c/a.slice/a-b.slice/p-x.scope"));
    let mine = |own: &str| path(&v2(own), Manager::User, ":p:x");
    let expected = "/c/user.slice/user-1000.slice/user@1000.service/user.slice/p-x.scope";
    assert_eq!(
        mine("/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope").to_str(),
        Some(expected)
    );
    assert_eq!(mine("/user.slice/user-1000.slice/session-1.scope").to_str(), Some(expected));
    let on_v1 =
        plan(&v1(), Some("system.slice:p:x"), "c", &Resources::default(), &options(Manager::System, &[]));
    assert_eq!(on_v1.unwrap().dirs[0].path.to_str(), Some("/c/cpu/system.slice/p-x.scope"));
}

#[test]
fn a_users_systemd_has_nothing_to_say_on_version_1() {
    let rejects =
        plan(&v1(), Some(":p:x"), "c", &Resources::default(), &options(Manager::User, &[])).unwrap_err();
    assert!(rejects[0].host && rejects[0].to_string().contains("cgroup v1"), "{rejects:?}");
}

#[test]
fn a_users_container_has_no_device_rules() {
    let plan =
        plan(&v2("/"), Some(":p:x"), "c", &Resources::default(), &options(Manager::User, &[])).unwrap();
    let unit = plan.unit.unwrap();
    assert_eq!(unit.slice, "user.slice");
    assert!(unit.properties.iter().all(|p| !p.name.starts_with("Device")));
    assert!(plan.devices.is_none());
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let resources: Resources = serde_json::from_str(r#"{"pids":{"limit":1},"memory":{"limit":-7}}"#).unwrap();
    let annotations = [("org.systemd.property.Foo", "?")];
    let rejects =
        plan(&v2("/"), Some("/not/systemd"), "c", &resources, &options(Manager::System, &annotations))
            .unwrap_err();
    let pointers: Vec<&str> = rejects.iter().map(|r| r.pointer.as_str()).collect();
    assert!(pointers.contains(&"/linux/cgroupsPath") && pointers.contains(&"/linux/resources/memory/limit"));
}
