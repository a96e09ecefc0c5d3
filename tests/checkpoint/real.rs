//! Whole containers through a real CRIU, where there is one that this kernel lets work; also with runc.

use std::fs;

use cofferdam_tests::{Container, facts, json, own, wait_until};

use crate::criu::{Trip, count, counting, counting_with, goes_on};

facts! {
    fn a_container_counts_on_where_it_was(t) {
        let trip = Trip::real(t)?;
        let mut b = counting(t);
        b.set("/linux/maskedPaths", json!(["/proc/kcore", "/proc/keys", "/proc/acpi", "/sys/firmware"]));
        b.set("/linux/readonlyPaths", json!(["/proc/sys", "/proc/bus"]));
        b.set("/linux/resources/pids/limit", 100);
        trip.there_and_back(&b, &[])?;
    }

    fn it_goes_as_often_as_one_likes(t) {
        let trip = Trip::real(t)?;
        let b = counting(t);
        let c = trip.start(&b);
        for _ in 0..3 {
            goes_on(&b);
            trip.checkpoint(&b, &[]).ok();
            trip.restore(&b, &[]).ok();
        }
        let before = goes_on(&b);
        assert!(before > 0);
        c.verb("delete", &["--force"]).ok();
    }

    fn what_exec_started_goes_along(t) {
        let trip = Trip::real(t)?;
        let b = counting(t);
        let c = trip.start(&b);
        let said = c.exec(&[], &["sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"]);
        let pid = said.ok().trim().to_owned();
        trip.checkpoint(&b, &[]).ok();
        trip.restore(&b, &[]).ok();
        c.exec(&[], &["sh", "-c", &format!("grep -q sleep /proc/{pid}/cmdline")]).ok();
        c.verb("delete", &["--force"]).ok();
    }

    fn one_that_is_to_run_on_runs_on_also_when_it_was_paused(t) {
        let trip = Trip::real(t)?;
        let b = counting(t);
        let c = trip.start(&b);
        trip.checkpoint(&b, &["--leave-running"]).ok();
        assert_eq!(c.status(), "running");
        goes_on(&b);
        c.verb("pause", &[]).ok();
        trip.checkpoint(&b, &["--leave-running"]).ok();
        assert_eq!(c.status(), "paused");
        c.verb("resume", &[]).ok();
        goes_on(&b);
        c.verb("delete", &["--force"]).ok();
    }

    fn bind_mounts_are_found_again_also_behind_links_and_in_each_other(t) {
        let trip = Trip::real(t)?;
        let mut b = counting(t);
        for dir in ["one", "two"] {
            fs::create_dir(t.dir.join(dir)).unwrap();
        }
        fs::create_dir(b.rootfs().join("real")).unwrap();
        std::os::unix::fs::symlink("/real/conf", b.rootfs().join("conf")).unwrap();
        fs::create_dir(b.rootfs().join("real/conf")).unwrap();
        let source = |dir: &str| t.dir.join(dir).display().to_string();
        b.mount("/test", "bind", &source("one"), &["bind", "rw"]);
        b.mount("/test/for/nested", "bind", &source("two"), &["bind", "rw"]);
        b.mount("/conf", "bind", &source("two"), &["bind", "ro"]);
        let c = trip.start(&b);
        goes_on(&b);
        trip.checkpoint(&b, &[]).ok();
        // As on another host: mount points are made anew.
        fs::remove_dir_all(t.dir.join("one/for")).unwrap();
        trip.restore(&b, &[]).ok();
        fs::write(t.dir.join("two/seen"), "yes").unwrap();
        assert_eq!(c.exec(&[], &["cat", "/test/for/nested/seen", "/conf/seen"]).ok(), "yesyes");
        c.verb("delete", &["--force"]).ok();
    }

    fn memory_is_dumped_in_steps(t) {
        let trip = Trip::real(t)?;
        trip.need_feature("mem_dirty_track")?;
        let b = counting(t);
        let c = trip.start(&b);
        let at = |n: u32| t.dir.join(format!("step{n}")).display().to_string();
        let step = |n: u32, flags: &[&str]| {
            let at = at(n);
            trip.run(&[&["checkpoint", "--image-path", at.as_str()], flags, &[b.id.as_str()]].concat())
        };
        step(1, &["--pre-dump"]).ok();
        step(2, &["--pre-dump", "--parent-path", "../step1"]).ok();
        assert_eq!(c.status(), "running");
        step(3, &["--parent-path", "../step2"]).ok();
        assert!(t.dir.join("step3/parent").exists());
        let before = count(&b);
        let at = at(3);
        trip.run(&b.command_line("restore", &["--detach", "--image-path", &at])).ok();
        wait_until("it to count", || count(&b) > before);
        c.verb("delete", &["--force"]).ok();
    }

    fn a_network_namespace_with_a_path_is_joined_again(t) {
        let trip = Trip::real(t)?;
        let mut b = counting(t);
        let mut holder = std::process::Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().unwrap();
        wait_until("a namespace", || {
            fs::read_link(format!("/proc/{}/ns/net", holder.id())).ok() != fs::read_link("/proc/self/ns/net").ok()
        });
        b.join("network", &format!("/proc/{}/ns/net", holder.id()));
        let c = trip.start(&b);
        let of = |pid: i64| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let before = of(c.pid());
        trip.checkpoint(&b, &[]).ok();
        trip.restore(&b, &[]).ok();
        assert_eq!(of(c.pid()), before);
        c.verb("delete", &["--force"]).ok();
        holder.kill().unwrap();
        holder.wait().unwrap();
    }

    fn it_is_restored_into_another_cgroup(t) {
        let trip = Trip::real(t)?;
        let mut b = counting(t);
        let c = trip.start(&b);
        trip.checkpoint(&b, &["--manage-cgroups-mode", "ignore"]).ok();
        b.set("/linux/cgroupsPath", format!("/{}-other", b.id));
        b.write();
        trip.restore(&b, &["--manage-cgroups-mode", "ignore"]).ok();
        let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", c.pid())).unwrap();
        assert!(cgroups.contains(&format!("/{}-other\n", b.id)), "{cgroups}");
        c.verb("delete", &["--force"]).ok();
    }
}

own! {
    fn limits_filters_and_rights_are_what_they_were(t) {
        let trip = Trip::real(t)?;
        let mut b = counting_with(t, "");
        b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
            [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}));
        b.set("/process/noNewPrivileges", true);
        b.set("/process/capabilities", json!({"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}));
        b.set("/linux/resources/pids/limit", 77);
        let c = trip.start(&b);
        let rights = |c: &Container<'_>| -> Vec<String> {
            let text = fs::read_to_string(format!("/proc/{}/status", c.pid())).unwrap();
            let named = |l: &&str| ["Cap", "Seccomp:", "NoNewPrivs"].iter().any(|n| l.starts_with(n));
            text.lines().filter(named).map(str::to_owned).collect()
        };
        let before = rights(&c);
        trip.checkpoint(&b, &[]).ok();
        trip.restore(&b, &[]).ok();
        assert_eq!(rights(&c), before);
        let limits: Vec<String> = cofferdam_tests::cgroup::all_named(&b.id).iter()
            .filter_map(|dir| fs::read_to_string(dir.join("pids.max")).ok()).collect();
        assert!(limits.iter().any(|l| l.trim() == "77"), "{limits:?}");
        c.verb("delete", &["--force"]).ok();
    }

    fn a_failure_says_why_and_leaves_the_container_as_it_was(t) {
        let trip = Trip::real(t)?;
        // A file that has no name any more, which CRIU only dumps when it may give it one for the time being.
        let b = counting_with(t, "echo x > /y; ln /y /z; exec 5<>/y; rm /y");
        let c = trip.start(&b);
        goes_on(&b);
        let said = trip.checkpoint(&b, &[]);
        assert!(said.refused().contains("dump.log") && said.stderr.contains("the option link-remap"), "{said}");
        assert_eq!(c.status(), "running");
        goes_on(&b);
        trip.checkpoint(&b, &["--link-remap"]).ok();
        trip.restore(&b, &[]).ok();
        goes_on(&b);
        c.verb("delete", &["--force"]).ok();
    }

    fn damaged_images_are_an_error_and_leave_nothing(t) {
        let trip = Trip::real(t)?;
        let b = counting(t);
        let c = trip.start(&b);
        trip.checkpoint(&b, &[]).ok();
        for (file, content) in [("pstree.img", Some("rubbish")), ("inventory.img", Some("")), ("files.img", None)] {
            let path = trip.images().join(file);
            let whole = fs::read(&path).unwrap();
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let said = trip.restore(&b, &[]);
            assert!(said.refused().contains("restore.log"), "{file}: {said}");
            assert!(c.verb("state", &[]).refused().contains("does not exist"));
            assert!(cofferdam_tests::cgroup::all_named(&b.id).is_empty());
            fs::write(&path, whole).unwrap();
        }
        trip.restore(&b, &[]).ok();
        c.verb("delete", &["--force"]).ok();
    }

    fn a_dump_that_is_killed_lets_the_container_go_on(t) {
        let trip = Trip::real(t)?;
        let b = counting(t);
        let c = trip.start(&b);
        goes_on(&b);
        let images = trip.images().display().to_string();
        for criu in [true, false] {
            let mut child = trip.command(&["checkpoint", "--image-path", &images, &b.id])
                .stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()).spawn().unwrap();
            wait_until("the dump to begin", || trip.images().join("dump.log").exists());
            if criu {
                let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
                for pid in children.split_whitespace() {
                    t.host(&format!("kill -KILL {pid} || true"));
                }
            } else {
                child.kill().unwrap();
            }
            let status = child.wait().unwrap();
            if status.success() {
                // It was faster.
                trip.restore(&b, &[]).ok();
            }
            wait_until("the container to run", || c.status() == "running");
            goes_on(&b);
            let _ = fs::remove_dir_all(&images);
        }
        c.verb("delete", &["--force"]).ok();
    }

    fn images_go_between_runc_and_cofferdam(t) {
        let trip = Trip::real(t)?;
        let runc = std::path::Path::new("/usr/sbin/runc");
        t.need(runc.exists(), "there is no runc")?;
        let state = t.dir.join("runc-state");
        let path = format!("{}:{}", trip.criu.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let images = trip.images().display().to_string();
        let other = |words: &[&str]| {
            let mut command = t.command(runc);
            command.arg("--root").arg(&state).args(words).env("PATH", &path);
            // Streams that both know: pipes.
            let (_, writer) = std::io::pipe().unwrap();
            command.stdin(std::process::Stdio::from(std::io::pipe().unwrap().0));
            let out = writer.try_clone().unwrap();
            command.stdout(out).stderr(writer);
            let code = command.status().unwrap();
            assert!(code.success(), "runc {words:?}");
        };
        let mut b = counting(t);
        b.set("/linux/maskedPaths", json!(["/proc/keys", "/proc/acpi"]));
        b.mount("/data", "bind", "/usr", &["bind", "ro"]);
        b.write();
        let ours = |words: Vec<&str>| {
            let mut command = trip.command(&words);
            let (_, writer) = std::io::pipe().unwrap();
            command.stdin(std::process::Stdio::from(std::io::pipe().unwrap().0));
            command.stdout(writer.try_clone().unwrap()).stderr(writer);
            assert!(command.status().unwrap().success(), "cofferdam {words:?}");
        };
        ours(b.command_line("run", &["--detach"]));
        goes_on(&b);
        trip.checkpoint(&b, &[]).ok();
        let before = count(&b);
        other(&["restore", "--detach", "--image-path", &images, "--bundle", b.dir.to_str().unwrap(), &b.id]);
        wait_until("it to count under runc", || count(&b) > before);
        fs::remove_dir_all(&images).unwrap();
        other(&["checkpoint", "--image-path", &images, &b.id]);
        let before = count(&b);
        ours(b.command_line("restore", &["--detach", "--image-path", &images]));
        wait_until("it to count under cofferdam", || count(&b) > before);
        Container::of(t, &b.id).verb("delete", &["--force"]).ok();
    }
}
