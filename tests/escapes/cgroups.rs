//! Cgroups and names that end up in paths of the host.

use std::fs;
use std::path::Path;

use cofferdam_tests::{cgroup, driver, facts, json};

facts! {
    /// CVE-2023-25809. Seen failing with the last `if` of `restrict` in plan/src/cgroup_mount.rs taken out.
    fn without_a_cgroup_namespace_a_user_namespace_gets_cgroups_read_only(t) {
        let mut b = t.script("for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/sub && echo made $d; done; echo end");
        b.user_namespace().mount("/sys/fs/cgroup", "cgroup", "cgroup", &["rw"]);
        assert_eq!(b.run().ok(), "end\n");
        let mounts = b.mounts();
        let groups: Vec<_> = mounts.iter().filter(|m| m.kind.starts_with("cgroup")).collect();
        assert!(!groups.is_empty() && groups.iter().all(|m| m.has("ro")), "{groups:#?}");
    }

    /// A page size is a part of a file's name. Seen failing with `is_page_size` in cgroup/src/limits/small.rs taken
    /// out.
    fn a_page_size_names_no_other_file(t) {
        let victim = t.bundle();
        let c = victim.start();
        for size in ["2MB/../../x", "../2MB", "2MB.limit_in_bytes/..", "", "2MB\n", "/2MB"] {
            let mut b = t.bundle();
            b.args(&["true"]).set("/linux/resources/hugepageLimits", json!([{"pageSize": size, "limit": 0}]));
            assert!(b.run().refused().contains("page size"), "{size:?}");
        }
        assert_eq!(c.status(), "running");
    }

    /// Seen failing with the arm for `ParentDir` in cgroup/src/path.rs pushing `..`.
    fn a_cgroup_path_does_not_leave_the_hierarchy(t) {
        t.need(!driver::is_systemd(), "with systemd it is the name of a unit, and what that is not is refused or escaped")?;
        for climb in ["/..", "/../../..", "/a/../../../../..", "../../../../../../.."] {
            let mut b = t.bundle();
            let name = b.id.clone();
            b.set("/linux/cgroupsPath", format!("{climb}/{name}"));
            let c = b.create();
            let own = fs::read_to_string(format!("/proc/{}/cgroup", c.pid())).unwrap();
            assert!(own.contains(&name) && !own.contains(".."), "{own}");
            c.verb("delete", &["--force"]).ok();
            assert!(!Path::new("/sys/fs").join(&name).exists() && !Path::new("/").join(&name).exists());
            assert!(cgroup::all_named(&name).is_empty(), "a cgroup is left");
        }
    }

    /// Seen failing with the check of the components taken out of `join_below` in cgroup/src/join.rs.
    fn exec_does_not_join_a_cgroup_outside_of_the_containers(t) {
        let (one, other) = (t.bundle(), t.bundle());
        let (c, _d) = (one.start(), other.start());
        for path in [format!("../{}", other.id), "..".into(), format!("/../{}", other.id), format!("memory:../{}", other.id)] {
            c.exec(&["--cgroup", &path], &["true"]).refused();
        }
    }

    /// Seen failing with the check of the characters taken out of `ContainerId::new`.
    fn an_id_is_no_path(t) {
        let mut b = t.bundle();
        b.args(&["true"]).write();
        for id in ["../x", "..", ".", "a/b", "/tmp/x", "a b", "a\n", "a:b", "ä", ""] {
            t.runtime(&["run", "--bundle", b.dir.to_str().unwrap(), id]).refused();
            t.runtime(&["delete", "--force", id]).refused();
        }
        let state: Vec<_> = fs::read_dir(t.dir.join("state")).unwrap().collect();
        assert!(state.is_empty() && !t.dir.join("x").exists(), "{state:?}");
    }
}
