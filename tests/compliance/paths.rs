//! Kernel filesystems, cgroup mounts, masked and read-only paths.

use cofferdam_tests::{facts, json, mountinfo};

facts! {
    fn a_cgroup_mount_shows_the_containers_own_cgroup(t) {
        let mut b = t.bundle();
        b.namespace("cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]);
        b.set("/linux/resources/pids", json!({"limit": 77}));
        let file = if cofferdam_tests::cgroup::has_v1("pids") { "/sys/fs/cgroup/pids/pids.max" } else { "/sys/fs/cgroup/pids.max" };
        assert_eq!(b.args(&["cat", file]).run().ok(), "77\n");
        let mounts = b.mounts();
        let groups: Vec<_> = mounts.iter().filter(|m| m.kind.starts_with("cgroup")).collect();
        assert!(!groups.is_empty() && groups.iter().all(|m| m.has("ro") && m.has("nosuid") && m.has("nodev")), "{groups:#?}");
    }

    fn a_cgroup_mount_without_a_cgroup_namespace_shows_the_own_cgroup(t) {
        let mut b = t.bundle();
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "ro"]);
        b.set("/linux/resources/pids", json!({"limit": 78}));
        // Of version 2 the whole tree is seen, as /proc/self/cgroup tells paths in it.
        let place = if cofferdam_tests::cgroup::has_v1("pids") { "pids" } else { "$(sed -n s/^0:://p /proc/self/cgroup)" };
        assert_eq!(b.args(&["sh", "-c", &format!("cat /sys/fs/cgroup/{place}/pids.max")]).run().ok(), "78\n");
    }

    fn a_writable_cgroup_mount_can_be_written(t) {
        let mut b = t.bundle();
        b.namespace("cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "rw"]);
        let place = if cofferdam_tests::cgroup::has_v1("pids") { "/sys/fs/cgroup/pids" } else { "/sys/fs/cgroup" };
        let out = b.args(&["sh", "-c", &format!("mkdir {place}/sub && rmdir {place}/sub && echo made")]).run();
        assert_eq!(out.ok(), "made\n");
    }

    fn proc_sys_and_dev_mounts_are_what_they_say(t) {
        let mut b = t.bundle();
        b.namespace("network");
        b.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        b.mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
        b.mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]);
        let mounts = b.mounts();
        let kinds = [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"),
            ("/dev/mqueue", "mqueue"), ("/dev/shm", "tmpfs")];
        for (at, kind) in kinds {
            assert_eq!(mountinfo::at(&mounts, at).kind, kind, "{at}");
        }
        assert!(mountinfo::at(&mounts, "/sys").has("ro"));
    }

    fn a_mount_over_proc_is_refused_unless_it_is_proc(t) {
        t.bundle().args(&["true"]).mount("/proc", "tmpfs", "tmpfs", &[]).run().refused();
        let source = t.dir.to_str().unwrap();
        t.bundle().args(&["true"]).mount("/proc/self", "none", source, &["bind"]).run().refused();
    }

    fn masked_paths_cannot_be_read(t) {
        let mut b = t.script("cat /etc/secret; ls /data; echo end");
        std::fs::write(b.rootfs().join("etc/secret"), "secret\n").unwrap();
        std::fs::write(b.rootfs().join("data/secret"), "secret\n").unwrap();
        b.set("/linux/maskedPaths", json!(["/etc/secret", "/data", "/no/such/path", "/proc/interrupts"]));
        assert_eq!(b.run().ok(), "end\n");
        let mounts = b.mounts();
        assert!(mountinfo::at(&mounts, "/data").has("ro"));
        assert!(mounts.iter().any(|m| m.point == "/proc/interrupts"));
    }

    fn masked_files_cannot_be_told_from_empty_ones(t) {
        let mut b = t.script("cat /etc/secret | wc -c");
        std::fs::write(b.rootfs().join("etc/secret"), "secret\n").unwrap();
        b.set("/linux/maskedPaths", json!(["/etc/secret"]));
        assert_eq!(b.run().ok(), "0\n");
    }

    fn readonly_paths_cannot_be_written(t) {
        let mut b = t.script("for f in /data/x /proc/sys/kernel/hostname; do echo y >$f && echo written; done; echo end");
        b.set("/linux/readonlyPaths", json!(["/data", "/proc/sys", "/no/such/path"]));
        assert_eq!(b.run().ok(), "end\n");
        let mounts = b.mounts();
        assert!(mountinfo::at(&mounts, "/proc/sys").has("ro"));
        assert!(mountinfo::at(&mounts, "/data").has("ro"));
    }

    fn a_readonly_path_keeps_the_other_flags_of_its_mount(t) {
        let mut b = t.bundle();
        b.mount("/mnt", "tmpfs", "tmpfs", &["nosuid", "nodev", "noexec"]);
        let mounts = b.set("/linux/readonlyPaths", json!(["/mnt"])).mounts();
        let m = mountinfo::at(&mounts, "/mnt");
        assert!(["ro", "nosuid", "nodev", "noexec"].iter().all(|o| m.has(o)), "{m:?}");
    }

    fn a_mount_label_is_not_ignored(t) {
        let mut b = t.bundle();
        let label = "system_u:object_r:container_file_t:s0";
        let out = b.args(&["cat", "/proc/self/mountinfo"]).set("/linux/mountLabel", label).run();
        assert!(out.code != 0 || out.stdout.contains(label), "{out}");
    }
}
