//! Containers on bridges: who reaches whom, and that all settings are the kernel's.

use cofferdam_tests::{Container, Test, Value, json};

use crate::room::{Room, address, fetch, ping, pooled};

const ONE: (&str, &str, &str) = ("br0", "10.88.0.0/24", "fd00:88::/64");
const OTHER: (&str, &str, &str) = ("br1", "10.99.0.0/24", "fd00:99::/64");

fn on((bridge, v4, v6): (&str, &str, &str)) -> Value {
    pooled(bridge, v4, v6)
}

#[track_caller]
fn reach(from: &Container<'_>, to: &Container<'_>, says: &str) {
    for of in [".", ":"] {
        let address = address(to, of);
        ping(from, &address).ok();
        assert_eq!(fetch(from, &address).ok(), says, "{address}");
    }
}

#[track_caller]
fn do_not_reach(from: &Container<'_>, to: &Container<'_>) {
    for of in [".", ":"] {
        let address = address(to, of);
        assert_ne!(ping(from, &address).code, 0, "{address} answers");
        assert_ne!(fetch(from, &address).code, 0, "{address} answers");
    }
}

/// What `ip` says of one link outside.
fn outside(t: &Test, name: &str) -> String {
    t.host(&format!("ip -d -o link show dev {name}"))
}

fn veth_of(container: &Container<'_>) -> String {
    let text = container.state()["annotations"]["org.cofferdam.network.interfaces"].clone();
    let all: Value = serde_json::from_str(text.as_str().expect("interfaces")).expect("JSON");
    all[0]["host_name"].as_str().expect("a veth").to_owned()
}

cofferdam_tests::own! {
    fn two_on_a_bridge_ping_and_talk_and_a_third_on_another_cannot(t) {
        let room = Room::new(t);
        let (a, b) = (room.server(&on(ONE), "a"), room.server(&on(ONE), "b"));
        let c = room.server(&on(OTHER), "c");
        reach(&a, &b, "b");
        reach(&b, &a, "a");
        do_not_reach(&a, &c);
        do_not_reach(&c, &b);
        // The host is on both.
        for container in [&a, &b, &c] {
            t.host(&format!("busybox ping -c 1 -W 2 {}", address(container, ".")));
            t.host(&format!("busybox ping -c 1 -W 2 {}", address(container, ":")));
        }
        for container in [a, b, c] {
            container.verb("delete", &["--force"]).ok();
        }
        room.is_as_before();
    }

    fn isolated_ports_reach_the_host_and_not_each_other(t) {
        let room = Room::new(t);
        let mut network = on(ONE);
        network["networks"][0]["isolated"] = json!(true);
        let (a, b) = (room.server(&network, "a"), room.server(&network, "b"));
        do_not_reach(&a, &b);
        ping(&a, "10.88.0.1").ok();
        ping(&b, "fd00:88::1").ok();
    }

    fn an_interface_is_as_it_is_asked_for(t) {
        let room = Room::new(t);
        let c = room.bundle(&json!({
            "networks": [
                {"type": "loopback"},
                {"type": "veth", "name": "wan", "bridge": "br0", "veth_prefix": "box",
                 "mac_address": "02:42:0a:09:00:07", "address": "10.9.0.7/24", "ipv6_address": "fd00:9::7/64",
                 "addresses": ["10.9.0.8/24"], "bridge_addresses": ["10.9.0.1/24"], "gateway": "10.9.0.1",
                 "mtu": 1400, "txqueuelen": 77, "hairpin_mode": true}],
            "routes": [
                {"destination": "192.0.2.0/24", "source": "10.9.0.8", "gateway": "10.9.0.1", "interface_name": "wan"},
                {"destination": "198.51.100.0/24", "interface_name": "wan"}]}))
            .start();
        let link = c.exec(&[], &["ip", "-o", "link", "show", "dev", "wan"]);
        for part in ["02:42:0a:09:00:07", "mtu 1400", "qlen 77", "UP"] {
            assert!(link.ok().contains(part), "{part}: {link}");
        }
        let addresses = c.exec(&[], &["ip", "-o", "addr", "show", "dev", "wan"]);
        for part in ["10.9.0.7/24", "10.9.0.8/24", "fd00:9::7/64"] {
            assert!(addresses.ok().contains(part), "{part}: {addresses}");
        }
        let routes = c.exec(&[], &["ip", "route"]);
        for part in ["default via 10.9.0.1 dev wan", "192.0.2.0/24 via 10.9.0.1 dev wan  src 10.9.0.8", "198.51.100.0/24 dev wan"] {
            assert!(routes.ok().contains(part), "{part}: {routes}");
        }
        let veth = veth_of(&c);
        assert!(veth.starts_with("box"), "{veth}");
        let out = outside(t, &veth);
        for part in ["mtu 1400", "qlen 77", "hairpin on", "isolated off", "master br0"] {
            assert!(out.contains(part), "{part}: {out}");
        }
        assert!(t.host("ip -o addr show dev br0").contains("10.9.0.1/24"));
    }

    fn a_hairpin_port_gets_its_own_broadcasts_back(t) {
        let room = Room::new(t);
        // Whoever asks for neighbours that are not there shouts, and no one else does.
        let ask = "for n in $(seq 100 119); do busybox ping -c 1 -W 1 10.88.0.$n >/dev/null & done; wait
                   grep eth0 /proc/net/dev | tr -s ' ' | sed 's/.*eth0: *//' | cut -d' ' -f2";
        let heard = [false, true].map(|hairpin| {
            let mut network = on(ONE);
            network["networks"][0]["hairpin_mode"] = json!(hairpin);
            let c = room.server(&network, "me");
            let heard = c.exec(&[], &["sh", "-c", ask]).ok().trim().parse::<u32>().expect("a number of packets");
            c.verb("delete", &["--force"]).ok();
            heard
        });
        assert!(heard[0] < 15 && heard[1] >= 20, "{heard:?}");
        room.is_as_before();
    }

    fn a_container_in_a_user_namespace_has_its_network(t) {
        let room = Room::new(t);
        let a = room.server(&on(ONE), "a");
        let mut bundle = room.bundle(&on(ONE));
        let b = bundle.user_namespace().start();
        reach(&b, &a, "a");
        let hosts = b.exec(&[], &["cat", "/etc/hosts"]);
        assert!(hosts.ok().contains(&format!("{}\tbox", address(&b, "."))), "{hosts}");
        a.verb("delete", &["--force"]).ok();
        b.verb("delete", &["--force"]).ok();
        room.is_as_before();
    }

    fn a_bridge_of_the_hosts_is_used_as_it_is_and_stays(t) {
        let room = Room::new(t);
        t.host("ip link add br0 type bridge; ip link set br0 up; ip addr add 10.88.0.254/24 dev br0");
        let c = room.server(&on(ONE), "a");
        ping(&c, "10.88.0.254").ok();
        assert!(!t.host("ip -o addr show dev br0").contains("10.88.0.1/"), "no address is added to it");
        c.verb("delete", &["--force"]).ok();
        room.has_only(&["br0"]);
    }

    fn the_network_is_there_before_hooks_and_in_their_state(t) {
        let room = Room::new(t);
        let mut bundle = room.bundle(&on(ONE));
        let script = format!("cat > {}/hook-state; ip -o link > {0}/hook-links", t.dir.display());
        bundle.set("/hooks/createRuntime", json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]));
        let c = bundle.create();
        let state = std::fs::read_to_string(t.dir.join("hook-state")).expect("state");
        assert!(state.contains("10.88.0.2/24"), "{state}");
        let links = std::fs::read_to_string(t.dir.join("hook-links")).expect("links");
        assert!(links.contains(&veth_of(&c)), "{links}");
    }
}
