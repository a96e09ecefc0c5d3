//! `mounts[].options` and the id maps of a mount: what each does.

use cofferdam_tests::{Bundle, facts, json, mountinfo, own};

/// Mounts one tmpfs per option, and checks the options of the mount.
fn options_of_tmpfs(b: &mut Bundle<'_>, cases: &[(&[&str], &str, bool)]) {
    for (i, (options, _, _)) in cases.iter().enumerate() {
        b.mount(&format!("/mnt/{i}"), "tmpfs", "tmpfs", options);
    }
    let mounts = b.mounts();
    for (i, (options, word, there)) in cases.iter().enumerate() {
        let m = mountinfo::at(&mounts, &format!("/mnt/{i}"));
        assert_eq!(m.has(word), *there, "{options:?}: {m:?}");
    }
}

facts! {
    fn data_options_reach_the_filesystem(t) {
        let mut b = t.bundle();
        let mounts = b.mount("/data", "tmpfs", "tmpfs", &["size=64k", "mode=711", "nr_inodes=77"]).mounts();
        let m = mountinfo::at(&mounts, "/data");
        assert!(["size=64k", "mode=711", "nr_inodes=77"].iter().all(|o| m.superblock.iter().any(|s| s == o)), "{m:?}");
    }

    fn an_unknown_data_option_is_refused(t) {
        t.bundle().args(&["true"]).mount("/data", "tmpfs", "tmpfs", &["nosuchoption=1"]).run().refused();
    }

    fn options_set_and_clear_the_flags_of_a_mount(t) {
        options_of_tmpfs(&mut t.bundle(), &[
            (&["ro"], "ro", true), (&["rw"], "rw", true), (&["ro", "rw"], "rw", true),
            (&["nosuid"], "nosuid", true), (&["nosuid", "suid"], "nosuid", false),
            (&["nodev"], "nodev", true), (&["nodev", "dev"], "nodev", false),
            (&["noexec"], "noexec", true), (&["noexec", "exec"], "noexec", false),
        ]);
    }

    fn defaults_is_an_option_not_data(t) {
        options_of_tmpfs(&mut t.bundle(), &[(&["defaults"], "rw", true), (&["defaults", "ro"], "ro", true)]);
    }

    fn options_of_access_times_are_set(t) {
        options_of_tmpfs(&mut t.bundle(), &[
            (&["noatime"], "noatime", true), (&["noatime", "atime"], "noatime", false),
            (&["nodiratime"], "nodiratime", true), (&["nodiratime", "diratime"], "nodiratime", false),
            (&["relatime"], "relatime", true), (&["strictatime"], "relatime", false),
            (&["strictatime"], "noatime", false), (&["norelatime"], "noatime", false),
            (&["strictatime", "nostrictatime"], "relatime", true),
        ]);
    }

    fn nosymfollow_keeps_links_from_being_followed(t) {
        let mut b = t.script("ln -s /etc /mnt/a/l; ln -s /etc /mnt/b/l; ls /mnt/a/l/ && echo followed; ls /mnt/b/l/ >/dev/null && echo ok");
        b.mount("/mnt/a", "tmpfs", "tmpfs", &["nosymfollow"]);
        b.mount("/mnt/b", "tmpfs", "tmpfs", &["nosymfollow", "symfollow"]);
        assert_eq!(b.run().stdout, "ok\n");
    }

    fn options_of_the_superblock_are_set(t) {
        let mut b = t.bundle();
        b.mount("/mnt/a", "tmpfs", "tmpfs", &["sync"]).mount("/mnt/b", "tmpfs", "tmpfs", &["sync", "async"]);
        b.mount("/mnt/c", "tmpfs", "tmpfs", &["dirsync"]);
        let mounts = b.mounts();
        let has = |at: &str, option: &str| mountinfo::at(&mounts, at).superblock.iter().any(|o| o == option);
        assert!(has("/mnt/a", "sync") && !has("/mnt/b", "sync") && has("/mnt/c", "dirsync"), "{mounts:#?}");
    }

    fn lazytime_mand_iversion_and_silent_are_options_not_data(t) {
        let mut b = t.bundle();
        let all = ["lazytime", "nolazytime", "iversion", "noiversion", "silent", "loud", "mand", "nomand"];
        for (i, option) in all.iter().enumerate() {
            b.mount(&format!("/mnt/{i}"), "tmpfs", "tmpfs", &[option]);
        }
        let mounts = b.mounts();
        for i in 0..all.len() {
            mountinfo::at(&mounts, &format!("/mnt/{i}"));
        }
    }

    fn recursive_options_reach_the_mounts_below(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("below")).unwrap();
        t.view();
        t.host(&format!("mount -t tmpfs x {0}; mkdir {0}/below; mount -t tmpfs x {0}/below", source.display()));
        let cases = [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"),
            ("rnodiratime", "nodiratime"), ("rnoatime", "noatime"), ("rnosymfollow", "nosymfollow")];
        let mut b = t.bundle();
        for (option, _) in cases {
            b.mount(&format!("/mnt/{option}"), "none", source.to_str().unwrap(), &["rbind", option]);
        }
        let mounts = b.mounts();
        for (option, word) in cases {
            for at in [format!("/mnt/{option}"), format!("/mnt/{option}/below")] {
                assert!(mountinfo::at(&mounts, &at).has(word), "{at}");
            }
        }
    }

    fn ro_does_not_reach_the_mounts_below(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("below")).unwrap();
        t.view();
        t.host(&format!("mount -t tmpfs x {}/below", source.display()));
        let mut b = t.bundle();
        let mounts = b.mount("/mnt", "none", source.to_str().unwrap(), &["rbind", "ro"]).mounts();
        assert!(mountinfo::at(&mounts, "/mnt").has("ro"));
        assert!(mountinfo::at(&mounts, "/mnt/below").has("rw"));
    }

    fn recursive_options_clear_flags_of_the_mounts_below(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("below")).unwrap();
        t.view();
        let flags = "ro,nosuid,nodev,noexec,nodiratime,noatime,nosymfollow";
        t.host(&format!("mount -t tmpfs -o {flags} x {}/below", source.display()));
        let cases = [("rrw", "ro"), ("rsuid", "nosuid"), ("rdev", "nodev"), ("rexec", "noexec"),
            ("rdiratime", "nodiratime"), ("ratime", "noatime"), ("rsymfollow", "nosymfollow"),
            ("rrelatime", "noatime"), ("rstrictatime", "noatime")];
        let mut b = t.bundle();
        for (option, _) in cases {
            b.mount(&format!("/mnt/{option}"), "none", source.to_str().unwrap(), &["rbind", option]);
        }
        let mounts = b.mounts();
        for (option, word) in cases {
            assert!(!mountinfo::at(&mounts, &format!("/mnt/{option}/below")).has(word), "{option}");
        }
    }

    fn propagation_options_are_those_of_the_mount(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("below")).unwrap();
        t.view();
        t.host(&format!("mount -t tmpfs x {0}; mkdir {0}/below; mount -t tmpfs x {0}/below; mount --make-rshared {0}", source.display()));
        let cases = [("private", (false, false, false)), ("shared", (true, false, false)),
            ("slave", (false, true, false)), ("unbindable", (false, false, true)),
            ("rprivate", (false, false, false)), ("rshared", (true, false, false)),
            ("rslave", (false, true, false)), ("runbindable", (false, false, true))];
        let mut b = t.bundle();
        for (option, _) in cases {
            b.mount(&format!("/mnt/{option}"), "none", source.to_str().unwrap(), &["rbind", option]);
        }
        // Keeps the peer group: with the default every mount is made a slave first.
        let mounts = b.set("/linux/rootfsPropagation", "shared").mounts();
        let seen = |at: &str| {
            let m = mountinfo::at(&mounts, at);
            (m.is("shared"), m.is("master"), m.is("unbindable"))
        };
        for (option, expected) in cases {
            let (shared, master, unbindable) = seen(&format!("/mnt/{option}"));
            assert_eq!((shared, unbindable), (expected.0, expected.2), "{option}");
            assert_eq!(master && !shared, expected.1, "{option} is a slave");
            if option.starts_with('r') {
                assert_eq!(seen(&format!("/mnt/{option}/below")).2, expected.2, "{option} below");
            }
        }
    }

    fn tmpcopyup_copies_what_was_there(t) {
        let mut b = t.script("cat /data/f /data/d/g; ls -l /data/l | sed 's/.*-> //'; stat -c %a:%u:%g /data/f; echo new >/data/f");
        let data = b.rootfs().join("data");
        t.host(&format!("cd {}; echo one >f; mkdir d; echo two >d/g; ln -s f l; chown 5:6 f; chmod 640 f", data.display()));
        b.mount("/data", "tmpfs", "tmpfs", &["tmpcopyup"]);
        assert_eq!(b.run().ok(), "one\ntwo\nf\n640:5:6\n");
        assert_eq!(std::fs::read_to_string(data.join("f")).unwrap(), "one\n");
    }

    fn remount_changes_a_mount_that_is_there(t) {
        let mut b = t.bundle();
        b.mount("/mnt", "tmpfs", "tmpfs", &[]).mount("/mnt", "tmpfs", "tmpfs", &["remount", "ro"]);
        let mounts = b.mounts();
        let here: Vec<_> = mounts.iter().filter(|m| m.point == "/mnt").collect();
        assert_eq!(here.len(), 1, "{here:?}");
        assert!(here[0].has("ro") || here[0].superblock.iter().any(|o| o == "ro"), "{here:?}");
    }

    fn mounts_of_the_host_come_into_a_slave_and_not_into_a_private_mount(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("late")).unwrap();
        t.view();
        t.host(&format!("mount --bind {0} {0}; mount --make-shared {0}", source.display()));
        for (option, comes) in [("rslave", true), ("rprivate", false)] {
            let mut b = t.bundle();
            b.set("/linux/rootfsPropagation", "shared");
            let c = b.mount("/mnt", "none", source.to_str().unwrap(), &["rbind", option]).start();
            t.host(&format!("mount -t tmpfs cofferdam-late {}/late", source.display()));
            let mounts = c.exec(&[], &["cat", "/proc/self/mountinfo"]);
            assert_eq!(mounts.ok().contains("cofferdam-late"), comes, "{option}: {mounts}");
            t.host(&format!("umount {}/late", source.display()));
        }
    }

    fn mounts_in_a_shared_mount_reach_the_host(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("late")).unwrap();
        t.view();
        t.host(&format!("mount --bind {0} {0}; mount --make-shared {0}", source.display()));
        for (option, comes) in [("rshared", true), ("rslave", false)] {
            let mut b = t.script("mount -t tmpfs cofferdam-inner /mnt/late && echo mounted; sleep 600");
            let all = json!(["CAP_SYS_ADMIN"]);
            b.set("/process/capabilities", json!({"bounding": all, "permitted": all, "effective": all}));
            b.set("/linux/rootfsPropagation", "shared");
            let c = b.mount("/mnt", "none", source.to_str().unwrap(), &["rbind", option]).start();
            c.wait_output("mounted");
            let seen = t.host("cat /proc/self/mountinfo").contains("cofferdam-inner");
            assert_eq!(seen, comes, "{option}");
            if seen {
                t.host(&format!("umount {}/late", source.display()));
            }
        }
    }

    fn idmap_shifts_the_owners_of_a_bind(t) {
        let source = t.dir.join("source");
        std::fs::create_dir(&source).unwrap();
        t.host(&format!("touch {0}/f; chown 1000:2000 {0}/f", source.display()));
        for option in [Some("idmap"), Some("ridmap"), None] {
            let mut b = t.bundle();
            let mut options = vec!["rbind"];
            options.extend(option);
            b.push("/mounts", json!({
                "destination": "/mnt", "type": "none", "source": source, "options": options,
                "uidMappings": [{"containerID": 1000, "hostID": 3000, "size": 1}],
                "gidMappings": [{"containerID": 2000, "hostID": 4000, "size": 1}],
            }));
            assert_eq!(b.args(&["stat", "-c", "%u:%g", "/mnt/f"]).run().ok(), "3000:4000\n", "{option:?}");
        }
    }

    fn ridmap_shifts_the_mounts_below_and_idmap_does_not(t) {
        let source = t.dir.join("source");
        std::fs::create_dir_all(source.join("below")).unwrap();
        t.view();
        t.host(&format!("cd {}; mount -t tmpfs x below; touch below/f; chown 1000:1000 below/f", source.display()));
        for (option, owner) in [("ridmap", "3000"), ("idmap", "1000")] {
            let mut b = t.bundle();
            let map = json!([{"containerID": 0, "hostID": 2000, "size": 5000}]);
            b.push("/mounts", json!({
                "destination": "/mnt", "type": "none", "source": source, "options": ["rbind", option],
                "uidMappings": map, "gidMappings": map,
            }));
            let out = b.args(&["stat", "-c", "%u", "/mnt/below/f"]).run();
            assert_eq!(out.ok().trim(), owner, "{option}");
        }
    }

    fn idmap_without_maps_takes_those_of_the_user_namespace(t) {
        let source = t.dir.join("source");
        std::fs::create_dir(&source).unwrap();
        t.host(&format!("touch {0}/f; chown 7:7 {0}/f", source.display()));
        let mut b = t.bundle();
        b.user_namespace().mount("/mnt", "none", source.to_str().unwrap(), &["bind", "idmap"]);
        assert_eq!(b.args(&["stat", "-c", "%u:%g", "/mnt/f"]).run().ok(), "7:7\n");
    }
}

own! {
    fn idmap_without_maps_takes_those_of_the_user_namespace_that_is_joined(t) {
        let source = t.dir.join("source");
        std::fs::create_dir(&source).unwrap();
        t.host(&format!("touch {0}/f; chown 7:7 {0}/f", source.display()));
        let mut holder = t.bundle();
        let first = holder.user_namespace().args(&["sleep", "600"]).start();
        let mut b = t.bundle();
        b.join("user", &format!("/proc/{}/ns/user", first.pid()));
        b.mount("/mnt", "none", source.to_str().unwrap(), &["bind", "idmap"]);
        t.host(&format!("chown -h 100000:100000 {0} {0}/*", b.rootfs().display()));
        assert_eq!(b.args(&["stat", "-c", "%u:%g", "/mnt/f"]).run().ok(), "7:7\n");
    }
}
