//! create, start, state, kill, delete: the states of a container and the ways between them.

use cofferdam_tests::{Container, facts, json, wait_until};

facts! {
    fn state_has_what_the_specification_asks_for(t) {
        let b = t.bundle();
        let c = b.create();
        let state = c.state();
        assert_eq!((&state["id"], &state["status"]), (&json!(b.id), &json!("created")));
        assert_eq!(state["bundle"], b.dir.to_str().unwrap());
        assert!(state["ociVersion"].as_str().is_some_and(|v| v.starts_with("1.")), "{state}");
        assert!(std::path::Path::new(&format!("/proc/{}", c.pid())).exists());
    }

    fn a_container_goes_from_created_over_running_to_stopped(t) {
        let b = t.bundle();
        let c = b.create();
        assert_eq!(c.status(), "created");
        c.start();
        assert_eq!(c.status(), "running");
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
        c.verb("state", &[]).refused();
    }

    fn a_stopped_container_has_no_pid(t) {
        let mut b = t.bundle();
        let c = b.args(&["true"]).start();
        c.wait_stopped();
        assert!(c.state()["pid"].as_i64().unwrap_or_default() == 0, "{}", c.state());
    }

    fn the_process_does_not_run_before_start(t) {
        let mut b = t.script("echo ran");
        let c = b.create();
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_eq!(c.stdout(), "");
        b.set("/hostname", "later").write();
        c.start();
        c.wait_output("ran");
    }

    fn a_change_of_the_document_after_create_has_no_effect(t) {
        let mut b = t.script("hostname");
        let c = b.set("/hostname", "first").create();
        b.set("/hostname", "second").args(&["echo", "changed"]).write();
        c.start();
        c.wait_output("first");
    }

    fn an_id_that_is_taken_is_refused(t) {
        let b = t.bundle();
        let c = b.create();
        let again = t.runtime(&b.command_line("create", &[]));
        again.refused();
        assert_eq!(c.status(), "created", "the first is untouched");
        c.start();
        t.runtime(&b.command_line("run", &[])).refused();
        assert_eq!(c.status(), "running");
    }

    fn an_id_that_is_no_name_is_refused(t) {
        let b = t.bundle();
        b.write();
        for id in ["", "../escape", "a/b", "a b", ".", ".."] {
            let out = t.runtime(&["create", "--bundle", b.dir.to_str().unwrap(), id]);
            assert!(out.code != 0, "{id:?}: {out}");
        }
    }

    fn start_of_what_runs_is_refused(t) {
        let c = t.bundle().start();
        c.verb("start", &[]).refused();
        assert_eq!(c.status(), "running");
    }

    fn start_of_what_has_stopped_is_refused(t) {
        let mut b = t.bundle();
        let c = b.args(&["true"]).start();
        c.wait_stopped();
        c.verb("start", &[]).refused();
    }

    fn what_does_not_exist_is_refused_by_every_command(t) {
        let c = Container::of(t, "cdt-no-such-container");
        for verb in ["start", "state", "delete", "pause", "resume", "ps"] {
            let out = c.verb(verb, &[]);
            assert!(out.code != 0 && !out.stderr.is_empty(), "{out}");
        }
        c.kill("KILL").refused();
        c.exec(&[], &["true"]).refused();
    }

    fn delete_of_what_runs_is_refused(t) {
        let c = t.bundle().start();
        c.delete().refused();
        assert_eq!(c.status(), "running");
    }

    fn delete_with_force_kills_first(t) {
        let c = t.bundle().start();
        let pid = c.pid();
        c.verb("delete", &["--force"]).ok();
        wait_until("the end of the process", || !alive(pid));
        c.verb("state", &[]).refused();
    }

    fn delete_with_force_of_what_does_not_exist_is_no_error(t) {
        Container::of(t, "cdt-no-such-container").verb("delete", &["--force"]).ok();
    }

    fn what_was_created_but_not_started_can_be_deleted(t) {
        let c = t.bundle().create();
        let pid = c.pid();
        let out = c.delete();
        if out.code != 0 {
            // The specification lets delete take only what has stopped.
            assert_eq!(c.status(), "created");
            c.verb("delete", &["--force"]).ok();
        }
        wait_until("the end of the process", || !alive(pid));
    }

    fn the_id_is_free_after_delete(t) {
        let b = t.bundle();
        for _ in 0..2 {
            b.create().verb("delete", &["--force"]).ok();
        }
    }

    fn delete_removes_the_cgroup_and_the_other_processes(t) {
        let mut b = t.script("sleep 1000 & sleep 1000 & wait");
        let c = b.set("/linux/namespaces", json!([{"type": "mount"}])).start();
        let pids = || -> Vec<i64> {
            let list = c.verb("ps", &["-f", "json"]).stdout.parse::<cofferdam_tests::Value>().unwrap_or_default();
            list.as_array().into_iter().flatten().filter_map(cofferdam_tests::Value::as_i64).collect()
        };
        wait_until("three processes", || pids().len() == 3);
        let all = pids();
        c.verb("delete", &["--force"]).ok();
        wait_until("the end of all processes", || all.iter().all(|p| !alive(*p)));
        assert!(cofferdam_tests::cgroup::all_named(&b.id).is_empty());
    }

    fn kill_sends_the_named_signal(t) {
        for signal in ["TERM", "SIGUSR1", "12"] {
            let b = t.script(
                "trap 'echo got TERM' TERM; trap 'echo got SIGUSR1' USR1; trap 'echo got 12' USR2; \
                 echo ready; while true; do sleep 0.05; done");
            let c = b.start();
            c.wait_output("ready");
            c.kill(signal).ok();
            c.wait_output(&format!("got {signal}"));
        }
    }

    fn the_name_of_a_signal_may_be_in_small_letters(t) {
        let b = t.script("trap 'echo got it' INT; echo ready; while true; do sleep 0.05; done");
        let c = b.start();
        c.wait_output("ready");
        c.kill("sigint").ok();
        c.wait_output("got it");
    }

    fn kill_without_a_signal_is_sigterm(t) {
        let b = t.script("trap 'echo got TERM; exit' TERM; echo ready; while true; do sleep 0.05; done");
        let c = b.start();
        c.wait_output("ready");
        c.verb("kill", &[]).ok();
        c.wait_output("got TERM");
    }

    fn kill_with_an_unknown_signal_is_refused(t) {
        let c = t.bundle().start();
        c.kill("NOSUCH").refused();
        c.kill("999").refused();
        assert_eq!(c.status(), "running");
    }

    fn kill_of_what_has_stopped_is_refused(t) {
        let mut b = t.bundle();
        let c = b.args(&["true"]).start();
        c.wait_stopped();
        c.kill("KILL").refused();
    }

    fn kill_of_what_is_created_ends_it(t) {
        let c = t.bundle().create();
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
    }

    fn a_signal_that_ends_programs_ends_what_is_created(t) {
        for signal in ["HUP", "INT", "QUIT", "TERM"] {
            let c = t.bundle().create();
            c.kill(signal).ok();
            c.wait_stopped();
            c.delete().ok();
        }
    }

    fn kill_all_reaches_every_process_without_a_pid_namespace(t) {
        let mut b = t.script("sleep 1000 & echo ready; wait");
        let c = b.set("/linux/namespaces", json!([{"type": "mount"}])).start();
        c.wait_output("ready");
        let procs = || cofferdam_tests::cgroup::read(&b.id, "pids", "cgroup.procs", "cgroup.procs");
        assert!(procs().lines().count() >= 2);
        t.runtime(&["kill", "--all", &b.id, "KILL"]).ok();
        wait_until("an empty cgroup", || procs().is_empty());
    }

    fn the_end_of_the_first_process_stops_the_container(t) {
        let b = t.script("sleep 1000 & exit 0");
        let c = b.start();
        c.wait_stopped();
        c.delete().ok();
    }

    fn a_create_that_fails_leaves_nothing_behind(t) {
        let mut b = t.bundle();
        b.mount("/mnt", "none", "/no/such/source", &["bind"]);
        let (c, out) = b.try_create(&[]);
        out.refused();
        c.verb("state", &[]).refused();
        assert!(cofferdam_tests::cgroup::all_named(&b.id).is_empty());
        assert!(!t.runtime(&["list", "-q"]).ok().contains(&b.id));
    }

    fn a_bundle_without_a_document_is_refused(t) {
        let b = t.bundle();
        t.runtime(&b.command_line("create", &[])).refused();
        t.runtime(&["create", "--bundle", "/no/such/bundle", &b.id]).refused();
    }

    fn the_bundle_is_the_working_directory_when_it_is_not_given(t) {
        let mut b = t.bundle();
        b.args(&["echo", "here"]).write();
        let root = t.dir.join("state");
        let script = format!("cd {}; exec {} --root {} run {}", b.dir.display(), t.runtime.path.display(), root.display(), b.id);
        assert_eq!(t.finish(t.command("/bin/sh".as_ref()).args(["-c", &script])).ok(), "here\n");
    }
}

fn alive(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim().chars().next();
    !matches!(state, None | Some('Z' | 'X'))
}
