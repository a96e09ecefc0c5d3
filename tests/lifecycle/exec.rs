//! exec: a further process in a running container.

use cofferdam_tests::{Facts, capabilities, facts, json};

facts! {
    fn exec_joins_every_namespace_and_cgroup(t) {
        let mut b = t.bundle();
        let c = b.namespace("network").namespace("cgroup").start();
        for name in ["pid", "net", "mnt", "ipc", "uts", "cgroup"] {
            let inside = c.exec(&[], &["readlink", &format!("/proc/self/ns/{name}")]).ok().trim().to_owned();
            let first = std::fs::read_link(format!("/proc/{}/ns/{name}", c.pid())).unwrap();
            assert_eq!(inside, first.to_str().unwrap(), "{name}");
        }
        c.exec(&["--detach"], &["sleep", "600"]).ok();
        let procs = cofferdam_tests::cgroup::read(&b.id, "memory", "cgroup.procs", "cgroup.procs");
        assert_eq!(procs.lines().count(), 2, "{procs}");
    }

    fn exec_joins_the_user_namespace(t) {
        let mut b = t.bundle();
        let c = b.user_namespace().start();
        let out = c.exec(&[], &["sh", "-c", "id -u; cat /proc/self/uid_map"]);
        assert!(out.ok().starts_with("0\n") && out.stdout.contains("100000"), "{out}");
    }

    fn exec_returns_the_exit_status(t) {
        let c = t.bundle().start();
        for code in [0, 3, 255] {
            assert_eq!(c.exec(&[], &["sh", "-c", &format!("exit {code}")]).code, code);
        }
        assert_eq!(c.exec(&[], &["sh", "-c", "kill -KILL $$"]).code, 137);
    }

    fn exec_of_a_missing_program_is_an_error(t) {
        let c = t.bundle().start();
        let out = c.exec(&[], &["/no/such/program"]);
        assert!(out.refused().to_lowercase().contains("no such file"), "{out}");
        assert!(out.code > 0, "{out}");
    }

    fn exec_in_what_is_stopped_is_refused(t) {
        let mut b = t.bundle();
        let c = b.args(&["true"]).start();
        c.wait_stopped();
        c.exec(&[], &["true"]).refused();
    }

    fn exec_in_what_is_created_works(t) {
        let c = t.bundle().create();
        assert_eq!(c.exec(&[], &["echo", "early"]).ok(), "early\n");
        assert_eq!(c.status(), "created");
    }

    fn exec_relays_the_streams(t) {
        let c = t.bundle().start();
        let file = t.dir.join("typed");
        std::fs::write(&file, "typed\n").unwrap();
        let mut command = t.runtime_command(&["exec", &c.id, "sh", "-c", "cat; echo complaint >&2"]);
        let out = t.finish(command.stdin(std::fs::File::open(&file).unwrap()));
        assert_eq!((out.ok(), out.stderr.as_str()), ("typed\n", "complaint\n"));
    }

    fn exec_takes_its_defaults_from_the_container(t) {
        let mut b = t.bundle();
        b.set("/process/cwd", "/usr/bin").set("/process/env", json!(["PATH=/bin", "FROM=config"]));
        b.set("/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5]}));
        b.set("/process/noNewPrivileges", true).set("/process/oomScoreAdj", 77);
        b.set("/process/rlimits", json!([{"type": "RLIMIT_CORE", "soft": 55, "hard": 66}]));
        b.set("/process/capabilities", json!({"bounding": ["CAP_KILL"]}));
        let c = b.start();
        let f = c.exec_facts(&[]);
        assert_eq!((f.get("cwd"), f.get("uid"), f.get("gid")), ("/usr/bin", "1000", "1001"));
        assert_eq!((f.get("nnp"), f.get("rlimit.CORE"), f.set("CapBnd")), ("1", "55:66", 1 << 5));
        let out = c.exec(&[], &["sh", "-c", "echo $FROM; cat /proc/self/oom_score_adj"]);
        assert_eq!(out.ok(), "config\n77\n");
    }

    fn exec_gives_additional_gids_of_the_container(t) {
        let mut b = t.bundle();
        b.set("/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}));
        let f = b.start().exec_facts(&[]);
        assert!(f.get("groups").ends_with("5,6"), "{:?}", f.get("groups"));
    }

    fn exec_cwd_is_where_it_starts(t) {
        let c = t.bundle().start();
        assert_eq!(c.exec_facts(&["--cwd", "/usr/bin"]).get("cwd"), "/usr/bin");
    }

    fn exec_env_is_added(t) {
        let mut b = t.bundle();
        let c = b.set("/process/env", json!(["PATH=/bin", "A=old", "B=kept"])).start();
        let out = c.exec(&["-e", "A=new", "-e", "C=more"], &["sh", "-c", "echo $A $B $C"]);
        assert_eq!(out.ok(), "new kept more\n");
    }

    fn exec_user_is_uid_and_gid(t) {
        let c = t.bundle().start();
        for flag in ["--user", "-u"] {
            let f = c.exec_facts(&[flag, "1234:4321"]);
            assert_eq!((f.get("uid"), f.get("gid")), ("1234", "4321"));
        }
        assert_eq!(c.exec_facts(&["--user", "1234"]).get("uid"), "1234");
    }

    fn exec_additional_gids_are_set(t) {
        let c = t.bundle().start();
        let f = c.exec_facts(&["--additional-gids", "7", "--additional-gids", "8"]);
        assert!(f.get("groups").ends_with("7,8"), "{:?}", f.get("groups"));
    }

    fn exec_cap_adds_a_capability(t) {
        let c = t.bundle().start();
        let without = c.exec_facts(&[]).set("CapEff");
        let with = c.exec_facts(&["--cap", "CAP_SYS_TIME"]).set("CapEff");
        assert_eq!((without & (1 << 25), with), (0, without | (1 << 25)));
        assert_eq!(without.count_ones() as usize, capabilities().len());
    }

    fn exec_with_no_new_privs_sets_it(t) {
        let c = t.bundle().start();
        assert_eq!(c.exec_facts(&[]).get("nnp"), "0");
        assert_eq!(c.exec_facts(&["--no-new-privs"]).get("nnp"), "1");
    }

    fn exec_detached_returns_at_once_with_a_pid_file(t) {
        let c = t.bundle().start();
        let file = t.dir.join("exec.pid");
        c.exec(&["--detach", "--pid-file", file.to_str().unwrap()], &["sleep", "600"]).ok();
        let pid = std::fs::read_to_string(&file).unwrap();
        let line = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        cofferdam_tests::wait_until("the program", || line() == "sleep\x00600\x00");
    }

    fn exec_process_is_a_document(t) {
        let c = t.bundle().start();
        let file = t.dir.join("process.json");
        let process = json!({
            "terminal": false, "cwd": "/usr", "user": {"uid": 9, "gid": 8, "additionalGids": [7], "umask": 0o27},
            "env": ["PATH=/bin", "X=y"], "args": ["sh", "-c", "probe facts; echo env=$X"],
            "noNewPrivileges": true, "oomScoreAdj": 99,
            "rlimits": [{"type": "RLIMIT_CORE", "soft": 44, "hard": 45}],
            "capabilities": {"bounding": ["CAP_KILL"], "permitted": [], "effective": [], "inheritable": [], "ambient": []},
        });
        std::fs::write(&file, process.to_string()).unwrap();
        let f = Facts::read(t.runtime(&["exec", "--process", file.to_str().unwrap(), &c.id]).ok());
        let seen = ["cwd", "uid", "gid", "umask", "nnp", "rlimit.CORE", "env"].map(|n| f.get(n));
        assert_eq!(seen, ["/usr", "9", "8", "27", "1", "44:45", "y"]);
        assert!(f.get("groups").ends_with('7'));
        assert_eq!(f.set("CapBnd"), 1 << 5);
    }

    fn exec_has_its_own_scheduling(t) {
        let c = t.bundle().start();
        let file = t.dir.join("process.json");
        let process = json!({
            "cwd": "/", "env": ["PATH=/bin"], "args": ["probe", "facts"],
            "scheduler": {"policy": "SCHED_BATCH", "nice": 3}, "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
        });
        std::fs::write(&file, process.to_string()).unwrap();
        let f = Facts::read(t.runtime(&["exec", "--process", file.to_str().unwrap(), &c.id]).ok());
        assert_eq!((f.get("policy"), f.get("nice"), f.get("ioclass")), ("3", "3", "3"));
    }

    fn exec_sees_the_containers_root(t) {
        let b = t.bundle();
        let c = b.start();
        std::fs::write(b.rootfs().join("late"), "late\n").unwrap();
        assert_eq!(c.exec(&[], &["cat", "/late"]).ok(), "late\n");
    }

    fn exec_has_no_other_descriptors(t) {
        let f = t.bundle().start().exec_facts(&[]);
        assert_eq!(f.descriptors().len(), 3, "{f:?}");
    }

    fn many_execs_at_once_all_end_well(t) {
        let c = t.bundle().start();
        let mut children: Vec<_> = (0..8).map(|i| {
            let mut command = t.runtime_command(&["exec", &c.id, "sh", "-c", &format!("exit {i}")]);
            (i, command.spawn().unwrap())
        }).collect();
        for (i, child) in &mut children {
            assert_eq!(child.wait().unwrap().code(), Some(*i));
        }
    }

    fn exec_without_a_program_is_refused(t) {
        t.bundle().start().exec(&[], &[]).refused();
    }
}
