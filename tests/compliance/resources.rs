//! `linux.resources` and `linux.cgroupsPath`, read back from the kernel's files on the host.

use cofferdam_tests::{Bundle, Container, Test, Value, cgroup, facts, json};

/// Creates a container with these resources.
fn with<'t>(t: &'t Test, resources: Value) -> (Bundle<'t>, Container<'t>) {
    let mut b = t.bundle();
    let c = b.set("/linux/resources", resources).create();
    (b, c)
}

/// Checks one file of the container's cgroup. The file of version 2 is empty where the kernel has none.
#[track_caller]
fn kept(t: &Test, resources: Value, controller: &str, v1: (&str, &str), v2: (&str, &str)) {
    let (b, _c) = with(t, resources.clone());
    let seen = cgroup::read(&b.id, controller, v1.0, v2.0);
    let wanted = if cgroup::has_v1(controller) { v1.1 } else { v2.1 };
    assert_eq!(seen, wanted, "{resources}");
}

/// A limit for which this host has no controller must be refused: it would not be kept.
#[track_caller]
fn refused(t: &Test, resources: Value) {
    let mut b = t.bundle();
    let out = b.args(&["true"]).set("/linux/resources", resources.clone()).run();
    assert!(out.code != 0 && !out.stderr.is_empty(), "{resources} is ignored: {out}");
}

/// Numbers of a disk that can be throttled.
fn disk() -> Option<(String, i64, i64)> {
    let mut names: Vec<_> = std::fs::read_dir("/sys/block").ok()?.flatten().map(|e| e.path()).collect();
    names.sort();
    names.reverse();
    names.iter().filter(|p| !p.to_string_lossy().contains("zram")).find_map(|p| {
        let text = std::fs::read_to_string(p.join("dev")).ok()?;
        let (major, minor) = text.trim().split_once(':')?;
        Some((text.trim().to_owned(), major.parse().ok()?, minor.parse().ok()?))
    })
}

facts! {
    fn cgroups_path_is_where_the_process_is(t) {
        t.need(!cofferdam_tests::driver::is_systemd(), "a unit is in no directory of its own choice")?;
        let mut b = t.bundle();
        let path = format!("/{}/deep/er", b.id);
        let c = b.set("/linux/cgroupsPath", path.as_str()).create();
        let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", c.pid())).unwrap();
        let wanted: Vec<&str> = ["memory", "pids", "freezer"].into_iter().filter(|k| cgroup::has_v1(k)).collect();
        for controller in &wanted {
            assert!(groups.contains(&format!(":{controller}:{path}\n")), "{groups}");
        }
        assert!(!wanted.is_empty() || groups.contains(&path), "{groups}");
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
        let left: Vec<_> = cgroup::all_named(&b.id).into_iter().filter(|d| d.join("deep/er").exists()).collect();
        assert!(left.is_empty(), "{left:?}");
        // The parents are the caller's.
        t.host(&format!("for d in /sys/fs/cgroup/{0} /sys/fs/cgroup/*/{0}; do rmdir $d/deep $d 2>/dev/null || true; done", b.id));
    }

    fn without_a_cgroups_path_the_container_has_its_own_cgroup(t) {
        let mut b = t.bundle();
        b.config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
        let c = b.create();
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", c.pid())).unwrap();
        assert!(own != groups && groups.contains(&b.id), "{groups}");
    }

    fn memory_limit_is_kept(t) {
        kept(t, json!({"memory": {"limit": 33_554_432}}), "memory",
            ("memory.limit_in_bytes", "33554432"), ("memory.max", "33554432"));
    }

    fn memory_over_the_limit_kills(t) {
        let mut b = t.bundle();
        b.set("/linux/resources", json!({"memory": {"limit": 16_777_216, "swap": 16_777_216}}));
        let out = b.args(&["sh", "-c", "probe eat 67108864; echo code $?"]).run();
        assert_eq!(out.ok(), "code 137\n");
    }

    fn memory_reservation_is_kept(t) {
        kept(t, json!({"memory": {"limit": 67_108_864, "reservation": 33_554_432}}), "memory",
            ("memory.soft_limit_in_bytes", "33554432"), ("memory.low", "33554432"));
    }

    fn memory_swap_is_kept(t) {
        kept(t, json!({"memory": {"limit": 33_554_432, "swap": 67_108_864}}), "memory",
            ("memory.memsw.limit_in_bytes", "67108864"), ("memory.swap.max", "33554432"));
    }

    fn memory_without_a_limit_is_minus_one(t) {
        kept(t, json!({"memory": {"limit": -1}}), "memory",
            ("memory.limit_in_bytes", "9223372036854771712"), ("memory.max", "max"));
    }

    fn memory_swappiness_is_kept(t) {
        t.need(cgroup::has_v1("memory"), "version 2 has no swappiness")?;
        kept(t, json!({"memory": {"swappiness": 37}}), "memory", ("memory.swappiness", "37"), ("", ""));
    }

    fn the_oom_killer_can_be_disabled(t) {
        t.need(cgroup::has_v1("memory"), "version 2 cannot disable it")?;
        let (b, _c) = with(t, json!({"memory": {"limit": 33_554_432, "disableOOMKiller": true}}));
        assert!(cgroup::read(&b.id, "memory", "memory.oom_control", "").contains("oom_kill_disable 1"));
        let (b, _c) = with(t, json!({"memory": {"limit": 33_554_432, "disableOOMKiller": false}}));
        assert!(cgroup::read(&b.id, "memory", "memory.oom_control", "").contains("oom_kill_disable 0"));
    }

    fn memory_use_hierarchy_is_in_force(t) {
        t.need(cgroup::has_v1("memory"), "version 2 is always hierarchical")?;
        // Since Linux 5.11 it is always on, and only asking for it is possible.
        kept(t, json!({"memory": {"useHierarchy": true}}), "memory", ("memory.use_hierarchy", "1"), ("", ""));
    }

    fn kernel_memory_limit_does_not_stop_the_start(t) {
        // Since Linux 5.16 the kernel takes the value and does nothing with it.
        with(t, json!({"memory": {"limit": 67_108_864, "kernel": 33_554_432}}));
    }

    fn kernel_tcp_memory_limit_is_kept(t) {
        t.need(cgroup::has_v1("memory"), "version 2 has no such limit")?;
        kept(t, json!({"memory": {"kernelTCP": 33_554_432}}), "memory",
            ("memory.kmem.tcp.limit_in_bytes", "33554432"), ("", ""));
    }

    fn check_before_update_refuses_a_limit_below_the_usage(t) {
        let mut b = t.bundle();
        b.set("/linux/resources", json!({"memory": {"limit": 268_435_456}}));
        b.args(&["sh", "-c", "head -c 20000000 /dev/zero >/dev/shm/x; echo full; sleep 600"]);
        let c = b.mount("/dev/shm", "tmpfs", "shm", &["mode=1777"]).start();
        c.wait_output("full");
        let file = t.dir.join("less.json");
        let less = json!({"memory": {"limit": 8_388_608, "swap": 8_388_608, "checkBeforeUpdate": true}});
        std::fs::write(&file, less.to_string()).unwrap();
        c.verb("update", &["--resources", file.to_str().unwrap()]).refused();
        assert_eq!(c.status(), "running");
        assert_eq!(cgroup::read(&b.id, "memory", "memory.limit_in_bytes", "memory.max"), "268435456");
    }

    fn cpu_shares_are_kept(t) {
        kept(t, json!({"cpu": {"shares": 513}}), "cpu", ("cpu.shares", "513"), ("cpu.weight", "59"));
    }

    fn cpu_quota_and_period_are_kept(t) {
        let both = json!({"cpu": {"quota": 30_000, "period": 60_000}});
        kept(t, both.clone(), "cpu", ("cpu.cfs_quota_us", "30000"), ("cpu.max", "30000 60000"));
        kept(t, both, "cpu", ("cpu.cfs_period_us", "60000"), ("cpu.max", "30000 60000"));
    }

    fn cpu_burst_is_kept(t) {
        kept(t, json!({"cpu": {"quota": 30_000, "period": 60_000, "burst": 10_000}}), "cpu",
            ("cpu.cfs_burst_us", "10000"), ("cpu.max.burst", "10000"));
    }

    fn cpu_idle_is_kept(t) {
        kept(t, json!({"cpu": {"idle": 1}}), "cpu", ("cpu.idle", "1"), ("cpu.idle", "1"));
    }

    fn cpu_realtime_is_kept(t) {
        t.need(cgroup::has_v1("cpu"), "version 2 has no realtime share")?;
        let both = json!({"cpu": {"realtimePeriod": 900_000, "realtimeRuntime": 1234}});
        kept(t, both.clone(), "cpu", ("cpu.rt_runtime_us", "1234"), ("", ""));
        kept(t, both, "cpu", ("cpu.rt_period_us", "900000"), ("", ""));
    }

    fn cpus_and_mems_are_kept(t) {
        let both = json!({"cpu": {"cpus": "0", "mems": "0"}});
        kept(t, both.clone(), "cpuset", ("cpuset.cpus", "0"), ("cpuset.cpus", "0"));
        kept(t, both, "cpuset", ("cpuset.mems", "0"), ("cpuset.mems", "0"));
        let mut b = t.bundle();
        b.set("/linux/resources/cpu", json!({"cpus": "0"}));
        assert_eq!(b.facts().get("affinity"), "0");
        refused(t, json!({"cpu": {"mems": "9"}}));
    }

    fn pids_limit_is_kept(t) {
        kept(t, json!({"pids": {"limit": 23}}), "pids", ("pids.max", "23"), ("pids.max", "23"));
        kept(t, json!({"pids": {"limit": -1}}), "pids", ("pids.max", "max"), ("pids.max", "max"));
    }

    fn a_limit_of_no_processes_is_one_and_podmans_is_none(t) {
        t.need(t.runtime.name == "cofferdam", "older than the specification's word on it")?;
        kept(t, json!({"pids": {"limit": 0}}), "pids", ("pids.max", "1"), ("pids.max", "1"));
        let mut b = t.bundle();
        b.set("/annotations", json!({"io.container.manager": "libpod"}));
        let _c = b.set("/linux/resources/pids", json!({"limit": 0})).create();
        assert_eq!(cgroup::read(&b.id, "pids", "pids.max", "pids.max"), "max");
    }

    fn more_processes_than_the_limit_cannot_be_made(t) {
        let mut b = t.script("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo all");
        let out = b.set("/linux/resources/pids", json!({"limit": 4})).run();
        assert!(out.stderr.contains("fork") && !out.stdout.contains("all"), "{out}");
    }

    fn block_io_throttles_are_kept(t) {
        let Some((numbers, major, minor)) = disk() else { return t.need(false, "no disk") };
        let cases = [("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
            ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
            ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
            ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device")];
        let mut all = json!({});
        for (i, (name, _)) in cases.iter().enumerate() {
            all[*name] = json!([{"major": major, "minor": minor, "rate": 1_048_576 * (i + 1)}]);
        }
        let (b, _c) = with(t, json!({"blockIO": all}));
        for (i, (name, file)) in cases.iter().enumerate() {
            let seen = cgroup::read(&b.id, "blkio", file, "io.max");
            let rate = 1_048_576 * (i + 1);
            assert!(seen.contains(&numbers) && seen.contains(&rate.to_string()), "{name}: {seen}");
        }
    }

    fn block_io_weight_is_kept_or_refused(t) {
        let mut b = t.bundle();
        let (c, out) = b.set("/linux/resources/blockIO", json!({"weight": 345})).try_create(&[]);
        if out.code == 0 {
            let own = cgroup::directory(if cgroup::has_v1("blkio") { "blkio" } else { "" }, &b.id);
            // The last one counts to 10000.
            let files = [("blkio.weight", "345"), ("blkio.bfq.weight", "345"), ("io.bfq.weight", "default 345"), ("io.weight", "default 3384")];
            let is = |(file, weight): &(&str, &str)| std::fs::read_to_string(own.join(file)).is_ok_and(|f| f.trim() == *weight);
            assert!(files.iter().any(is), "{}", own.display());
        }
        drop(c);
    }

    fn block_io_leaf_weights_are_not_ignored(t) {
        t.need(cgroup::has_v1("blkio"), "version 2 has no leaf weights")?;
        // Linux 5.0 took the scheduler away that had leaf weights.
        refused(t, json!({"blockIO": {"leafWeight": 345}}));
        let Some((_, major, minor)) = disk() else { return t.need(false, "no disk") };
        refused(t, json!({"blockIO": {"weightDevice": [{"major": major, "minor": minor, "leafWeight": 300}]}}));
    }

    fn block_io_device_weights_are_kept_or_refused(t) {
        let Some((numbers, major, minor)) = disk() else { return t.need(false, "no disk") };
        let mut b = t.bundle();
        let list = json!([{"major": major, "minor": minor, "weight": 300}]);
        let (_c, out) = b.set("/linux/resources/blockIO", json!({"weightDevice": list})).try_create(&[]);
        if out.code == 0 {
            let own = cgroup::directory(if cgroup::has_v1("blkio") { "blkio" } else { "" }, &b.id);
            let files = ["blkio.weight_device", "blkio.bfq.weight_device", "blkio.bfq.weight", "io.bfq.weight"]
                .map(|f| std::fs::read_to_string(own.join(f)).unwrap_or_default());
            assert!(files.iter().any(|f| f.contains(&format!("{numbers} 300"))), "{files:?}");
        }
    }

    fn hugepage_limits_are_kept(t) {
        let mut b = t.bundle();
        b.set("/linux/resources/hugepageLimits", json!([{"pageSize": "2MB", "limit": 4_194_304}]));
        let _c = b.create();
        let v1 = cgroup::directory("hugetlb", &b.id).join("hugetlb.2MB.limit_in_bytes");
        let hybrid = cgroup::directory("unified", &b.id).join("hugetlb.2MB.max");
        let v2 = cgroup::directory("", &b.id).join("hugetlb.2MB.max");
        let seen = [v1, hybrid, v2].map(|f| std::fs::read_to_string(f).unwrap_or_default());
        assert!(seen.iter().any(|s| s.trim() == "4194304"), "{seen:?}");
    }

    fn fields_of_version_1_alone_are_said_to_be_ignored_on_version_2(t) {
        t.need(!cgroup::has_v1("memory"), "this host has version 1")?;
        t.need(t.runtime.name == "cofferdam", "others say nothing")?;
        let mut b = t.bundle();
        b.set("/linux/resources", json!({"memory": {"swappiness": 37, "kernelTCP": 33_554_432, "disableOOMKiller": true},
            "cpu": {"realtimeRuntime": 1000}, "blockIO": {"leafWeight": 345}, "network": {"classID": 7}}));
        b.write();
        let plan = t.runtime(&["plan", b.dir.to_str().unwrap()]);
        for field in ["memory/swappiness", "memory/kernelTCP", "memory/disableOOMKiller", "cpu/realtimeRuntime",
            "blockIO/leafWeight", "network/classID"] {
            assert!(plan.ok().contains(&format!("/linux/resources/{field} is ignored")), "{field}: {plan}");
        }
        b.start();
    }

    fn network_class_and_priorities_are_kept_or_refused(t) {
        t.need(cgroup::has_v1("memory"), "version 2 has neither, see the ignored fields")?;
        for limit in [json!({"classID": 1_048_577}), json!({"priorities": [{"name": "lo", "priority": 5}]})] {
            let mut b = t.bundle();
            let (_c, out) = b.set("/linux/resources/network", limit.clone()).try_create(&[]);
            if out.code == 0 {
                let class = std::fs::read_to_string(cgroup::directory("net_cls", &b.id).join("net_cls.classid"));
                let map = std::fs::read_to_string(cgroup::directory("net_prio", &b.id).join("net_prio.ifpriomap"));
                let kept = class.is_ok_and(|c| c.trim() == "1048577") || map.is_ok_and(|m| m.contains("lo 5"));
                assert!(kept, "{limit} is ignored");
            }
        }
    }

    fn rdma_limits_are_kept_or_refused(t) {
        for limit in [json!({"hcaHandles": 3}), json!({"hcaObjects": 10_000})] {
            let mut b = t.bundle();
            let (_c, out) = b.set("/linux/resources/rdma", json!({"mlx5_1": limit})).try_create(&[]);
            if out.code == 0 {
                let file = cgroup::directory("rdma", &b.id).join("rdma.max");
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                assert!(text.contains("mlx5_1"), "{limit} is ignored");
            }
        }
    }

    fn unified_values_are_written_or_refused(t) {
        let mut b = t.bundle();
        let (_c, out) = b.set("/linux/resources/unified", json!({"cgroup.max.descendants": "7"})).try_create(&[]);
        if out.code == 0 {
            let places = ["unified", ""].map(|p| cgroup::directory(p, &b.id).join("cgroup.max.descendants"));
            let seen = places.map(|p| std::fs::read_to_string(p).unwrap_or_default());
            assert!(seen.iter().any(|s| s.trim() == "7"), "ignored: {seen:?}");
        }
    }

    fn intel_rdt_is_refused_where_the_host_has_none(t) {
        t.need(!std::path::Path::new("/sys/fs/resctrl/schemata").exists(), "this host has resctrl")?;
        let each = [json!({"closID": "cofferdam-tests"}), json!({"l3CacheSchema": "L3:0=f"}),
            json!({"memBwSchema": "MB:0=20"}), json!({"schemata": ["L3:0=f"]}), json!({"enableMonitoring": true})];
        for rdt in each {
            let out = t.bundle().args(&["true"]).set("/linux/intelRdt", rdt.clone()).run();
            assert!(out.code != 0, "{rdt} is ignored");
        }
    }

    fn resources_of_two_containers_do_not_meet(t) {
        let (one, _c) = with(t, json!({"pids": {"limit": 11}}));
        let (two, _d) = with(t, json!({"pids": {"limit": 12}}));
        assert_eq!(cgroup::read(&one.id, "pids", "pids.max", "pids.max"), "11");
        assert_eq!(cgroup::read(&two.id, "pids", "pids.max", "pids.max"), "12");
    }
}
