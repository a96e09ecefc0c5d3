//! Resources and the writes they become, on version 1 and on version 2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers outside of #[test]

use cofferdam_cgroup::{CgroupPlan, Hierarchies, PlanOptions, plan, plan_update};
use cofferdam_oci::{Reject, Resources};

const NAMES: [&str; 13] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "net_cls",
    "net_prio",
    "hugetlb",
    "rdma",
    "perf_event",
];

fn v1() -> Hierarchies {
    let mount = |(i, name): (usize, &&str)| format!("{i} 1 0:{i} / /c/{name} rw - cgroup c rw,{name}\n");
    let text: String = NAMES.iter().enumerate().map(|(i, n)| mount((i + 10, n))).collect();
    Hierarchies::parse(text.as_bytes(), b"")
}

fn v2() -> Hierarchies {
    let mut h = Hierarchies::parse(b"9 1 0:9 / /c rw - cgroup2 c rw\n", b"0::/\n");
    let all = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"];
    h.v2.as_mut().unwrap().controllers = all.map(String::from).to_vec();
    h
}

fn try_plan(h: &Hierarchies, json: &str) -> Result<CgroupPlan, Vec<Reject>> {
    let resources: Resources = serde_json::from_str(json).unwrap();
    plan(h, Some("/x"), "id", &resources, &PlanOptions::default())
}

/// Without the device rules, which have their own tests.
fn written(plan: &CgroupPlan) -> Vec<String> {
    plan.writes.iter().filter(|w| !w.file.starts_with("devices.")).map(ToString::to_string).collect()
}

/// `["file = value", …]` on version 1, the same on version 2.
fn check(json: &str, on_v1: &[&str], on_v2: &[&str]) {
    let one = try_plan(&v1(), json).unwrap();
    assert_eq!(written(&one), on_v1, "version 1: {json}");
    for write in &one.writes {
        let controller = write.file.split('.').next().unwrap();
        assert_eq!(one.dirs[write.dir].controllers, [controller], "{write}");
    }
    assert_eq!(written(&try_plan(&v2(), json).unwrap()), on_v2, "version 2: {json}");
}

/// Pointers of the objections, with a star for those that blame the host.
fn objections(h: &Hierarchies, json: &str) -> Vec<String> {
    let rejects = try_plan(h, json).expect_err(json);
    let star = |r: &Reject| if r.host { "*" } else { "" };
    rejects
        .iter()
        .map(|r| format!("{}{}", star(r), r.pointer.as_str().trim_start_matches("/linux/resources")))
        .collect()
}

#[test]
fn memory() {
    check(
        r#"{"memory":{"limit":100,"swap":300,"reservation":50}}"#,
        &[
            "memory.limit_in_bytes = 100",
            "memory.memsw.limit_in_bytes = 300",
            "memory.soft_limit_in_bytes = 50",
        ],
        &["memory.swap.max = 200", "memory.max = 100", "memory.low = 50"],
    );
    check(
        r#"{"memory":{"limit":-1}}"#,
        &["memory.limit_in_bytes = -1", "memory.memsw.limit_in_bytes = -1"],
        &["memory.swap.max = max", "memory.max = max"],
    );
    check(
        r#"{"memory":{"limit":100,"swap":100}}"#,
        &["memory.limit_in_bytes = 100", "memory.memsw.limit_in_bytes = 100"],
        &["memory.swap.max = 0", "memory.max = 100"],
    );
    check(
        r#"{"memory":{"limit":100,"swap":-1}}"#,
        &["memory.limit_in_bytes = 100", "memory.memsw.limit_in_bytes = -1"],
        &["memory.swap.max = max", "memory.max = 100"],
    );
    check(r#"{"memory":{"limit":0,"swap":0,"reservation":0,"disableOOMKiller":false}}"#, &[], &[]);
    check(r#"{"memory":{"kernel":5,"useHierarchy":true}}"#, &[], &[]);
}

#[test]
fn memory_that_is_ignored_is_said() {
    let plan = try_plan(&v1(), r#"{"memory":{"kernel":5,"kernelTCP":6}}"#).unwrap();
    let pointers: Vec<_> = plan.ignored.iter().map(|i| i.pointer.as_str()).collect();
    assert_eq!(pointers, ["/linux/resources/memory/kernel"]);
    let writes: Vec<_> = plan.writes.iter().map(ToString::to_string).collect();
    assert!(writes.contains(&"memory.kmem.tcp.limit_in_bytes = 6".to_owned()), "{writes:?}");
}

#[test]
fn what_only_version_1_has_is_refused_on_version_2() {
    let json = r#"{"memory":{"limit":1,"swappiness":10,"disableOOMKiller":true},
        "cpu":{"realtimePeriod":1000,"realtimeRuntime":500},"blockIO":{"leafWeight":100},
        "network":{"classID":5,"priorities":[{"name":"eth0","priority":7}]}}"#;
    let expected = [
        "memory.limit_in_bytes = 1",
        "memory.oom_control = 1",
        "memory.swappiness = 10",
        "cpu.rt_period_us = 1000",
        "cpu.rt_runtime_us = 500",
        "blkio.leaf_weight = 100",
        "net_cls.classid = 5",
        "net_prio.ifpriomap = eth0 7",
    ];
    assert_eq!(written(&try_plan(&v1(), json).unwrap()), expected);
    let fields = [
        "*/memory/disableOOMKiller",
        "*/memory/swappiness",
        "*/cpu/realtimePeriod",
        "*/cpu/realtimeRuntime",
        "*/blockIO/leafWeight",
        "*/network/classID",
        "*/network/priorities/0",
    ];
    assert_eq!(objections(&v2(), json), fields);
    let resources: Resources = serde_json::from_str(json).unwrap();
    let options = PlanOptions { ignore_v1_only: true, ..Default::default() };
    let plan = plan(&v2(), Some("/x"), "id", &resources, &options).unwrap();
    assert_eq!(written(&plan), ["memory.max = 1"]);
    assert_eq!(plan.ignored.len(), 7);
}

#[test]
fn cpu() {
    check(
        r#"{"cpu":{"shares":1024,"quota":50000,"period":200000,"burst":1000,"cpus":"0-1","mems":"0","idle":1}}"#,
        &[
            "cpu.shares = 1024",
            "cpu.cfs_period_us = 200000",
            "cpu.cfs_burst_us = 1000",
            "cpu.cfs_quota_us = 50000",
            "cpu.idle = 1",
            "cpuset.cpus = 0-1",
            "cpuset.mems = 0",
        ],
        &[
            "cpu.weight = 100",
            "cpu.max.burst = 1000",
            "cpu.max = 50000 200000",
            "cpu.idle = 1",
            "cpuset.cpus = 0-1",
            "cpuset.mems = 0",
        ],
    );
    check(r#"{"cpu":{"quota":-1}}"#, &["cpu.cfs_quota_us = -1"], &["cpu.max = max 100000"]);
    check(r#"{"cpu":{"quota":5000}}"#, &["cpu.cfs_quota_us = 5000"], &["cpu.max = 5000 100000"]);
    check(r#"{"cpu":{"period":5000}}"#, &["cpu.cfs_period_us = 5000"], &["cpu.max = max 5000"]);
    check(r#"{"cpu":{"shares":0,"quota":0,"period":0,"realtimePeriod":0,"cpus":"","mems":""}}"#, &[], &[]);
}

#[test]
fn pids() {
    check(r#"{"pids":{"limit":32}}"#, &["pids.max = 32"], &["pids.max = 32"]);
    check(r#"{"pids":{"limit":0}}"#, &["pids.max = 1"], &["pids.max = 1"]);
    check(r#"{"pids":{"limit":-1}}"#, &["pids.max = max"], &["pids.max = max"]);
    check(r#"{"pids":{}}"#, &[], &[]);
}

#[test]
fn block_io() {
    check(
        r#"{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":16,"weight":100}],
            "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],
            "throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":0}],
            "throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":30}],
            "throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":40}]}}"#,
        &[
            "blkio.bfq.weight = 500",
            "blkio.bfq.weight_device = 8:16 100",
            "blkio.throttle.read_bps_device = 8:0 600",
            "blkio.throttle.write_bps_device = 8:0 0",
            "blkio.throttle.read_iops_device = 8:0 30",
            "blkio.throttle.write_iops_device = 8:0 40",
        ],
        &[
            "io.bfq.weight = 500",
            "io.bfq.weight = 8:16 100",
            "io.max = 8:0 rbps=600",
            "io.max = 8:0 wbps=max",
            "io.max = 8:0 riops=30",
            "io.max = 8:0 wiops=40",
        ],
    );
    let alias = |h: &Hierarchies| {
        let plan =
            try_plan(h, r#"{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":16,"weight":100}]}}"#);
        let aliases = plan.unwrap().writes.into_iter().filter_map(|w| w.alias);
        aliases.map(|(file, value)| format!("{file} = {value}")).collect::<Vec<_>>()
    };
    assert_eq!(alias(&v1()), ["blkio.weight = 500", "blkio.weight_device = 8:16 100"]);
    assert_eq!(alias(&v2()), ["io.weight = 4950", "io.weight = 8:16 910"]);
}

#[test]
fn the_small_controllers() {
    check(
        r#"{"hugepageLimits":[{"pageSize":"2MB","limit":9}]}"#,
        &["hugetlb.2MB.limit_in_bytes = 9", "hugetlb.2MB.rsvd.limit_in_bytes = 9"],
        &["hugetlb.2MB.max = 9", "hugetlb.2MB.rsvd.max = 9"],
    );
    let rdma = ["rdma.max = mlx4_0 hca_object=1000", "rdma.max = mlx5_1 hca_handle=3 hca_object=10000"];
    check(
        r#"{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},"mlx4_0":{"hcaObjects":1000}}}"#,
        &rdma,
        &rdma,
    );
}

#[test]
fn unified_is_written_last_and_line_by_line() {
    let json = r#"{"memory":{"limit":5},"unified":{"io.max":"8:0 rbps=1\n8:16 rbps=2\n","memory.max":"6",
        "cgroup.max.depth":"3","misc.max":"a 1"}}"#;
    let expected = [
        "memory.max = 5",
        "cgroup.max.depth = 3",
        "io.max = 8:0 rbps=1",
        "io.max = 8:16 rbps=2",
        "memory.max = 6",
        "misc.max = a 1",
    ];
    assert_eq!(written(&try_plan(&v2(), json).unwrap()), expected);
    assert_eq!(
        objections(&v1(), json),
        ["*/unified/cgroup.max.depth", "*/unified/io.max", "*/unified/memory.max", "*/unified/misc.max"]
    );
    assert_eq!(objections(&v2(), r#"{"unified":{"net.x":"1"}}"#), ["*/unified/net.x"]);
}

#[test]
fn a_limit_without_its_controller_is_refused_and_an_absent_limit_is_not() {
    let mut h = v1();
    h.v1.retain(|v| ["devices", "cpu"].iter().any(|c| v.controllers == [*c]));
    let json = r#"{"memory":{"limit":1},"pids":{"limit":1},"cpu":{"shares":1024,"cpus":"0"},"blockIO":{"weight":10},
        "hugepageLimits":[{"pageSize":"2MB","limit":1}],"network":{"classID":1},"rdma":{"a":{"hcaHandles":1}}}"#;
    let expected = [
        "*/memory/limit",
        "*/cpu/cpus",
        "*/pids/limit",
        "*/blockIO/weight",
        "*/hugepageLimits/0",
        "*/network/classID",
        "*/rdma/a",
    ];
    assert_eq!(objections(&h, json), expected);
    assert!(try_plan(&h, r#"{"cpu":{"shares":1024},"memory":{"kernel":1},"pids":{},"network":{}}"#).is_ok());
}

#[test]
fn devices_are_never_left_open() {
    let mut h = v1();
    h.v1.retain(|v| v.controllers != ["devices"]);
    assert_eq!(objections(&h, "{}"), ["*/devices"]);
}

#[test]
fn values_that_mean_nothing_are_refused_all_at_once() {
    let json = r#"{"memory":{"limit":-5,"swap":10,"swappiness":101},"cpu":{"shares":1,"quota":5,"burst":6,"idle":2,
        "cpus":"0\n1","mems":"x"},"blockIO":{"weight":5,"weightDevice":[{"major":8,"minor":0}],
        "throttleReadBpsDevice":[{"major":-8,"minor":0,"rate":1}]},"rdma":{"a b":{"hcaHandles":1},"c":{}},
        "network":{"priorities":[{"name":"eth0 5\neth1","priority":1}]},
        "hugepageLimits":[{"pageSize":"../../2MB","limit":1}],"devices":[{"allow":true,"type":"x","access":"rwm"},
        {"allow":true,"type":"c","major":-2,"access":"r"},{"allow":true,"type":"c","access":"q"}]}"#;
    let expected = [
        "/memory/limit",
        "/memory/swappiness",
        "/cpu/burst",
        "/cpu/idle",
        "/cpu/shares",
        "/cpu/cpus",
        "/cpu/mems",
        "/blockIO/weight",
        "/blockIO/weightDevice/0",
        "/blockIO/throttleReadBpsDevice/0/major",
        "/hugepageLimits/0/pageSize",
        "/network/priorities/0/name",
        "/rdma/a b",
        "/rdma/c",
        "/devices/0/type",
        "/devices/1/major",
        "/devices/2/access",
    ];
    assert_eq!(objections(&v1(), json), expected);
}

#[test]
fn memory_and_swap_together_are_not_less_than_memory() {
    for json in [r#"{"memory":{"limit":200,"swap":100}}"#, r#"{"memory":{"swap":100}}"#] {
        assert_eq!(objections(&v1(), json), ["/memory/swap"]);
        assert_eq!(objections(&v2(), json), ["/memory/swap"]);
    }
}

#[test]
fn no_key_of_unified_leaves_the_directory_or_moves_a_process() {
    for key in ["../memory.max", "a/b.c", "memory", "cgroup.procs", "cgroup.kill", "memory.max\\n", ".."] {
        let json = format!(r#"{{"unified":{{"{key}":"1"}}}}"#);
        assert_eq!(try_plan(&v2(), &json).unwrap_err().len(), 1, "{key}");
    }
}

#[test]
fn a_wrong_path_and_a_wrong_limit_are_both_reported() {
    let resources: Resources = serde_json::from_str(r#"{"memory":{"limit":-5}}"#).unwrap();
    let rejects = plan(&v1(), Some("/.."), "id", &resources, &PlanOptions::default()).unwrap_err();
    let pointers: Vec<_> = rejects.iter().map(|r| r.pointer.as_str()).collect();
    assert_eq!(pointers, ["/linux/cgroupsPath", "/linux/resources/memory/limit"]);
}

#[test]
fn rootless_cgroups_are_optional_until_something_asks_for_them() {
    let options = PlanOptions { rootless: true, ..Default::default() };
    let resources: Resources =
        serde_json::from_str(r#"{"pids":{"limit":5},"devices":[{"allow":false,"access":"rwm"}]}"#).unwrap();
    let some = plan(&v1(), None, "id", &resources, &options).unwrap();
    let required: Vec<_> =
        some.dirs.iter().filter(|d| !d.may_lack).map(|d| d.controllers.join(",")).collect();
    assert_eq!(required, ["pids"]);
    assert_eq!(written(&some), ["pids.max = 5"]);
    assert_eq!(some.writes.len(), 1, "no device rules");
    assert_eq!(some.ignored[0].pointer, "/linux/resources/devices");
    let named = plan(&v1(), Some("/x"), "id", &Resources::default(), &options).unwrap();
    assert!(named.dirs.iter().all(|d| !d.may_lack));
}

#[test]
fn a_hybrid_host_uses_the_controller_where_it_is() {
    let mut h = v1();
    h.v1.retain(|v| v.controllers != ["hugetlb"]);
    let mut tree = v2().v2.unwrap();
    tree.controllers = vec!["hugetlb".into()];
    h.v2 = Some(tree);
    h.mode = cofferdam_cgroup::Mode::Hybrid;
    let json = r#"{"hugepageLimits":[{"pageSize":"2MB","limit":9}],"pids":{"limit":7},"unified":{"hugetlb.2MB.max":"8"}}"#;
    let expected = ["pids.max = 7", "hugetlb.2MB.max = 9", "hugetlb.2MB.rsvd.max = 9", "hugetlb.2MB.max = 8"];
    assert_eq!(written(&try_plan(&h, json).unwrap()), expected);
}

#[test]
fn an_update_points_into_its_own_document_and_leaves_devices_alone() {
    let dirs = try_plan(&v1(), "{}").unwrap().dirs;
    let resources: Resources = serde_json::from_str(
        r#"{"memory":{"swap":5,"disableOOMKiller":false},"devices":[{"allow":false,"access":"rwm"}]}"#,
    )
    .unwrap();
    let writes = plan_update(&dirs, &resources).unwrap();
    let lines: Vec<_> = writes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["memory.memsw.limit_in_bytes = 5", "memory.oom_control = 0"]);
    assert_eq!(writes[0].pointer, "/memory/swap");
}

#[test]
fn a_plan_survives_being_written_down() {
    let plan = try_plan(&v2(), r#"{"memory":{"limit":5,"checkBeforeUpdate":true}}"#).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<CgroupPlan>(&json).unwrap(), plan);
    assert_eq!(plan.writes[0].above, Some(("memory.current".into(), 5)));
}
