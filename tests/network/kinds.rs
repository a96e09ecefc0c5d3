//! The other kinds of interfaces, and several of them.

use cofferdam_tests::json;

use crate::room::{NETWORK, Room, address, fetch, ping};

/// Makes the device that the links of a test are on.
const PARENT: &str =
    "ip link add name wan0 type veth peer name wan1; ip link set wan0 up; ip link set wan1 up";

cofferdam_tests::own! {
    fn containers_with_macvlans_on_one_device_talk(t) {
        let room = Room::new(t);
        t.host(PARENT);
        let has = t.host("ip link add link wan0 name probe type macvlan && ip link del probe && echo yes || echo no");
        t.need(has.trim() == "yes", "the kernel has no macvlan")?;
        let network = json!({"networks": [{"type": "macvlan", "device": "wan0", "mode": "bridge", "pool": "10.7.0.0/24",
            "ipv6_pool": "fd00:7::/64", "mac_address": "02:00:00:00:07:01", "mtu": 1400}]});
        let mut other = network.clone();
        other["networks"][0]["mac_address"] = json!("02:00:00:00:07:02");
        let (a, b) = (room.server(&network, "a"), room.server(&other, "b"));
        for of in [".", ":"] {
            assert_eq!(fetch(&a, &address(&b, of)).ok(), "b");
        }
        let link = a.exec(&[], &["ip", "-o", "link", "show", "dev", "eth0"]);
        assert!(link.ok().contains("mtu 1400") && link.stdout.contains("02:00:00:00:07:01"), "{link}");
        a.verb("delete", &["--force"]).ok();
        b.verb("delete", &["--force"]).ok();
        room.has_only(&["wan1", "wan0"]);
    }

    fn containers_with_ipvlans_on_one_device_talk(t) {
        let room = Room::new(t);
        t.host(PARENT);
        let has = t.host("ip link add link wan0 name probe type ipvlan 2>/dev/null && ip link del probe && echo yes || echo no");
        t.need(has.trim() == "yes", "the kernel has no ipvlan")?;
        let network = json!({"networks": [{"type": "ipvlan", "device": "wan0", "mode": "l2", "pool": "10.7.0.0/24"}]});
        let (a, b) = (room.server(&network, "a"), room.server(&network, "b"));
        assert_eq!(fetch(&a, &address(&b, ".")).ok(), "b");
    }

    fn a_kind_that_the_kernel_has_not_is_said_and_leaves_nothing(t) {
        let room = Room::new(t);
        t.host(PARENT);
        let has = t.host("ip link add link wan0 name probe type ipvlan 2>/dev/null && ip link del probe && echo yes || echo no");
        t.need(has.trim() == "no", "the kernel has ipvlan")?;
        let bundle = room.bundle(&json!({"networks": [
            {"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24"}, {"type": "ipvlan", "device": "wan0"}]}));
        let said = bundle.run();
        assert!(said.refused().contains("the kernel has no links of this kind"), "{said}");
        assert!(said.stderr.contains(&format!("{NETWORK}/networks/1")), "{said}");
        room.has_only(&["wan1", "wan0"]);
    }

    fn several_interfaces_have_names_addresses_and_one_default_route(t) {
        let room = Room::new(t);
        let c = room.bundle(&json!({"networks": [
            {"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24"},
            {"type": "veth", "bridge": "br1", "name": "back", "pool": "10.99.0.0/24"},
            {"type": "veth", "bridge": "br1", "address": "10.99.0.200/24"}]}))
            .start();
        let addresses = c.exec(&[], &["ip", "-o", "addr"]);
        for (name, address) in [("eth0", "10.88.0.2/24"), ("back", "10.99.0.2/24"), ("eth1", "10.99.0.200/24")] {
            let found = addresses.ok().lines().any(|line| line.contains(name) && line.contains(address));
            assert!(found, "{name} {address}: {addresses}");
        }
        let routes = c.exec(&[], &["ip", "route"]);
        let defaults: Vec<_> = routes.ok().lines().filter(|line| line.starts_with("default")).collect();
        assert_eq!(defaults.len(), 1, "{routes}");
        assert!(defaults[0].contains("10.88.0.1 dev eth0"), "{routes}");
        for router in ["10.88.0.1", "10.99.0.1"] {
            ping(&c, router).ok();
        }
        c.verb("delete", &["--force"]).ok();
        room.is_as_before();
    }

    fn a_device_that_moves_is_configured_and_is_back_when_the_container_cannot_be_made(t) {
        let room = Room::new(t);
        t.host(PARENT);
        t.host("ip addr add 10.5.0.1/24 dev wan1");
        let network = json!({"networks": [{"type": "move", "device": "wan0", "name": "eth0", "mtu": 1300,
            "address": "10.5.0.2/24", "gateway": "10.5.0.1"}]});
        let mut bad = network.clone();
        bad["routes"] = json!([{"destination": "192.0.2.0/24", "gateway": "203.0.113.1"}]);
        let said = room.bundle(&bad).run();
        assert!(said.refused().contains(&format!("{NETWORK}/routes/0")), "{said}");
        room.has_only(&["wan1", "wan0"]);
        let c = room.server(&network, "moved");
        assert_eq!(room.links(), ["wan1"]);
        assert_eq!(t.host("timeout 3 busybox wget -q -O - http://10.5.0.2/"), "moved");
        // A virtual device ends with the container's namespace, as the manual says; its peer goes along.
        c.verb("delete", &["--force"]).ok();
        room.is_as_before();
    }

    fn a_namespace_that_is_joined_is_not_changed(t) {
        let room = Room::new(t);
        t.host("ip netns add kept 2>/dev/null || { mkdir -p /run/netns; ip netns add kept; }");
        t.host("ip netns exec kept ip link set lo up; ip netns exec kept ip addr add 10.3.0.1/32 dev lo");
        let network = json!({"networks": [{"type": "netns", "ns_path": "/run/netns/kept"}]});
        let mut bundle = room.bundle(&network);
        bundle.join("network", "/run/netns/kept").args(&["ip", "-o", "addr"]);
        let out = bundle.run();
        assert!(out.ok().contains("10.3.0.1"), "{out}");
        bundle.join("network", "/proc/1/ns/net");
        assert!(bundle.run().refused().contains(NETWORK));
        t.host("ip netns del kept");
    }
}
