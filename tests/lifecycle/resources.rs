//! update and events.

use cofferdam_tests::{Value, cgroup, facts, json};

facts! {
    fn update_changes_limits_by_flags(t) {
        let mut b = t.bundle();
        b.set("/linux/resources", json!({"memory": {"limit": 67_108_864}, "pids": {"limit": 20}, "cpu": {"shares": 100}}));
        let c = b.start();
        c.verb("update", &["--pids-limit", "30"]).ok();
        assert_eq!(cgroup::read(&b.id, "pids", "pids.max", "pids.max"), "30");
        c.verb("update", &["--memory", "33554432"]).ok();
        assert_eq!(cgroup::read(&b.id, "memory", "memory.limit_in_bytes", "memory.max"), "33554432");
        assert_eq!(cgroup::read(&b.id, "pids", "pids.max", "pids.max"), "30", "what is not named stays");
        c.verb("update", &["--cpu-period", "50000", "--cpu-quota", "25000"]).ok();
        let quota = cgroup::read(&b.id, "cpu", "cpu.cfs_quota_us", "cpu.max");
        assert!(quota.starts_with("25000"), "{quota}");
        if cgroup::has_v1("cpu") {
            assert_eq!(cgroup::read(&b.id, "cpu", "cpu.shares", ""), "100");
        }
    }

    fn update_reads_a_document(t) {
        let mut b = t.bundle();
        let c = b.set("/linux/resources", json!({"pids": {"limit": 20}})).start();
        let file = t.dir.join("resources.json");
        std::fs::write(&file, json!({"pids": {"limit": 40}, "memory": {"reservation": 16_777_216}}).to_string()).unwrap();
        c.verb("update", &["--resources", file.to_str().unwrap()]).ok();
        assert_eq!(cgroup::read(&b.id, "pids", "pids.max", "pids.max"), "40");
        assert_eq!(cgroup::read(&b.id, "memory", "memory.soft_limit_in_bytes", "memory.low"), "16777216");
    }

    fn update_reads_a_document_from_standard_input(t) {
        let mut b = t.bundle();
        let c = b.set("/linux/resources", json!({"pids": {"limit": 20}})).start();
        let file = t.dir.join("resources.json");
        std::fs::write(&file, json!({"pids": {"limit": 41}}).to_string()).unwrap();
        let mut command = t.runtime_command(&["update", "--resources", "-", &c.id]);
        t.finish(command.stdin(std::fs::File::open(&file).unwrap())).ok();
        assert_eq!(cgroup::read(&b.id, "pids", "pids.max", "pids.max"), "41");
    }

    fn update_of_cpusets_moves_the_processes(t) {
        t.need(std::thread::available_parallelism().is_ok_and(|n| n.get() > 1), "one processor only")?;
        let c = t.bundle().start();
        c.verb("update", &["--cpuset-cpus", "1"]).ok();
        assert_eq!(c.exec_facts(&[]).get("affinity"), "1");
    }

    fn update_with_a_limit_the_kernel_does_not_take_is_an_error(t) {
        let mut b = t.bundle();
        let c = b.set("/linux/resources", json!({"cpu": {"quota": 50_000, "period": 100_000}})).start();
        // Less than a millisecond.
        c.verb("update", &["--cpu-quota", "10"]).refused();
        let quota = cgroup::read(&b.id, "cpu", "cpu.cfs_quota_us", "cpu.max");
        assert!(quota.starts_with("50000"), "{quota}");
    }

    fn update_of_intel_rdt_is_refused_where_the_host_has_none(t) {
        t.need(!std::path::Path::new("/sys/fs/resctrl/schemata").exists(), "this host has resctrl")?;
        let c = t.bundle().start();
        c.verb("update", &["--l3-cache-schema", "L3:0=f"]).refused();
        c.verb("update", &["--mem-bw-schema", "MB:0=20"]).refused();
    }

    fn update_does_not_let_devices_in(t) {
        let mut b = t.bundle();
        b.push("/linux/devices", json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}));
        let c = b.set("/linux/resources/devices", json!([{"allow": false, "access": "rwm"}])).start();
        c.verb("update", &["--pids-limit", "33"]).ok();
        assert_eq!(c.exec(&[], &["probe", "open", "/dev/fuse", "r"]).stdout, "errno=EPERM\n");
    }

    fn events_stats_prints_the_use_of_resources_once(t) {
        let mut b = t.bundle();
        let c = b.set("/linux/resources", json!({"memory": {"limit": 67_108_864}, "pids": {"limit": 20}})).start();
        let event: Value = c.verb("events", &["--stats"]).ok().trim().parse().unwrap();
        assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(b.id)));
        assert_eq!((&event["data"]["pids"]["current"], &event["data"]["pids"]["limit"]), (&json!(1), &json!(20)));
        assert_eq!(event["data"]["memory"]["usage"]["limit"], 67_108_864);
        assert!(event["data"]["memory"]["usage"]["usage"].as_u64().is_some_and(|n| n > 0), "{event}");
        assert!(event["data"]["cpu"]["usage"]["total"].as_u64().is_some_and(|n| n > 0), "{event}");
    }
}
