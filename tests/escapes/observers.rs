//! A hostile process inside that watches others come in: it must not get hold of what they hold, nor of the runtime.

use std::fs;

use cofferdam_tests::{Bundle, Container, Test, Value, facts, json, wait_until};

use crate::attack::{attacker, long_path};

/// A container whose first process is the attacker, for some time.
fn hostile<'t>(t: &'t Test, what: &str, more: &[&str]) -> (Bundle<'t>, Container<'t>) {
    let mut b = t.bundle();
    attacker(&b.rootfs(), t);
    rights(&mut b, more);
    b.args(&["attacker", what, "1500"]);
    let c = b.start();
    c.wait_output("ready");
    (b, c)
}

fn rights(b: &mut Bundle<'_>, more: &[&str]) {
    for set in ["bounding", "permitted", "effective"] {
        let list = b.config["process"]["capabilities"][set].as_array_mut().unwrap();
        list.extend(more.iter().map(|c| json!(c)));
    }
}

/// Executes programs in the container as long as the attacker is at work, and gives what it has found.
fn until_the_end(c: &Container<'_>, program: &str) -> String {
    let path = format!("PATH={}", long_path());
    wait_until("the attacker's time to be over", || {
        let _ = c.exec(&["-e", &path], &[program]);
        c.stdout().contains("end")
    });
    c.stdout()
}

facts! {
    /// CVE-2016-9962: with the rights of the process that is executed. Seen failing with the two `Dumpable` steps
    /// taken out of lower/exec.rs and lower/mod.rs.
    fn a_process_that_comes_in_cannot_be_traced(t) {
        let (_b, c) = hostile(t, "look", &[]);
        let seen = until_the_end(&c, "true");
        assert!(seen.contains("seen"), "the attacker was too slow: {seen}");
        assert!(!seen.contains("traced") && !seen.contains("dir "), "{seen}");
    }

    /// CVE-2016-9962: who may trace everything finds no directory of the host's. Seen failing with /proc opened in
    /// lower/exec.rs for all that comes after, whether or not there are labels.
    fn a_process_that_comes_in_holds_no_directory(t) {
        let (_b, c) = hostile(t, "look", &["CAP_SYS_PTRACE"]);
        let seen = until_the_end(&c, "true");
        assert!(seen.contains("seen"), "the attacker was too slow: {seen}");
        let outside = seen.lines().filter(|l| l.starts_with("dir ") && !l.ends_with(" /"));
        assert_eq!(outside.count(), 0, "{seen}");
    }

    /// The same of a container's first process while it waits for `start`: it held the host's /proc, by which an
    /// exec'd process could write kernel parameters. Seen failing with `Forget` taken out of `process::forget`, and
    /// with the `Dumpable` step taken out of lower/mod.rs.
    fn a_process_that_waits_for_start_is_out_of_reach(t) {
        for (more, traced) in [(&[][..], false), (&["CAP_SYS_PTRACE"][..], true)] {
            let mut b = t.bundle();
            attacker(&b.rootfs(), t);
            rights(&mut b, more);
            let c = b.create();
            let out = c.exec(&[], &["attacker", "look", "100"]);
            assert!(out.ok().contains("seen"), "{out}");
            assert_eq!(out.stdout.contains("traced"), traced, "{out}");
            assert!(!out.stdout.contains("dir "), "{out}");
            let numbers = fs::read_dir(format!("/proc/{}/fd", c.pid())).unwrap();
            let held: Vec<_> = numbers.filter_map(|e| fs::read_link(e.unwrap().path()).ok()).collect();
            assert!(held.iter().all(|p| !p.is_dir()), "{held:?}");
        }
    }

    /// Descriptors of what waits for `start`: the streams, and sockets that nobody inside can use. Seen failing with
    /// the program's memory file kept.
    fn a_process_that_waits_for_start_holds_sockets_alone(t) {
        t.need(t.runtime.name == "cofferdam", "others hold their own program and a fifo")?;
        let b = t.bundle();
        let c = b.create();
        let entries = fs::read_dir(format!("/proc/{}/fd", c.pid())).unwrap().flatten();
        let more = entries.filter(|e| e.file_name().to_str().is_some_and(|n| !["0", "1", "2"].contains(&n)));
        let held: Vec<_> = more.filter_map(|e| fs::read_link(e.path()).ok()).collect();
        assert!(!held.is_empty() && held.iter().all(|p| p.to_string_lossy().starts_with("socket:")), "{held:?}");
    }

    /// CVE-2019-5736: /proc/PID/exe of what comes in is no file of the host's and cannot be changed. Seen failing
    /// with `memfd_create::seal` taken out of image.rs for the executable file.
    fn the_runtime_cannot_be_overwritten_from_inside(t) {
        let binary = || fs::metadata(&t.runtime.path).map(|m| (m.len(), m.modified().unwrap())).unwrap();
        let before = binary();
        let (b, c) = hostile(t, "overwrite", &["CAP_SYS_PTRACE"]);
        std::os::unix::fs::symlink("/proc/self/exe", b.rootfs().join("bin/again")).unwrap();
        let seen = until_the_end(&c, "again");
        let exe: Vec<&str> = seen.lines().filter_map(|l| l.strip_prefix("exe ")).collect();
        assert!(!exe.is_empty() && exe.iter().all(|e| e.starts_with("/memfd:")), "{seen}");
        assert!(!seen.contains("wrote"), "{seen}");
        assert_eq!(binary(), before);
        let version: Value = t.runtime(&["features"]).ok().parse().unwrap();
        assert!(version["ociVersionMin"].is_string());
    }
}
