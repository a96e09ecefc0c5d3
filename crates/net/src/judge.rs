//! Judges a document's network: the plan, or everything that is wrong.
//!
//! Called by whoever decides, as [`NetworkPlan::new`]. Pure: no socket, no kernel.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use cofferdam_oci::{Pointer, Reject};
use ipnet::IpNet;
use serde::Deserialize;

use crate::judge_outward;
use crate::move_device::is_name;
use crate::plan::{HostEnd, InterfaceKind, InterfacePlan, NetworkPlan, RoutePlan};
use crate::pool::first;
use crate::{BridgePort, InterfaceSpec, LinkSettings, NetworkSpec, RouteEntry, RouteSpec};

impl NetworkPlan {
    /// Judges a document; `pointer` is where its `networks` and `routes` stand.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn new(spec: &NetworkSpec, pointer: &Pointer) -> Result<Self, Vec<Reject>> {
        let mut judge = Judge::default();
        let mut plan = Self::default();
        for (n, interface) in spec.networks.iter().enumerate() {
            judge.interface(interface, &pointer.key("networks").index(n), &mut plan);
        }
        judge.together(&mut plan);
        default_gateways(spec, &mut plan);
        if plan.join.is_some() && spec.networks.len() > 1 {
            let text = "a namespace that is joined has its own interfaces; nothing can be made beside it";
            judge.say(&pointer.key("networks"), text);
        }
        for (n, route) in spec.routes.iter().enumerate() {
            let made = judge.route(route, &pointer.key("routes").index(n), &plan);
            plan.routes.extend(made);
        }
        judge_outward::judge(&mut judge, spec, pointer, &mut plan);
        if judge.rejects.is_empty() { Ok(plan) } else { Err(judge.rejects) }
    }
}

/// Where an address of the first pool's is the default route's router unless this is said.
const NO_GATEWAY: &str = "none";

/// What is not said follows from the pools: a bridge has the first address of each, and the first interface
/// with a pool has the default route of its protocol.
fn default_gateways(spec: &NetworkSpec, plan: &mut NetworkPlan) {
    let made = |interface: &&InterfaceSpec| !matches!(interface.kind.as_str(), "loopback" | "netns");
    let specs: Vec<_> = spec.networks.iter().filter(made).collect();
    if specs.len() != plan.interfaces.len() {
        return; // one was no kind of network, which has been said
    }
    let is_v4 = |gateway: &IpAddr| gateway.is_ipv4();
    let mut routed: Vec<bool> = plan.interfaces.iter().flat_map(|i| &i.gateways).map(is_v4).collect();
    for (spec, interface) in specs.into_iter().zip(&mut plan.interfaces) {
        for pool in &interface.pools {
            let (Some(router), v4) = (first(*pool), pool.addr().is_ipv4()) else { continue };
            if let InterfaceKind::Veth { bridge_addresses, .. } = &mut interface.kind
                && !bridge_addresses.iter().any(|net| net.addr().is_ipv4() == v4)
            {
                bridge_addresses.push(router);
            }
            let none = if v4 { &spec.gateway } else { &spec.ipv6_gateway } == NO_GATEWAY;
            if !none && !routed.contains(&v4) {
                interface.gateways.push(router.addr());
                routed.push(v4);
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Judge {
    pub(crate) rejects: Vec<Reject>,
}

impl Judge {
    pub(crate) fn say(&mut self, pointer: &Pointer, text: impl Into<String>) {
        self.rejects.push(Reject::new(pointer.clone(), text));
    }

    /// A value that is given, or nothing; one that is wrong is said.
    pub(crate) fn parse<T: FromStr>(&mut self, text: &str, pointer: &Pointer, what: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let parsed = (!text.is_empty()).then(|| text.parse::<T>())?;
        parsed.map_err(|_| self.say(pointer, format!("{text:?} is not {what}"))).ok()
    }

    fn net(&mut self, text: &str, pointer: &Pointer) -> Option<IpNet> {
        let net: IpNet = self.parse(text, pointer, "an address with its prefix, such as 10.0.0.2/24")?;
        if net.addr().is_unspecified() || net.addr().is_multicast() || net.addr().is_loopback() {
            self.say(pointer, format!("{} cannot be the address of an interface", net.addr()));
            return None;
        }
        Some(net)
    }

    fn nets(&mut self, texts: &[String], pointer: &Pointer) -> Vec<IpNet> {
        texts.iter().enumerate().filter_map(|(n, text)| self.net(text, &pointer.index(n))).collect()
    }

    fn name(&mut self, name: &str, pointer: &Pointer) -> bool {
        let good = is_name(name) && !name.contains('%');
        if !good {
            let what = if name.is_empty() {
                "a name is needed".into()
            } else {
                format!("{name:?} is not an interface's name")
            };
            let reject = Reject::new(pointer.clone(), what);
            self.rejects.push(reject.hint("a name has 1 to 15 bytes, and no space, '/', ':' or '%'"));
        }
        good
    }

    fn mode<T: Default + for<'de> Deserialize<'de>>(
        &mut self,
        text: &str,
        pointer: &Pointer,
        what: &str,
    ) -> T {
        use serde::de::{IntoDeserializer, value::Error};
        if text.is_empty() {
            return T::default();
        }
        T::deserialize(IntoDeserializer::<Error>::into_deserializer(text)).unwrap_or_else(|_| {
            self.say(pointer, format!("{text:?} is not one of {what}"));
            T::default()
        })
    }

    fn interface(&mut self, spec: &InterfaceSpec, pointer: &Pointer, plan: &mut NetworkPlan) {
        let kind = match spec.kind.as_str() {
            "loopback" => {
                plan.loopback = true;
                return;
            }
            "netns" => {
                if !spec.ns_path.starts_with('/') {
                    self.say(&pointer.key("ns_path"), format!("{:?} is not an absolute path", spec.ns_path));
                }
                if plan.join.replace(spec.ns_path.clone().into()).is_some() {
                    self.say(&pointer.key("ns_path"), "only one namespace can be joined");
                }
                return;
            }
            "veth" => self.veth(spec, pointer),
            "macvlan" => {
                let mode = self.mode(&spec.mode, &pointer.key("mode"), "bridge, private, vepa, passthru");
                InterfaceKind::Macvlan { device: self.device(spec, pointer), mode }
            }
            "ipvlan" => {
                let mode = self.mode(&spec.mode, &pointer.key("mode"), "l2, l3, l3s");
                if !spec.mac_address.is_empty() {
                    self.say(&pointer.key("mac_address"), "an ipvlan has the hardware address of its device");
                }
                InterfaceKind::Ipvlan { device: self.device(spec, pointer), mode }
            }
            "move" => InterfaceKind::Move { device: self.device(spec, pointer) },
            other => {
                let reject = Reject::new(pointer.key("type"), format!("{other:?} is not a kind of network"));
                return self.rejects.push(reject.hint("one of loopback, veth, netns, macvlan, ipvlan, move"));
            }
        };
        let interface = self.common(spec, pointer, kind);
        plan.interfaces.push(interface);
    }

    fn device(&mut self, spec: &InterfaceSpec, pointer: &Pointer) -> String {
        self.name(&spec.device, &pointer.key("device"));
        spec.device.clone()
    }

    fn veth(&mut self, spec: &InterfaceSpec, pointer: &Pointer) -> InterfaceKind {
        self.name(&spec.bridge, &pointer.key("bridge"));
        let host = if spec.host_interface_name.is_empty() {
            let prefix = if spec.veth_prefix.is_empty() { "veth" } else { &spec.veth_prefix };
            if self.name(prefix, &pointer.key("veth_prefix")) && prefix.len() > 8 {
                self.say(&pointer.key("veth_prefix"), "a prefix has at most 8 bytes, seven digits follow it");
            }
            HostEnd::Prefix(prefix.to_owned())
        } else {
            self.name(&spec.host_interface_name, &pointer.key("host_interface_name"));
            HostEnd::Named(spec.host_interface_name.clone())
        };
        InterfaceKind::Veth {
            host,
            bridge: spec.bridge.clone(),
            bridge_addresses: self.nets(&spec.bridge_addresses, &pointer.key("bridge_addresses")),
            port: BridgePort { hairpin: spec.hairpin_mode, isolated: spec.isolated },
        }
    }

    fn common(&mut self, spec: &InterfaceSpec, pointer: &Pointer, kind: InterfaceKind) -> InterfacePlan {
        if !spec.name.is_empty() {
            self.name(&spec.name, &pointer.key("name"));
        }
        let mac = self.parse(
            &spec.mac_address,
            &pointer.key("mac_address"),
            "a hardware address of an interface, such as 02:42:ac:11:00:02",
        );
        let mtu = self.number(spec.mtu, 68, &pointer.key("mtu"));
        let queue_length = self.number(spec.txqueuelen, 1, &pointer.key("txqueuelen"));
        let mut addresses: Vec<IpNet> = Vec::new();
        addresses.extend(self.net(&spec.address, &pointer.key("address")));
        addresses.extend(self.net(&spec.ipv6_address, &pointer.key("ipv6_address")));
        addresses.extend(self.nets(&spec.addresses, &pointer.key("addresses")));
        let has_v6 = !spec.ipv6_pool.is_empty() || addresses.iter().any(|net| net.addr().is_ipv6());
        if has_v6 && mtu.is_some_and(|mtu| mtu < 1280) {
            self.say(&pointer.key("mtu"), "IPv6 takes an MTU of 1280 and more");
        }
        if spec.ipv6_address.parse().is_ok_and(|net: IpNet| net.addr().is_ipv4()) {
            self.say(&pointer.key("ipv6_address"), "this is an IPv4 address");
        }
        let pools = self.pools(spec, pointer);
        let mut gateways = Vec::new();
        for (text, key) in [(&spec.gateway, "gateway"), (&spec.ipv6_gateway, "ipv6_gateway")] {
            let text = if text == NO_GATEWAY { "" } else { text };
            let Some(gateway) = self.parse::<IpAddr>(text, &pointer.key(key), "an address") else { continue };
            if !addresses.iter().chain(&pools).any(|net| net.contains(&gateway)) {
                let reject =
                    Reject::new(pointer.key(key), format!("{gateway} is in the network of no address here"));
                self.rejects.push(
                    reject.hint("a router is reached directly; give an address with a prefix that has it"),
                );
            }
            if gateways.iter().any(|other: &IpAddr| other.is_ipv4() == gateway.is_ipv4()) {
                self.say(&pointer.key(key), "there is a default route of this protocol already");
            }
            gateways.push(gateway);
        }
        let settings = LinkSettings { mac, mtu, queue_length, master: None, up: false };
        let duplicate_detection = spec.duplicate_detection;
        let (pointer, name) = (pointer.clone(), spec.name.clone());
        InterfacePlan { pointer, name, kind, settings, addresses, pools, gateways, duplicate_detection }
    }

    fn pools(&mut self, spec: &InterfaceSpec, pointer: &Pointer) -> Vec<IpNet> {
        let mut pools = Vec::new();
        for (text, key, is_v4) in [(&spec.pool, "pool", true), (&spec.ipv6_pool, "ipv6_pool", false)] {
            let pointer = pointer.key(key);
            let Some(pool) = self.parse::<IpNet>(text, &pointer, "a subnet, such as 10.88.0.0/16") else {
                continue;
            };
            let addresses = pool.trunc().addr();
            if addresses.is_ipv4() != is_v4 {
                self.say(&pointer, format!("this is a subnet of IPv{}", if is_v4 { 6 } else { 4 }));
            } else if addresses.is_multicast() || addresses.is_loopback() || addresses.is_unspecified() {
                self.say(&pointer, format!("{pool} has no addresses for interfaces"));
            } else if first(pool).is_none() {
                self.say(&pointer, format!("{pool} has no address beside the gateway's"));
            }
            pools.push(pool.trunc());
        }
        pools
    }

    fn number(&mut self, value: i64, least: u32, pointer: &Pointer) -> Option<u32> {
        match u32::try_from(value) {
            Ok(0) => None,
            Ok(n) if (least..=65535).contains(&n) => Some(n),
            _ => {
                self.say(pointer, format!("{value} is not between {least} and 65535"));
                None
            }
        }
    }

    /// What interfaces may not have in common; gives names to those that have none.
    fn together(&mut self, plan: &mut NetworkPlan) {
        let mut used: Vec<String> = plan.interfaces.iter().map(|i| i.name.clone()).collect();
        for interface in plan.interfaces.iter_mut().filter(|interface| interface.name.is_empty()) {
            let own = match &interface.kind {
                InterfaceKind::Move { device } if !used.contains(device) => Some(device.clone()),
                _ => None,
            };
            let free = || (0..).map(|n: u32| format!("eth{n}")).find(|name| !used.contains(name));
            interface.name = own.or_else(free).unwrap_or_default();
            used.push(interface.name.clone());
        }
        for (n, one) in plan.interfaces.iter().enumerate() {
            let before = plan.interfaces.get(..n).unwrap_or_default();
            if one.name == "lo" || before.iter().any(|other| other.name == one.name) {
                self.say(&one.pointer.key("name"), format!("there is a {:?} already", one.name));
            }
            if let InterfaceKind::Veth { host: HostEnd::Named(host), .. } = &one.kind {
                let same = |other: &InterfacePlan| matches!(&other.kind, InterfaceKind::Veth { host: HostEnd::Named(o), .. } if o == host);
                if before.iter().any(same) {
                    self.say(&one.pointer.key("host_interface_name"), format!("there is a {host:?} already"));
                }
            }
            for gateway in &one.gateways {
                let same =
                    |other: &InterfacePlan| other.gateways.iter().any(|g| g.is_ipv4() == gateway.is_ipv4());
                if before.iter().any(same) {
                    let key = if gateway.is_ipv4() { "gateway" } else { "ipv6_gateway" };
                    self.say(
                        &one.pointer.key(key),
                        "another interface has the default route of this protocol",
                    );
                }
            }
        }
    }

    fn route(&mut self, spec: &RouteSpec, pointer: &Pointer, plan: &NetworkPlan) -> Option<RoutePlan> {
        if [&spec.destination, &spec.source, &spec.gateway].iter().all(|text| text.is_empty()) {
            self.say(pointer, "a route needs a destination, a source or a gateway");
            return None;
        }
        let before = self.rejects.len();
        let gateway: Option<IpAddr> = self.parse(&spec.gateway, &pointer.key("gateway"), "an address");
        let source: Option<IpAddr> = self.parse(&spec.source, &pointer.key("source"), "an address");
        let destination: Option<IpNet> =
            self.parse(&spec.destination, &pointer.key("destination"), "a network, such as 192.0.2.0/24");
        let interface = (!spec.interface_name.is_empty()).then(|| spec.interface_name.clone());
        if let Some(name) = &interface
            && plan.join.is_none()
            && name != "lo"
            && !plan.interfaces.iter().any(|interface| interface.name == *name)
        {
            self.say(&pointer.key("interface_name"), format!("no interface here is called {name:?}"));
        }
        if gateway.is_none() && interface.is_none() && spec.gateway.is_empty() {
            let reject = Reject::new(pointer.clone(), "a route needs a gateway or an interface_name");
            self.rejects.push(reject.hint("without either nothing says where its packets go"));
        }
        let is_v6 = [gateway, source].iter().flatten().any(IpAddr::is_ipv6);
        let everywhere = if is_v6 { IpAddr::from([0u16; 8]) } else { IpAddr::from([0u8; 4]) };
        let destination = destination.or_else(|| IpNet::new(everywhere, 0).ok())?;
        for (address, key) in [(gateway, "gateway"), (source, "source")] {
            if address.is_some_and(|address| address.is_ipv4() != destination.addr().is_ipv4()) {
                self.say(&pointer.key(key), "this is of another protocol than the destination");
            }
        }
        let route = RouteEntry { gateway, source, ..RouteEntry::to(destination) };
        (self.rejects.len() == before).then(|| RoutePlan { pointer: pointer.clone(), route, interface })
    }
}
