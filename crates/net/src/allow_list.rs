//! An allow-list as rules: inside of a container's namespace, or around it on the host.
//!
//! Called by `firewall`. Pure: no socket, no kernel. A name is a pair of sets of addresses, which the name
//! server fills as it answers.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use crate::egress::names;
use crate::nft::{Hook, Request, Rule, Table};
use crate::{Allow, Destination, Protocol};

const TCP: u8 = 6;
/// Discovery of neighbours, without which there is no IPv6: RFC 4861.
const ND: [u8; 3] = [133, 135, 136];
/// That of listeners: RFC 3810.
const MLD: u8 = 143;
const OUTPUT: &str = "output";

/// That in a container's own namespace.
pub(crate) fn inside_table() -> Table {
    Table::inet("cofferdam-egress".into())
}

/// Those on the host's side: packets, the frames that come in, and those that go on over the bridge.
pub(crate) fn outside_tables(id: &str) -> [Table; 3] {
    let name = || format!("cofferdam-only-{id}");
    [Table::inet(name()), Table::netdev(name()), Table::bridge(name())]
}

pub(crate) fn inside(allowed: &[Allow]) -> Vec<Request> {
    let table = inside_table();
    let mut requests = table.anew();
    requests.extend(sets(&table, allowed));
    requests.push(table.chain(OUTPUT, "filter", Hook::Output, 0));
    requests.push(table.rule(OUTPUT, &Rule::default().over("lo").accept()));
    requests.extend(only(&Rule::default(), allowed).iter().map(|rule| table.rule(OUTPUT, rule)));
    requests
}

pub(crate) fn outside(id: &str, ports: &[(&str, Vec<IpAddr>)], allowed: &[Allow]) -> Vec<Request> {
    let [packets, frames, bridge] = outside_tables(id);
    let mut requests = [packets.anew(), frames.anew(), bridge.anew()].concat();
    requests.push(bridge.chain("forward", "filter", Hook::Forward, 0));
    for (veth, addresses) in ports {
        requests.push(frames.ingress(veth, veth));
        requests.extend(honest(addresses).iter().map(|rule| frames.rule(veth, rule)));
        requests.extend(neighbourly(veth, allowed).iter().map(|rule| bridge.rule("forward", rule)));
    }
    requests.extend(sets(&packets, allowed));
    for (chain, hook) in [("input", Hook::Input), ("forward", Hook::Forward)] {
        requests.push(packets.chain(chain, "filter", hook, 0));
        for address in ports.iter().flat_map(|(_, addresses)| addresses) {
            let rules = only(&Rule::default().from((*address).into()), allowed);
            requests.extend(rules.iter().map(|rule| packets.rule(chain, rule)));
        }
    }
    requests
}

/// What is added to the sets of these names; what was there stays, for the time that is given now.
pub(crate) fn meanings(table: &Table, names: &[usize], found: &[IpAddr], time: Duration) -> Vec<Request> {
    let mut requests = Vec::new();
    for (name, address) in names.iter().flat_map(|name| found.iter().map(move |address| (name, address))) {
        let set = set_name(*name, address.is_ipv4());
        // An element that is there keeps its time when it is added, so it is deleted in between.
        requests.push(table.add_element(&set, *address, time));
        requests.push(table.delete_element(&set, *address));
        requests.push(table.add_element(&set, *address, time));
    }
    requests
}

fn set_name(name: usize, v4: bool) -> String {
    format!("{}-{name}", if v4 { "v4" } else { "v6" })
}

fn sets(table: &Table, allowed: &[Allow]) -> Vec<Request> {
    let all = (0..names(allowed).len()).flat_map(|name| [(name, true), (name, false)]);
    (1..).zip(all).map(|(number, (name, v4))| table.set(&set_name(name, v4), v4, number)).collect()
}

/// What neighbours have to say to each other, and to nobody behind a router: whatever passes one has not come
/// with the highest limit of hops any more.
fn discovery(who: &Rule) -> Vec<Rule> {
    let mut rules: Vec<_> = ND.map(|kind| who.clone().first_hop().icmpv6(kind).accept()).into();
    let of_link = IpNet::new(IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 0]), 16);
    rules.extend(of_link.map(|net| who.clone().bare_to(net).icmpv6(MLD).accept()));
    rules
}

/// What stays allowed, what is allowed, and the refusal of the rest, each for packets that are like `who`.
fn only(who: &Rule, allowed: &[Allow]) -> Vec<Rule> {
    let mut rules = vec![who.clone().known().accept()];
    rules.extend(discovery(&who.clone().family(false)));
    let names = names(allowed);
    for allow in allowed {
        let places = match &allow.to {
            Destination::Anywhere => vec![who.clone()],
            Destination::Net(net) => vec![who.clone().to(*net)],
            Destination::Name(name) => {
                let number = names.iter().position(|known| known == name).unwrap_or(usize::MAX);
                [true, false].map(|v4| who.clone().towards(&set_name(number, v4), v4)).into()
            }
        };
        rules.extend(places.iter().flat_map(|place| ports(place, allow)));
    }
    rules.push(who.clone().protocol(TCP).reject_with_reset());
    rules.push(who.clone().reject());
    rules
}

/// The rules that accept what goes to a place, for all ports that are allowed there.
fn ports(place: &Rule, allow: &Allow) -> Vec<Rule> {
    if allow.ports.is_empty() {
        return vec![place.clone().accept()];
    }
    let of = |(protocol, ports): &(Protocol, RangeInclusive<u16>)| {
        place.clone().protocol(protocol.number()).ports(*ports.start(), *ports.end()).accept()
    };
    allow.ports.iter().map(of).collect()
}

/// The frames that may go on to another port of the bridge. Connections are not known there, so answers to
/// neighbours are none of these.
fn neighbourly(veth: &str, allowed: &[Allow]) -> Vec<Rule> {
    let from = || Rule::default().by_device(veth);
    let mut rules = vec![from().frame(0x0806).accept()];
    rules.extend(discovery(&from().frame(0x86dd)));
    for allow in allowed {
        match allow.to {
            Destination::Anywhere => rules.extend(ports(&from(), allow)),
            Destination::Net(net) => rules.extend(ports(&from().frame_to(net), allow)),
            // Neighbours have private addresses, which no name is taken to mean.
            Destination::Name(_) => {}
        }
    }
    rules.push(from().drop());
    rules
}

/// The frames that a container with these addresses has a reason to send.
fn honest(addresses: &[IpAddr]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for address in addresses {
        rules.push(Rule::default().frame_from((*address).into()).accept());
        if let IpAddr::V4(address) = address {
            rules.push(Rule::default().arp_of(*address).accept());
        }
    }
    if addresses.iter().any(IpAddr::is_ipv6) {
        // Neighbours are found from link-local addresses, and these from none.
        let unspecified = IpNet::from(IpAddr::from(Ipv6Addr::UNSPECIFIED));
        let link_local = IpNet::new(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10);
        for net in [link_local.unwrap_or(unspecified), unspecified] {
            rules.extend(discovery(&Rule::default().frame_from(net)));
        }
    }
    rules
}
