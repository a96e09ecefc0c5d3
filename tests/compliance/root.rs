//! The root filesystem, names, annotations and the version of the document.

use cofferdam_tests::{facts, json, mountinfo};

facts! {
    fn the_root_is_the_configured_directory(t) {
        let mut b = t.bundle();
        std::fs::write(b.rootfs().join("mark"), "this one").unwrap();
        let absolute = b.rootfs().to_str().unwrap().to_owned();
        for path in ["rootfs", &absolute] {
            assert_eq!(b.args(&["cat", "/mark"]).set("/root/path", path).run().ok(), "this one");
        }
        std::fs::rename(b.rootfs(), b.dir.join("other")).unwrap();
        assert_eq!(b.set("/root/path", "other").run().ok(), "this one");
    }

    fn a_root_that_is_missing_is_refused(t) {
        t.bundle().args(&["true"]).set("/root/path", "nowhere").run().refused();
    }

    fn a_document_without_a_root_is_refused(t) {
        let mut b = t.bundle();
        b.config.as_object_mut().unwrap().remove("root");
        b.args(&["true"]).run().refused();
    }

    fn the_host_cannot_be_seen_from_the_root(t) {
        let mut b = t.bundle();
        for m in b.mounts() {
            assert!(["/", "/proc", "/dev", "/dev/pts"].contains(&m.point.as_str()), "{m:?}");
        }
        b.args(&["ls", "/"]);
        let out = b.run();
        assert_eq!(out.ok().split_whitespace().collect::<Vec<_>>().join(" "),
            "bin data dev etc home mnt proc root run sys tmp usr var");
    }

    fn a_readonly_root_cannot_be_written(t) {
        let mut b = t.script("touch /x || echo refused; touch /dev/y && echo tmpfs");
        let out = b.set("/root/readonly", true).run();
        assert_eq!(out.ok(), "refused\ntmpfs\n");
        assert!(mountinfo::at(&b.mounts(), "/").has("ro"));
        let mut b = t.script("touch /x && echo written");
        assert_eq!(b.set("/root/readonly", false).run().ok(), "written\n");
    }

    fn mount_points_are_made_in_a_readonly_root_too(t) {
        let mut b = t.bundle();
        b.set("/root/readonly", true).mount("/new/point", "tmpfs", "tmpfs", &[]);
        assert_eq!(mountinfo::at(&b.mounts(), "/new/point").kind, "tmpfs");
    }

    fn rootfs_propagation_is_that_of_the_root_mount(t) {
        let field = |wanted: &str| {
            let mut b = t.bundle();
            let mounts = b.set("/linux/rootfsPropagation", wanted).mounts();
            let m = mountinfo::at(&mounts, "/").clone();
            (m.is("shared"), m.is("unbindable"))
        };
        assert_eq!(field("private"), (false, false));
        assert_eq!(field("shared"), (true, false));
        assert_eq!(field("unbindable"), (false, true));
        assert_eq!(field("slave"), (false, false));
    }

    fn a_mount_in_the_container_does_not_reach_the_host(t) {
        for propagation in ["private", "slave"] {
            let mut b = t.script("mount -t tmpfs cofferdam-inner /mnt && echo mounted; sleep 600");
            let root = b.rootfs().display().to_string();
            t.view();
            t.host(&format!("mount --bind {root} {root} && mount --make-shared {root}"));
            let all = json!(["CAP_SYS_ADMIN"]);
            b.set("/process/capabilities", json!({"bounding": all, "permitted": all, "effective": all}));
            let c = b.set("/linux/rootfsPropagation", propagation).start();
            c.wait_output("mounted");
            assert!(!t.host("cat /proc/self/mountinfo").contains("cofferdam-inner"), "{propagation}");
        }
    }

    fn an_unknown_propagation_is_refused(t) {
        t.bundle().args(&["true"]).set("/linux/rootfsPropagation", "sideways").run().refused();
    }

    fn hostname_is_set(t) {
        let mut b = t.bundle();
        let f = b.set("/hostname", "inside").facts();
        assert_eq!(f.get("hostname"), "inside");
        assert_ne!(t.host("uname -n").trim(), "inside");
    }

    fn domainname_is_set(t) {
        let mut b = t.bundle();
        assert_eq!(b.set("/domainname", "example.org").facts().get("domainname"), "example.org");
    }

    fn a_hostname_without_an_own_uts_namespace_is_refused(t) {
        let mut b = t.bundle();
        b.set("/linux/namespaces", json!([{"type": "pid"}, {"type": "mount"}]));
        b.args(&["true"]).set("/hostname", "cofferdam-must-not").run().refused();
    }

    fn a_document_without_a_version_is_refused(t) {
        let mut b = t.bundle();
        b.config.as_object_mut().unwrap().remove("ociVersion");
        b.args(&["true"]).run().refused();
    }

    fn a_version_of_another_major_number_is_refused(t) {
        t.bundle().args(&["true"]).set("/ociVersion", "2.0.0").run().refused();
    }

    fn annotations_are_in_the_state(t) {
        let mut b = t.bundle();
        b.set("/annotations", json!({"org.example.key": "value", "empty": ""}));
        let state = b.create().state();
        assert_eq!(state["annotations"]["org.example.key"], "value");
        assert_eq!(state["annotations"]["empty"], "");
    }

    fn a_document_that_is_not_json_is_refused(t) {
        let b = t.bundle();
        std::fs::write(b.dir.join("config.json"), "{\"ociVersion\": ").unwrap();
        t.runtime(&b.command_line("run", &[])).refused();
    }

    fn a_property_of_the_wrong_type_is_refused(t) {
        t.bundle().args(&["true"]).set("/process/user/uid", "zero").run().refused();
    }

    fn an_unknown_property_is_passed_over(t) {
        let mut b = t.bundle();
        b.args(&["true"]).set("/linux/noSuchProperty", json!({"a": 1})).set("/future", 1);
        b.run().ok();
    }
}
