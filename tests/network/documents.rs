//! Documents that mean nothing: each is refused with the place, all at once, and leaves nothing.

use cofferdam_tests::{Value, json};

use crate::room::{NETWORK, Room, pooled};

fn veth(more: Value) -> Value {
    let mut one = json!({"type": "veth", "bridge": "br0", "address": "10.9.0.2/24"});
    one.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({"networks": [one]})
}

cofferdam_tests::own! {
    fn each_wrong_document_is_refused_with_its_place(t) {
        let room = Room::new(t);
        let rows = [
            (json!({"networks": [{"type": "tap"}]}), "/networks/0/type"),
            (json!({"networks": [{"type": "veth"}]}), "/networks/0/bridge"),
            (json!({"networks": 7}), "/networks"),
            (json!({"brigde": "br0"}), "/brigde"),
            (veth(json!({"address": "10.9.0.2/33"})), "/networks/0/address"),
            (veth(json!({"address": "10.9.0.2; reboot"})), "/networks/0/address"),
            (veth(json!({"gateway": "10.8.0.1"})), "/networks/0/gateway"),
            (veth(json!({"mac_address": "ff:ff:ff:ff:ff:ff"})), "/networks/0/mac_address"),
            (veth(json!({"mtu": 1i64 << 40})), "/networks/0/mtu"),
            (veth(json!({"txqueuelen": -5})), "/networks/0/txqueuelen"),
            (veth(json!({"name": "../../etc"})), "/networks/0/name"),
            (veth(json!({"bridge": "a-name-that-is-too-long"})), "/networks/0/bridge"),
            (veth(json!({"pool": "10.88.0.0/32"})), "/networks/0/pool"),
            (veth(json!({"pool": "fd00::/64"})), "/networks/0/pool"),
            (veth(json!({"ipv6_pool": "10.88.0.0/24"})), "/networks/0/ipv6_pool"),
            (json!({"routes": [{"destination": "192.0.2.0/24"}]}), "/routes/0"),
            (json!({"routes": [{"gateway": "::g"}]}), "/routes/0/gateway"),
            (json!({"hosts": [{"address": "10.0.0.1", "names": ["a\n10.0.0.2 b"]}]}), "/hosts/0/names/0"),
            (json!({"dns": {"servers": ["8.8.8"]}}), "/dns/servers/0"),
            (json!({"dns": {"search": ["a b"]}}), "/dns/search/0"),
            (json!({"publish": [{"host_port": 0, "container_port": 80}]}), "/publish/0/host_port"),
            (json!({"egress": {"allow": [{"to": "1.2.3.400"}]}}), "/egress/allow/0/to"),
            (json!({"user_mode": "tunnel"}), "/user_mode"),
        ];
        for (document, place) in rows {
            let said = room.bundle(&document).run();
            assert!(said.refused().contains(&format!("{NETWORK}{place}")), "{document}: {said}");
        }
        let mut no_json = room.bundle(&json!({}));
        let said = no_json.set(NETWORK, "br0").run();
        assert!(said.refused().contains(NETWORK), "{said}");
        room.is_as_before();
    }

    fn a_networks_mistakes_are_told_together_with_all_others(t) {
        let room = Room::new(t);
        let mut bundle = room.bundle(&json!({"networks": [{"type": "tap"}, {"type": "veth", "mtu": 3}]}));
        let said = bundle.set("/process/cwd", "tmp").set("/linux/resources/pids/limit", "x").run();
        assert!(said.code != 0, "{said}");
        let said = bundle.set("/linux/resources", json!({})).run();
        for place in ["/networks/0/type", "/networks/1/mtu", "/networks/1/bridge", "/process/cwd"] {
            assert!(said.refused().contains(place), "{place}: {said}");
        }
    }

    fn a_network_needs_a_namespace_of_the_containers_own(t) {
        let room = Room::new(t);
        let mut bundle = t.bundle();
        bundle.set(NETWORK, pooled("br0", "10.88.0.0/24", "fd00:88::/64").to_string());
        let said = bundle.run();
        assert!(said.refused().contains("has no network of its own"), "{said}");
        bundle.join("network", "/proc/1/ns/net");
        let said = bundle.run();
        assert!(said.refused().contains("is joined"), "{said}");
        room.is_as_before();
    }

    fn the_plan_shows_the_network(t) {
        let room = Room::new(t);
        let bundle = room.bundle(&pooled("br0", "10.88.0.0/24", "fd00:88::/64"));
        bundle.write();
        let text = t.runtime(&bundle.command_line("plan", &[]));
        assert!(text.ok().contains("making network interface eth0 (veth on br0, one of 10.88.0.0/24"), "{text}");
        let json = t.runtime(&bundle.command_line("plan", &["--format", "json"]));
        let plan: Value = serde_json::from_str(json.ok()).expect("JSON");
        assert_eq!(plan["network"]["interfaces"][0]["name"], "eth0", "{plan}");
        room.is_as_before();
    }
}
