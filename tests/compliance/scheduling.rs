//! `process.scheduler`, `process.ioPriority`, `process.execCPUAffinity`, `linux.memoryPolicy`.

use cofferdam_tests::{Bundle, facts, json};

/// Share of realtime a cgroup must have before a process in it may be realtime (cgroup v1 with RT_GROUP_SCHED).
fn allow_realtime(b: &mut Bundle<'_>) {
    if cofferdam_tests::cgroup::has_v1("cpu") {
        b.set("/linux/resources/cpu", json!({"realtimePeriod": 1_000_000, "realtimeRuntime": 1000}));
    }
}

facts! {
    fn scheduler_policies_without_priority_are_set(t) {
        for (name, number) in [("SCHED_BATCH", 3), ("SCHED_OTHER", 0)] {
            let mut b = t.bundle();
            let f = b.set("/process/scheduler", json!({"policy": name, "nice": 3})).facts();
            assert_eq!((f.number("policy"), f.number("nice")), (number, 3), "{name}");
        }
        // The kernel keeps no nice value for this one, see sched(7).
        let mut b = t.bundle();
        assert_eq!(b.set("/process/scheduler", json!({"policy": "SCHED_IDLE"})).facts().number("policy"), 5);
    }

    fn scheduler_realtime_policies_have_their_priority(t) {
        for (name, number) in [("SCHED_FIFO", 1), ("SCHED_RR", 2)] {
            let mut b = t.bundle();
            allow_realtime(&mut b);
            let f = b.set("/process/scheduler", json!({"policy": name, "priority": 7})).facts();
            assert_eq!((f.number("policy"), f.number("rtprio")), (number, 7), "{name}");
        }
    }

    fn scheduler_deadline_has_its_three_times(t) {
        let mut b = t.bundle();
        b.set("/process/scheduler", json!({
            "policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 20_000_000, "period": 30_000_000,
        }));
        let f = b.facts();
        let seen = ["policy", "runtime", "deadline", "period"].map(|n| f.number(n));
        assert_eq!(seen, [6, 1_000_000, 20_000_000, 30_000_000]);
    }

    fn scheduler_flags_are_set(t) {
        let mut b = t.bundle();
        b.set("/process/scheduler", json!({"policy": "SCHED_BATCH", "nice": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}));
        assert_eq!(b.facts().number("schedflags"), 1);
        let mut b = t.bundle();
        b.set("/process/scheduler", json!({
            "policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 20_000_000, "period": 30_000_000,
            "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"],
        }));
        assert_eq!(b.facts().number("schedflags"), 2 | 4);
    }

    fn scheduler_flag_keep_policy_keeps_it(t) {
        let mut b = t.bundle();
        b.set("/process/scheduler", json!({"policy": "SCHED_BATCH", "nice": 4, "flags": ["SCHED_FLAG_KEEP_POLICY"]}));
        let f = b.facts();
        assert_eq!((f.number("policy"), f.number("nice")), (0, 4));
    }

    fn scheduler_flag_keep_params_keeps_them(t) {
        let mut b = t.bundle();
        b.set("/process/scheduler", json!({
            "policy": "SCHED_BATCH", "nice": 4, "flags": ["SCHED_FLAG_KEEP_PARAMS"],
        }));
        // To the kernel the policy is one of the parameters.
        let f = b.facts();
        assert_eq!((f.number("policy"), f.number("nice")), (0, 0));
        let unknown = json!({"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_NO"]});
        t.bundle().args(&["true"]).set("/process/scheduler", unknown).run().refused();
    }

    fn scheduler_clamp_flags_are_not_ignored(t) {
        for flag in ["SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX"] {
            let mut b = t.bundle();
            b.set("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": 2, "flags": [flag]}));
            let out = b.args(&["probe", "facts"]).run();
            let f = cofferdam_tests::Facts::read(&out.stdout);
            let clamped = out.code == 0 && f.get("utilmin") == "0" && f.get("utilmax") == "0";
            assert!(clamped || out.code != 0, "{flag}: {out}");
        }
    }

    fn a_scheduler_policy_the_kernel_lacks_is_refused(t) {
        t.bundle().args(&["true"]).set("/process/scheduler", json!({"policy": "SCHED_ISO"})).run().refused();
    }

    fn an_unknown_scheduler_policy_is_refused(t) {
        t.bundle().args(&["true"]).set("/process/scheduler", json!({"policy": "SCHED_NOSUCH"})).run().refused();
    }

    fn io_priority_class_and_value_are_set(t) {
        for (name, number) in [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)] {
            let mut b = t.bundle();
            let f = b.set("/process/ioPriority", json!({"class": name, "priority": 5})).facts();
            assert_eq!((f.number("ioclass"), f.number("iopriority")), (number, 5), "{name}");
        }
    }

    fn an_unknown_io_priority_class_is_refused(t) {
        t.bundle().args(&["true"]).set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_NO"})).run().refused();
    }

    fn exec_cpu_affinity_final_is_that_of_the_process(t) {
        t.need(std::thread::available_parallelism().is_ok_and(|n| n.get() > 1), "one processor only")?;
        for cpu in ["0", "1"] {
            let mut b = t.bundle();
            let c = b.set("/process/execCPUAffinity", json!({"final": cpu})).start();
            assert_eq!(c.exec_facts(&[]).get("affinity"), cpu);
        }
    }

    fn exec_cpu_affinity_initial_stays_without_a_final(t) {
        t.need(std::thread::available_parallelism().is_ok_and(|n| n.get() > 1), "one processor only")?;
        for cpu in ["0", "1"] {
            let mut b = t.bundle();
            let c = b.set("/process/execCPUAffinity", json!({"initial": cpu})).start();
            assert_eq!(c.exec_facts(&[]).get("affinity"), cpu);
        }
    }

    fn exec_cpu_affinity_does_not_touch_the_first_process(t) {
        t.need(std::thread::available_parallelism().is_ok_and(|n| n.get() > 1), "one processor only")?;
        let mut b = t.bundle();
        b.set("/process/execCPUAffinity", json!({"initial": "0", "final": "0"}));
        assert_eq!(b.facts().get("affinity"), t.bundle().facts().get("affinity"));
    }

    fn a_malformed_exec_cpu_affinity_is_refused(t) {
        let mut b = t.bundle();
        let c = b.set("/process/execCPUAffinity", json!({"final": "0-x"})).try_create(&[]);
        assert!(c.1.code != 0 || c.0.exec(&[], &["true"]).code != 0, "{}", c.1);
    }

    fn memory_policy_modes_are_set(t) {
        let modes = [("MPOL_BIND", 2), ("MPOL_INTERLEAVE", 3), ("MPOL_PREFERRED", 1), ("MPOL_PREFERRED_MANY", 5),
            ("MPOL_WEIGHTED_INTERLEAVE", 6)];
        for (name, number) in modes {
            let f = t.bundle().set("/linux/memoryPolicy", json!({"mode": name, "nodes": "0"})).facts();
            assert_eq!((f.number("mempolicy"), f.get("memnodes")), (number, "0x1"), "{name}");
        }
    }

    fn memory_policy_local_and_default_have_no_nodes(t) {
        for (name, number) in [("MPOL_LOCAL", 4), ("MPOL_DEFAULT", 0)] {
            let f = t.bundle().set("/linux/memoryPolicy", json!({"mode": name})).facts();
            assert_eq!((f.number("mempolicy"), f.get("memnodes")), (number, "0"), "{name}");
        }
        let with_nodes = json!({"mode": "MPOL_DEFAULT", "nodes": "0"});
        t.bundle().args(&["true"]).set("/linux/memoryPolicy", with_nodes).run().refused();
    }

    fn memory_policy_flags_are_set(t) {
        let flags = [("MPOL_F_STATIC_NODES", "0x8000"), ("MPOL_F_RELATIVE_NODES", "0x4000"),
            ("MPOL_F_NUMA_BALANCING", "0x2000")];
        for (name, bit) in flags {
            let mut b = t.bundle();
            b.set("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [name]}));
            assert_eq!(b.facts().get("memflags"), bit, "{name}");
        }
    }

    fn an_unknown_memory_policy_is_refused(t) {
        t.bundle().args(&["true"]).set("/linux/memoryPolicy", json!({"mode": "MPOL_NO"})).run().refused();
        let flag = json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NO"]});
        t.bundle().args(&["true"]).set("/linux/memoryPolicy", flag).run().refused();
    }

    fn a_container_may_run_on_every_cpu_whatever_its_maker_is_confined_to(t) {
        t.need(std::thread::available_parallelism().is_ok_and(|n| n.get() > 1), "one processor only")?;
        let mut b = t.bundle();
        let everywhere = b.facts().get("affinity").to_owned();
        let confined = |line: &[&str]| {
            let (root, runtime) = (t.dir.join("state"), t.runtime.path.display().to_string());
            let mut command = t.command("/usr/bin/taskset".as_ref());
            command.args(["-c", "0", &runtime, "--root"]).arg(root).args(line);
            t.finish(&mut command).ok().to_owned()
        };
        let told = |out: &str| out.lines().find_map(|l| l.strip_prefix("affinity=").map(str::to_owned));
        b.args(&["probe", "facts"]).write();
        assert_eq!(told(&confined(&b.command_line("run", &[]))).as_deref(), Some(everywhere.as_str()));
        let c = t.bundle().start();
        assert_eq!(told(&confined(&["exec", &c.id, "probe", "facts"])).as_deref(), Some(everywhere.as_str()));
        let c = t.bundle().set("/linux/resources/cpu", json!({"cpus": "1"})).start();
        assert_eq!(told(&confined(&["exec", &c.id, "probe", "facts"])).as_deref(), Some("1"));
    }
}
