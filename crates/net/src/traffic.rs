//! Networks that the tests make and send real packets through; they end with the tests' threads.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use cofferdam_sys::Errno;
use cofferdam_sys::clone3::CLONE_NEWNET;
use cofferdam_sys::setns::setns;
use ipnet::IpNet;

use crate::tests::{in_new_network, new_network};
use crate::*;

pub(crate) const AT_ONCE: AddressSettings = AddressSettings { no_duplicate_detection: true };

/// Runs in a thread in that namespace.
pub(crate) fn at<T: Send>(namespace: &File, run: impl FnOnce() -> T + Send) -> T {
    use std::os::fd::AsRawFd;
    let there = || {
        setns(namespace.as_raw_fd(), CLONE_NEWNET).unwrap();
        run()
    };
    std::thread::scope(|scope| scope.spawn(there).join()).unwrap_or_else(|p| std::panic::resume_unwind(p))
}

pub(crate) fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A namespace on the bridge: `eth0` with these addresses.
pub(crate) fn attach(host: &mut Network, bridge: u32, host_end: &str, addresses: &[&str]) -> File {
    let namespace = new_network();
    let peer = Peer { name: "eth0".into(), settings: LinkSettings::default() };
    let settings = LinkSettings { master: Some(bridge), up: true, ..LinkSettings::default() };
    host.make_link(host_end, &LinkKind::Veth(peer), &settings, Some(namespace.as_fd())).unwrap();
    let mut inside = Network::at(&namespace).unwrap();
    let eth0 = inside.set_up("eth0").unwrap();
    inside.configure(eth0, &nets(addresses), AT_ONCE, &[]).unwrap();
    namespace
}

/// Answers every connection with the address that it saw it come from.
pub(crate) fn serve(namespace: &File, address: &str) -> SocketAddr {
    let listener = at(namespace, || TcpListener::bind(address).unwrap());
    let local = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let peer = connection.peer_addr().unwrap().ip().to_string();
            let _ = connection.write_all(peer.as_bytes());
        }
    });
    local
}

/// Whom the server sees, or why there was no connection.
pub(crate) fn call(namespace: &File, to: SocketAddr) -> Result<IpAddr, std::io::ErrorKind> {
    at(namespace, || {
        let mut stream =
            TcpStream::connect_timeout(&to, Duration::from_secs(2)).map_err(|error| error.kind())?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).map_err(|error| error.kind())?;
        Ok(said.parse().unwrap())
    })
}

fn up() -> LinkSettings {
    LinkSettings { up: true, ..LinkSettings::default() }
}

fn bridge(host: &mut Network, name: &str, addresses: &[&str]) -> u32 {
    let (index, made) = host.ensure_bridge(name, &up()).unwrap();
    assert!(made);
    host.configure(index, &nets(addresses), AT_ONCE, &[]).unwrap();
    index
}

#[test]
fn two_namespaces_on_a_bridge_talk_on_both_protocols_and_a_third_elsewhere_cannot() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let one = bridge(&mut host, "br0", &["10.9.0.1/24", "fd00:9::1/64"]);
        let other = bridge(&mut host, "br1", &[]);
        let a = attach(&mut host, one, "va", &["10.9.0.2/24", "fd00:9::2/64"]);
        let b = attach(&mut host, one, "vb", &["10.9.0.3/24", "fd00:9::3/64"]);
        let c = attach(&mut host, other, "vc", &["10.9.0.4/24", "fd00:9::4/64"]);
        for (bound, from) in [("10.9.0.3:0", "10.9.0.2"), ("[fd00:9::3]:0", "fd00:9::2")] {
            let server = serve(&b, bound);
            assert_eq!(call(&a, server), Ok(from.parse().unwrap()));
            assert!(call(&c, server).is_err(), "{bound} is on another bridge");
        }
        let seen = |network: &mut Network, name: &str| network.link(name).unwrap().unwrap().counters;
        let (outside, inside) = (seen(&mut host, "va"), seen(&mut Network::at(&a).unwrap(), "eth0"));
        assert!(inside.tx_bytes > 200 && outside.rx_bytes >= inside.tx_bytes, "{inside:?} {outside:?}");
    });
}

#[test]
fn a_link_is_made_with_everything_it_gets() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let bridge = bridge(&mut host, "br0", &[]);
        let there = new_network();
        let mac: Mac = "02:00:00:00:00:07".parse().unwrap();
        let of_peer = LinkSettings {
            mac: Some(mac),
            mtu: Some(1300),
            queue_length: Some(77),
            ..LinkSettings::default()
        };
        let kind = LinkKind::Veth(Peer { name: "wan".into(), settings: of_peer });
        let own = LinkSettings { mtu: Some(1310), queue_length: Some(88), master: Some(bridge), ..up() };
        host.make_link("v0", &kind, &own, Some(there.as_fd())).unwrap();
        host.set_port("v0", BridgePort { hairpin: true, isolated: true }).unwrap();
        let made = host.link("v0").unwrap().unwrap();
        assert_eq!((made.kind.as_deref(), made.up, made.mtu), (Some("veth"), true, 1310));
        assert_eq!((made.queue_length, made.master), (88, Some(bridge)));
        assert_eq!(made.port, Some(BridgePort { hairpin: true, isolated: true }));
        let peer = Network::at(&there).unwrap().link("wan").unwrap().unwrap();
        assert_eq!((peer.mac, peer.mtu, peer.queue_length, peer.up), (Some(mac), 1300, 77, false));
        host.delete_link(made.index).unwrap();
        host.delete_link(made.index).unwrap();
        assert_eq!(Network::at(&there).unwrap().links().unwrap().len(), 1, "the peer went with it");
    });
}

#[test]
fn many_at_once_get_one_bridge() {
    in_new_network(|| {
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let namespace = &namespace;
        let made = std::thread::scope(|scope| {
            let run = || Network::at(namespace).unwrap().ensure_bridge("br0", &up()).unwrap();
            let all: Vec<_> = (0..16).map(|_| scope.spawn(run)).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(made.iter().filter(|(_, made)| *made).count(), 1, "{made:?}");
        assert!(made.iter().all(|(index, _)| *index == made[0].0), "{made:?}");
    });
}

#[test]
fn a_link_that_is_no_bridge_is_not_taken_for_one() {
    in_new_network(|| {
        let error = Network::here().unwrap().ensure_bridge("lo", &up()).unwrap_err();
        assert_eq!(error.errno, Errno::EEXIST.0);
        assert!(error.hint.unwrap().contains("no bridge"), "{error}");
    });
}

#[test]
fn a_route_chooses_the_source_that_a_server_sees() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let bridge = bridge(&mut host, "br0", &[]);
        let server = attach(&mut host, bridge, "vs", &["10.9.0.1/16", "10.77.0.1/32"]);
        let client = attach(&mut host, bridge, "vc", &["10.9.1.1/16", "10.9.1.2/16"]);
        let mut inside = Network::at(&client).unwrap();
        let eth0 = inside.link("eth0").unwrap().unwrap().index;
        let to = serve(&server, "10.77.0.1:0");
        assert!(call(&client, to).is_err(), "no route yet");
        let chosen = RouteEntry::to("10.77.0.1/32".parse().unwrap())
            .via("10.9.0.1".parse().unwrap())
            .from("10.9.1.2".parse().unwrap());
        inside.configure(eth0, &[], AT_ONCE, std::slice::from_ref(&chosen)).unwrap();
        assert_eq!(call(&client, to), Ok("10.9.1.2".parse().unwrap()));
        assert!(inside.routes().unwrap().contains(&chosen.clone().over(eth0)));
        let again = inside.configure(eth0, &[], AT_ONCE, &[chosen]).unwrap_err();
        assert_eq!((again.errno, again.step), (Errno::EEXIST.0, "adding route"));
        assert_eq!(again.object, "10.77.0.1/32 via 10.9.0.1 src 10.9.1.2");
    });
}

#[test]
fn link_routes_default_routes_and_addresses_are_read_back() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let bridge = bridge(&mut host, "br0", &["10.9.0.1/24"]);
        let inside = attach(&mut host, bridge, "va", &["10.9.0.2/24", "fd00:9::2/64"]);
        let mut inside = Network::at(&inside).unwrap();
        let eth0 = inside.link("eth0").unwrap().unwrap().index;
        let want = [
            RouteEntry::to("192.0.2.0/24".parse().unwrap()).over(eth0),
            RouteEntry::to("0.0.0.0/0".parse().unwrap()).via("192.0.2.1".parse().unwrap()).over(eth0),
            RouteEntry::to("::/0".parse().unwrap()).via("fd00:9::1".parse().unwrap()).over(eth0),
        ];
        inside.configure(eth0, &[], AT_ONCE, &want).unwrap();
        let found = inside.routes().unwrap();
        for route in &want {
            // The kernel gives IPv6 routes a metric when none is asked for.
            let is = |r: &RouteEntry| RouteEntry { metric: None, ..r.clone() } == *route;
            assert!(found.iter().any(is), "{route:?} in {found:?}");
        }
        let addresses = inside.addresses(eth0).unwrap();
        for address in nets(&["10.9.0.2/24", "fd00:9::2/64"]) {
            assert!(addresses.contains(&address), "{addresses:?}");
        }
        let unreachable =
            RouteEntry::to("198.51.100.0/24".parse().unwrap()).via("203.0.113.1".parse().unwrap());
        let error = inside.configure(eth0, &[], AT_ONCE, &[RouteEntry { link: Some(eth0), ..unreachable }]);
        let error = error.unwrap_err();
        assert_eq!(error.errno, Errno::ENETUNREACH.0, "{error}");
    });
}

#[test]
fn a_macvlan_made_on_a_veth_talks_to_its_other_end() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let (far, near) = (new_network(), new_network());
        let peer = Peer { name: "far".into(), settings: LinkSettings::default() };
        host.make_link("parent", &LinkKind::Veth(peer), &up(), Some(far.as_fd())).unwrap();
        let parent = host.link("parent").unwrap().unwrap().index;
        let kind = LinkKind::Macvlan { parent, mode: MacvlanMode::Bridge };
        match host.make_link("eth0", &kind, &LinkSettings::default(), Some(near.as_fd())) {
            Err(error) if error.errno == Errno::EOPNOTSUPP.0 => {
                return eprintln!("skipped: this kernel has no macvlan");
            }
            other => other.unwrap(),
        }
        for (namespace, name, address) in [(&far, "far", "10.9.0.1/24"), (&near, "eth0", "10.9.0.2/24")] {
            let mut network = Network::at(namespace).unwrap();
            let link = network.set_up(name).unwrap();
            network.configure(link, &nets(&[address]), AT_ONCE, &[]).unwrap();
        }
        let server = serve(&far, "10.9.0.1:0");
        assert_eq!(call(&near, server), Ok("10.9.0.2".parse().unwrap()));
    });
}

#[test]
fn an_ipvlan_is_made_or_the_kernels_lack_of_it_is_said() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let peer = Peer { name: "far".into(), settings: LinkSettings::default() };
        host.make_link("parent", &LinkKind::Veth(peer), &up(), None).unwrap();
        let parent = host.link("parent").unwrap().unwrap().index;
        let kind = LinkKind::Ipvlan { parent, mode: IpvlanMode::L2 };
        let there = new_network();
        match host.make_link("eth0", &kind, &LinkSettings::default(), Some(there.as_fd())) {
            Ok(()) => {
                let made = Network::at(&there).unwrap().link("eth0").unwrap().unwrap();
                assert_eq!(made.kind.as_deref(), Some("ipvlan"));
            }
            Err(error) => {
                assert_eq!(error.errno, Errno::EOPNOTSUPP.0, "{error}");
                assert!(error.hint.unwrap().contains("kernel has no links of this kind"), "{error}");
                assert_eq!(Network::at(&there).unwrap().links().unwrap().len(), 1);
            }
        }
    });
}

#[test]
fn a_link_goes_away_under_another_name_and_is_renamed_there() {
    in_new_network(|| {
        let mut host = Network::here().unwrap();
        let there = new_network();
        let peer = Peer { name: "two".into(), settings: LinkSettings::default() };
        host.make_link("one", &LinkKind::Veth(peer), &LinkSettings::default(), None).unwrap();
        let one = host.link("one").unwrap().unwrap().index;
        host.send_away(one, "wan", there.as_fd()).unwrap();
        assert_eq!(host.link("one").unwrap(), None);
        let mut inside = Network::at(&there).unwrap();
        let wan = inside.link("wan").unwrap().unwrap().index;
        inside.rename(wan, "lan").unwrap();
        inside.change_link(wan, &LinkSettings { mtu: Some(1234), ..up() }).unwrap();
        let lan = inside.link("lan").unwrap().unwrap();
        assert_eq!((lan.index, lan.mtu, lan.up), (wan, 1234, true));
    });
}
