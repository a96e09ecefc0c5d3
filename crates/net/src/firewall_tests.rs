//! Packet filters, seen by connections that come through and connections that do not.
//!
//! The test's namespace is the host: a bridge with a container on one side, and another network on the other.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::tests::{in_new_network, new_network};
use crate::traffic::{AT_ONCE, at, attach, call, nets, serve};
use crate::*;

pub(crate) struct World {
    pub(crate) host: Network,
    pub(crate) here: File,
    pub(crate) container: File,
    pub(crate) other: File,
    pub(crate) far: File,
}

/// Containers at 10.9.0.2 and .3 behind the host; the far side at 203.0.113.9, which knows no way back.
pub(crate) fn world() -> World {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    let up = LinkSettings { up: true, ..LinkSettings::default() };
    let mut host = Network::here().unwrap();
    let bridge = host.ensure_bridge("br0", &up).unwrap().0;
    host.configure(bridge, &nets(&["10.9.0.1/24", "fd00:9::1/64", "fe80::1/64"]), AT_ONCE, &[]).unwrap();
    let inside = |host: &mut Network, name: &str, addresses: &[&str]| {
        let namespace = attach(host, bridge, name, addresses);
        let mut network = Network::at(&namespace).unwrap();
        network.set_up("lo").unwrap();
        let routes = [("0.0.0.0/0", "10.9.0.1"), ("::/0", "fd00:9::1")];
        let routes = routes.map(|(to, via)| RouteEntry::to(to.parse().unwrap()).via(via.parse().unwrap()));
        network.configure(0, &[], AT_ONCE, &routes).unwrap();
        namespace
    };
    let container = inside(&mut host, "va", &["10.9.0.2/24", "fd00:9::2/64"]);
    let other = inside(&mut host, "vb", &["10.9.0.3/24", "fd00:9::3/64"]);
    let far = new_network();
    let peer = Peer { name: "eth0".into(), settings: LinkSettings::default() };
    host.make_link("wan", &LinkKind::Veth(peer), &up, Some(far.as_fd())).unwrap();
    let mut there = Network::at(&far).unwrap();
    let eth0 = there.set_up("eth0").unwrap();
    let addresses = ["203.0.113.9/24", "203.0.113.10/24", "2001:db8::9/64"];
    there.configure(eth0, &nets(&addresses), AT_ONCE, &[]).unwrap();
    let wan = host.link("wan").unwrap().unwrap().index;
    host.configure(wan, &nets(&["203.0.113.1/24", "2001:db8::1/64"]), AT_ONCE, &[]).unwrap();
    let here = File::open("/proc/thread-self/ns/net").unwrap();
    World { host, here, container, other, far }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn port(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(address), port)
}

pub(crate) fn publish(ports: std::ops::RangeInclusive<u16>, to: &str, to_port: u16) -> Publish {
    Publish { protocol: Protocol::Tcp, host: None, ports, to: ip(to), to_port }
}

#[test]
fn a_masqueraded_container_is_seen_as_the_host_and_no_longer_when_it_is_closed() {
    in_new_network(|| {
        let world = world();
        let mut firewall = Firewall::here().unwrap();
        let servers = [("203.0.113.9:0", "203.0.113.1"), ("[2001:db8::9]:0", "2001:db8::1")];
        let servers = servers.map(|(bound, from)| (serve(&world.far, bound), ip(from)));
        for (server, _) in servers {
            assert!(call(&world.container, server).is_err(), "the far side knows no way back");
        }
        let masquerade = nets(&["10.9.0.2/24", "fd00:9::2/64"]);
        firewall.open("web", &Outward { masquerade, publish: vec![] }).unwrap();
        for (server, from) in servers {
            assert_eq!(call(&world.container, server), Ok(from));
            assert!(call(&world.other, server).is_err(), "nobody let that one out");
        }
        let near = serve(&world.other, "10.9.0.3:0");
        assert_eq!(call(&world.container, near), Ok(ip("10.9.0.2")), "its own network sees it as it is");
        firewall.close("web").unwrap();
        firewall.close("web").unwrap();
        assert!(call(&world.container, servers[0].0).is_err());
        drop(world.host);
    });
}

#[test]
fn a_published_port_answers_the_far_the_host_and_the_neighbours() {
    in_new_network(|| {
        let world = world();
        let (v4, v6) = (serve(&world.container, "10.9.0.2:0"), serve(&world.container, "[fd00:9::2]:0"));
        let outward = Outward {
            masquerade: nets(&["10.9.0.2/24", "fd00:9::2/64"]),
            publish: vec![
                publish(8080..=8080, "10.9.0.2", v4.port()),
                publish(8080..=8080, "fd00:9::2", v6.port()),
            ],
        };
        let mut firewall = Firewall::here().unwrap();
        assert_eq!(call(&world.far, port("203.0.113.1", 8080)), Err(ErrorKind::ConnectionRefused));
        firewall.open("web", &outward).unwrap();
        firewall.open("web", &outward).unwrap();
        assert_eq!(call(&world.far, port("203.0.113.1", 8080)), Ok(ip("203.0.113.9")));
        assert_eq!(call(&world.far, port("2001:db8::1", 8080)), Ok(ip("2001:db8::9")));
        assert!(call(&world.here, port("203.0.113.1", 8080)).is_ok(), "the host itself");
        assert!(call(&world.other, port("10.9.0.1", 8080)).is_ok(), "a neighbour, through the host");
        assert_eq!(call(&world.far, port("203.0.113.1", 8081)), Err(ErrorKind::ConnectionRefused));
        firewall.close("web").unwrap();
        assert_eq!(call(&world.far, port("203.0.113.1", 8080)), Err(ErrorKind::ConnectionRefused));
    });
}

#[test]
fn ranges_are_published_as_they_are_or_shifted_and_at_one_address() {
    in_new_network(|| {
        let world = world();
        let mut wan = Network::here().unwrap();
        let index = wan.link("wan").unwrap().unwrap().index;
        wan.configure(index, &nets(&["203.0.113.2/24"]), AT_ONCE, &[]).unwrap();
        for bound in ["10.9.0.2:7001", "10.9.0.2:7101"] {
            serve(&world.container, bound);
        }
        let shifted = Publish { host: Some(ip("203.0.113.2")), ..publish(9000..=9001, "10.9.0.2", 7100) };
        let outward =
            Outward { masquerade: vec![], publish: vec![publish(7000..=7009, "10.9.0.2", 7000), shifted] };
        Firewall::here().unwrap().open("web", &outward).unwrap();
        assert!(call(&world.far, port("203.0.113.1", 7001)).is_ok());
        assert!(call(&world.far, port("203.0.113.2", 9001)).is_ok());
        assert!(call(&world.far, port("203.0.113.2", 9000)).is_err(), "7100 has no server");
        assert!(call(&world.far, port("203.0.113.1", 9001)).is_err(), "another address");
    });
}

#[test]
fn what_cannot_be_published_is_refused_before_anything_is_changed() {
    in_new_network(|| {
        let mixed = Publish { host: Some(ip("::1")), ..publish(80..=80, "10.9.0.2", 80) };
        #[allow(clippy::reversed_empty_ranges)]
        let empty = publish(81..=80, "10.9.0.2", 80);
        for bad in [mixed, empty, publish(1..=1000, "10.9.0.2", 7), publish(1..=9, "10.9.0.2", 65530)] {
            let outward = Outward { masquerade: vec![], publish: vec![bad] };
            let error = Firewall::here().unwrap().open("web", &outward).unwrap_err();
            assert_eq!((error.errno, error.step), (22, "publishing ports of"), "{error}");
        }
    });
}

#[test]
fn the_allow_list_lets_through_what_it_names_and_nothing_else() {
    in_new_network(|| {
        let world = world();
        let masquerade = nets(&["10.9.0.2/24", "fd00:9::2/64"]);
        Firewall::here().unwrap().open("web", &Outward { masquerade, publish: vec![] }).unwrap();
        let good = serve(&world.far, "203.0.113.9:0");
        let (bad_port, bad_host) = (serve(&world.far, "203.0.113.9:0"), serve(&world.far, "203.0.113.10:0"));
        let (good6, near) = (serve(&world.far, "[2001:db8::9]:0"), serve(&world.other, "10.9.0.3:0"));
        let (host, bad6) = (serve(&world.here, "10.9.0.1:0"), serve(&world.here, "[fd00:9::1]:0"));
        let own = serve(&world.container, "127.0.0.1:0");
        let published = serve(&world.container, "10.9.0.2:0");
        for server in [good, bad_port, bad_host, good6, near, host, bad6, own] {
            assert!(call(&world.container, server).is_ok(), "{server} is reached without a list");
        }
        let allowed = [
            Allow {
                to: "203.0.113.9".parse().unwrap(),
                ports: vec![(Protocol::Tcp, good.port()..=good.port())],
            },
            Allow { to: "2001:db8::/32".parse().unwrap(), ports: vec![] },
        ];
        let mut firewall = Firewall::at(&world.container).unwrap();
        firewall.allow_only(&allowed).unwrap();
        for server in [good, good6, own] {
            assert!(call(&world.container, server).is_ok(), "{server} is allowed");
        }
        for server in [bad_port, bad_host, near, host, bad6] {
            assert_eq!(call(&world.container, server), Err(ErrorKind::ConnectionRefused), "{server} is not");
        }
        assert!(call(&world.other, published).is_ok(), "answers are not its own connections");
        let datagram = at(&world.container, || {
            let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            socket.connect("203.0.113.9:53").unwrap();
            socket.send(b"?").and_then(|_| socket.recv(&mut [0; 8])).map_err(|error| error.kind())
        });
        assert!(!matches!(datagram, Ok(_) | Err(ErrorKind::WouldBlock)), "refused at once: {datagram:?}");
        firewall.allow_only(&[]).unwrap();
        assert_eq!(call(&world.container, good), Err(ErrorKind::ConnectionRefused), "replaced, not added to");
        assert!(
            call(&world.other, good).is_err() && call(&world.other, near).is_ok(),
            "it binds one namespace"
        );
    });
}

#[test]
fn a_confined_container_cannot_get_out_by_its_own_means() {
    in_new_network(|| {
        let mut world = world();
        let masquerade = nets(&["10.9.0.2/24", "10.9.0.66/24", "fd00:9::2/64"]);
        let mut firewall = Firewall::here().unwrap();
        firewall.open("web", &Outward { masquerade, publish: vec![] }).unwrap();
        for port in ["va", "vb"] {
            world.host.set_port(port, BridgePort { isolated: true, hairpin: false }).unwrap();
        }
        let [good, bad] = ["203.0.113.9:0", "203.0.113.10:0"].map(|bound| serve(&world.far, bound));
        let [good6, bad6] = ["[2001:db8::9]:0", "[fd00:9::1]:0"]
            .map(|bound| serve(if bound.contains("db8") { &world.far } else { &world.here }, bound));
        let (host, near) = (serve(&world.here, "10.9.0.1:0"), serve(&world.other, "10.9.0.3:0"));
        let allowed =
            ["203.0.113.9/32", "2001:db8::/32"].map(|net| Allow { to: net.parse().unwrap(), ports: vec![] });
        let addresses = [ip("10.9.0.2"), ip("fd00:9::2")];
        for server in [good, bad, good6, bad6, host] {
            assert!(call(&world.container, server).is_ok(), "{server} is reached by the unconfined");
        }
        firewall.confine("web", &[("va", addresses.into())], &allowed).unwrap();
        firewall.confine("web", &[("va", addresses.into())], &allowed).unwrap();
        for other in ["web-only", "only-web"] {
            firewall.open(other, &Outward::default()).unwrap();
            firewall.close(other).unwrap();
        }
        for server in [good, good6] {
            assert!(call(&world.container, server).is_ok(), "{server} is allowed");
        }
        for server in [bad, bad6, host] {
            assert_eq!(call(&world.container, server), Err(ErrorKind::ConnectionRefused), "{server} is not");
        }
        assert!(call(&world.container, near).is_err(), "isolated ports");
        assert!(call(&world.other, host).is_ok(), "the neighbour is not confined");
        // What root inside can do: take another address and talk from it.
        let mut inside = Network::at(&world.container).unwrap();
        let eth0 = inside.link("eth0").unwrap().unwrap().index;
        let chosen = RouteEntry::to("203.0.113.0/24".parse().unwrap());
        let chosen = chosen.via(ip("10.9.0.1")).from(ip("10.9.0.66"));
        inside.configure(eth0, &nets(&["10.9.0.66/24"]), AT_ONCE, &[chosen]).unwrap();
        for server in [good, bad] {
            assert!(call(&world.container, server).is_err(), "{server} from a false address");
        }
        firewall.release("web").unwrap();
        firewall.release("web").unwrap();
        assert_eq!(call(&world.container, bad), Ok(ip("203.0.113.1")), "the address was good but for that");
    });
}
