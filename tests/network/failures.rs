//! Containers that cannot be made or started: whatever it is, and whenever, nothing of their networks stays.

use cofferdam_tests::{Bundle, Test, Value, json};

use crate::room::{NETWORK, Room, address, pooled};

fn network() -> Value {
    pooled("br0", "10.88.0.0/24", "fd00:88::/64")
}

fn hooked(bundle: &mut Bundle<'_>, kind: &str, script: &str) {
    bundle.set(&format!("/hooks/{kind}"), json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]));
}

/// What the kernel or the host refuses, with a word of what is said.
fn refused(room: &Room<'_>, t: &Test) {
    t.host("ip link add name taken type veth peer name other");
    let links = ["other", "taken"];
    let veth = json!({"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24"});
    let rows = [
        (json!({"networks": [{"type": "veth", "bridge": "taken"}]}), "/networks/0"),
        (
            json!({"networks": [veth, {"type": "veth", "bridge": "br1", "host_interface_name": "taken"}]}),
            "/networks/1",
        ),
        (json!({"networks": [veth, {"type": "macvlan", "device": "none"}]}), "/networks/1"),
        (json!({"networks": [veth, {"type": "move", "device": "none"}]}), "/networks/1"),
        (json!({"networks": [veth, {"type": "move", "device": "lo", "name": "lo2"}]}), "/networks/1"),
        (
            json!({"networks": [veth], "routes": [{"destination": "192.0.2.0/24", "gateway": "203.0.113.1"}]}),
            "/routes/0",
        ),
        (
            json!({"networks": [veth], "routes": [{"destination": "192.0.2.0/24", "source": "192.0.2.1", "interface_name": "eth0"}]}),
            "/routes/0",
        ),
    ];
    for (document, place) in rows {
        let said = room.bundle(&document).run();
        assert!(said.refused().contains(&format!("{NETWORK}{place}")), "{document}: {said}");
        room.has_only(&links);
    }
    t.host("ip link del taken");
}

cofferdam_tests::own! {
    fn what_the_host_refuses_is_said_with_its_place_and_leaves_nothing(t) {
        refused(&Room::new(t), t);
    }

    fn a_container_that_cannot_be_created_leaves_nothing(t) {
        let room = Room::new(t);
        room.bundle(&network()).args(&["no-such-program"]).run().refused();
        room.is_as_before();
        for hook in ["prestart", "createRuntime", "createContainer"] {
            let mut bundle = room.bundle(&network());
            hooked(&mut bundle, hook, "exit 3");
            bundle.run().refused();
            room.is_as_before();
        }
        let mut bundle = room.bundle(&network());
        bundle.mount("/data", "none", "/no/such/source", &["bind"]);
        bundle.run().refused();
        room.is_as_before();
        let bundle = room.bundle(&network());
        bundle.write();
        let nowhere = t.dir.join("no/such/pid");
        let line = bundle.command_line("create", &["--pid-file", nowhere.to_str().expect("a path of ASCII")]);
        let mut command = t.runtime_command(&line);
        t.finish(&mut command).refused();
        room.is_as_before();
    }

    fn a_container_that_cannot_be_started_leaves_nothing_when_it_is_deleted(t) {
        let room = Room::new(t);
        let mut bundle = room.bundle(&network());
        let program = bundle.rootfs().join("data/program");
        std::fs::write(&program, "not a program").expect("program");
        std::os::unix::fs::chown(&program, Some(0), Some(0)).expect("owner");
        t.host(&format!("chmod 755 {}", program.display()));
        let c = bundle.args(&["/data/program"]).create();
        c.verb("start", &[]).refused();
        c.verb("delete", &["--force"]).ok();
        room.is_as_before();
        for hook in ["startContainer", "poststart"] {
            let mut bundle = room.bundle(&network());
            hooked(&mut bundle, hook, "exit 3");
            let c = bundle.create();
            c.verb("start", &[]).refused();
            c.verb("delete", &["--force"]).ok();
            room.is_as_before();
        }
    }

    fn a_pool_that_is_full_is_said_and_an_address_is_free_again_after_delete(t) {
        let room = Room::new(t);
        let small = json!({"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/30"}]});
        let c = room.bundle(&small).start();
        let said = room.bundle(&small).run();
        assert!(said.refused().contains("every address is leased to a container that lives"), "{said}");
        assert!(said.stderr.contains(&format!("{NETWORK}/networks/0")), "{said}");
        c.verb("delete", &["--force"]).ok();
        room.bundle(&small).args(&["true"]).run().ok();
        room.is_as_before();
    }

    fn an_address_that_a_container_has_is_neither_given_nor_chosen_again(t) {
        let room = Room::new(t);
        let fixed = json!({"networks": [{"type": "veth", "bridge": "br0", "address": "10.88.0.2/29"}]});
        let pooled = json!({"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/29"}]});
        let a = room.bundle(&fixed).start();
        let said = room.bundle(&fixed).run();
        assert!(said.refused().contains("keeping address 10.88.0.2"), "{said}");
        assert!(said.stderr.contains(&a.id) && said.stderr.contains(&format!("{NETWORK}/networks/0")), "{said}");
        let b = room.bundle(&pooled).start();
        assert_eq!(address(&b, "."), "10.88.0.3");
        let elsewhere = json!({"networks": [{"type": "veth", "bridge": "br1", "address": "10.88.0.2/29"}]});
        room.bundle(&elsewhere).args(&["true"]).run().ok();
        a.verb("delete", &["--force"]).ok();
        room.bundle(&fixed).args(&["true"]).run().ok();
        b.verb("delete", &["--force"]).ok();
        room.is_as_before();
    }

    fn the_lease_of_a_container_whose_state_is_gone_is_taken_back(t) {
        let room = Room::new(t);
        let small = json!({"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/30"}]});
        let c = room.bundle(&small).start();
        let pid = c.pid();
        t.host(&format!("kill -9 {pid}"));
        c.wait_stopped();
        let state = t.dir.join("state").join(&c.id);
        let away = t.dir.join("away");
        std::fs::rename(&state, &away).expect("state");
        room.bundle(&small).args(&["true"]).run().ok();
        std::fs::rename(&away, &state).expect("state");
        c.verb("delete", &["--force"]).ok();
        room.is_as_before();
    }

    fn a_state_that_is_damaged_is_removed_with_its_leases(t) {
        let room = Room::new(t);
        let c = room.bundle(&network()).start();
        let pid = c.pid();
        std::fs::write(t.dir.join("state").join(&c.id).join("state.json"), "{").expect("state");
        t.host(&format!("kill -9 {pid}"));
        c.verb("delete", &["--force"]).ok();
        room.is_as_before();
    }
}
