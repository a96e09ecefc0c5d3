//! What a container does that wants out: packets made by hand, other protocols, other addresses, neighbours.
//!
//! Each way is first seen to work without the allow-list; otherwise its failing would mean nothing.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto, recv, sendto, socket, sockopt};

use crate::firewall_tests::{World, ip, port, publish, world};
use crate::publish_tests::ask;
use crate::tests::in_new_network;
use crate::traffic::{AT_ONCE, at, call, nets, serve};
use crate::*;

const MARK: &[u8] = b"cofferdam was here";

/// The container may go anywhere, until it is confined.
fn out(world: &World) -> (Firewall, [Allow; 1]) {
    let mut firewall = Firewall::here().unwrap();
    let masquerade = nets(&["10.9.0.2/24", "fd00:9::2/64"]);
    firewall.open("web", &Outward { masquerade, publish: vec![] }).unwrap();
    let mut there = Network::at(&world.far).unwrap();
    let back = [("10.9.0.0/24", "203.0.113.1"), ("fd00:9::/64", "2001:db8::1")];
    let back = back.map(|(to, via)| RouteEntry::to(to.parse().unwrap()).via(ip(via)));
    there.configure(0, &[], AT_ONCE, &back).unwrap();
    (firewall, [Allow { to: "203.0.113.9".parse().unwrap(), ports: vec![(Protocol::Tcp, 443..=443)] }])
}

fn confine(firewall: &mut Firewall, allowed: &[Allow]) {
    firewall.confine("web", &[("va", vec![ip("10.9.0.2"), ip("fd00:9::2")])], allowed).unwrap();
}

fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// A packet of IPv4; the kernel puts length and checksum in.
fn packet(from: &str, to: &str, protocol: u8, fragment: u16, body: &[u8]) -> Vec<u8> {
    let octets = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    let mut head = vec![0x45, 0, 0, 0, 0x12, 0x34];
    head.extend(fragment.to_be_bytes());
    head.extend([64, protocol, 0, 0]);
    [&head[..], &octets(from), &octets(to), body].concat()
}

fn datagram(to_port: u16) -> Vec<u8> {
    let length = u16::try_from(MARK.len() + 8).unwrap();
    [&4000_u16.to_be_bytes()[..], &to_port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], MARK].concat()
}

/// Of TCP, in the midst of a connection that never was.
fn segment(from: &str, to: &str, to_port: u16) -> Vec<u8> {
    const PSH_AND_ACK: u8 = 0x18;
    let mut bytes = [&4000_u16.to_be_bytes()[..], &to_port.to_be_bytes(), &[0, 0, 0, 9, 0, 0, 0, 9]].concat();
    bytes.extend([0x50, PSH_AND_ACK, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(MARK);
    let octets = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let pseudo = [&octets(from)[..], &octets(to), &[0, 6], &length, &bytes].concat();
    bytes[16..18].copy_from_slice(&sum(&pseudo).to_be_bytes());
    bytes
}

/// Sends what was made by hand from the container.
fn send(container: &File, packet: &[u8]) {
    let to = Ipv4Addr::from(<[u8; 4]>::try_from(&packet[16..20]).unwrap());
    at(container, || {
        let socket = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::RAW)).unwrap();
        let _ = sendto(&socket, packet, SendFlags::empty(), &SocketAddrV4::new(to, 0));
    });
}

/// Sees all packets of a protocol that reach a namespace.
struct Witness(OwnedFd);

impl Witness {
    fn new(namespace: &File, protocol: rustix::net::Protocol, v6: bool) -> Self {
        let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = at(namespace, || socket(family, SocketType::RAW, Some(protocol)).unwrap());
        let limit = Some(Duration::from_millis(400));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, limit).unwrap();
        Self(socket)
    }

    /// Whether one with our mark comes; all that have come are forgotten then.
    fn sees(&self) -> bool {
        let (mut bytes, mut seen) = ([0; 2048], false);
        while let Ok((_, length)) = recv(self.0.as_fd(), &mut bytes, RecvFlags::empty()) {
            seen |= bytes[..length].windows(MARK.len()).any(|window| window == MARK);
        }
        seen
    }
}

#[test]
fn neither_false_addresses_nor_pieces_nor_half_connections_get_out() {
    in_new_network(|| {
        let world = world();
        let (mut firewall, allowed) = out(&world);
        let [udp, tcp] = [ipproto::UDP, ipproto::TCP].map(|p| Witness::new(&world.far, p, false));
        let (me, liar, far) = ("10.9.0.2", "10.9.0.77", "203.0.113.10");
        let whole = |from| packet(from, far, 17, 0, &datagram(53));
        let pieces = || {
            let body = [&datagram(53)[..24], &datagram(53)[24..]].map(<[u8]>::to_vec);
            [packet(me, far, 17, 0x2000, &body[0]), packet(me, far, 17, 3, &body[1])]
        };
        let half = |to, port| packet(me, to, 6, 0, &segment(me, to, port));
        send(&world.container, &whole(me));
        assert!(udp.sees(), "a datagram");
        send(&world.container, &whole(liar));
        assert!(udp.sees(), "one with a false address");
        pieces().iter().for_each(|piece| send(&world.container, piece));
        assert!(udp.sees(), "one in pieces");
        send(&world.container, &half(far, 443));
        assert!(tcp.sees(), "one of no connection");
        confine(&mut firewall, &allowed);
        for packet in [whole(me), whole(liar)].into_iter().chain(pieces()).chain(pieces().into_iter().rev()) {
            send(&world.container, &packet);
        }
        assert!(!udp.sees());
        send(&world.container, &half(far, 4444));
        send(&world.container, &half("203.0.113.9", 4444));
        send(&world.container, &packet(liar, "203.0.113.9", 6, 0, &segment(liar, "203.0.113.9", 443)));
        assert!(!tcp.sees());
        send(&world.container, &half("203.0.113.9", 443));
        assert!(tcp.sees(), "what is allowed is not looked at further");
    });
}

#[test]
fn other_protocols_do_not_get_out_over_either_family() {
    in_new_network(|| {
        let world = world();
        let (mut firewall, allowed) = out(&world);
        // Each time with another number: an echo that was answered is a connection.
        let send_all = |number: u8| {
            let mut echo4 = [&[8, 0, 0, 0, 0, number, 0, 1][..], MARK].concat();
            let check = sum(&echo4).to_be_bytes();
            echo4[2..4].copy_from_slice(&check);
            let echo6 = [&[128, 0, 0, 0, 0, number, 0, 1][..], MARK].concat();
            at(&world.container, || {
                let icmp = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)).unwrap();
                let to = SocketAddrV4::new("203.0.113.9".parse().unwrap(), 0);
                let _ = sendto(&icmp, &echo4, SendFlags::empty(), &to);
                for (to, scope) in [("2001:db8::9", 0), ("fd00:9::1", 0), ("fe80::1", 2)] {
                    let icmp = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6)).unwrap();
                    let to = SocketAddrV6::new(to.parse().unwrap(), 0, 0, scope);
                    let _ = sendto(&icmp, &echo6, SendFlags::empty(), &to);
                }
            });
            // Discovery of neighbours that are none.
            at(&world.container, || {
                let icmp = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6)).unwrap();
                sockopt::set_ipv6_unicast_hops(&icmp, Some(255)).unwrap();
                for kind in [133, 135, 136, 143] {
                    let body = [&[kind, 0, 0, 0, 0, number, 0, 1][..], MARK].concat();
                    let to = SocketAddrV6::new("2001:db8::9".parse().unwrap(), 0, 0, 0);
                    let _ = sendto(&icmp, &body, SendFlags::empty(), &to);
                }
            });
            // ICMPv6 in IPv4, SCTP, GRE and one that nobody has.
            send(&world.container, &packet("10.9.0.2", "203.0.113.9", 58, 0, &[&[135; 8], MARK].concat()));
            for protocol in [132, 47, 253] {
                let body = [&[0, 0, 0, 0, 0, 0, 0, number][..], MARK].concat();
                send(&world.container, &packet("10.9.0.2", "203.0.113.9", protocol, 0, &body));
            }
        };
        let raw = |number: u32| rustix::net::Protocol::from_raw(number.try_into().unwrap());
        let far = [
            Witness::new(&world.far, ipproto::ICMP, false),
            Witness::new(&world.far, ipproto::ICMPV6, true),
            Witness::new(&world.far, raw(58), false),
            Witness::new(&world.far, raw(132), false),
            Witness::new(&world.far, raw(47), false),
            Witness::new(&world.far, raw(253), false),
        ];
        let host = Witness::new(&world.here, ipproto::ICMPV6, true);
        send_all(1);
        assert_eq!(far.iter().map(Witness::sees).collect::<Vec<_>>(), [true; 6], "without a list");
        assert!(host.sees());
        confine(&mut firewall, &allowed);
        send_all(2);
        assert_eq!(far.iter().map(Witness::sees).collect::<Vec<_>>(), [false; 6]);
        assert!(!host.sees(), "the host itself, by its link-local address");
        let server = crate::publish_tests::echo(&world.far, "203.0.113.9:443");
        assert!(ask(&world.container, server).is_err(), "the allowed port, but of UDP");
        let server6 = serve(&world.far, "[2001:db8::9]:443");
        assert!(call(&world.container, server6).is_err(), "the same server by its other family");
    });
}

#[test]
fn neighbours_that_nobody_isolated_are_out_of_reach_too() {
    in_new_network(|| {
        let world = world();
        let (mut firewall, allowed) = out(&world);
        let (near, near6) = (serve(&world.other, "10.9.0.3:0"), serve(&world.other, "[fd00:9::3]:0"));
        let own = serve(&world.container, "10.9.0.2:0");
        for server in [near, near6] {
            assert!(call(&world.container, server).is_ok(), "{server}");
        }
        let udp = Witness::new(&world.other, ipproto::UDP, false);
        let whole = packet("10.9.0.2", "10.9.0.3", 17, 0, &datagram(53));
        send(&world.container, &whole);
        assert!(udp.sees());
        confine(&mut firewall, &allowed);
        for server in [near, near6] {
            assert!(call(&world.container, server).is_err(), "{server}");
        }
        send(&world.container, &whole);
        assert!(!udp.sees());
        assert!(call(&world.other, own).is_err(), "answers are frames as well");
        let outward = Outward {
            masquerade: nets(&["10.9.0.2/24"]),
            publish: vec![publish(8080..=8080, "10.9.0.2", own.port())],
        };
        firewall.open("web", &outward).unwrap();
        assert!(call(&world.far, port("203.0.113.1", 8080)).is_ok(), "but those to others are not");
        let database = Allow {
            to: "10.9.0.3".parse().unwrap(),
            ports: vec![(Protocol::Tcp, near.port()..=near.port())],
        };
        confine(&mut firewall, &[database]);
        assert!(call(&world.container, near).is_ok(), "one that the list has");
        assert!(call(&world.container, near6).is_err());
    });
}

#[test]
fn what_root_inside_does_to_its_own_namespace_changes_nothing() {
    in_new_network(|| {
        let world = world();
        let (mut firewall, allowed) = out(&world);
        let bad = serve(&world.far, "203.0.113.10:0");
        let bad6 = serve(&world.far, "[2001:db8::9]:0");
        confine(&mut firewall, &allowed);
        assert_eq!(call(&world.container, bad), Err(ErrorKind::ConnectionRefused));
        // It rewrites destinations, its addresses, its routes and its filter.
        let mut its_own = Firewall::at(&world.container).unwrap();
        its_own.allow_only(&[Allow { to: "*".parse().unwrap(), ports: vec![] }]).unwrap();
        its_own.release("web").unwrap();
        its_own.close("web").unwrap();
        let redirected =
            Publish { host: Some(ip("203.0.113.9")), ..publish(443..=443, "203.0.113.10", bad.port()) };
        let masquerade = nets(&["10.9.0.2/24", "10.9.0.99/24"]);
        its_own.open("own", &Outward { masquerade, publish: vec![redirected] }).unwrap();
        let mut inside = Network::at(&world.container).unwrap();
        let eth0 = inside.link("eth0").unwrap().unwrap().index;
        inside.configure(eth0, &nets(&["10.9.0.99/24", "fd00:9::99/64"]), AT_ONCE, &[]).unwrap();
        for server in [bad, bad6, port("203.0.113.9", 443)] {
            assert!(call(&world.container, server).is_err(), "{server}");
        }
        let mac: Mac = "02:00:00:00:00:99".parse().unwrap();
        let changed = LinkSettings { mac: Some(mac), up: true, ..LinkSettings::default() };
        inside.change_link(eth0, &changed).unwrap();
        assert!(call(&world.container, bad).is_err(), "with another hardware address");
    });
}
