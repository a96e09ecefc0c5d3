//! list, ps, pause, resume, spec, features, logs and the flags of all commands.

use cofferdam_tests::{Value, facts, json, own, wait_until};

facts! {
    fn list_shows_every_container(t) {
        let (one, two) = (t.bundle(), t.bundle());
        let (_c, d) = (one.create(), two.start());
        let table = t.runtime(&["list"]);
        let head: Vec<&str> = table.ok().lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(&head[..4], ["ID", "PID", "STATUS", "BUNDLE"], "{table}");
        let rows: Vec<Vec<&str>> = table.stdout.lines().map(|l| l.split_whitespace().collect()).collect();
        assert!(rows.iter().any(|r| r[0] == one.id && r[2] == "created"), "{table}");
        assert!(rows.iter().any(|r| r[0] == two.id && r[2] == "running" && r[1] == d.pid().to_string()), "{table}");
        let mut ids: Vec<String> = t.runtime(&["list", "-q"]).ok().lines().map(str::to_owned).collect();
        ids.sort();
        assert_eq!(ids, [one.id.clone(), two.id.clone()]);
    }

    fn list_as_json_has_the_fields_clients_read(t) {
        let b = t.bundle();
        let c = b.start();
        let list: Value = t.runtime(&["list", "-f", "json"]).ok().parse().unwrap();
        let entry = &list.as_array().unwrap()[0];
        assert_eq!((&entry["id"], &entry["status"], &entry["pid"]), (&json!(b.id), &json!("running"), &json!(c.pid())));
        assert_eq!(entry["bundle"], b.dir.to_str().unwrap());
        assert!(entry["created"].as_str().is_some_and(|d| d.contains('T')), "{entry}");
        assert!(entry["owner"].is_string() || entry["owner"].is_null(), "{entry}");
    }

    fn list_without_containers_is_empty(t) {
        let out = t.runtime(&["list", "-q"]);
        assert_eq!(out.ok().trim(), "");
        let json = t.runtime(&["list", "-f", "json"]);
        assert!(["null", "[]"].contains(&json.ok().trim()), "{json}");
    }

    fn list_warns_of_a_container_whose_state_is_damaged(t) {
        let (one, two) = (t.bundle(), t.bundle());
        let (_c, _d) = (one.start(), two.start());
        let state = t.dir.join("state").join(&one.id).join("state.json");
        t.need(state.exists(), "this runtime keeps its state elsewhere")?;
        let text = std::fs::read(&state).unwrap();
        std::fs::write(&state, "{").unwrap();
        let out = t.runtime(&["list", "-q"]);
        std::fs::write(&state, text).unwrap();
        assert_eq!(out.ok().trim(), two.id, "{out}");
        assert!(out.stderr.contains(&one.id), "{out}");
    }

    fn ps_shows_the_processes(t) {
        let b = t.script("sleep 1000 & wait");
        let c = b.start();
        let pids = || -> Value { c.verb("ps", &["-f", "json"]).ok().parse().unwrap() };
        wait_until("two processes", || pids().as_array().is_some_and(|p| p.len() == 2));
        assert!(pids().as_array().unwrap().contains(&json!(c.pid())));
        let table = c.verb("ps", &[]);
        assert!(table.ok().contains("PID") && table.stdout.contains("sleep 1000"), "{table}");
    }

    fn pause_freezes_and_resume_thaws(t) {
        let b = t.script("i=0; while true; do i=$((i+1)); echo tick; sleep 0.02; done");
        let c = b.start();
        c.wait_output("tick");
        c.verb("pause", &[]).ok();
        assert_eq!(c.status(), "paused");
        let before = c.stdout().len();
        std::thread::sleep(std::time::Duration::from_millis(150));
        assert_eq!(c.stdout().len(), before, "nothing runs while it is paused");
        c.verb("resume", &[]).ok();
        assert_eq!(c.status(), "running");
        wait_until("more output", || c.stdout().len() > before);
    }

    fn pause_of_what_is_paused_and_resume_of_what_runs_are_refused(t) {
        let c = t.bundle().start();
        c.verb("resume", &[]).refused();
        c.verb("pause", &[]).ok();
        c.verb("pause", &[]).refused();
        c.verb("resume", &[]).ok();
    }

    fn exec_in_what_is_paused_is_refused(t) {
        let c = t.bundle().start();
        c.verb("pause", &[]).ok();
        c.exec(&[], &["true"]).refused();
        c.verb("resume", &[]).ok();
    }

    fn what_is_paused_can_be_killed_and_deleted(t) {
        let c = t.bundle().start();
        c.verb("pause", &[]).ok();
        c.kill("KILL").ok();
        c.verb("delete", &["--force"]).ok();
    }

    fn spec_writes_a_document_that_runs(t) {
        let mut b = t.bundle();
        let dir = t.dir.join("spec");
        std::fs::create_dir(&dir).unwrap();
        let place = dir.to_str().unwrap();
        t.runtime(&["spec", "--bundle", place]).ok();
        t.runtime(&["spec", "--bundle", place]).refused();
        b.config = std::fs::read_to_string(dir.join("config.json")).unwrap().parse().unwrap();
        assert_eq!(b.config["process"]["terminal"], true);
        let id = b.id.clone();
        b.set("/process/terminal", false).set("/linux/cgroupsPath", format!("/{id}")).set("/process/env", json!(["PATH=/bin"]));
        assert_eq!(b.args(&["echo", "ran"]).run().ok(), "ran\n");
    }

    fn spec_rootless_maps_the_user(t) {
        let dir = t.dir.join("spec");
        std::fs::create_dir(&dir).unwrap();
        t.runtime(&["spec", "--rootless", "--bundle", dir.to_str().unwrap()]).ok();
        let config: Value = std::fs::read_to_string(dir.join("config.json")).unwrap().parse().unwrap();
        let kinds: Vec<&str> = config["linux"]["namespaces"].as_array().unwrap().iter().filter_map(|n| n["type"].as_str()).collect();
        assert!(kinds.contains(&"user") && !kinds.contains(&"network"), "{kinds:?}");
        assert_eq!(config["linux"]["uidMappings"][0]["size"], 1);
    }

    fn features_is_the_document_of_the_specification(t) {
        let f: Value = t.runtime(&["features"]).ok().parse().unwrap();
        assert!(f["ociVersionMin"].is_string() && f["ociVersionMax"].as_str().is_some_and(|v| v.starts_with("1.")));
        let has = |pointer: &str, value: &str| {
            let list = f.pointer(pointer).and_then(Value::as_array);
            list.is_some_and(|l| l.contains(&json!(value)))
        };
        for hook in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            assert!(has("/hooks", hook), "{hook}");
        }
        for option in ["ro", "rbind", "rslave", "nosuid"] {
            assert!(has("/mountOptions", option), "{option}");
        }
        for kind in ["pid", "network", "mount", "ipc", "uts", "user", "cgroup"] {
            assert!(has("/linux/namespaces", kind), "{kind}");
        }
        assert!(has("/linux/capabilities", "CAP_SYS_ADMIN") && has("/linux/seccomp/actions", "SCMP_ACT_NOTIFY"));
        assert_eq!((&f["linux"]["cgroup"]["v1"], &f["linux"]["cgroup"]["v2"]), (&json!(true), &json!(true)));
        assert_eq!(f["linux"]["seccomp"]["enabled"], true);
    }

    fn version_names_the_runtime_and_the_specification(t) {
        let out = t.runtime(&["--version"]);
        assert!(out.ok().contains("version") && out.stdout.contains("spec: 1."), "{out}");
    }

    fn an_unknown_command_and_flag_are_refused(t) {
        assert!(t.runtime(&["nosuchcommand"]).code != 0);
        assert!(t.runtime(&["state", "--nosuchflag", "x"]).code != 0);
    }

    fn an_error_is_also_in_the_log_as_json(t) {
        let log = t.dir.join("log.json");
        let out = t.runtime(&["--log", log.to_str().unwrap(), "--log-format", "json", "state", "cdt-no-such"]);
        assert!(out.code != 0);
        let text = std::fs::read_to_string(&log).unwrap();
        let last: Value = text.lines().last().unwrap_or_default().parse().unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(last["level"], "error");
        assert!(last["msg"].as_str().is_some_and(|m| m.contains("not exist") || m.contains("No such")), "{last}");
        assert!(last["time"].is_string());
    }

    fn an_error_of_the_start_is_in_the_log(t) {
        let log = t.dir.join("log.json");
        let mut b = t.bundle();
        b.args(&["/no/such/program"]).write();
        let mut line = vec!["--log", log.to_str().unwrap(), "--log-format", "json"];
        line.extend(b.command_line("run", &[]));
        assert!(t.runtime(&line).code != 0);
        let text = std::fs::read_to_string(&log).unwrap().to_lowercase();
        assert!(text.contains("no such file"), "{text}");
    }

    fn the_root_says_where_the_state_is(t) {
        let b = t.bundle();
        let _c = b.create();
        assert!(t.dir.join("state").join(&b.id).exists());
        let other = t.dir.join("other");
        std::fs::create_dir(&other).unwrap();
        let mut command = t.command(&t.runtime.path);
        let out = t.finish(command.arg("--root").arg(&other).args(["list", "-q"]));
        assert_eq!(out.ok().trim(), "");
    }

    fn help_is_not_an_error(t) {
        for args in [["--help"].as_slice(), &["run", "--help"], &["exec", "--help"]] {
            assert_eq!(t.runtime(args).code, 0, "{args:?}");
        }
    }

    fn no_pivot_works_on_any_root(t) {
        let mut b = t.bundle();
        assert_eq!(b.args(&["echo", "in"]).run_with(&["--no-pivot"]).ok(), "in\n");
    }

    fn no_new_keyring_keeps_the_session_keyring(t) {
        let mut b = t.bundle();
        b.args(&["cat", "/proc/keys"]).run_with(&["--no-new-keyring"]).ok();
    }

    fn kill_reaches_those_who_outlived_the_first_process(t) {
        let mut b = t.bundle();
        b.config["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "pid");
        let c = b.args(&["sleep", "600"]).start();
        c.exec(&["--detach"], &["sleep", "601"]).ok();
        t.host(&format!("kill -9 {}", c.pid()));
        c.wait_stopped();
        c.kill("TERM").refused();
        c.kill("KILL").ok();
        wait_until("the cgroup is empty", || c.kill("KILL").code != 0);
    }

    fn without_a_pivot_no_whole_procfs_can_be_mounted(t) {
        let mut b = t.bundle();
        b.set("/linux/maskedPaths", json!(["/proc/keys", "/proc/timer_list"]));
        for flags in [&[] as &[&str], &["--no-pivot"]] {
            b.args(&["busybox", "unshare", "-mrpf", "sh", "-c", "mount -t proc none /proc || echo refused"]);
            assert_eq!(b.run_with(flags).ok(), "refused\n", "{flags:?}");
        }
    }
}

own! {
    fn list_of_a_root_that_is_named_and_not_there_is_refused(t) {
        let nowhere = t.dir.join("nowhere");
        let out = t.finish(t.command(&t.runtime.path).arg("--root").arg(&nowhere).arg("list"));
        let said = out.refused();
        assert!(said.contains(&format!("open {}: no such file or directory", nowhere.display())), "{said}");
        assert!(!nowhere.exists());
    }

    fn what_a_configuration_asks_in_vain_is_logged_as_a_warning(t) {
        let log = t.dir.join("log");
        let run = |ambient: &[&str]| {
            let mut b = t.bundle();
            let sets = json!({
                "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
                "inheritable": ["CAP_KILL"], "ambient": ambient,
            });
            b.set("/process/capabilities", sets).args(&["grep", "CapAmb", "/proc/self/status"]).write();
            let (dir, log) = (b.dir.display().to_string(), log.display().to_string());
            let out = t.runtime(&["--log", &log, "run", "--bundle", &dir, &b.id]);
            assert!(out.ok().trim().ends_with("0000000000000020"), "{out}");
            std::fs::read_to_string(&log).unwrap()
        };
        assert_eq!(run(&["CAP_KILL"]), "", "what is obeyed is nothing to log");
        let said = run(&["CAP_KILL", "CAP_CHOWN"]);
        assert!(said.contains("level=warning") && said.contains("can't raise ambient capability CAP_CHOWN: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
