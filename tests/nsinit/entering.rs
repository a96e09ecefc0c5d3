//! `exec` enters a container that runs: programs, functions, and the names of old.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use cofferdam_tests::{json, wait_until};

use crate::Classic;

cofferdam_tests::own! {
    fn exec_enters_what_runs(t) {
        let mut c = Classic::new(t);
        c.write();
        let running = c.start(&[]);
        c.set("hostname", json!("ignored: the container has a name")).write();
        let out = c.run(&["exec", "--env", "B=2", "sh", "-c", "hostname; echo $$ $B; exit 6"]);
        assert_eq!(out.code, 6, "{out}");
        let mut lines = out.stdout.lines();
        assert_eq!(lines.next(), Some("koye"));
        assert!(lines.next().is_some_and(|line| line.ends_with(" 2") && line != "1 2"), "{out}");
        let cgroups = c.run(&["exec", "cat", "/proc/self/cgroup"]);
        assert!(cgroups.ok().contains(&c.bundle.id), "{cgroups}");
        let code = c.run(&["exec", "sh", "-c", "kill -9 $$"]).code;
        assert_eq!(code, 137);
        assert_eq!(running.end(), 9);
        assert!(c.left().is_empty(), "{:?}", c.left());
    }

    fn functions_are_listed(t) {
        let c = Classic::new(t);
        let out = c.run(&["exec", "--list"]);
        let names: Vec<_> = out.ok().lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["NAME", "exec", "ip", "mknod"]);
        assert!(c.run(&["exec", "--func", "frob"]).refused().contains("frob"));
    }

    fn mknod_and_ip_work_without_a_program_inside(t) {
        let mut c = Classic::new(t);
        let all = json!({"NEWNS": true, "NEWPID": true, "NEWNET": true, "NEWUTS": true});
        c.set("namespaces", all).write();
        let running = c.start(&[]);
        fs::remove_file(c.bundle.rootfs().join("bin/mknod")).unwrap();
        fs::remove_file(c.bundle.rootfs().join("bin/ip")).unwrap();
        c.run(&["exec", "--func", "mknod", "/data/zero", "c", "1", "5"]).ok();
        let node = fs::metadata(c.bundle.rootfs().join("data/zero")).unwrap();
        assert!(node.file_type().is_char_device() && node.rdev() == 0x105 && node.mode() & 0o777 == 0o666);
        let out = c.run(&["exec", "--func", "ip"]);
        let lines: Vec<Vec<_>> = out.ok().lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["NAME", "MTU", "MAC", "FLAG", "ADDRS"]);
        assert_eq!((lines.len(), lines[1][0], lines[1][1], lines[1][2]), (2, "lo", "65536", "up|loopback"));
        assert!(lines[1][3].starts_with("127.0.0.1/8"), "{out}");
        for wrong in [&["/x"][..], &["/x", "z", "1", "5"], &["/x", "c", "one", "5"]] {
            let out = c.run(&[&["exec", "--func", "mknod"], wrong].concat());
            assert!(out.refused().contains("mknod"), "{out}");
        }
        assert!(c.run(&["exec", "--func", "ip", "x"]).refused().contains("no arguments"));
        drop(running);
        let pid = c.state()["init_pid"].to_string();
        wait_until("the container's end", || !fs::exists(format!("/proc/{pid}")).unwrap());
        let out = c.run(&["exec", "--func", "ip"]);
        assert!(out.refused().contains("does not exist"), "{out}");
        c.run(&["exec", "true"]).ok();
    }

    fn a_process_is_entered_by_its_number_and_by_the_names_of_old(t) {
        let mut c = Classic::new(t);
        c.set("namespaces", json!({"NEWNS": true, "NEWNET": true, "NEWUTS": true})).write();
        let running = c.start(&[]);
        let pid = c.state()["init_pid"].to_string();
        let words = ["--nspid", &pid, "exec", "/bin/hostname"];
        let mut elsewhere = c.command(&words);
        assert_eq!(t.finish(elsewhere.current_dir("/")).ok(), "koye\n");
        let out = t.finish(&mut c.named("nsenter-ip", &["--nspid", &pid]));
        assert_eq!(out.ok().lines().count(), 2, "{out}");
        let words = ["--nspid", &pid, "--", "/data/null", "c", "1", "3"];
        t.finish(&mut c.named("nsenter-mknod", &words)).ok();
        assert!(c.bundle.rootfs().join("data/null").exists());
        let out = c.run(&["--nspid", "1", "exec", "true"]);
        assert!(out.refused().contains("process 1"), "{out}");
        assert_eq!(running.end(), 9);
    }

    fn of_several_at_once_one_starts_and_the_others_enter(t) {
        let c = Classic::new(t);
        c.write();
        let script = "readlink /proc/self/ns/pid; sleep 1";
        let files: Vec<_> = (0..6).map(|n| t.dir.join(format!("crowd-{n}"))).collect();
        let mut crowd: Vec<_> = files
            .iter()
            .map(|file| {
                let mut command = c.command(&["exec", "sh", "-c", script]);
                command.stdout(fs::File::create(file).unwrap()).spawn().unwrap()
            })
            .collect();
        let codes: Vec<_> = crowd.iter_mut().map(|child| child.wait().unwrap().code()).collect();
        let spaces: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        // Who entered is killed with the container, if that ends first.
        assert!(codes.iter().all(|code| matches!(code, Some(0 | 137))), "{codes:?}");
        assert!(spaces.iter().all(|space| *space == spaces[0] && !space.is_empty()), "{spaces:?}");
        assert!(c.left().is_empty(), "{:?}", c.left());
    }
}
