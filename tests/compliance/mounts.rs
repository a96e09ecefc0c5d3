//! `mounts`: what is mounted and where, and what a hostile root filesystem can do about it.

use cofferdam_tests::{ConsoleSocket, facts, json, mountinfo};

facts! {
    fn destination_type_and_source_are_those_of_the_mount(t) {
        let mut b = t.bundle();
        let mounts = b.mount("/data", "tmpfs", "a-source", &[]).mounts();
        let m = mountinfo::at(&mounts, "/data");
        assert_eq!((m.kind.as_str(), m.source.as_str()), ("tmpfs", "a-source"));
    }

    fn mounts_are_made_in_their_order(t) {
        let mut b = t.bundle();
        b.mount("/data", "tmpfs", "first", &[]).mount("/data", "tmpfs", "second", &[]);
        b.mount("/data/in", "tmpfs", "third", &[]);
        let mounts = b.mounts();
        assert_eq!(mountinfo::at(&mounts, "/data").source, "second");
        assert_eq!(mountinfo::at(&mounts, "/data/in").source, "third");
    }

    fn an_unknown_filesystem_is_refused(t) {
        t.bundle().args(&["true"]).mount("/data", "nosuchfs", "x", &[]).run().refused();
    }

    fn bind_shows_the_source(t) {
        let mut b = t.script("cat /mnt/f; echo new >/mnt/g");
        let source = t.dir.join("source");
        std::fs::create_dir(&source).unwrap();
        std::fs::write(source.join("f"), "from the host\n").unwrap();
        for (kind, option) in [("none", "bind"), ("bind", "rbind"), ("", "bind")] {
            b.config["mounts"].as_array_mut().unwrap().truncate(3);
            b.mount("/mnt", kind, source.to_str().unwrap(), &[option]);
            assert_eq!(b.run().ok(), "from the host\n", "{kind} {option}");
        }
        assert_eq!(std::fs::read_to_string(source.join("g")).unwrap(), "new\n");
    }

    fn a_bind_without_a_type_is_by_its_option(t) {
        let mut b = t.script("cat /mnt/f");
        std::fs::create_dir(t.dir.join("source")).unwrap();
        std::fs::write(t.dir.join("source/f"), "seen\n").unwrap();
        b.push("/mounts", json!({"destination": "/mnt", "source": t.dir.join("source"), "options": ["bind"]}));
        assert_eq!(b.run().ok(), "seen\n");
    }

    fn a_relative_bind_source_is_relative_to_the_bundle(t) {
        let mut b = t.script("cat /mnt/f");
        std::fs::create_dir(b.dir.join("beside")).unwrap();
        std::fs::write(b.dir.join("beside/f"), "beside\n").unwrap();
        assert_eq!(b.mount("/mnt", "none", "beside", &["bind"]).run().ok(), "beside\n");
    }

    fn a_file_is_bound_onto_a_file_that_is_made(t) {
        let mut b = t.script("cat /etc/new/file");
        std::fs::write(t.dir.join("f"), "content\n").unwrap();
        b.mount("/etc/new/file", "none", t.dir.join("f").to_str().unwrap(), &["bind", "ro"]);
        assert_eq!(b.run().ok(), "content\n");
    }

    fn a_bind_source_that_is_missing_is_refused(t) {
        t.bundle().args(&["true"]).mount("/mnt", "none", "/no/such/source", &["bind"]).run().refused();
    }

    fn missing_mount_points_are_made(t) {
        let mut b = t.bundle();
        let mounts = b.mount("/a/b/c", "tmpfs", "tmpfs", &[]).mounts();
        mountinfo::at(&mounts, "/a/b/c");
        assert!(b.rootfs().join("a/b/c").is_dir());
    }

    fn a_bind_takes_the_flags_of_its_options(t) {
        let mut b = t.bundle();
        let source = t.dir.to_str().unwrap().to_owned();
        b.mount("/mnt", "none", &source, &["bind", "ro", "nosuid", "nodev", "noexec", "noatime"]);
        let mounts = b.mounts();
        let m = mountinfo::at(&mounts, "/mnt");
        assert!(["ro", "nosuid", "nodev", "noexec", "noatime"].iter().all(|o| m.has(o)), "{m:?}");
    }

    fn a_bind_with_any_flag_has_no_other_of_its_sources(t) {
        let source = t.dir.join("source");
        std::fs::create_dir(&source).unwrap();
        t.view();
        t.host(&format!("mount -t tmpfs -o nosuid,nodev,noexec x {}", source.display()));
        for (options, kept) in [(&["bind"][..], true), (&["bind", "ro"], false)] {
            let mounts = t.bundle().mount("/mnt", "none", source.to_str().unwrap(), options).mounts();
            let m = mountinfo::at(&mounts, "/mnt");
            assert!(["nosuid", "nodev", "noexec"].iter().all(|o| m.has(o) == kept), "{m:?}");
            assert_eq!(m.has("ro"), !kept, "{m:?}");
        }
    }

    fn in_a_user_namespace_a_bind_keeps_the_locked_flags_of_its_source(t) {
        let mut b = t.bundle();
        let source = t.dir.join("source");
        std::fs::create_dir(&source).unwrap();
        t.view();
        t.host(&format!("mount -t tmpfs -o nosuid,nodev,noexec x {}", source.display()));
        let mounts = b.user_namespace().mount("/mnt", "none", source.to_str().unwrap(), &["bind", "ro"]).mounts();
        let m = mountinfo::at(&mounts, "/mnt");
        assert!(["ro", "nosuid", "nodev", "noexec"].iter().all(|o| m.has(o)), "{m:?}");
    }

    fn rbind_brings_the_mounts_below_and_bind_does_not(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("below")).unwrap();
        t.view();
        t.host(&format!("mount -t tmpfs cofferdam-below {}/below", source.display()));
        for (option, below) in [("rbind", true), ("bind", false)] {
            let mut b = t.bundle();
            let mounts = b.mount("/mnt", "none", source.to_str().unwrap(), &[option]).mounts();
            assert_eq!(mounts.iter().any(|m| m.point == "/mnt/below"), below, "{option}");
        }
    }

    fn an_absolute_link_in_the_rootfs_stays_in_the_rootfs(t) {
        let mut b = t.bundle();
        let outside = t.dir.join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, b.rootfs().join("link")).unwrap();
        let out = b.mount("/link/below", "tmpfs", "tmpfs", &[]).args(&["cat", "/proc/self/mountinfo"]).run();
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "nothing is made outside");
        // Refusing a link that points nowhere is as good as making what it points to.
        assert!(out.code != 0 || out.stdout.contains(&format!("{}/below", outside.display())), "{out}");
    }

    fn a_link_with_dots_in_the_rootfs_stays_in_the_rootfs(t) {
        let mut b = t.bundle();
        std::os::unix::fs::symlink("../../../../../../mnt", b.rootfs().join("tmp/up")).unwrap();
        let mounts = b.mount("/tmp/up/in", "tmpfs", "tmpfs", &[]).mounts();
        mountinfo::at(&mounts, "/mnt/in");
    }

    fn a_link_as_the_destination_is_followed_in_the_rootfs(t) {
        let mut b = t.bundle();
        std::os::unix::fs::symlink("/data", b.rootfs().join("link")).unwrap();
        let mounts = b.mount("/link", "tmpfs", "tmpfs", &[]).mounts();
        mountinfo::at(&mounts, "/data");
    }

    fn a_bind_source_that_is_a_link_is_followed(t) {
        let mut b = t.script("cat /mnt/f");
        std::fs::create_dir(t.dir.join("real")).unwrap();
        std::fs::write(t.dir.join("real/f"), "real\n").unwrap();
        std::os::unix::fs::symlink("real", t.dir.join("name")).unwrap();
        assert_eq!(b.mount("/mnt", "none", t.dir.join("name").to_str().unwrap(), &["bind"]).run().ok(), "real\n");
    }

    fn mounts_of_the_host_are_gone(t) {
        t.view();
        let there = t.dir.join("there");
        std::fs::create_dir(&there).unwrap();
        t.host(&format!("mount -t tmpfs cofferdam-hosts {}", there.display()));
        let mut b = t.bundle();
        assert!(b.mounts().iter().all(|m| m.source != "cofferdam-hosts"));
    }

    fn a_tmpfs_has_the_mode_of_what_it_covers_and_1777_where_nothing_was(t) {
        let mut b = t.script("stat -c %a /covered /new");
        std::fs::create_dir(b.rootfs().join("covered")).unwrap();
        t.host(&format!("chmod 710 {}/covered", b.rootfs().display()));
        b.mount("/covered", "tmpfs", "tmpfs", &["nosuid"]).mount("/new", "tmpfs", "tmpfs", &["nosuid"]);
        assert_eq!(b.run().ok(), "710\n1777\n");
    }

    fn a_destination_may_be_the_hosts_path_of_the_place(t) {
        let mut b = t.bundle();
        let destination = b.rootfs().join("data/in").to_str().unwrap().to_owned();
        let mounts = b.mount(&destination, "tmpfs", "by-the-host", &[]).mounts();
        assert_eq!(mountinfo::at(&mounts, "/data/in").source, "by-the-host");
    }

    fn a_bind_source_in_the_root_filesystem_shows_what_was_mounted_there(t) {
        for user in [false, true] {
            let mut b = t.script("cat /mnt/inner/f");
            let source = t.dir.join("source");
            std::fs::create_dir_all(&source).unwrap();
            std::fs::write(source.join("f"), "mounted before\n").unwrap();
            if user {
                b.user_namespace();
            }
            let inside = b.rootfs().join("data").to_str().unwrap().to_owned();
            b.mount("/data/inner", "none", source.to_str().unwrap(), &["bind"]);
            b.mount("/mnt", "none", &inside, &["rbind"]);
            assert_eq!(b.run().ok(), "mounted before\n", "user namespace: {user}");
        }
    }

    fn a_read_only_dev_has_its_devices_and_its_console(t) {
        let socket = ConsoleSocket::new(&t.dir);
        let mut b = t.script("ls /dev/null /dev/console; touch /dev/x || echo refused; read x");
        b.set("/process/terminal", true).set("/mounts/1/options", json!(["nosuid", "mode=755", "ro"]));
        let c = b.create_with(&["--console-socket", socket.arg()]);
        c.start();
        let (mut pty, _name) = socket.receive();
        pty.read_until("refused");
        pty.write("end\n");
        c.wait_stopped();
    }
}
