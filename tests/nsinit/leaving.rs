//! What is left: by a container that ended, by mistakes, and by an nsinit that was killed.

use std::fs;

use cofferdam_tests::{cgroup, json, wait_until};
use rustix::process::Signal;

use crate::{Classic, read_json};

cofferdam_tests::own! {
    fn signals_are_passed_on(t) {
        let c = Classic::new(t);
        c.write();
        assert_eq!(c.start(&[]).end(), 9);
        assert!(c.left().is_empty(), "{:?}", c.left());
    }

    fn a_killed_nsinit_takes_its_container_along_and_the_next_cleans_up(t) {
        let c = Classic::new(t);
        c.write();
        let mut running = c.start(&[]);
        running.signal(Signal::KILL);
        running.nsinit.wait().unwrap();
        let pid = c.state()["init_pid"].as_i64().unwrap();
        wait_until("the container's end", || !fs::exists(format!("/proc/{pid}")).unwrap());
        assert!(!cgroup::all_named(&c.bundle.id).is_empty(), "there is something to clean up");
        for command in ["state", "pause", "unpause", "oom"] {
            let out = c.run(&[command]);
            assert!(out.refused().contains("has ended"), "{out}");
        }
        assert_eq!(c.sh(&[], "exit 4").code, 4);
    }

    fn a_reused_number_is_not_mistaken(t) {
        let c = Classic::new(t);
        c.write();
        // This very process, as if it had started at another time.
        let own = std::process::id();
        fs::write(c.data.join("state.json"), json!({"init_pid": own, "init_start_time": "1"}).to_string()).unwrap();
        fs::write(c.data.join("pid"), format!("{own} 1\n")).unwrap();
        assert!(c.run(&["pause"]).refused().contains("has ended"));
        assert_eq!(c.sh(&[], "echo $$").ok(), "1\n");
        // And as it is: then a container runs there.
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let start = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap();
        fs::write(c.data.join("pid"), format!("{own} {start}\n")).unwrap();
        let out = c.run(&["exec", "true"]);
        assert!(out.refused().contains(&format!("its first process is {own}")), "{out}");
        fs::remove_file(c.data.join("pid")).unwrap();
    }

    fn the_pid_file_has_the_number_and_the_start(t) {
        let c = Classic::new(t);
        c.write();
        let running = c.start(&[]);
        let state = c.state();
        let line = fs::read_to_string(c.data.join("pid")).unwrap();
        let expected = format!("{} {}\n", state["init_pid"], state["init_start_time"].as_str().unwrap());
        assert_eq!(line, expected);
        assert_eq!(running.end(), 9);
        assert!(!c.data.join("pid").exists());
    }

    fn mistakes_are_named_and_leave_nothing(t) {
        let c = Classic::new(t);
        let wrong = [
            ("{", "container.json"),
            (r#"{"root_fs": "/no/such/root", "namespaces": {"NEWNS": true}}"#, "/no/such/root"),
            (r#"{"namespaces": {"NEWNS": true}, "capabilities": ["FLY"]}"#, "/capabilities/0"),
        ];
        for (config, told) in wrong {
            fs::write(c.data.join("container.json"), config).unwrap();
            let out = c.sh(&[], "true");
            assert!(out.refused().contains(told), "{out}");
        }
        c.write();
        for flags in [&["--user", "nobody-here"][..], &["--env", "X"], &["--frob"]] {
            let out = c.sh(flags, "true");
            assert!(out.code != 0 && out.refused().contains(flags[flags.len() - 1]), "{out}");
        }
        let out = c.run(&["exec"]);
        assert!(out.refused().contains("no program"), "{out}");
        let out = c.run(&["exec", "no-such-program"]);
        assert!(out.refused().contains("no-such-program"), "{out}");
        fs::write(c.data.join("state.json"), "{").unwrap();
        let out = c.run(&["exec", "true"]);
        assert!(out.refused().contains("state.json"), "{out}");
        fs::remove_file(c.data.join("state.json")).unwrap();
        assert!(c.left().is_empty(), "{:?}", c.left());
    }

    fn pause_holds_everything_until_unpause(t) {
        let c = Classic::new(t);
        c.write();
        let running = c.start(&[]);
        c.run(&["pause"]).ok();
        let state = cgroup::read(&c.bundle.id, "freezer", "freezer.state", "cgroup.events");
        assert!(state.contains("FROZEN") || state.contains("frozen 1"), "{state}");
        c.run(&["unpause"]).ok();
        let state = cgroup::read(&c.bundle.id, "freezer", "freezer.state", "cgroup.events");
        assert!(state.contains("THAWED") || state.contains("frozen 0"), "{state}");
        assert_eq!(running.end(), 9);
    }

    fn oom_tells_of_every_kill(t) {
        let mut c = Classic::new(t);
        let limit = 16 << 20;
        let cgroups = json!({"name": c.bundle.id, "allow_all_devices": true, "memory": limit, "memory_swap": limit});
        c.set("cgroups", cgroups).write();
        let running = c.start(&[]);
        let told = t.dir.join("told");
        let mut oom = c.command(&["oom"]);
        let mut oom = oom.stdout(fs::File::create(&told).unwrap()).spawn().unwrap();
        let kill = || {
            let out = c.run(&["exec", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
            assert_eq!(out.code, 137, "{out}");
        };
        let heard = || {
            let text = fs::read_to_string(&told).unwrap();
            assert!(text.lines().all(|line| line == "OOM notification received"), "{text}");
            text.lines().count()
        };
        // Nothing shows from outside when it begins to listen; what came before is not heard.
        wait_until("it to listen", || {
            kill();
            heard() > 0
        });
        let before = heard();
        kill();
        wait_until("one more notification", || heard() > before);
        assert_eq!(running.end(), 9);
        assert!(oom.wait().unwrap().success());
    }

    fn the_state_is_libcontainers(t) {
        let c = Classic::new(t);
        c.write();
        let running = c.start(&[]);
        let out = c.run(&["state"]);
        let state = cofferdam_tests::parse(out.ok());
        assert_eq!(state, read_json(&c.data.join("state.json")));
        let paths = state["cgroup_paths"].as_object().unwrap();
        assert!(!paths.is_empty());
        assert!(paths.values().all(|path| path.as_str().unwrap().ends_with(&c.bundle.id)), "{out}");
        assert_eq!(running.end(), 9);
        assert!(c.run(&["state"]).refused().contains("does not exist"));
    }

    fn checkpoint_and_restore_judge_their_flags_and_without_criu_the_container_goes_on(t) {
        let c = Classic::new(t);
        c.write();
        let images = t.dir.to_str().unwrap();
        assert!(c.run(&["checkpoint", "--image-path", images]).refused().contains("does not exist"));
        let running = c.start(&[]);
        let flags = ["--leave-running", "--tcp-established", "--ext-unix-sk", "--shell-job"];
        let words = [&["--criu", "/no/criu", "checkpoint", "--image-path", images], &flags[..]].concat();
        assert!(c.run(&words).refused().contains("/no/criu"));
        assert!(c.run(&["checkpoint"]).refused().contains("--image-path"));
        let words = ["checkpoint", "--image-path", images, "--page-server", "nowhere"];
        assert!(c.run(&words).refused().contains("ADDRESS:PORT"));
        assert!(c.run(&["restore", "--image-path", images]).refused().contains("runs already"));
        assert_eq!(running.end(), 9);
        assert!(c.run(&["restore", "--image-path", "/no/such"]).refused().contains("/no/such"));
        assert!(c.run(&["restore", "--image-path", images]).refused().contains("no whole checkpoint"));
        assert!(c.left().is_empty(), "{:?}", c.left());
    }
}
