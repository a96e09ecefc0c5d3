//! Real traffic that is heavier one way than the other, between a container and the host's end of its veth pair.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use cofferdam_nsinit::stats::Measurement;
use cofferdam_nsinit::{Network, State};

use crate::world::{World, root};

/// What the container receives, and what it sends.
const DOWN: u64 = 3_000_000;
const UP: u64 = 200_000;

/// A bridge of this test's own, with an address.
struct Bridge(String);

impl Bridge {
    fn new(address: &str) -> Self {
        let bridge = Self(format!("nsst{}", std::process::id()));
        ip(&["link", "add", &bridge.0, "type", "bridge"]);
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

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().unwrap();
    assert!(output.status.success(), "ip {args:?}: {output:?}");
}

/// Sends what the container is to receive, and takes what it sends.
fn serve(listener: &TcpListener) {
    let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
    let mut got = vec![0; usize::try_from(UP).unwrap()];
    stream.read_exact(&mut got).unwrap();
    stream.write_all(&vec![b'x'; usize::try_from(DOWN).unwrap()]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = stream.read_to_end(&mut got);
}

#[test]
fn what_a_container_receives_is_rx_and_what_it_sends_is_tx() {
    if !root() {
        return;
    }
    let (bridge, mut world) = (Bridge::new("10.213.91.1/24"), World::new());
    let listener = TcpListener::bind("10.213.91.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let loopback = Network { kind: "loopback".into(), ..Network::default() };
    let veth = Network {
        kind: "veth".into(),
        bridge: bridge.0.clone(),
        veth_prefix: "nst".into(),
        address: "10.213.91.2/24".into(),
        ..Network::default()
    };
    world.config.networks = vec![loopback, veth];
    std::os::unix::fs::symlink("busybox", world.root().join("bin/nc")).unwrap();
    std::os::unix::fs::symlink("busybox", world.root().join("bin/head")).unwrap();
    std::os::unix::fs::symlink("busybox", world.root().join("bin/wc")).unwrap();
    let server = std::thread::spawn(move || serve(&listener));
    // Loopback is busy as well, and counts for nothing.
    let script = format!(
        "ping -c 3 -s 60000 127.0.0.1 > /dev/null; head -c {UP} /dev/zero | nc 10.213.91.1 {port} | wc -c; \
         echo done; sleep 1000"
    );
    world.config.capabilities.push("NET_RAW".into());
    world
        .run_with(&script, |child| {
            let deadline = Instant::now() + Duration::from_secs(30);
            while !world.output().contains("done") && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(world.output().contains(&DOWN.to_string()), "{}", world.output());
            let state = State::get(&world.data()).unwrap();
            let measured = Measurement::of(child.container()).unwrap();
            assert_eq!(measured.interfaces, Measurement::of_state(&state).unwrap().interfaces);
            let stats = measured.v1().network_stats.unwrap();
            // Headers and acknowledgements are a tenth at most.
            assert!((DOWN..DOWN + DOWN / 5).contains(&stats.rx_bytes), "{stats:?}");
            assert!((UP..UP + 2 * UP).contains(&stats.tx_bytes), "{stats:?}");
            assert!(stats.rx_packets > 10 && stats.tx_packets > 10);
            let eth0 = &measured.v2().interfaces.unwrap()[0];
            assert_eq!(
                (eth0.name.as_str(), eth0.rx_bytes, eth0.tx_bytes),
                ("eth0", stats.rx_bytes, stats.tx_bytes)
            );
            // The host's end has it the other way round.
            let host = &state.network_state.veth_host;
            let sent = std::fs::read_to_string(format!("/sys/class/net/{host}/statistics/tx_bytes")).unwrap();
            assert!(sent.trim().parse::<u64>().unwrap() >= DOWN, "{sent}");
            child.kill().unwrap();
        })
        .unwrap();
    server.join().unwrap();
    world.assert_nothing_left();
}
