//! `hooks`: when each kind runs, where, with what, and what its failure does.

use cofferdam_tests::{Bundle, Test, Value, facts, json};

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// A hook that reads its input and runs this script.
fn hook(script: &str) -> Value {
    raw(&format!("cat >/dev/null; {script}"))
}

/// A hook that runs this script with the shell that is in the root filesystem as well as on the host.
fn raw(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]})
}

fn set(b: &mut Bundle<'_>, kind: &str, list: &[Value]) {
    b.set(&format!("/hooks/{kind}"), json!(list));
}

/// A bundle whose every hook and process append to one log, which is in a directory bound into the container.
fn logged(t: &Test) -> (Bundle<'_>, String) {
    let log = t.dir.join("log");
    std::fs::create_dir_all(&log).unwrap();
    let place = log.to_str().unwrap().to_owned();
    let mut b = t.script(&format!("echo process >>{place}/log"));
    b.mount(&place, "none", &place, &["bind"]);
    for kind in KINDS {
        set(
            &mut b,
            kind,
            &[hook(&format!("echo {kind}1 >>{place}/log")), hook(&format!("echo {kind}2 >>{place}/log"))],
        );
    }
    (b, format!("{place}/log"))
}

fn given(place: &std::path::Path, kind: &str) -> Value {
    let text = std::fs::read_to_string(place.join(kind)).unwrap();
    text.parse().unwrap_or_else(|e| panic!("{kind}: {e}: {text}"))
}

fn lines(log: &str) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

facts! {
    fn hooks_of_create_run_in_their_order(t) {
        let (b, log) = logged(t);
        let _c = b.create();
        let mut seen = lines(&log);
        seen.retain(|l| !l.starts_with("poststart"));
        assert_eq!(seen,
            ["prestart1", "prestart2", "createRuntime1", "createRuntime2", "createContainer1", "createContainer2"]);
    }

    fn start_container_hooks_run_at_start_before_the_process(t) {
        let (b, log) = logged(t);
        let c = b.create();
        assert!(!lines(&log).contains(&"startContainer1".to_owned()));
        c.start();
        c.wait_stopped();
        let mut seen = lines(&log);
        seen.retain(|l| l.starts_with("startContainer") || l == "process");
        assert_eq!(seen, ["startContainer1", "startContainer2", "process"]);
    }

    fn poststart_hooks_run_after_the_process_was_started(t) {
        let (mut b, log) = logged(t);
        set(&mut b, "startContainer", &[hook(&format!("sleep 0.2; echo startContainer >>{log}"))]);
        let c = b.create();
        assert!(!lines(&log).contains(&"poststart1".to_owned()), "{:?}", lines(&log));
        c.start();
        c.wait_stopped();
        let mut seen = lines(&log);
        seen.retain(|l| l.starts_with("startContainer") || l.starts_with("poststart"));
        assert_eq!(seen, ["startContainer", "poststart1", "poststart2"]);
    }

    fn poststop_hooks_run_at_delete(t) {
        let (b, log) = logged(t);
        let c = b.start();
        c.wait_stopped();
        assert!(!lines(&log).contains(&"poststop1".to_owned()));
        c.delete().ok();
        assert_eq!(lines(&log).split_off(11), ["poststop1", "poststop2"]);
    }

    fn a_hook_that_does_not_read_its_input_is_no_error(t) {
        let mut b = t.bundle();
        // More than a pipe holds.
        b.set("/annotations", json!({"long": "x".repeat(200_000)}));
        set(&mut b, "createRuntime", &[raw("exit 0")]);
        set(&mut b, "poststop", &[raw("exit 0")]);
        b.args(&["true"]).run().ok();
    }

    fn run_runs_all_hooks(t) {
        let (b, log) = logged(t);
        b.run().ok();
        assert_eq!(lines(&log).len(), 13, "{:?}", lines(&log));
    }

    fn a_hook_has_its_args_and_its_env_only(t) {
        for kind in KINDS {
            let mut b = t.bundle();
            let out = t.dir.join(format!("out-{kind}"));
            let script = format!("{{ echo $0 $1; env; }} >{}", out.display());
            let mut h = hook("");
            // A shell adds its own. Inside it is busybox, which goes by its name.
            let name = if kind == "startContainer" { "sh" } else { "any name" };
            h["args"] = json!([name, "-c", script, "zero", "one"]);
            h["env"] = json!(["A=b c"]);
            set(&mut b, kind, &[h]);
            if kind.ends_with("Container") {
                b.mount(t.dir.to_str().unwrap(), "none", t.dir.to_str().unwrap(), &["bind"]);
            }
            b.args(&["true"]).run().ok();
            let text = std::fs::read_to_string(out).unwrap();
            let mut seen: Vec<&str> = text.lines().filter(|l| !["PWD=", "SHLVL=", "_=", "OLDPWD=", "PATH="].iter().any(|p| l.starts_with(p))).collect();
            seen.sort_unstable();
            assert_eq!(seen, ["A=b c", "zero one"], "{kind}");
        }
    }

    fn a_hook_without_args_has_its_path_as_the_first(t) {
        let mut b = t.bundle();
        let out = t.dir.join("out");
        let script = t.dir.join("hook.sh");
        t.host(&format!("printf '#!/bin/sh\\necho $0 $# >{}' >{1}; chmod 755 {1}", out.display(), script.display()));
        set(&mut b, "createRuntime", &[json!({"path": script})]);
        b.args(&["true"]).run().ok();
        assert_eq!(std::fs::read_to_string(out).unwrap(), format!("{} 0\n", script.display()));
    }

    fn a_hook_is_given_the_state(t) {
        let (mut b, _log) = logged(t);
        let place = t.dir.join("log");
        for kind in KINDS {
            set(&mut b, kind, &[raw(&format!("cat >{}/{kind}", place.display()))]);
        }
        b.set("/annotations", json!({"key": "value"})).args(&["sleep", "600"]);
        let c = b.create();
        let pid = c.pid();
        c.start();
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
        for kind in KINDS {
            let state = given(&place, kind);
            assert_eq!(state["id"], b.id.as_str(), "{kind}");
            assert_eq!(state["bundle"], b.dir.to_str().unwrap(), "{kind}");
            assert_eq!(state["annotations"]["key"], "value", "{kind}");
            assert!(state["ociVersion"].as_str().is_some_and(|v| v.starts_with("1.")), "{kind}: {state}");
            if kind != "poststop" && !kind.contains("Container") {
                assert_eq!(state["pid"], pid, "{kind}");
            }
        }
    }

    fn the_status_given_to_a_hook_is_that_of_its_time(t) {
        let (mut b, _log) = logged(t);
        let place = t.dir.join("log");
        for kind in KINDS {
            set(&mut b, kind, &[raw(&format!("cat >{}/{kind}", place.display()))]);
        }
        b.args(&["true"]).run().ok();
        // runtime.md, lifecycle; of startContainer it says nothing.
        let wanted = [("prestart", "creating"), ("createRuntime", "creating"), ("createContainer", "creating"),
            ("poststart", "running"), ("poststop", "stopped")];
        for (kind, status) in wanted {
            assert_eq!(given(&place, kind)["status"], status, "{kind}");
        }
    }

    fn hooks_run_in_the_namespace_the_specification_says(t) {
        let (mut b, _log) = logged(t);
        let place = t.dir.join("log");
        for kind in KINDS {
            set(&mut b, kind, &[hook(&format!("readlink /proc/self/ns/mnt >{}/{kind}", place.display()))]);
        }
        b.args(&["sh", "-c", &format!("readlink /proc/self/ns/mnt >{}/process", place.display())]);
        b.run().ok();
        let read = |name: &str| std::fs::read_to_string(place.join(name)).unwrap();
        let host = t.host("readlink /proc/self/ns/mnt");
        for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
            assert_eq!(read(kind), host, "{kind}");
        }
        for kind in ["createContainer", "startContainer"] {
            assert_eq!(read(kind), read("process"), "{kind}");
        }
    }

    fn create_container_hooks_see_the_hosts_files_and_start_container_hooks_the_containers(t) {
        let (mut b, log) = logged(t);
        std::fs::write(b.rootfs().join("inside"), "").unwrap();
        let script = format!("test -e /inside && echo inside >>{log} || echo outside >>{log}");
        b.config.as_object_mut().unwrap().remove("hooks");
        set(&mut b, "createContainer", &[hook(&script)]);
        set(&mut b, "startContainer", &[hook(&script)]);
        b.args(&["true"]).run().ok();
        assert_eq!(lines(&log), ["outside", "inside"]);
    }

    fn a_failing_hook_before_the_start_stops_it(t) {
        for kind in ["prestart", "createRuntime", "createContainer"] {
            let mut b = t.bundle();
            set(&mut b, kind, &[hook("echo the-reason >&2; exit 7")]);
            let (c, out) = b.try_create(&[]);
            assert!(out.code != 0, "{kind}: {out}");
            c.verb("state", &[]).refused();
        }
    }

    fn a_failing_start_container_hook_keeps_the_process_from_running(t) {
        let (mut b, log) = logged(t);
        b.config.as_object_mut().unwrap().remove("hooks");
        set(&mut b, "startContainer", &[hook("exit 7")]);
        assert!(b.run().code != 0);
        assert!(lines(&log).is_empty());
    }

    fn a_failing_poststart_hook_is_an_error_and_stops_the_container(t) {
        let mut b = t.bundle();
        set(&mut b, "poststart", &[hook("exit 7")]);
        let (c, out) = b.try_create(&[]);
        // Debian's runc runs these hooks at create.
        if out.code == 0 {
            c.verb("start", &[]).refused();
        }
        cofferdam_tests::wait_until("the end", || {
            let state = c.verb("state", &[]);
            state.code != 0 || state.stdout.contains("\"stopped\"")
        });
    }

    fn a_failing_poststop_hook_keeps_nothing_from_being_deleted(t) {
        let (mut b, log) = logged(t);
        set(&mut b, "poststop", &[hook("exit 7"), hook(&format!("echo poststop2 >>{log}"))]);
        let c = b.start();
        c.wait_stopped();
        c.delete().ok();
        assert!(lines(&log).contains(&"poststop2".to_owned()), "the others run: {:?}", lines(&log));
        c.verb("state", &[]).refused();
    }

    fn a_failing_poststop_hook_is_warned_about(t) {
        let mut b = t.bundle();
        set(&mut b, "poststop", &[hook("echo words of the hook; exit 7")]);
        let c = b.args(&["true"]).start();
        c.wait_stopped();
        let out = c.delete();
        assert!(out.stderr.contains("hook"), "{out}");
    }

    fn a_hook_that_is_missing_is_an_error(t) {
        let mut b = t.bundle();
        set(&mut b, "createRuntime", &[json!({"path": "/no/such/hook"})]);
        b.args(&["true"]).run().refused();
    }

    fn a_relative_hook_path_is_refused(t) {
        let mut b = t.bundle();
        set(&mut b, "createRuntime", &[json!({"path": "bin/true"})]);
        b.args(&["true"]).run().refused();
    }

    fn a_hook_that_takes_too_long_is_killed(t) {
        too_slow(t, &["createRuntime", "startContainer"]);
    }

    fn a_hook_of_create_that_takes_too_long_is_killed(t) {
        too_slow(t, &["prestart", "createContainer"]);
    }

    fn a_late_hook_that_takes_too_long_is_killed(t) {
        too_slow(t, &["poststart", "poststop"]);
    }

    fn create_container_hooks_start_in_the_root_filesystem(t) {
        let (mut b, log) = logged(t);
        b.config.as_object_mut().unwrap().remove("hooks");
        set(&mut b, "createContainer", &[hook(&format!("test -e ./bin/busybox && touch ./made && echo there >>{log}"))]);
        b.args(&["ls", "/made"]).run().ok();
        assert_eq!(lines(&log), ["there"]);
    }

    fn start_container_hooks_without_an_environment_have_the_processs(t) {
        let (mut b, log) = logged(t);
        b.config.as_object_mut().unwrap().remove("hooks");
        b.set("/process/env", json!(["PATH=/bin", "ONE=two"]));
        let script = format!("cat >/dev/null; echo $ONE home=$HOME >>{log}");
        set(&mut b, "startContainer", &[json!({"path": "/bin/sh", "args": ["sh", "-c", script]})]);
        b.args(&["true"]).run().ok();
        assert!(lines(&log)[0].starts_with("two home=/"), "{:?}", lines(&log));
    }

    fn start_container_hooks_are_held_by_the_seccomp_filter(t) {
        let (mut b, log) = logged(t);
        b.config.as_object_mut().unwrap().remove("hooks");
        let filter = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
        });
        set(&mut b, "startContainer", &[hook(&format!("mkdir /dev/made 2>/dev/null || echo refused >>{log}"))]);
        for no_new_privs in [false, true] {
            b.set("/linux/seccomp", filter.clone()).set("/process/noNewPrivileges", no_new_privs);
            b.args(&["true"]).run().ok();
        }
        assert_eq!(lines(&log), ["refused", "refused"]);
    }
}

/// Every kind of hook, given a second, must not take longer.
fn too_slow(t: &Test, kinds: &[&str]) {
    for kind in kinds {
        let mut b = t.bundle();
        let mut slow = hook("exec sleep 9");
        slow["timeout"] = json!(1);
        set(&mut b, kind, &[slow]);
        let begin = std::time::Instant::now();
        let out = b.args(&["true"]).run();
        let took = begin.elapsed().as_secs_f32();
        assert!((1.0..7.0).contains(&took), "{kind}: {took}: {out}");
        assert!(out.code != 0 || kind.starts_with("post"), "{kind}: {out}");
    }
}
