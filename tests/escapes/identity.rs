//! Who a process is: numbers that are no numbers, rights that nobody gave.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cofferdam_tests::{Facts, Value, capabilities, facts};

facts! {
    /// CVE-2016-3697, CVE-2026-30892. Seen failing with `process.user.uid = uid` taken out of the command line's
    /// exec.rs.
    fn a_number_is_that_user_whatever_etc_passwd_calls_it(t) {
        let b = t.bundle();
        fs::write(b.rootfs().join("etc/passwd"), "1:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n").unwrap();
        let c = b.start();
        for user in ["1", "1000", "01"] {
            let uid = user.trim_start_matches('0');
            assert_eq!(c.exec_facts(&["--user", user]).get("uid"), uid);
        }
        let f = c.exec_facts(&["--user", "1:1000"]);
        assert_eq!((f.get("uid"), f.get("gid"), f.set("CapEff")), ("1", "1000", 0));
    }

    /// CVE-2026-30892. Seen failing with the check for digits taken out of the command line's `user_and_group`.
    fn what_is_no_number_is_no_user(t) {
        let c = t.bundle().start();
        for user in [":", "1x", "+1", "-1", " 1", "1 ", "0x1", "1:", "1:+0", "4294967296", "1:4294967296", "root", "1:0:0"] {
            c.exec(&[&format!("--user={user}")], &["id"]).refused();
        }
    }

    /// CVE-2022-29162, CVE-2022-27650, CVE-2025-27612, CVE-2016-8867. Seen failing with `inheritable` among the
    /// sets of `add_capabilities` in the command line's exec.rs.
    fn exec_adds_nothing_to_the_inheritable_and_ambient_sets(t) {
        let c = t.bundle().start();
        for user in ["0", "1000"] {
            let f = c.exec_facts(&["--cap", "CAP_SYS_TIME", "--user", user]);
            assert_eq!((f.set("CapInh"), f.set("CapAmb")), (0, 0), "{user}");
            assert_eq!(f.set("CapEff") != 0, user == "0", "{user}");
        }
    }

    /// CVE-2022-24769. Seen failing with an inheritable set in the document that `spec` writes.
    fn the_document_of_spec_has_no_inheritable_capabilities(t) {
        let dir = t.dir.join("spec");
        fs::create_dir(&dir).unwrap();
        t.runtime(&["spec", "--bundle", dir.to_str().unwrap()]).ok();
        let config: Value = fs::read_to_string(dir.join("config.json")).unwrap().parse().unwrap();
        let sets = &config["process"]["capabilities"];
        assert!(sets["bounding"].as_array().is_some_and(|b| !b.is_empty()), "{sets}");
        for set in ["inheritable", "ambient"] {
            assert!(sets[set].as_array().is_none_or(Vec::is_empty), "{set}: {sets}");
        }
        assert!(!capabilities().is_empty());
    }

    /// CVE-2014-8989. Seen failing with the line that writes `deny` taken out of maps.rs (the kernel then refuses
    /// the map).
    fn an_ordinary_users_container_cannot_drop_groups(t) {
        let mut b = t.bundle();
        b.namespace("user").args(&["sh", "-c", "cat /proc/self/setgroups; probe facts"]);
        for (side, host) in [("uid", 4242), ("gid", 4343)] {
            b.set(&format!("/linux/{side}Mappings"), cofferdam_tests::json!([{"containerID": 0, "hostID": host, "size": 1}]));
        }
        b.set("/linux/cgroupsPath", Value::Null);
        for path in [&t.dir, &b.dir, &t.dir.join("state")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        b.write();
        t.host(&format!("chown 4242:4343 {0}; chmod 700 {0}", t.dir.join("state").display()));
        let mut command = t.command(Path::new("/usr/bin/setpriv"));
        command.args(["--reuid=4242", "--regid=4343", "--groups=4343,4444"]).env("XDG_RUNTIME_DIR", &t.dir).arg(&t.runtime.path);
        let out = t.finish(command.arg("--root").arg(t.dir.join("state")).args(b.command_line("run", &[])));
        assert!(out.ok().starts_with("deny\n"), "{out}");
        let f = Facts::read(&out.stdout);
        assert_eq!((f.get("uid"), f.get("groups").split(',').count()), ("0", 2), "the group that may be a denial stays");
    }
}
