//! `/etc/hosts` and `/etc/resolv.conf`.

use cofferdam_tests::{Value, json};

use crate::room::{Room, address, pooled};

fn network() -> Value {
    pooled("br0", "10.88.0.0/24", "fd00:88::/64")
}

cofferdam_tests::own! {
    fn hosts_names_the_container_and_others_and_keeps_what_the_image_says(t) {
        let room = Room::new(t);
        let mut network = network();
        network["hosts"] = json!([{"address": "10.0.0.9", "names": ["db", "db.example"]}]);
        let mut bundle = room.bundle(&network);
        let image = bundle.rootfs().join("etc/hosts");
        std::fs::write(&image, "127.0.0.1\tlocalhost\n192.0.2.1 of-the-image\n").expect("hosts");
        bundle.set("/hostname", "web.example");
        let c = bundle.start();
        let hosts = c.exec(&[], &["cat", "/etc/hosts"]);
        let own = format!("{}\tweb.example web\n", address(&c, "."));
        for line in [own.as_str(), "10.0.0.9\tdb db.example\n", "192.0.2.1 of-the-image\n"] {
            assert!(hosts.ok().contains(line), "{line:?}: {hosts}");
        }
        assert_eq!(hosts.stdout.matches("127.0.0.1\tlocalhost").count(), 1, "{hosts}");
        let resolved = c.exec(&[], &["busybox", "ping", "-c", "1", "-W", "2", "web"]);
        assert!(resolved.ok().contains(&address(&c, ".")), "{resolved}");
        assert_ne!(c.exec(&[], &["sh", "-c", "echo x >> /etc/hosts"]).code, 0, "it is read-only");
        c.verb("delete", &["--force"]).ok();
        let left = std::fs::read_to_string(&image).expect("hosts");
        assert_eq!(left, "127.0.0.1\tlocalhost\n192.0.2.1 of-the-image\n", "the image is as it was");
    }

    fn resolv_conf_is_what_is_said_and_otherwise_the_hosts(t) {
        let room = Room::new(t);
        t.host("printf 'nameserver 127.0.0.53\\nsearch host.example\\noptions edns0 trust-ad\\n' > /run/host-resolv
                mount --bind /run/host-resolv /etc/resolv.conf
                printf 'nameserver 192.0.2.53\\n' > /run/systemd/resolve/resolv.conf");
        let mut bundle = room.bundle(&network());
        let out = bundle.args(&["cat", "/etc/resolv.conf"]).run();
        assert_eq!(out.ok(), "nameserver 192.0.2.53\nsearch host.example\noptions edns0\n");
        let mut said = network();
        said["dns"] = json!({"servers": ["198.51.100.53", "fd00:88::53"], "options": ["ndots:2"]});
        let mut bundle = room.bundle(&said);
        let out = bundle.args(&["cat", "/etc/resolv.conf"]).run();
        let want = "nameserver 198.51.100.53\nnameserver fd00:88::53\nsearch host.example\noptions ndots:2\n";
        assert_eq!(out.ok(), want);
    }

    fn what_the_bundle_mounts_itself_wins(t) {
        let room = Room::new(t);
        let own = t.dir.join("own-hosts");
        std::fs::write(&own, "192.0.2.1 mine\n").expect("hosts");
        let mut bundle = room.bundle(&network());
        bundle.mount("/etc//hosts", "none", own.to_str().expect("a path of ASCII"), &["bind"]);
        let out = bundle.args(&["cat", "/etc/hosts"]).run();
        assert_eq!(out.ok(), "192.0.2.1 mine\n");
    }

    fn a_read_only_root_and_links_in_the_image_are_no_obstacle(t) {
        let room = Room::new(t);
        let mut bundle = room.bundle(&network());
        let etc = bundle.rootfs().join("etc");
        std::os::unix::fs::symlink("../run/resolvconf/resolv.conf", etc.join("resolv.conf")).expect("link");
        std::fs::create_dir_all(bundle.rootfs().join("run/resolvconf")).expect("directory");
        bundle.set("/root/readonly", true);
        let out = bundle.args(&["cat", "/etc/hosts", "/etc/resolv.conf"]).run();
        assert!(out.ok().contains("\tbox\n"), "{out}");
    }

    fn an_image_cannot_have_a_file_of_the_hosts_read_or_keep_the_runtime_waiting(t) {
        let room = Room::new(t);
        let secret = t.dir.join("secret");
        std::fs::write(&secret, "192.0.2.66 secret\n").expect("secret");
        let mut bundle = room.bundle(&network());
        let hosts = bundle.rootfs().join("etc/hosts");
        std::os::unix::fs::symlink(&secret, &hosts).expect("link");
        let out = bundle.args(&["cat", "/etc/hosts"]).run();
        assert!(!out.stdout.contains("secret"), "{out}");
        let _ = std::fs::remove_file(&hosts);
        t.host(&format!("mkfifo {}", hosts.display()));
        let out = room.bundle(&network()).args(&["true"]).run();
        out.ok();
        let fifo = bundle.run();
        assert!(fifo.code == 0 || !fifo.stderr.is_empty(), "{fifo}");
        room.is_as_before();
    }
}
