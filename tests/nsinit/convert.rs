//! `convert`: the bundle that a container.json becomes runs as the container did, on runc as well.

use std::fs;

use cofferdam_tests::{Output, json};

use crate::Classic;

/// What tells containers apart.
const LOOK: &str = "hostname; id; env | sort; pwd; ulimit -n; cat /proc/self/status | grep -E 'Cap(Bnd|Eff|Prm)|NoNewPrivs'; \
    while read s d t o r; do echo $d $t; done </proc/mounts | sort; ls /dev | sort; \
    (echo x >/proc/sys/kernel/hostname) 2>/dev/null || echo restricted; umask; cat /proc/kcore | head -c1";

/// Runs the bundle of the data directory.
fn run(c: &Classic<'_>, runtime: &str) -> Output {
    let (id, data) = (format!("{}-{runtime}", c.bundle.id), c.data.to_str().unwrap());
    let mut command = match runtime {
        "cofferdam" => c.t.runtime_command(&["run", "--bundle", data, &id]),
        other => {
            let mut command = c.t.command(other.as_ref());
            command.arg("--root").arg(c.t.dir.join(other)).args(["run", "--bundle", data, &id]);
            command
        }
    };
    c.t.finish(&mut command)
}

fn has_runc() -> bool {
    let has =
        std::process::Command::new("runc").arg("--version").output().is_ok_and(|out| out.status.success());
    if !has {
        eprintln!("runc is not installed: not compared with it");
    }
    has
}

cofferdam_tests::own! {
    fn the_bundle_runs_as_the_container_did(t) {
        let mut c = Classic::new(t);
        c.set("user", json!("alice")).set("restrict_sys", json!(true)).set("working_dir", json!("/tmp"));
        c.set("rlimits", json!([{"type": 7, "hard": 512, "soft": 256}]));
        c.set("mount_config", json!({"mounts": [{"type": "tmpfs", "destination": "/mnt"}],
            "device_nodes": [{"type": 99, "path": "/dev/fuse", "major_number": 10, "minor_number": 229, "file_mode": 438}]}));
        c.write();
        let before = c.sh(&[], LOOK);
        let out = c.run(&["convert", "sh", "-c", LOOK]);
        out.ok();
        assert!(out.stderr.contains("/user: the user's name"), "{out}");
        assert!(before.ok().starts_with("koye\nuid=1000(alice)"), "{before}");
        assert!(before.stdout.contains("restricted") && before.stdout.contains("/mnt tmpfs"), "{before}");
        assert_eq!(run(&c, "cofferdam").ok(), before.stdout);
        if has_runc() {
            // It adds /dev/core, and what it mounts to hide is named otherwise.
            let theirs = run(&c, "runc");
            let lines = |text: &str| -> Vec<String> {
                let known = |line: &&str| *line != "core" && !line.starts_with("/proc/");
                text.lines().filter(known).map(str::to_owned).collect()
            };
            assert_eq!(lines(theirs.ok()), lines(&before.stdout));
        }
    }

    fn nothing_is_written_over_unasked(t) {
        let c = Classic::new(t);
        c.write();
        c.run(&["convert", "--", "sh"]).ok();
        let path = c.data.join("config.json");
        let first = fs::read_to_string(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(c.run(&["convert", "sh"]).refused().contains("--force"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        c.run(&["convert", "--force", "sh"]).ok();
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        let bundle = c.data.join("bundle");
        assert!(c.run(&["convert", "--bundle", "bundle", "sh"]).refused().contains("config.json"));
        fs::create_dir(&bundle).unwrap();
        c.run(&["convert", "--bundle", "bundle", "sh"]).ok();
        let names: Vec<_> = fs::read_dir(&bundle).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["config.json"]);
    }

    fn what_has_no_counterpart_is_told(t) {
        let mut c = Classic::new(t);
        c.set("mount_config", json!({"no_pivot_root": true})).set("comment", json!("mine"));
        c.set("parent_death_signal", json!(15)).write();
        let out = c.run(&["convert"]);
        out.ok();
        for part in ["/comment", "process.args is sh", "/mount_config/no_pivot_root", "--no-pivot", "/parent_death_signal"] {
            assert!(out.stderr.contains(part), "{part}: {out}");
        }
    }

    fn a_container_of_the_first_generation_is_converted_with_its_program(t) {
        let mut c = Classic::new(t);
        c.config = json!({
            "id": "koye", "command": {"args": ["sh", "-c", "hostname; echo $container"], "environment": ["container=nsinit", "PATH=/bin"]},
            "rootfs": c.bundle.rootfs(), "namespaces": ["NEWNS", "NEWPID", "NEWUTS"], "capabilities": ["SYS_ADMIN"],
        });
        c.write();
        c.run(&["convert"]).ok();
        let path = c.data.join("config.json");
        let mut spec: cofferdam_tests::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(spec["process"]["terminal"], json!(true));
        // This test has no terminal.
        spec["process"]["terminal"] = json!(false);
        fs::write(&path, spec.to_string()).unwrap();
        assert_eq!(run(&c, "cofferdam").ok(), "koye\nnsinit\n");
    }

    fn what_is_wrong_is_refused_with_all_its_places(t) {
        let mut c = Classic::new(t);
        c.set("capabilities", json!(["FLY"])).set("rlimits", json!([{"type": 99}])).write();
        let out = c.run(&["convert"]);
        let text = out.refused();
        assert!(text.contains("/capabilities/0") && text.contains("/rlimits/0/type"), "{text}");
        assert!(!c.data.join("config.json").exists());
    }
}
