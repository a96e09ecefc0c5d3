//! Profiles that are learned from containers: of a bundle, and like one that runs.

use cofferdam_tests::{Test, facts, parse};

use super::served::binary;

/// The profile that `learn` writes, and its exit code.
fn learn(t: &Test, flags: &[&str]) -> (cofferdam_tests::Value, i32) {
    let profile = t.dir.join("learned.json");
    let mut command = t.command(&binary());
    command.arg("learn").arg("--output").arg(&profile).args(flags);
    let out = t.finish(&mut command);
    let text = std::fs::read_to_string(&profile).unwrap_or_else(|e| panic!("{e}: {out}"));
    (parse(&text), out.code)
}

fn allows(profile: &cofferdam_tests::Value, call: &str) -> bool {
    let rules = profile["syscalls"].as_array().unwrap();
    rules.iter().flat_map(|rule| rule["names"].as_array().unwrap()).any(|name| name == call)
}

facts! {
    fn a_bundle_teaches_what_its_container_may_call(t) {
        t.need(t.runtime.name == "cofferdam", "no runtime but the agent's own takes part")?;
        let mut bundle = t.script("umask 22; exit 3");
        bundle.write();
        let (profile, code) = learn(t, &["--bundle", bundle.dir.to_str().unwrap()]);
        assert_eq!((code, allows(&profile, "umask"), allows(&profile, "mount")), (3, true, false));
        bundle.set("/linux/seccomp", profile);
        assert_eq!(bundle.run().code, 3);
    }

    fn a_running_containers_configuration_teaches_and_it_runs_on_as_it_was(t) {
        t.need(t.runtime.name == "cofferdam", "the states of other runtimes are not read")?;
        let container = t.script("if test -e /tmp/first; then rm /tmp/first; umask 22; exit 3; fi; \
            touch /tmp/first; echo ready; sleep 60").start();
        container.wait_output("ready\n");
        let root = t.dir.join("state");
        let flags = ["--container", &container.id, "--root", root.to_str().unwrap()];
        let (profile, code) = learn(t, &flags);
        assert_eq!((code, allows(&profile, "umask"), allows(&profile, "mount")), (3, true, false));
        assert_eq!(container.status(), "running");
        assert_eq!(container.exec(&[], &["ls", "/tmp"]).stdout, "first\n");
        container.kill("KILL").ok();
    }
}
