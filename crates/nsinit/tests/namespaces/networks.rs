//! InitializeNetworking and SetupContainer.

use std::process::Command;

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

#[test]
fn what_is_not_there_yet_says_so_with_its_place() {
    let me = i32::try_from(std::process::id()).unwrap();
    let veth = Config { networks: vec![network("loopback", ""), network("veth", "")], ..Config::default() };
    let routes = Config { routes: vec![Route::default()], ..Config::default() };
    let odd = Config { networks: vec![network("token-ring", "")], ..Config::default() };
    if root() {
        let told = |config| initialize_networking(config, me, &mut NetworkState::default()).unwrap_err();
        assert_eq!((told(&veth).kind(), told(&veth).pointer()), (ErrorKind::Host, Some("/networks/1/type")));
        assert_eq!((told(&routes).kind(), told(&routes).pointer()), (ErrorKind::Host, Some("/routes")));
        assert_eq!(told(&odd).kind(), ErrorKind::Configuration);
    }
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
