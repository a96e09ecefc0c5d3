//! The logs that engines read: where `--log` may lead, what a line looks like, which words are in it.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use cofferdam_tests::{Test, Value, facts, json, own};

/// What the runtime says to a socket of the system's when it fails. `prepare` makes an empty file for it in a view of the
/// test's own.
fn said_to(t: &Test, prepare: &str, place: &str, target: &str) -> String {
    let own = t.dir.join("log.socket");
    let socket = UnixDatagram::bind(&own).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    t.view();
    t.host(&format!("{prepare}; mount --bind {} {place}", own.display()));
    let out = t.runtime(&["--log", target, "state", "no-such-container"]);
    assert!(out.refused().contains("no-such-container"), "{out}");
    let mut bytes = [0; 4096];
    let n = socket.recv(&mut bytes).expect("a message");
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

const RUN: &str = "mount -t tmpfs x /run; mkdir -p /run/systemd/journal; touch /run/systemd/journal/socket";
const DEV: &str = "mount -t tmpfs x /mnt; touch /mnt/null /mnt/log; mount --bind /dev/null /mnt/null; \
    mount --rbind /mnt /dev";

facts! {
    fn the_words_that_engines_look_for_are_in_the_last_error(t) {
        t.need(t.runtime.name != "crun", "its words are others; containerd and CRI-O know some of them")?;
        let log = t.dir.join("log.json");
        let said = |args: &[&str]| {
            let _ = std::fs::remove_file(&log);
            let fixed = ["--log", log.to_str().expect("ASCII"), "--log-format", "json"];
            let out = t.runtime(&[&fixed, args].concat());
            out.refused();
            let text = std::fs::read_to_string(&log).expect("a log");
            let last: Value = text.lines().last().expect("a line").parse().expect("JSON");
            assert_eq!(last["level"], "error");
            assert!(last["time"].as_str().is_some_and(|time| time.starts_with("20")), "{last}");
            let message = last["msg"].as_str().expect("a message").to_owned();
            assert!(out.stderr.contains(message.lines().next().expect("a line")), "{out}");
            message
        };
        assert!(said(&["state", "nothing"]).contains("does not exist"));
        assert!(said(&["delete", "nothing"]).contains("does not exist"));
        let mut b = t.bundle();
        let dir = b.dir.display().to_string();
        b.args(&["no-such-program"]).write();
        assert!(said(&["run", "--bundle", &dir, &b.id]).contains("executable file not found in $PATH"));
        b.args(&["/no/such/program"]).write();
        assert!(said(&["run", "--bundle", &dir, &b.id]).to_lowercase().contains("no such file or directory"));
        b.args(&["/etc/passwd"]).write();
        assert!(said(&["run", "--bundle", &dir, &b.id]).to_lowercase().contains("permission denied"));
        b.args(&["true"]);
        let c = b.start();
        cofferdam_tests::wait_until("the end", || c.status() == "stopped");
        let late = said(&["kill", &c.id]);
        assert!(late.contains("not running") || late.to_lowercase().contains("no such process"), "{late}");
    }

    fn a_log_may_be_named_as_a_file(t) {
        t.need(t.runtime.name != "runc", "the words are crun's")?;
        let log = t.dir.join("log");
        t.runtime(&["--log", &format!("file:{}", log.display()), "state", "no-such-container"]).refused();
        assert!(std::fs::read_to_string(&log).expect("a log").contains("no-such-container"));
    }

    fn a_log_may_be_the_systems(t) {
        t.need(t.runtime.name != "runc", "the words are crun's")?;
        let said = said_to(t, DEV, "/dev/log", "syslog:engine");
        assert!(said.starts_with("<11>") && said.contains("engine: ") && said.contains("no-such-container"), "{said}");
    }

    fn a_log_may_be_the_journal(t) {
        t.need(t.runtime.name != "runc", "the words are crun's")?;
        let said = said_to(t, RUN, "/run/systemd/journal/socket", "journald:engine");
        assert!(said.contains("MESSAGE") && said.contains("no-such-container"), "{said}");
    }
}

own! {
    fn the_level_decides_what_is_logged(t) {
        let lines = |level: &str| {
            let mut b = t.bundle();
            b.args(&["true"]).set("/hooks/poststop", json!([{"path": "/bin/false"}])).write();
            let log = t.dir.join(format!("{level}.log"));
            let log = log.to_str().expect("ASCII");
            let dir = b.dir.display().to_string();
            t.runtime(&["--log", log, "--log-level", level, "run", "--bundle", &dir, &b.id]).ok();
            std::fs::read_to_string(log).expect("a log").matches("level=warning").count()
        };
        assert_eq!((lines("warning"), lines("error")), (1, 0));
        assert!(t.runtime(&["--log-level", "loud", "list"]).refused().contains("invalid log-level: loud"));
    }
}
