//! What CRIU is asked, and what becomes of its answers: with one that only plays its part. These run everywhere.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cofferdam::checkpoint::{CheckpointOptions, CriuOptions, RestoreOptions};
use cofferdam::{CreateOptions, ErrorKind, Store, Streams};
use cofferdam_tests::{Bundle, json, own, wait_until};

use crate::criu::{FAKE, Trip, counting};

/// As if somebody had dumped it.
fn images(trip: &Trip<'_>) {
    fs::create_dir_all(trip.images()).unwrap();
    fs::write(trip.images().join("inventory.img"), "").unwrap();
    fs::write(trip.images().join("descriptors.json"), r#"["/dev/null","pipe:[17]","pipe:[18]"]"#).unwrap();
}

fn gone(t: &cofferdam_tests::Test, b: &Bundle<'_>) {
    assert!(!t.dir.join("state").join(&b.id).exists());
    assert!(cofferdam_tests::cgroup::all_named(&b.id).is_empty(), "cgroups of {}", b.id);
}

own! {
    fn criu_is_asked_what_the_flags_say(t) {
        let trip = Trip::fake(t, "");
        let mut b = counting(t);
        let shared = t.dir.join("shared");
        fs::create_dir(&shared).unwrap();
        fs::create_dir(b.rootfs().join("real")).unwrap();
        std::os::unix::fs::symlink("real", b.rootfs().join("led")).unwrap();
        b.mount("/data", "bind", shared.to_str().unwrap(), &["bind"]);
        b.mount("/led/there", "bind", shared.to_str().unwrap(), &["bind"]);
        b.set("/linux/maskedPaths", json!(["/proc/keys", "/proc/acpi"]));
        b.set("/annotations", json!({"org.criu.config": "/etc/box.conf"}));
        let c = trip.start(&b);
        fs::create_dir_all(t.dir.join("images")).unwrap();
        fs::create_dir(t.dir.join("first")).unwrap();
        let work = t.dir.join("work").display().to_string();
        trip.checkpoint(&b, &[
            "--work-path", &work, "--parent-path", "../first", "--leave-running", "--tcp-established",
            "--tcp-skip-in-flight", "--link-remap", "--ext-unix-sk", "--shell-job", "--file-locks", "--auto-dedup",
            "--manage-cgroups-mode", "full", "--empty-ns", "network", "--page-server", "127.0.0.1:2701",
        ]).ok();
        let heard = trip.heard();
        for word in [
            "kind: 1", "leave_running: Some(true)", "tcp_established: Some(true)", "tcp_skip_in_flight: Some(true)",
            "link_remap: Some(true)", "ext_unix_sk: Some(true)", "shell_job: Some(true)", "file_locks: Some(true)",
            "auto_dedup: Some(true)", "manage_cgroups_mode: Some(4)", "empty_ns: Some(1073741824)",
            "parent_img: Some(\"../first\")", "track_mem: Some(true)", "port: Some(2701)",
            "orphan_pts_master: Some(true)", "log_file: Some(\"dump.log\")", "config_file: Some(\"/etc/box.conf\")",
            "ExternalMount { key: \"/data\", val: \"/data\" }",
            "ExternalMount { key: \"/real/there\", val: \"/real/there\" }",
            "ExternalMount { key: \"/proc/keys\", val: \"/dev/null\" }", "freeze_cgroup: Some(\"",
        ] {
            assert!(heard.contains(word), "{word} in {heard}");
        }
        assert!(heard.contains(&format!("pid: Some({})", c.pid())), "{heard}");
        let descriptors = fs::read_to_string(trip.images().join("descriptors.json")).unwrap();
        assert_eq!(cofferdam_tests::parse(&descriptors).as_array().unwrap().len(), 3);
        assert!(Path::new(&work).is_dir());
        assert_eq!(c.status(), "running");
        c.verb("delete", &["--force"]).ok();
    }

    fn a_container_that_was_dumped_is_gone_and_one_that_runs_on_is_not(t) {
        let trip = Trip::fake(t, "");
        let b = counting(t);
        let c = trip.start(&b);
        trip.checkpoint(&b, &["--pre-dump"]).ok();
        assert_eq!(c.status(), "running");
        assert!(trip.heard().contains("kind: 4") && trip.heard().contains("mem_track: Some(true)"));
        c.verb("pause", &[]).ok();
        trip.checkpoint(&b, &["--leave-running"]).ok();
        assert_eq!(c.status(), "paused");
        trip.checkpoint(&b, &[]).ok();
        gone(t, &b);
    }

    fn what_is_no_running_container_is_refused(t) {
        let trip = Trip::fake(t, "");
        let b = counting(t);
        assert!(trip.checkpoint(&b, &[]).refused().contains("does not exist"));
        let c = b.create();
        assert!(trip.checkpoint(&b, &[]).refused().contains("created state"));
        c.start();
        assert!(trip.checkpoint(&b, &["--parent-path", "/x"]).refused().contains("--parent-path"));
        assert!(trip.checkpoint(&b, &["--parent-path", "x"]).refused().contains("--parent-path"));
        assert!(trip.checkpoint(&b, &["--empty-ns", "pid"]).refused().contains("not supported"));
        assert!(trip.checkpoint(&b, &["--page-server", "2701"]).refused().contains("ADDRESS:PORT"));
        assert!(trip.checkpoint(&b, &["--status-fd", "77"]).refused().contains("--status-fd"));
        assert!(trip.checkpoint(&b, &["--manage-cgroups-mode", "x"]).refused().contains("soft, full"));
        assert!(!trip.heard().contains("opts: Some"), "criu was asked all the same");
        c.kill("KILL").ok();
        c.wait_stopped();
        assert!(trip.checkpoint(&b, &[]).refused().contains("stopped state"));
        c.delete().ok();
    }

    fn a_criu_that_is_missing_or_no_good_is_named(t) {
        let b = counting(t);
        let c = Trip::fake(t, "").start(&b);
        let with = |criu: &str| {
            let mut command = t.runtime_command(&["--criu", criu, "checkpoint", "--image-path"]);
            t.finish(command.arg(t.dir.join("images")).arg(&b.id))
        };
        let missing = with("/nowhere/criu");
        assert!(missing.refused().contains("/nowhere/criu") && missing.stderr.contains("install"), "{missing}");
        assert!(with("/bin/true").refused().contains("may be damaged, or not be a CRIU"));
        let say = |part| Trip::fake(t, part).checkpoint(&b, &[]).refused().to_owned();
        assert!(say("old").contains("needs criu 3.15 or newer, this is 3.14"));
        assert!(say("garbage").contains("makes no sense"));
        assert!(say("ends").contains("ended before it answered"));
        let poor = |flag| Trip::fake(t, "poor").checkpoint(&b, &[flag]).refused().to_owned();
        assert!(poor("--pre-dump").contains("CONFIG_MEM_SOFT_DIRTY"));
        assert!(poor("--lazy-pages").contains("userfaultfd"));
        assert_eq!(c.status(), "running");
        c.verb("delete", &["--force"]).ok();
    }

    fn a_failure_brings_the_cause_from_the_log(t) {
        let b = counting(t);
        let c = Trip::fake(t, "").start(&b);
        let said = Trip::fake(t, "refuses").checkpoint(&b, &[]);
        let words = said.refused();
        assert!(words.contains("inet: Connected TCP socket") && !words.contains("RLIMIT_NOFILE"), "{words}");
        assert!(words.contains("images/dump.log") && words.contains("hint: the option tcp-established"), "{words}");
        for (part, cause) in [("dies", "ended before it answered"), ("another", "makes no sense")] {
            assert!(Trip::fake(t, part).checkpoint(&b, &[]).refused().contains(cause));
        }
        assert_eq!(c.status(), "running");
        c.verb("delete", &["--force"]).ok();
    }

    fn a_criu_that_says_nothing_is_ended_when_the_caller_has_no_more_patience(t) {
        // The library's fake one gets its part by a script: the environment is this process's.
        let b = counting(t);
        let c = Trip::fake(t, "").start(&b);
        let script = t.dir.join("hangs");
        fs::write(&script, format!("#!/bin/sh\nFAKE_CRIU=hangs exec {FAKE} \"$@\"\n")).unwrap();
        t.host(&format!("chmod 755 {}", script.display()));
        let container = Store::new(t.dir.join("state")).load(&b.id.parse_id()).unwrap();
        let criu = CriuOptions {
            criu: Some(script),
            patience: Some(Duration::from_millis(200)),
            ..CriuOptions::new(t.dir.join("images"))
        };
        let error = container.checkpoint(&CheckpointOptions { criu, ..Default::default() }).unwrap_err();
        assert!(error.to_string().contains("said nothing for 200 ms"), "{error}");
        assert_eq!(c.status(), "running");
        c.verb("delete", &["--force"]).ok();
    }

    fn memory_that_can_be_fetched_is_told_to_whoever_waits(t) {
        let trip = Trip::fake(t, "");
        let b = counting(t);
        let _c = trip.start(&b);
        let told = t.dir.join("told");
        let images = trip.images().display().to_string();
        let line = trip.command(&[
            "checkpoint", "--image-path", &images, "--lazy-pages", "--page-server", "127.0.0.1:1", "--status-fd", "9", &b.id,
        ]);
        let words = std::iter::once(line.get_program()).chain(line.get_args());
        let words: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
        let script = format!("exec 9>{}; exec {}", told.display(), words.join(" "));
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &script]);
        shell.envs(line.get_envs().filter_map(|(key, value)| Some((key, value?))));
        t.finish(&mut shell).ok();
        assert_eq!(fs::read(&told).unwrap(), [0]);
        gone(t, &b);
    }

    fn what_was_restored_is_a_container_as_any_other(t) {
        let trip = Trip::fake(t, "");
        images(&trip);
        let mut b = counting(t);
        let seen = t.dir.join("hook");
        let hook = |name: &str| json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("cat > {}.{name}", seen.display())]}]);
        b.set("/hooks/createRuntime", hook("create")).set("/hooks/poststop", hook("stop"));
        b.mount("/data", "bind", "/usr", &["bind", "ro"]);
        b.set("/linux/resources/pids/limit", 50);
        b.write();
        let pid_file = t.dir.join("pid").display().to_string();
        trip.restore(&b, &["--pid-file", &pid_file]).ok();
        let c = cofferdam_tests::Container::of(t, &b.id);
        assert_eq!(c.status(), "running");
        assert_eq!(fs::read_to_string(&pid_file).unwrap(), c.pid().to_string());
        let hook = cofferdam_tests::parse(&fs::read_to_string(seen.with_extension("create")).unwrap());
        assert_eq!((hook["pid"].as_i64(), hook["status"].as_str()), (Some(c.pid()), Some("creating")));
        assert!(fs::read_to_string(format!("/proc/{}/cgroup", c.pid())).unwrap().contains(&b.id));
        let heard = trip.heard();
        for word in [
            "kind: 2", "rst_sibling: Some(true)", "ExternalMount { key: \"/data\", val: \"/usr\" }",
            "InheritedFd { key: \"pipe:[17]\", fd: 1 }", "InheritedFd { key: \"pipe:[18]\", fd: 2 }",
            "log_file: Some(\"restore.log\")", "evasive_devices: Some(true)", "config_file: Some(\"/etc/criu/runc.conf\")",
        ] {
            assert!(heard.contains(word), "{word} in {heard}");
        }
        assert!(heard.contains(&format!("/{}\"", b.id)), "the cgroup roots: {heard}");
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
        assert!(seen.with_extension("stop").exists());
        gone(t, &b);
    }

    fn a_restore_that_fails_leaves_nothing(t) {
        let b = counting(t);
        b.write();
        let trip = Trip::fake(t, "");
        assert!(trip.restore(&b, &[]).refused().contains("images"));
        fs::create_dir_all(trip.images()).unwrap();
        assert!(trip.restore(&b, &[]).refused().contains("inventory.img is missing"));
        images(&trip);
        for (part, cause) in [
            ("old", "needs criu 3.15"), ("garbage", "makes no sense"), ("ends", "ended before it answered"),
            ("refuses", "restore.log"), ("dies", "ended before it answered"), ("liar", "has not told"),
            ("foreign", "it is not what criu restored"), ("halfway", "criu failed"),
        ] {
            let said = Trip::fake(t, part).restore(&b, &[]);
            assert!(said.refused().contains(cause), "{part}: {said}");
            gone(t, &b);
        }
        fs::write(trip.images().join("descriptors.json"), "{]").unwrap();
        assert!(trip.restore(&b, &[]).refused().contains("descriptors.json"));
        gone(t, &b);
    }

    fn a_hook_that_fails_ends_the_restore_and_what_was_restored(t) {
        let trip = Trip::fake(t, "");
        images(&trip);
        let mut b = counting(t);
        b.set("/hooks/prestart", json!([{"path": "/bin/false"}]));
        b.write();
        assert!(trip.restore(&b, &[]).refused().contains("prestart hook"));
        assert!(trip.heard().contains("notify_success: Some(false)"));
        gone(t, &b);
    }

    fn a_restore_that_is_killed_is_cleaned_up_by_the_next_of_that_name(t) {
        let trip = Trip::fake(t, "stuck");
        images(&trip);
        let b = counting(t);
        b.write();
        let flags = ["--detach", "--image-path", trip.images().to_str().unwrap()].map(str::to_owned);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        for by_delete in [true, false] {
            let mut child = trip.command(&b.command_line("restore", &flags))
                .stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()).spawn().unwrap();
            let members = || cofferdam_tests::cgroup::all_named(&b.id).iter()
                .filter_map(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok())
                .map(|text| text.lines().count()).max().unwrap_or(0);
            wait_until("criu and what it restores in the cgroup", || members() >= 2);
            let state = cofferdam_tests::parse(t.runtime(&["state", &b.id]).ok());
            assert_eq!(state["status"], "creating");
            child.kill().unwrap();
            child.wait().unwrap();
            if by_delete {
                t.runtime(&["delete", "--force", &b.id]).ok();
                gone(t, &b);
            } else {
                let again = Trip::fake(t, "");
                again.restore(&b, &[]).ok();
                t.runtime(&["delete", "--force", &b.id]).ok();
                gone(t, &b);
            }
        }
    }

    fn what_criu_cannot_do_is_refused_before_anything_is_made(t) {
        let trip = Trip::fake(t, "");
        images(&trip);
        let mut b = counting(t);
        b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x.sock",
            "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_NOTIFY"}]}));
        b.write();
        assert!(trip.restore(&b, &[]).refused().contains("/linux/seccomp/listenerPath"));
        assert!(trip.heard().is_empty());
    }

    fn the_library_restores_for_any_caller(t) {
        let trip = Trip::fake(t, "");
        images(&trip);
        let b = counting(t);
        b.write();
        let (store, id) = (Store::new(t.dir.join("state")), b.id.parse_id());
        let bundle = cofferdam::Bundle::open(&b.dir).unwrap();
        let images = trip.images();
        let restore = |criu: &str| {
            let criu = CriuOptions { criu: Some(criu.into()), ..CriuOptions::new(&images) };
            let options = CreateOptions { stdio: Streams::Null, ..Default::default() };
            let restore = RestoreOptions { criu, ..Default::default() };
            cofferdam::Container::restore(&store, &id, &bundle, options, &restore)
        };
        assert_eq!(restore("/nowhere/criu").unwrap_err().kind(), ErrorKind::Host);
        let (container, process) = restore(FAKE).unwrap();
        assert_eq!(container.pid(), Some(process.pid()));
        container.delete(true).unwrap();
    }

    fn help_is_there_for_engines_to_find(t) {
        // podman takes a runtime for one that can checkpoint by this.
        assert!(t.runtime(&["checkpoint", "--help"]).ok().contains("--leave-running"));
        assert!(t.runtime(&["restore", "--help"]).ok().contains("--lsm-mount-context"));
    }
}

trait Id {
    fn parse_id(&self) -> cofferdam::ContainerId;
}

impl Id for String {
    fn parse_id(&self) -> cofferdam::ContainerId {
        cofferdam::ContainerId::new(self).unwrap()
    }
}
