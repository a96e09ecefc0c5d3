//! Published ports, from everywhere that they are to answer, and from where they are not.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::firewall_tests::{World, ip, port, publish, world};
use crate::tests::in_new_network;
use crate::traffic::{AT_ONCE, at, attach, call, nets, serve};
use crate::*;

/// Answers every datagram with the address that it saw it come from.
pub(crate) fn echo(namespace: &std::fs::File, address: &str) -> SocketAddr {
    let socket = at(namespace, || UdpSocket::bind(address).unwrap());
    let local = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok((_, from)) = socket.recv_from(&mut bytes) {
            socket.send_to(from.ip().to_string().as_bytes(), from).unwrap();
        }
    });
    local
}

/// Whom the server of datagrams sees, or why there was no answer.
pub(crate) fn ask(namespace: &std::fs::File, to: SocketAddr) -> Result<IpAddr, ErrorKind> {
    at(namespace, || {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut bytes = [0; 64];
        let said = socket.connect(to).and_then(|()| socket.send(b"?")).and_then(|_| socket.recv(&mut bytes));
        let length = said.map_err(|error| error.kind())?;
        Ok(std::str::from_utf8(&bytes[..length]).unwrap().parse().unwrap())
    })
}

/// Opens for `web`, as whoever makes containers does.
fn open(world: &mut World, publish: Vec<Publish>) -> Firewall {
    let outward = Outward { masquerade: nets(&["10.9.0.2/24", "fd00:9::2/64"]), publish };
    let mut firewall = Firewall::here().unwrap();
    firewall.open("web", &outward).unwrap();
    if outward.is_at_loopback() {
        let bridge = world.host.link("br0").unwrap().unwrap().index;
        world.host.let_loopback_out(bridge, true).unwrap();
    }
    // Where bridged frames pass the filter as well (br_netfilter), its own come back over its own port.
    world.host.set_port("va", BridgePort { hairpin: true, isolated: false }).unwrap();
    world.host.set_up("lo").unwrap();
    firewall
}

fn udp(ports: std::ops::RangeInclusive<u16>, to: SocketAddr) -> Publish {
    Publish { protocol: Protocol::Udp, ..publish(ports, &to.ip().to_string(), to.port()) }
}

#[test]
fn a_published_datagram_port_answers_from_every_side_on_both_protocols() {
    in_new_network(|| {
        let mut world = world();
        let (v4, v6) = (echo(&world.container, "10.9.0.2:0"), echo(&world.container, "[fd00:9::2]:0"));
        let mut firewall = open(&mut world, vec![udp(5353..=5353, v4), udp(5353..=5353, v6)]);
        assert_eq!(ask(&world.far, port("203.0.113.1", 5353)), Ok(ip("203.0.113.9")));
        assert_eq!(ask(&world.far, port("2001:db8::1", 5353)), Ok(ip("2001:db8::9")));
        for at in ["203.0.113.1", "10.9.0.1", "127.0.0.1", "2001:db8::1"] {
            assert!(ask(&world.here, port(at, 5353)).is_ok(), "the host itself at {at}");
        }
        for at in ["203.0.113.1", "2001:db8::1"] {
            assert!(ask(&world.other, port(at, 5353)).is_ok(), "a neighbour");
            assert!(ask(&world.container, port(at, 5353)).is_ok(), "itself, through the host");
        }
        assert_eq!(call(&world.far, port("203.0.113.1", 5353)), Err(ErrorKind::ConnectionRefused), "not TCP");
        firewall.close("web").unwrap();
        assert_eq!(ask(&world.far, port("203.0.113.1", 5353)), Err(ErrorKind::ConnectionRefused));
    });
}

#[test]
fn a_published_port_answers_the_host_at_loopback_and_the_container_itself() {
    in_new_network(|| {
        let mut world = world();
        let v4 = serve(&world.container, "10.9.0.2:0");
        open(&mut world, vec![publish(8080..=8080, "10.9.0.2", v4.port())]);
        let seen = call(&world.here, port("127.0.0.1", 8080));
        assert_eq!(seen, Ok(ip("10.9.0.1")), "from an address that can be answered");
        assert!(call(&world.here, port("127.0.0.2", 8080)).is_ok());
        for at in ["203.0.113.1", "10.9.0.1"] {
            assert!(call(&world.container, port(at, 8080)).is_ok(), "itself, at the host's {at}");
        }
    });
}

#[test]
fn what_is_published_at_loopback_is_the_hosts_alone() {
    in_new_network(|| {
        let mut world = world();
        let v4 = serve(&world.container, "10.9.0.2:0");
        let at_loopback =
            Publish { host: Some(ip("127.0.0.1")), ..publish(8080..=8080, "10.9.0.2", v4.port()) };
        open(&mut world, vec![at_loopback]);
        assert!(call(&world.here, port("127.0.0.1", 8080)).is_ok());
        for (who, from) in
            [(&world.far, "203.0.113.1"), (&world.other, "10.9.0.1"), (&world.here, "203.0.113.1")]
        {
            assert_eq!(call(who, port(from, 8080)), Err(ErrorKind::ConnectionRefused), "{from}");
        }
    });
}

#[test]
fn neighbours_cannot_reach_the_hosts_loopback_though_packets_leave_from_there() {
    in_new_network(|| {
        let mut world = world();
        let bridge = world.host.link("br0").unwrap().unwrap().index;
        world.host.set_up("lo").unwrap();
        let secret = serve(&world.here, "127.0.0.1:0");
        assert!(call(&world.here, secret).is_ok());
        // What root in a neighbour can do: its own loopback is down, so 127.0.0.1 is somewhere else.
        let attacker = attach(&mut world.host, bridge, "vx", &["10.9.0.4/24"]);
        let mut inside = Network::at(&attacker).unwrap();
        let eth0 = inside.link("eth0").unwrap().unwrap().index;
        inside.let_loopback_out(eth0, true).unwrap();
        let route = RouteEntry::to("127.0.0.0/8".parse().unwrap()).via(ip("10.9.0.1")).from(ip("10.9.0.4"));
        inside.configure(eth0, &[], AT_ONCE, &[route]).unwrap();
        assert!(call(&attacker, secret).is_err(), "an ordinary bridge");
        world.host.let_loopback_out(bridge, true).unwrap();
        assert!(call(&attacker, secret).is_ok(), "this is how it would be without the guard");
        Firewall::here().unwrap().open("web", &Outward::default()).unwrap();
        assert!(call(&attacker, secret).is_err());
        assert!(call(&world.here, secret).is_ok(), "the host's own are not hindered");
    });
}
