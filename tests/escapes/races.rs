//! Directories and links of a shared volume that change places while the runtime works. Each attack is tried often;
//! a run may be refused, but what it does must be inside.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use cofferdam_tests::{facts, json, mountinfo};

use crate::attack::{Host, Swapper, volume};

const TRIES: u32 = 12;

facts! {
    /// CVE-2021-30465, CVE-2015-3629. Seen failing with `IN_ROOT` taken out of `inside::find`.
    fn a_mount_point_that_is_swapped_for_a_link_stays_inside(t) {
        let (host, shared) = (Host::new(t), volume(t));
        fs::create_dir(shared.join("a")).unwrap();
        host.link(shared.join("b"));
        let _swapper = Swapper::new(shared.join("a"), shared.join("b"));
        for _ in 0..TRIES {
            let mut b = t.bundle();
            b.mount("/vol", "none", shared.to_str().unwrap(), &["bind"]).mount("/vol/a", "tmpfs", "the-mount", &[]);
            let out = b.args(&["cat", "/proc/self/mountinfo"]).run();
            if out.code == 0 {
                let mounts = mountinfo::read(&out.stdout);
                assert!(mounts.iter().any(|m| m.source == "the-mount"), "mounted outside: {out}");
            }
            host.untouched();
        }
    }

    /// CVE-2024-45310. Seen failing with `IN_ROOT` taken out of `inside::find`, and with `inside::ensure`
    /// resolving a second time without it.
    fn directories_are_not_made_through_a_swapped_link(t) {
        let (host, shared) = (Host::new(t), volume(t));
        fs::create_dir(shared.join("a")).unwrap();
        host.link(shared.join("b"));
        let _swapper = Swapper::new(shared.join("a"), shared.join("b"));
        for n in 0..TRIES {
            let mut b = t.bundle();
            let source = b.rootfs().join("etc/passwd");
            b.args(&["true"]).mount("/vol", "none", shared.to_str().unwrap(), &["bind"]);
            b.mount(&format!("/vol/a/{n}/deep"), "tmpfs", "tmpfs", &[]);
            b.mount(&format!("/vol/a/file{n}"), "none", source.to_str().unwrap(), &["bind"]);
            b.push("/linux/devices", json!({"path": format!("/vol/a/fifo{n}"), "type": "p", "fileMode": 0o600}));
            b.set("/process/cwd", format!("/vol/a/cwd{n}")).run();
            host.untouched();
        }
    }

    /// A node that was just made is swapped for a link to the host's file before its mode and owner are set. Seen
    /// failing with fchmodat(2) of the node's path in the child's node.rs.
    fn the_mode_and_owner_of_a_node_are_not_given_to_what_a_link_names(t) {
        let (host, shared) = (Host::new(t), volume(t));
        let secret = host.dir.join("secret");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        for n in 0..TRIES {
            let mut b = t.bundle();
            b.args(&["true"]).mount("/vol", "none", shared.to_str().unwrap(), &["bind"]);
            let mut pairs = Vec::new();
            for i in 0..40 {
                let (node, link) = (format!("{n}.{i}"), shared.join(format!("link{n}.{i}")));
                symlink(&secret, &link).unwrap();
                let path = format!("/vol/{node}");
                b.push("/linux/devices", json!({"path": path, "type": "p", "fileMode": 0o666, "uid": 77, "gid": 77}));
                pairs.push((shared.join(node), link));
            }
            let _swapper = Swapper::as_they_come(pairs);
            b.run();
            let s = fs::metadata(&secret).unwrap();
            assert_eq!(s.permissions().mode() & 0o777, 0o600, "mode of the host's file");
            assert_eq!(std::os::unix::fs::MetadataExt::uid(&s), 0, "owner of the host's file");
        }
        host.untouched();
    }

    /// CVE-2025-31133, CVE-2025-62161: an image's /dev/null that becomes something else is never what masks. Seen
    /// failing with `Context::null` opening `dev/null` below the root and without its check.
    fn what_masks_is_the_hosts_null_device(t) {
        let shared = volume(t);
        t.host(&format!("mknod -m 666 {0}/null c 1 3; ln -s /etc/group {0}/other", shared.display()));
        let mut ran = 0;
        for _ in 0..3 * TRIES {
            let swapper = Swapper::new(shared.join("null"), shared.join("other"));
            let mut b = t.bundle();
            b.config["mounts"].as_array_mut().unwrap().truncate(1);
            b.mount("/dev", "none", shared.to_str().unwrap(), &["bind"]);
            b.set("/linux/maskedPaths", json!(["/etc/passwd", "/proc/keys"]));
            let out = b.args(&["stat", "-c", "%t:%T", "/etc/passwd", "/proc/keys"]).run();
            drop(swapper);
            if out.code == 0 {
                ran += 1;
                assert_eq!(out.stdout, "1:3\n1:3\n", "{out}");
            }
        }
        assert!(ran > 0, "no run got as far as the masks");
    }

    /// A mount that becomes read-only last, when the mount points and devices inside of it are made: that a link
    /// leads elsewhere by then changes nothing else. Seen failing with the mount looked up again by its path.
    fn what_becomes_read_only_last_is_what_was_mounted(t) {
        let shared = volume(t);
        fs::create_dir(shared.join("a")).unwrap();
        symlink("/mnt", shared.join("b")).unwrap();
        let mut ran = 0;
        for _ in 0..3 * TRIES {
            let swapper = Swapper::new(shared.join("a"), shared.join("b"));
            let mut b = t.bundle();
            b.mount("/vol", "none", shared.to_str().unwrap(), &["bind"]).mount("/mnt", "tmpfs", "innocent", &[]);
            b.mount("/vol/a", "tmpfs", "the-mount", &["ro"]);
            let out = b.args(&["cat", "/proc/self/mountinfo"]).run();
            drop(swapper);
            if out.code == 0 {
                ran += 1;
                let mounts = mountinfo::read(&out.stdout);
                let readonly = |source: &str| mounts.iter().find(|m| m.source == source).map(|m| m.has("ro"));
                assert_eq!((readonly("the-mount"), readonly("innocent")), (Some(true), Some(false)), "{out}");
            }
        }
        assert!(ran > 0, "no run got as far as the program");
    }
}
