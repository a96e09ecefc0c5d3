//! InitializeNetworking and SetupContainer.

use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use cofferdam::ErrorKind;
use cofferdam_nsinit::namespaces::{initialize_networking, setup_container};
use cofferdam_nsinit::{Config, NamespaceType, Network, NetworkState, Route, State};

use crate::world::{World, root};

fn network(kind: &str, ns_path: &str) -> Network {
    Network { kind: kind.into(), ns_path: ns_path.into(), ..Network::default() }
}

/// A process in a new network namespace.
struct Away(std::process::Child);

impl Away {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "echo; exec sleep 1000"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        Self(child)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn loopback(&self) -> String {
        let pid = self.0.id().to_string();
        let output =
            Command::new("nsenter").args(["-n", "-t", &pid, "ip", "-o", "link", "show", "lo"]).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_loopback_device_of_a_process_is_set_up() {
    if !root() {
        return;
    }
    let away = Away::new();
    assert!(!away.loopback().contains("UP"), "{}", away.loopback());
    let config = Config { networks: vec![network("loopback", "")], ..Config::default() };
    initialize_networking(&config, away.pid(), &mut NetworkState::default()).unwrap();
    assert!(away.loopback().contains("UP"), "{}", away.loopback());
}

/// A bridge of the host's, with an address.
struct Bridge(String);

impl Bridge {
    fn new(address: &str) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        let name = format!("nsb{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        ip(&["link", "add", &name, "type", "bridge"]);
        let bridge = Self(name);
        // The same address twice would be two ways to the same network.
        ip(&["addr", "add", address, "dev", &bridge.0]);
        ip(&["link", "set", &bridge.0, "up"]);
        bridge
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.0]).status();
    }
}

#[track_caller]
fn ip(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output().unwrap();
    assert!(output.status.success(), "ip {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_veth_pair_connects_the_container_to_a_bridge_and_goes_with_it() {
    if !root() {
        return;
    }
    let (bridge, mut world) = (Bridge::new("10.213.77.1/24"), World::new());
    world.config.capabilities.push("NET_RAW".into());
    world.config.networks = vec![Network {
        bridge: bridge.0.clone(),
        veth_prefix: "nsv".into(),
        mac_address: "02:42:0a:d5:4d:02".into(),
        address: "10.213.77.2/24".into(),
        ipv6_address: "fd00:213::2/64".into(),
        gateway: "10.213.77.1".into(),
        mtu: 1400,
        txqueuelen: 77,
        ..network("veth", "")
    }];
    let to = Route {
        destination: "192.0.2.0/24".into(),
        gateway: "10.213.77.9".into(),
        interface_name: "eth0".into(),
        ..Route::default()
    };
    let from = Route { source: "10.213.77.2".into(), destination: "198.51.100.0/24".into(), ..to.clone() };
    world.config.routes = vec![to, from];
    let mut host = String::new();
    let status = world.run_with(
        "ip addr show eth0; ip route; ping -c1 -W5 10.213.77.1 >/dev/null && echo answered; sleep 1000",
        |child| {
            host = State::get(&world.data()).unwrap().network_state.veth_host;
            let port = ip(&["-o", "link", "show", &host]);
            assert!(port.contains(&format!("master {}", bridge.0)) && port.contains("mtu 1400"), "{port}");
            until(|| world.output().contains("answered"));
            child.kill().unwrap();
        },
    );
    let told = world.output();
    assert_eq!(status.unwrap(), 137, "{told}");
    for part in [
        "02:42:0a:d5:4d:02",
        "inet 10.213.77.2/24",
        "inet6 fd00:213::2/64",
        "mtu 1400",
        "default via 10.213.77.1 dev eth0",
        "192.0.2.0/24 via 10.213.77.9 dev eth0",
        "198.51.100.0/24 via 10.213.77.9 dev eth0  src 10.213.77.2",
        "answered",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(host.starts_with("nsv") && host.len() == 10, "{host}");
    until(|| !std::path::Path::new("/sys/class/net").join(&host).exists());
    world.assert_nothing_left();
}

#[test]
fn with_a_user_namespace_setup_container_configures_the_network() {
    if !root() {
        return;
    }
    let (bridge, mut world) = (Bridge::new("10.213.78.1/24"), World::new());
    world.give_users();
    world.config.networks = vec![
        network("loopback", ""),
        Network {
            bridge: bridge.0.clone(),
            veth_prefix: "nsu".into(),
            address: "10.213.78.3/24".into(),
            gateway: "10.213.78.1".into(),
            ..network("veth", "")
        },
    ];
    assert_eq!(world.run("id -u; ip addr show eth0; ip route").unwrap(), 0, "{}", world.output());
    let told = world.output();
    assert!(told.starts_with("0\n"), "{told}");
    assert!(
        told.contains("inet 10.213.78.3/24") && told.contains("default via 10.213.78.1 dev eth0"),
        "{told}"
    );
    world.assert_nothing_left();
}

#[test]
fn what_is_wrong_with_a_network_is_told_with_its_place() {
    if !root() {
        return;
    }
    let away = Away::new();
    let told = |networks: Vec<Network>, routes: Vec<Route>| {
        let config = Config { networks, routes, ..Config::default() };
        let error = initialize_networking(&config, away.pid(), &mut NetworkState::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        error.pointer().unwrap().to_owned()
    };
    let veth =
        |bridge: &str| Network { bridge: bridge.into(), veth_prefix: "nsv".into(), ..network("veth", "") };
    assert_eq!(told(vec![network("loopback", ""), network("token-ring", "")], vec![]), "/networks/1/type");
    assert_eq!(told(vec![veth("")], vec![]), "/networks/0/bridge");
    assert_eq!(told(vec![veth("lo")], vec![]), "/networks/0/bridge");
    assert_eq!(told(vec![], vec![Route::default()]), "/routes/0");
    let route = Route { gateway: "10.0.0.1".into(), interface_name: "eth7".into(), ..Route::default() };
    assert_eq!(told(vec![], vec![route]), "/routes/0/interface_name");
    let route = Route { gateway: "somewhere".into(), ..Route::default() };
    assert_eq!(told(vec![], vec![route]), "/routes/0/gateway");
    // The caller's own network is nobody's to configure.
    let me = i32::try_from(std::process::id()).unwrap();
    let config = Config { networks: vec![network("loopback", ""), veth("lo")], ..Config::default() };
    let error = initialize_networking(&config, me, &mut NetworkState::default()).unwrap_err();
    assert_eq!(error.pointer(), Some("/networks/1"), "{error}");
}

#[test]
fn a_container_joins_the_namespace_of_a_netns_network() {
    if !root() {
        return;
    }
    let away = Away::new();
    let mut world = World::new();
    world.config.namespaces.remove(NamespaceType::Network);
    world.config.networks = vec![network("netns", &format!("/proc/{}/ns/net", away.pid()))];
    let theirs = std::fs::read_link(format!("/proc/{}/ns/net", away.pid())).unwrap();
    world
        .run_with("sleep 1000", |child| {
            assert_eq!(std::fs::read_link(format!("/proc/{}/ns/net", child.pid())).unwrap(), theirs);
            let state = State::get(&world.data()).unwrap();
            assert_eq!(state.network_state.ns_path, world.config.networks[0].ns_path);
            child.kill().unwrap();
        })
        .unwrap();
}

#[test]
fn setup_container_works_from_the_state_of_a_process() {
    if !root() {
        return;
    }
    let (away, world) = (Away::new(), World::new());
    let config = Config { networks: vec![network("loopback", "")], ..Config::default() };
    assert_eq!(setup_container(&config, &world.data()).unwrap_err().kind(), ErrorKind::NotFound);
    let mut state = State { init_pid: away.pid(), init_start_time: "1".into(), ..State::default() };
    state.save(&world.data()).unwrap();
    assert_eq!(setup_container(&config, &world.data()).unwrap_err().kind(), ErrorKind::WrongState);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", away.pid())).unwrap();
    state.init_start_time = stat.split_whitespace().nth(21).unwrap().into();
    state.save(&world.data()).unwrap();
    setup_container(&config, &world.data()).unwrap();
    assert!(away.loopback().contains("UP"));
}
