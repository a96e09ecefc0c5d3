//! Networks of containers, by the library: the host is a network namespace of a thread of the test's.

use cofferdam::net::{Network as Links, NetworkSpec};
use cofferdam::sandbox::{Network, Sandbox};
use cofferdam::{Command, Exec, NameService};
use cofferdam_sys::clone3::CLONE_NEWNET;
use cofferdam_sys::setns::unshare;

use crate::world::World;

const BRIDGED: &str = r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.66.0.0/24", "ipv6_pool": "fd00:66::/64"}],
    "hosts": [{"address": "10.66.0.1", "names": ["gateway"]}]}"#;

fn bridged() -> NetworkSpec {
    serde_json::from_str(BRIDGED).unwrap()
}

/// Runs in a thread whose network is new, and sees that it is as empty afterwards.
fn in_new_network(run: impl FnOnce() + Send) {
    let there = || {
        unshare(CLONE_NEWNET).unwrap();
        run();
        let links = Links::here().unwrap().links().unwrap();
        assert_eq!(links.len(), 1, "{links:?}");
    };
    std::thread::scope(|scope| match scope.spawn(there).join() {
        Ok(()) => {}
        Err(panic) => std::panic::resume_unwind(panic),
    });
}

#[test]
fn a_sandbox_with_a_network_has_its_addresses_and_names() {
    let Some(world) = World::new() else { return };
    in_new_network(|| {
        let mut sandbox = Sandbox::new("sh");
        sandbox.args(["-c", "ip -o addr show dev eth0; cat /etc/hosts"]);
        sandbox.network(Network::Private(bridged().into()));
        let output = Command::from(sandbox).store(world.store.clone()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for part in ["10.66.0.2/24", "fd00:66::2/64", "10.66.0.2\tsandbox", "10.66.0.1\tgateway"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    });
}

#[test]
fn a_command_with_a_network_says_its_interfaces() {
    let Some(world) = World::new() else { return };
    in_new_network(|| {
        let mut command = Command::new("sleep");
        let mut child = command.arg("600").network(bridged()).store(world.store.clone()).spawn().unwrap();
        let interfaces = child.container().network_interfaces();
        assert_eq!(interfaces.len(), 1);
        assert_eq!(interfaces[0].addresses, ["10.66.0.2/24", "fd00:66::2/64"]);
        let host = Links::here().unwrap().link(&interfaces[0].host_name).unwrap();
        assert!(host.unwrap().up, "{interfaces:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_prepared_container_has_its_network_before_its_program() {
    let Some(world) = World::new() else { return };
    in_new_network(|| {
        let prepared = Command::new("true").network(bridged()).store(world.store.clone()).prepare().unwrap();
        let output = prepared.output(Exec::new("ip").args(["-o", "addr"])).unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("10.66.0.2/24"), "{output:?}");
    });
}

#[test]
fn what_is_wrong_with_a_network_is_said_with_its_place() {
    let Some(world) = World::new() else { return };
    let spec: NetworkSpec = serde_json::from_str(r#"{"networks": [{"type": "veth"}]}"#).unwrap();
    let error = Command::new("true").network(spec).store(world.store.clone()).output().unwrap_err();
    assert_eq!(error.kind(), cofferdam::ErrorKind::Configuration);
    assert!(error.to_string().contains("/annotations/org.cofferdam.network/networks/0/bridge"), "{error}");
}

#[test]
fn names_are_answered_for_by_whom_the_command_says() {
    let Some(world) = World::new() else { return };
    in_new_network(|| {
        let mut network = bridged();
        let list = r#"{"allow": [{"to": "api.example.com"}]}"#;
        network.egress = Some(serde_json::from_str(list).unwrap());
        network.dns.servers = vec!["192.0.2.53".to_owned()];
        let asked = ["-c", "cat /etc/resolv.conf"];
        let mut command = Command::new("sh");
        command.args(asked).network(network.clone()).store(world.store.clone());
        let output = command.output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("127.0.0.11"), "by a thread: {output:?}");
        command.name_service(NameService::Program("/no/such/program".into(), Vec::new()));
        let error = command.output().unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    });
}
