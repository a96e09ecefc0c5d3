//! `linux.devices` and the devices every container has.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_tests::{Test, cgroup, facts, json};

/// A cgroup of version 1 in which no device can be made, though those that are there can be opened.
struct NoNodes(PathBuf);

impl NoNodes {
    fn new(t: &Test) -> Self {
        let name = t.dir.file_name().expect("a name").to_string_lossy().into_owned();
        let made = Self(Path::new("/sys/fs/cgroup/devices").join(name));
        fs::create_dir(&made.0).expect("cgroup");
        for rule in ["c *:* m", "b *:* m"] {
            fs::write(made.0.join("devices.deny"), rule).expect("rule");
        }
        made
    }
}

impl Drop for NoNodes {
    fn drop(&mut self) {
        cgroup::remove(&self.0);
    }
}

facts! {
    fn where_a_cgroup_lets_no_device_be_made_the_hosts_are_bound(t) {
        t.need(t.runtime.name == "cofferdam", "it is cofferdam's own word for no cgroups")?;
        t.need(cgroup::has_v1("devices"), "it takes version 1 to deny devices by writing to a file")?;
        let denied = NoNodes::new(t);
        let mut b = t.script("stat -c %t:%T /dev/null /dev/zero; echo x >/dev/null && echo written");
        b.set("/linux/cgroupsPath", json!(null)).set("/linux/resources", json!({}));
        let run = |b: &cofferdam_tests::Bundle<'_>| {
            b.write();
            let mut command = t.command(Path::new("/bin/sh"));
            command.args(["-c", "echo $$ >\"$0\"; exec \"$@\""]).arg(denied.0.join("cgroup.procs"));
            command.arg(&t.runtime.path).arg("--root").arg(t.dir.join("state"));
            t.finish(command.args(["--cgroup-manager", "disabled"]).args(b.command_line("run", &[])))
        };
        assert_eq!(run(&b).ok(), "1:3\n1:5\nwritten\n");
        fs::write(denied.0.join("devices.deny"), "c 1:3 rwm").expect("rule");
        assert!(run(&b).refused().contains("making device /dev/null: operation not permitted"));
        fs::write(denied.0.join("devices.allow"), "c 1:3 rw").expect("rule");
        // What the host does not have, or has as something else, is not shown.
        for path in ["/dev/no-such-device", "/dev/zero"] {
            b.set("/linux/devices", json!([{"path": path, "type": "c", "major": 1, "minor": 3}]));
            assert!(run(&b).refused().contains("lets nobody make or open it"), "{path}");
        }
    }

    fn the_default_devices_are_there(t) {
        let b = t.script("for d in null zero full random urandom tty; do stat -c '%n %t:%T %a' /dev/$d; done");
        assert_eq!(b.run().ok(), "/dev/null 1:3 666\n/dev/zero 1:5 666\n/dev/full 1:7 666\n/dev/random 1:8 666\n\
            /dev/urandom 1:9 666\n/dev/tty 5:0 666\n");
    }

    fn the_default_links_are_there(t) {
        let b = t.script("for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done");
        let out = b.run();
        let links: Vec<&str> = out.ok().lines().collect();
        assert_eq!(&links[..4], ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"]);
        assert!(["pts/ptmx", "/dev/pts/ptmx"].contains(&links[4]), "{links:?}");
    }

    fn a_character_device_has_its_numbers_mode_and_owner(t) {
        for kind in ["c", "u"] {
            let mut b = t.bundle();
            b.push("/linux/devices", json!({
                "path": "/dev/my/own", "type": kind, "major": 10, "minor": 229, "fileMode": 0o640, "uid": 11, "gid": 12,
            }));
            let out = b.args(&["stat", "-c", "%F %t:%T %a %u:%g", "/dev/my/own"]).run();
            assert_eq!(out.ok(), "character special file a:e5 640 11:12\n", "{kind}");
        }
    }

    fn a_block_device_has_its_numbers(t) {
        let mut b = t.bundle();
        b.push("/linux/devices", json!({"path": "/dev/disk", "type": "b", "major": 7, "minor": 3, "fileMode": 0o600}));
        let out = b.args(&["stat", "-c", "%F %t:%T %a", "/dev/disk"]).run();
        assert_eq!(out.ok(), "block special file 7:3 600\n");
    }

    fn a_fifo_is_made_without_numbers(t) {
        let mut b = t.bundle();
        b.push("/linux/devices", json!({"path": "/dev/queue", "type": "p", "fileMode": 0o622}));
        assert_eq!(b.args(&["stat", "-c", "%F %a", "/dev/queue"]).run().ok(), "fifo 622\n");
    }

    fn a_device_may_be_outside_dev(t) {
        let mut b = t.bundle();
        b.push("/linux/devices", json!({"path": "/data/null", "type": "c", "major": 1, "minor": 3}));
        assert_eq!(b.args(&["stat", "-c", "%t:%T", "/data/null"]).run().ok(), "1:3\n");
    }

    fn an_unknown_type_of_device_is_refused(t) {
        let d = json!({"path": "/dev/x", "type": "z", "major": 1, "minor": 3});
        t.bundle().args(&["true"]).push("/linux/devices", d).run().refused();
    }

    fn in_a_user_namespace_devices_are_bound_from_the_host(t) {
        let mut b = t.script("stat -c %t:%T /dev/null /dev/zero; echo x >/dev/null && echo written");
        assert_eq!(b.user_namespace().run().ok(), "1:3\n1:5\nwritten\n");
    }

    fn the_cgroup_lets_only_allowed_devices_be_opened(t) {
        let mut b = t.bundle();
        b.push("/linux/devices", json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}));
        b.push("/linux/devices", json!({"path": "/dev/loopx", "type": "b", "major": 7, "minor": 0, "fileMode": 0o666}));
        let deny = json!({"allow": false, "access": "rwm"});
        b.set("/linux/resources/devices", json!([deny]));
        assert_eq!(b.probe(&["open", "/dev/fuse", "rw"]), "errno=EPERM");
        assert_eq!(b.probe(&["open", "/dev/null", "rw"]).get(..3), Some("ok="));
        let allow = json!({"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"});
        b.set("/linux/resources/devices", json!([deny, allow]));
        assert_eq!(b.probe(&["open", "/dev/fuse", "r"]).get(..3), Some("ok="), "its access is r");
        assert_eq!(b.probe(&["open", "/dev/fuse", "w"]), "errno=EPERM", "and not w");
        let major = json!({"allow": true, "type": "c", "major": 10, "minor": 1, "access": "rwm"});
        b.set("/linux/resources/devices", json!([deny, major]));
        assert_eq!(b.probe(&["open", "/dev/fuse", "r"]), "errno=EPERM", "another minor number");
        let blocks = json!({"allow": true, "type": "b", "access": "rwm"});
        b.set("/linux/resources/devices", json!([deny, blocks]));
        assert_eq!(b.probe(&["open", "/dev/fuse", "r"]), "errno=EPERM", "another type");
        assert_ne!(b.probe(&["open", "/dev/loopx", "r"]), "errno=EPERM", "the type that is allowed");
    }

    fn a_later_device_rule_denies_what_an_earlier_one_allowed(t) {
        let mut b = t.bundle();
        b.push("/linux/devices", json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}));
        let rule = |allow: bool| json!({"allow": allow, "type": "c", "major": 10, "minor": 229, "access": "rwm"});
        b.set("/linux/resources/devices", json!([{"allow": false, "access": "rwm"}, rule(true), rule(false)]));
        assert_eq!(b.probe(&["open", "/dev/fuse", "r"]), "errno=EPERM");
    }
}
