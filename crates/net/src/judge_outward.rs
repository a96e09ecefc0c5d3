//! Judges names, and what leaves and reaches a container.
//!
//! A part of [`NetworkPlan::new`]. Pure: no socket, no kernel.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use cofferdam_oci::{Pointer, Reject};
use ipnet::IpNet;

use crate::judge::Judge;
use crate::names::{is_host, not_a_host};
use crate::plan::{InterfaceKind, InterfacePlan, NetworkPlan};
use crate::{
    Allow, AllowSpec, Destination, HostSpec, NetworkSpec, PortsSpec, Protocol, PublishPlan, PublishSpec,
    Resolver, UserMode,
};

/// All of it.
pub(crate) fn judge(judge: &mut Judge, spec: &NetworkSpec, pointer: &Pointer, plan: &mut NetworkPlan) {
    let hosts = pointer.key("hosts");
    plan.hosts =
        spec.hosts.iter().enumerate().filter_map(|(n, host)| judge.host(host, &hosts.index(n))).collect();
    plan.dns = judge.dns(spec, &pointer.key("dns"));
    plan.user_mode = judge.user_mode(spec, pointer);
    plan.outward.masquerade = spec.masquerade;
    if spec.masquerade && !reachable(plan, None) {
        let reject =
            Reject::new(pointer.key("masquerade"), "no interface here has an address and a way to the host");
        judge.rejects.push(reject.hint("give a veth interface a pool or an address"));
    }
    for (n, publish) in spec.publish.iter().enumerate() {
        let made = judge.publish(publish, &pointer.key("publish").index(n), plan);
        plan.outward.publish.extend(made);
    }
    judge.around(spec, pointer, plan);
    plan.outward.egress = spec.egress.as_ref().map(|egress| {
        let list = pointer.key("egress").key("allow");
        let one = |(n, allow)| judge.allow(allow, &list.index(n));
        egress.allow.iter().enumerate().filter_map(one).collect()
    });
}

/// Whether the host can send packets to the container, of an address's protocol.
fn reachable(plan: &NetworkPlan, of: Option<IpAddr>) -> bool {
    let same = |net: &IpNet| of.is_none_or(|address| address.is_ipv4() == net.addr().is_ipv4());
    plan.user_mode.is_some()
        || plan.interfaces.iter().any(|interface| {
            matches!(interface.kind, InterfaceKind::Veth { .. })
                && interface.addresses.iter().chain(&interface.pools).any(same)
        })
}

impl Judge {
    /// An allow-list is held on the host's side of every interface that there is.
    fn around(&mut self, spec: &NetworkSpec, pointer: &Pointer, plan: &NetworkPlan) {
        let is_veth = |interface: &InterfacePlan| matches!(interface.kind, InterfaceKind::Veth { .. });
        let reason = match spec.egress {
            Some(_) if plan.join.is_some() => "a namespace that is joined is somebody else's",
            Some(_) if !plan.interfaces.iter().all(is_veth) => {
                "only interfaces of type veth have a side on the host where the list can be held"
            }
            _ => return,
        };
        self.say(&pointer.key("egress"), reason);
    }

    fn host(&mut self, spec: &HostSpec, pointer: &Pointer) -> Option<(IpAddr, Vec<String>)> {
        if spec.address.is_empty() {
            self.say(&pointer.key("address"), "an address is needed");
        }
        if spec.names.is_empty() {
            self.say(&pointer.key("names"), "a name is needed");
        }
        for (n, name) in spec.names.iter().enumerate().filter(|(_, name)| !is_host(name)) {
            self.rejects.push(not_a_host(&pointer.key("names").index(n), name));
        }
        let address = self.parse(&spec.address, &pointer.key("address"), "an address")?;
        Some((address, spec.names.clone()))
    }

    fn dns(&mut self, spec: &NetworkSpec, pointer: &Pointer) -> Resolver {
        let servers = pointer.key("servers");
        let mut one = |(n, text): (usize, &String)| {
            if text.is_empty() {
                self.say(&servers.index(n), "an address is needed");
            }
            self.parse(text, &servers.index(n), "an address")
        };
        let nameservers = spec.dns.servers.iter().enumerate().filter_map(&mut one).collect();
        let (search, options) = (spec.dns.search.clone(), spec.dns.options.clone());
        let resolver = Resolver { nameservers, search, options };
        self.rejects.extend(resolver.check(pointer));
        resolver
    }

    fn user_mode(&mut self, spec: &NetworkSpec, pointer: &Pointer) -> Option<UserMode> {
        let at = pointer.key("user_mode");
        let mode = match spec.user_mode.as_str() {
            "" => return None,
            "auto" => UserMode::Auto,
            "pasta" => UserMode::Pasta,
            "slirp4netns" => UserMode::Slirp4netns,
            other => {
                self.say(&at, format!("{other:?} is none of auto, pasta, slirp4netns"));
                return None;
            }
        };
        if spec.networks.iter().any(|interface| interface.kind != "loopback") {
            let text = "it makes the container's interface itself; no other than loopback can be beside it";
            self.say(&at, text);
        }
        Some(mode)
    }

    fn publish(&mut self, spec: &PublishSpec, pointer: &Pointer, plan: &NetworkPlan) -> Option<PublishPlan> {
        let protocol = self.protocol(&spec.protocol, &pointer.key("protocol"));
        let host_address: Option<IpAddr> =
            self.parse(&spec.host_address, &pointer.key("host_address"), "an address");
        if host_address.is_some_and(|host| host.is_ipv6() && host.is_loopback()) {
            let text = "no kernel lets packets from ::1 leave; 127.0.0.1 can be published";
            self.say(&pointer.key("host_address"), text);
        }
        let host_port = self.port(spec.host_port, &pointer.key("host_port"));
        let container_port = self.port(spec.container_port, &pointer.key("container_port"));
        if !reachable(plan, host_address) {
            let text = "no interface here has an address that the host can send it to";
            let reject = Reject::new(pointer.clone(), text);
            self.rejects.push(reject.hint("give a veth interface a pool or an address of that protocol"));
        }
        let (protocol, host_port, container_port) =
            (protocol?.unwrap_or_default(), host_port?, container_port?);
        let made =
            PublishPlan { pointer: pointer.clone(), protocol, host_address, host_port, container_port };
        let same = |other: &PublishPlan| {
            let both = [other.host_address, made.host_address];
            (other.protocol, other.host_port) == (made.protocol, made.host_port)
                && (both[0] == both[1] || both.contains(&None))
        };
        if plan.outward.publish.iter().any(same) {
            self.say(&pointer.key("host_port"), format!("port {host_port} is published already"));
        }
        Some(made)
    }

    /// A protocol or none; nothing when it is not one.
    fn protocol(&mut self, text: &str, pointer: &Pointer) -> Option<Option<Protocol>> {
        match text {
            "" => Some(None),
            "tcp" => Some(Some(Protocol::Tcp)),
            "udp" => Some(Some(Protocol::Udp)),
            other => {
                self.say(pointer, format!("{other:?} is neither tcp nor udp"));
                None
            }
        }
    }

    fn port(&mut self, number: i64, pointer: &Pointer) -> Option<u16> {
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        if port.is_none() {
            self.say(pointer, format!("{number} is not between 1 and 65535"));
        }
        port
    }

    fn ports(&mut self, spec: &PortsSpec, pointer: &Pointer) -> Option<RangeInclusive<u16>> {
        match spec {
            PortsSpec::One(number) => self.port(*number, pointer).map(|port| port..=port),
            PortsSpec::Range(text) => {
                let number = |text: &str| text.parse().ok().filter(|port: &u16| *port > 0);
                let range = match text.split_once('-') {
                    Some((first, last)) => number(first).zip(number(last)),
                    None => number(text).map(|port| (port, port)),
                };
                let range = range.filter(|(first, last)| first <= last);
                if range.is_none() {
                    let text = format!("{text:?} is neither a port nor a range of ports, such as 8000-8099");
                    self.say(pointer, text);
                }
                range.map(|(first, last)| first..=last)
            }
        }
    }

    fn allow(&mut self, spec: &AllowSpec, pointer: &Pointer) -> Option<Allow> {
        let to = self.destination(&spec.to, &pointer.key("to"));
        let protocol = self.protocol(&spec.protocol, &pointer.key("protocol"));
        let list = pointer.key("ports");
        let one = |(n, ports): (usize, &PortsSpec)| self.ports(ports, &list.index(n));
        let ranges: Vec<_> = spec.ports.iter().enumerate().filter_map(one).collect();
        let (to, protocol) = (to?, protocol?);
        let ports = match protocol {
            None if ranges.is_empty() => Vec::new(),
            Some(protocol) if spec.ports.is_empty() => vec![(protocol, 0..=u16::MAX)],
            _ => ranges.into_iter().map(|range| (protocol.unwrap_or_default(), range)).collect(),
        };
        Some(Allow { to, ports })
    }

    fn destination(&mut self, text: &str, pointer: &Pointer) -> Option<Destination> {
        if text.is_empty() {
            return Some(Destination::Anywhere);
        }
        text.parse().map_err(|why: String| self.say(pointer, why)).ok()
    }
}
