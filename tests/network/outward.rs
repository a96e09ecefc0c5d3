//! Containers that are let out, published, and held to an allow-list, with a server on the far side of their host.

use std::fs;
use std::path::Path;
use std::process::Child;

use cofferdam_tests::{Bundle, Container, Value, json, wait_until};

use crate::far::Far;
use crate::room::{NETWORK, Room, fetch};

/// A container's network behind the host, with more in its document.
fn network(more: &Value) -> Value {
    let mut network = json!({"masquerade": true, "networks": [
        {"type": "loopback"},
        {"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24", "ipv6_pool": "fd00:88::/64"}]});
    for (key, value) in more.as_object().expect("members") {
        network[key] = value.clone();
    }
    network
}

fn started<'t>(room: &Room<'t>, more: &Value) -> Container<'t> {
    room.bundle(&network(more)).start()
}

/// The services for names that run on this machine for containers of this test.
fn services(room: &Room<'_>) -> Vec<String> {
    let program = fs::canonicalize(&room.t.runtime.path).expect("the command");
    let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    let ours = |path: &std::path::PathBuf| {
        let words = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        words.split('\0').any(|word| word == "name-service")
            && fs::read_link(path.join("exe")).is_ok_and(|exe| exe == program)
            && fs::read_link(path.join("ns/net")).ok() == Some(room.namespace())
    };
    all.filter(ours).map(|path| path.file_name().expect("a number").to_string_lossy().into_owned()).collect()
}

/// A program of the host's that listens.
struct Listener(Child);

impl Listener {
    fn new(room: &Room<'_>, at: &str) -> Self {
        let mut command = room.t.command(Path::new("/bin/busybox"));
        let listener = Self(command.args(["httpd", "-f", "-p", at, "-h", "/"]).spawn().expect("busybox"));
        let (_, port) = at.rsplit_once(':').expect("a port");
        wait_until("the program to listen", || room.t.host("ss -ltn").contains(&format!(":{port} ")));
        listener
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn nothing_is_left(room: &Room<'_>, links: &[&str]) {
    wait_until("services to end", || services(room).is_empty());
    room.has_only(links);
    assert_eq!(room.filters(), [""; 0]);
}

cofferdam_tests::own! {
    fn a_container_is_let_out_as_its_host_and_no_longer_than_it_lives(t) {
        let room = Room::new(t);
        let far = Far::new(&room);
        let c = started(&room, &json!({}));
        assert_eq!(fetch(&c, Far::V4).ok(), "far");
        assert_eq!(fetch(&c, Far::V6).ok(), "far");
        let alone = room.bundle(&network(&json!({"masquerade": false}))).start();
        assert_ne!(fetch(&alone, Far::V4).code, 0, "nobody let that one out");
        for container in [c, alone] {
            container.verb("delete", &["--force"]).ok();
        }
        drop(far);
        nothing_is_left(&room, &[]);
    }

    fn published_ports_answer_from_everywhere(t) {
        let room = Room::new(t);
        let far = Far::new(&room);
        let ports = json!({"publish": [
            {"host_port": 8080, "container_port": 80},
            {"host_port": 8081, "container_port": 80, "host_address": "127.0.0.1"}]});
        let c = room.server(&network(&ports), "web");
        let neighbour = started(&room, &json!({}));
        assert_eq!(far.fetch("203.0.113.1:8080").ok(), "web");
        assert_eq!(far.fetch("[2001:db8::1]:8080").ok(), "web");
        assert_ne!(far.fetch("203.0.113.1:8081").code, 0, "that is the host's alone");
        for at in ["127.0.0.1:8080", "127.0.0.1:8081", "203.0.113.1:8080", "[2001:db8::1]:8080"] {
            assert_eq!(t.host(&format!("busybox timeout 3 busybox wget -q -O - http://{at}/")), "web", "{at}");
        }
        for container in [&neighbour, &c] {
            assert_eq!(fetch(container, "203.0.113.1:8080").ok(), "web");
        }
        for container in [c, neighbour] {
            container.verb("delete", &["--force"]).ok();
        }
        assert_ne!(far.fetch("203.0.113.1:8080").code, 0);
        drop(far);
        nothing_is_left(&room, &[]);
    }

    fn a_port_that_somebody_has_is_not_published_again(t) {
        let room = Room::new(t);
        let ports = |protocol: &str, address: &str| {
            let port = json!({"host_port": 8080, "container_port": 80, "protocol": protocol, "host_address": address});
            network(&json!({"publish": [port]}))
        };
        let listener = Listener::new(&room, "127.0.0.1:8080");
        let said = room.bundle(&ports("tcp", "")).run();
        let all = [&format!("{NETWORK}/publish/0/host_port"), "EADDRINUSE", "8080/tcp", "a program of the host"];
        assert!(all.iter().all(|words| said.refused().contains(*words)), "{said}");
        let udp = room.bundle(&ports("udp", "")).start();
        drop(listener);
        let first = room.bundle(&ports("tcp", "127.0.0.1")).start();
        for taken in ["", "127.0.0.1", "0.0.0.0"] {
            let said = room.bundle(&ports("tcp", taken)).run();
            assert!(said.refused().contains(&format!("/{} has it", first.id)), "{said}");
        }
        let beside = room.bundle(&ports("tcp", "127.0.0.2")).start();
        first.verb("delete", &["--force"]).ok();
        let again = room.bundle(&ports("tcp", "127.0.0.1")).start();
        for container in [udp, beside, again] {
            container.verb("delete", &["--force"]).ok();
        }
        drop(first);
        nothing_is_left(&room, &[]);
    }

    fn an_allow_list_of_names_and_addresses_holds_and_its_service_goes_with_the_container(t) {
        let room = Room::new(t);
        let far = Far::new(&room);
        let list = json!({
            "dns": {"servers": [Far::V4]},
            "egress": {"allow": [
                {"to": "*.example.com", "ports": [80]},
                {"to": "2001:db8::9", "ports": [80]}]}});
        let c = started(&room, &list);
        assert_eq!(c.exec(&[], &["cat", "/etc/resolv.conf"]).ok(), "nameserver 127.0.0.11\n");
        assert_ne!(fetch(&c, Far::V4).code, 0, "nobody asked for a name yet");
        assert_eq!(fetch(&c, "api.example.com").ok(), "far");
        assert_eq!(fetch(&c, Far::V4).ok(), "far", "what the name means");
        assert_eq!(fetch(&c, Far::V6).ok(), "far");
        for other in ["example.com", "evil.net", "203.0.113.10", "203.0.113.1", "10.88.0.1", "api.example.com:81"] {
            assert_ne!(fetch(&c, other).code, 0, "{other}");
        }
        assert_ne!(c.exec(&[], &["busybox", "ping", "-c", "1", "-W", "1", Far::V4]).code, 0, "another protocol");
        let [service] = services(&room).try_into().expect("one service");
        let status = fs::read_to_string(format!("/proc/{service}/status")).expect("status");
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let net_admin = ["0000000000001000"];
        assert_eq!((line("CapPrm:"), line("CapEff:")), (net_admin.map(Into::into).into(), net_admin.map(Into::into).into()));
        assert_eq!((line("CapBnd:"), line("NoNewPrivs:")), (net_admin.map(Into::into).into(), vec!["1".to_owned()]));
        assert_eq!(line("Uid:"), ["65534"; 4]);
        let log = t.dir.join("state").join(&c.id).join("names.log");
        let log = fs::read_to_string(log).expect("a log of names");
        assert!(log.lines().any(|line| line.contains("evil.net") && line.contains("refused")), "{log}");
        c.verb("delete", &["--force"]).ok();
        drop(far);
        nothing_is_left(&room, &[]);
    }

    fn the_service_for_names_ends_with_the_program_and_is_removed_with_the_container(t) {
        let room = Room::new(t);
        let list = json!({"egress": {"allow": [{"to": "api.example.com"}]}});
        let c = started(&room, &list);
        assert_eq!(services(&room).len(), 1);
        c.kill("KILL").ok();
        wait_until("the service to end", || services(&room).is_empty());
        c.wait_stopped();
        c.verb("delete", &[]).ok();
        // One that was stopped by somebody else is no hindrance.
        let c = started(&room, &list);
        let [service] = services(&room).try_into().expect("one service");
        t.host(&format!("kill -9 {service}"));
        c.verb("delete", &["--force"]).ok();
        // Stopped in the other sense.
        let c = started(&room, &list);
        let [service] = services(&room).try_into().expect("one service");
        t.host(&format!("kill -STOP {service}"));
        c.verb("delete", &["--force"]).ok();
        nothing_is_left(&room, &[]);
    }

    fn an_empty_list_is_nothing_at_all(t) {
        let room = Room::new(t);
        let far = Far::new(&room);
        let c = started(&room, &json!({"egress": {"allow": []}}));
        assert!(services(&room).is_empty(), "there is no name to find");
        for to in [Far::V4, Far::V6, "10.88.0.1", "fd00:88::1"] {
            assert_ne!(fetch(&c, to).code, 0, "{to}");
        }
        c.verb("delete", &["--force"]).ok();
        drop(far);
        nothing_is_left(&room, &[]);
    }

    fn a_container_that_cannot_start_leaves_no_filter_and_no_service(t) {
        let room = Room::new(t);
        let list = json!({
            "publish": [{"host_port": 8080, "container_port": 80}],
            "egress": {"allow": [{"to": "api.example.com"}]}});
        let mut bundle: Bundle<'_> = room.bundle(&network(&list));
        bundle.args(&["no-such-program"]).run().refused();
        nothing_is_left(&room, &[]);
        let mut bundle = room.bundle(&network(&list));
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]);
        bundle.set("/hooks/createRuntime", hook);
        bundle.run().refused();
        nothing_is_left(&room, &[]);
    }

    fn lists_that_cannot_be_held_are_refused_with_their_place(t) {
        let room = Room::new(t);
        let rows = [
            (json!({"egress": {"allow": [{"to": "a b"}]}}), "/egress/allow/0/to"),
            (json!({"egress": {"allow": [{"to": "10.0.0.300"}]}}), "/egress/allow/0/to"),
            (json!({"egress": {"allow": [{"to": "10.0.0.1", "ports": ["9-8"]}]}}), "/egress/allow/0/ports/0"),
            (json!({"egress": {"allow": []}, "networks": [{"type": "macvlan", "device": "lo"}], "masquerade": false}), "/egress"),
            (json!({"publish": [{"host_port": 1, "container_port": 1, "host_address": "::1"}]}), "/publish/0/host_address"),
        ];
        for (more, place) in rows {
            let said = room.bundle(&network(&more)).run();
            assert!(said.refused().contains(&format!("{NETWORK}{place}")), "{more}: {said}");
        }
        nothing_is_left(&room, &[]);
    }
}
