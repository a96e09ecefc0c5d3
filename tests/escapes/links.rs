//! Links of an image that lead out, or to what the runtime writes to.

use std::fs;
use std::os::unix::fs::symlink;

use cofferdam_tests::{facts, json, mountinfo};

use crate::attack::{Host, volume};

facts! {
    /// CVE-2026-41579, CVE-2026-47766. Seen failing with `IN_ROOT` taken out of `inside::find`.
    fn a_dev_that_is_a_link_makes_nothing_on_the_host(t) {
        let host = Host::new(t);
        for mounted in [true, false] {
            let mut b = t.bundle();
            host.link(b.rootfs().join("dev"));
            if !mounted {
                b.config["mounts"].as_array_mut().unwrap().truncate(1);
            }
            let out = b.args(&["ls", "-l", "/dev/null"]).run();
            assert!(out.code != 0 || out.stdout.starts_with('c'), "{out}");
            host.untouched();
        }
    }

    /// CVE-2019-18837. Seen failing with `IN_ROOT` taken out of `inside::find`.
    fn a_mount_point_behind_a_link_is_made_inside(t) {
        let host = Host::new(t);
        let source = volume(t);
        fs::write(source.join("f"), "mounted\n").unwrap();
        for link in ["absolute", "climbing"] {
            let mut b = t.script("cat /data/deep/f; ls /data");
            host.link(b.rootfs().join("data"));
            if link == "climbing" {
                fs::remove_file(b.rootfs().join("data")).unwrap();
                symlink(format!("{}{}", "../".repeat(20), &host.dir.display().to_string()[1..]), b.rootfs().join("data")).unwrap();
            }
            b.mount("/data/deep", "none", source.to_str().unwrap(), &["bind"]);
            assert_eq!(b.run().ok(), "mounted\ndeep\n");
            host.untouched();
        }
    }

    /// Copying up follows the same links. Seen failing with `IN_ROOT` taken out of `inside::find`.
    fn what_is_copied_up_comes_from_inside(t) {
        let host = Host::new(t);
        let mut b = t.script("ls /data");
        host.link(b.rootfs().join("data"));
        b.mount("/data", "tmpfs", "tmpfs", &["tmpcopyup"]);
        assert_eq!(b.run().ok(), "");
        host.untouched();
    }

    /// The working directory is made when it is missing. Seen failing with `IN_ROOT` taken out of
    /// `inside::find`.
    fn a_working_directory_behind_a_link_is_made_inside(t) {
        let host = Host::new(t);
        let mut b = t.script("pwd; ls ..");
        host.link(b.rootfs().join("data"));
        b.set("/process/cwd", "/data/work");
        assert!(b.run().ok().ends_with("/work\nwork\n"));
        host.untouched();
    }

    /// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867. Seen failing with `symlinks: true` in
    /// plan/src/mounts.rs.
    fn proc_and_sys_are_not_mounted_through_links(t) {
        for (kind, place) in [("proc", "proc"), ("sysfs", "sys")] {
            let mut b = t.bundle();
            b.namespace("network").args(&["true"]);
            fs::remove_dir(b.rootfs().join(place)).unwrap();
            symlink("/data", b.rootfs().join(place)).unwrap();
            if kind == "sysfs" {
                b.mount("/sys", "sysfs", "sysfs", &["ro"]);
            }
            let out = b.run();
            assert!(out.refused().contains("symbolic link"), "{out}");
        }
    }

    /// CVE-2019-16884, CVE-2015-3631: a volume lands on procfs by a link. Seen failing with `not_proc` taken out of
    /// the child's mount.rs.
    fn a_volume_is_not_mounted_over_proc_by_a_link(t) {
        let source = volume(t);
        fs::create_dir_all(source.join("self/attr")).unwrap();
        for (kind, option) in [("none", "bind"), ("tmpfs", "rw")] {
            for to in ["/proc", "/proc/self", "proc/sys/net", "/data/../proc/self/attr"] {
                let mut b = t.bundle();
                b.args(&["true"]).mount("/mnt", kind, source.to_str().unwrap(), &[option]);
                fs::remove_dir(b.rootfs().join("mnt")).unwrap();
                symlink(to, b.rootfs().join("mnt")).unwrap();
                let out = b.run();
                assert!(out.refused().contains("into /proc"), "{out}");
            }
        }
    }

    /// CVE-2025-52881, CVE-2025-62596: what an image has in place of /proc/sys is not what is written to. Seen
    /// failing with `procfs::write` opening `/proc/...` by its path.
    fn kernel_parameters_are_written_to_the_kernel_and_nowhere_else(t) {
        let host = Host::new(t);
        let mut b = t.bundle();
        b.config["mounts"].as_array_mut().unwrap().remove(0);
        let directory = b.rootfs().join("proc/sys/net/ipv4");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("ip_forward"), "untouched\n").unwrap();
        symlink("/etc/passwd", directory.join("ip_default_ttl")).unwrap();
        b.namespace("network").set("/linux/sysctl", json!({"net.ipv4.ip_forward": "1", "net.ipv4.ip_default_ttl": "65"}));
        let c = b.start();
        assert_eq!(fs::read_to_string(directory.join("ip_forward")).unwrap(), "untouched\n");
        assert!(fs::read_to_string(b.rootfs().join("etc/passwd")).unwrap().starts_with("root:"));
        let real = t.host(&format!("nsenter -t {} -n cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_default_ttl", c.pid()));
        assert_eq!(real, "1\n65\n");
        host.untouched();
    }

    /// Masks and read-only paths reach only what is inside. Seen failing with `IN_ROOT` taken out of
    /// `inside::find`.
    fn paths_that_are_hidden_behind_links_are_those_inside(t) {
        let host = Host::new(t);
        let mut b = t.bundle();
        host.link(b.rootfs().join("data"));
        let inside = b.rootfs().join(&host.dir.display().to_string()[1..]);
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("secret"), "of the image\n").unwrap();
        b.set("/linux/maskedPaths", json!(["/data/secret"])).set("/linux/readonlyPaths", json!(["/data"]));
        let mounts = b.mounts();
        let at = host.dir.to_str().unwrap();
        assert!(mountinfo::at(&mounts, at).has("ro"), "{mounts:#?}");
        assert!(mounts.iter().any(|m| m.point == format!("{at}/secret")), "{mounts:#?}");
        host.untouched();
    }
}
