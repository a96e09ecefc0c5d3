//! `cgutil`: cgroups without a container.

use std::fs;
use std::process::{Child, Command};

use cofferdam_tests::{cgroup, json, parse, wait_until};

use crate::Classic;

/// Something to count; it goes with the test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep starts"))
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

cofferdam_tests::own! {
    fn cgroups_are_made_measured_stopped_and_removed(t) {
        let c = Classic::new(t);
        let (mut sleeper, id) = (Sleeper::new(), c.bundle.id.clone());
        let (parent, path) = (format!("{id}-parent"), format!("{id}-parent/{id}"));
        let document = json!({"name": id, "parent": parent, "memory": 64 << 20, "allow_all_devices": true});
        fs::write(c.data.join("cgroup.json"), document.to_string()).unwrap();
        let which = ["--name", &id, "-p", &parent];
        let run = |command: &str| c.run(&[&["cgutil", command], &which[..]].concat());
        assert!(run("ps").refused().contains(&path), "there is none yet");
        assert_eq!(c.run(&["cgutil", "create", "-p", &sleeper.pid()]).ok(), "");
        assert_eq!(run("ps").ok(), format!("{}\n", sleeper.pid()));
        let limit = cgroup::read(&path, "memory", "memory.limit_in_bytes", "memory.max");
        assert_eq!(limit.trim(), (64 << 20).to_string());
        let stats = parse(run("stats").ok());
        assert!(stats.pointer("/memory_stats/usage").is_some_and(|usage| usage.is_u64()), "{stats}");
        let stopped = || {
            let text = cgroup::read(&path, "freezer", "freezer.state", "cgroup.freeze");
            ["FROZEN", "1"].contains(&text.trim())
        };
        run("pause").ok();
        wait_until("it is stopped", stopped);
        run("resume").ok();
        assert!(!stopped());
        run("pause").ok();
        run("destroy").ok();
        assert!(!sleeper.0.wait().unwrap().success(), "killed, though it was stopped");
        assert!(run("destroy").refused().contains(&path), "there is none any more");
        // The parent is nobody's: cgutil does not know that it made it.
        for dir in cgroup::all_named(&parent) {
            fs::remove_dir(dir).unwrap();
        }
    }

    fn a_cgroup_json_that_means_nothing_is_refused_and_makes_nothing(t) {
        let c = Classic::new(t);
        let (sleeper, id) = (Sleeper::new(), c.bundle.id.clone());
        let create = |document: &str| {
            fs::write(c.data.join("cgroup.json"), document).unwrap();
            c.run(&["cgutil", "create", "--pid", &sleeper.pid()])
        };
        assert!(create("{").refused().contains("cgroup.json"));
        assert!(create(&json!({"name": id, "memory": "x"}).to_string()).refused().contains("/memory"));
        assert!(create("{}").refused().contains("/name"));
        assert!(cgroup::all_named(&id).is_empty());
    }
}
