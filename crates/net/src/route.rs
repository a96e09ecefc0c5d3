//! Addresses and routes, and the messages that add them and tell of them: rtnetlink(7).
//!
//! Called by `network`. Pure: no socket, no kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::DefaultNla;
use serde::{Deserialize, Serialize};

use crate::message::{
    IFA_ADDRESS, IFA_BROADCAST, IFA_FLAGS, IFA_LOCAL, Message, RTM_NEWADDR, RTM_NEWROUTE, ip, number,
};

const RTM_GETROUTE: u16 = 26;
const IFA_F_NODAD: u32 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;
const RTNH_F_ONLINK: u32 = 4;

/// Whether an address is checked for being somebody else's before it is used (IPv6; RFC 4862).
///
/// ```
/// assert!(!cofferdam_net::AddressSettings::default().no_duplicate_detection);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSettings {
    /// Use it at once (`nodad`); without, an IPv6 address is tentative for a second or two.
    pub no_duplicate_detection: bool,
}

/// A route of the main table.
///
/// ```
/// use cofferdam_net::RouteEntry;
/// let default = RouteEntry::to("0.0.0.0/0".parse().unwrap()).via("10.0.0.1".parse().unwrap());
/// assert_eq!(default.gateway.unwrap().to_string(), "10.0.0.1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// Where packets go to that take it; prefix 0 is the default route.
    pub destination: IpNet,
    /// The router, or none where the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The address that packets get as their source, when the program chose none.
    pub source: Option<IpAddr>,
    /// The index of the link.
    pub link: Option<u32>,
    /// Which of two to the same destination: the lower one.
    pub metric: Option<u32>,
    /// The gateway is on the link, whatever the addresses say.
    pub on_link: bool,
}

impl RouteEntry {
    /// A route to a destination and nothing else said.
    #[must_use]
    pub fn to(destination: IpNet) -> Self {
        Self { destination, gateway: None, source: None, link: None, metric: None, on_link: false }
    }

    /// Through this router.
    #[must_use]
    pub fn via(mut self, gateway: IpAddr) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Over this link.
    #[must_use]
    pub fn over(mut self, link: u32) -> Self {
        self.link = Some(link);
        self
    }

    /// With this source.
    #[must_use]
    pub fn from(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// As `ip route` writes it, but for the link.
    pub(crate) fn text(&self) -> String {
        let via = self.gateway.map(|g| format!(" via {g}")).unwrap_or_default();
        let src = self.source.map(|s| format!(" src {s}")).unwrap_or_default();
        format!("{}{via}{src}", self.destination)
    }
}

pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

pub(crate) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

pub(crate) fn add_address(index: u32, address: IpNet, settings: AddressSettings) -> Message {
    let mut head = vec![family(address.addr()), address.prefix_len(), 0, RT_SCOPE_UNIVERSE];
    head.extend(index.to_ne_bytes());
    let value = octets(address.addr());
    let mut attributes = vec![DefaultNla::new(IFA_LOCAL, value.clone()), DefaultNla::new(IFA_ADDRESS, value)];
    if let IpNet::V4(net) = address
        && net.prefix_len() < 31
    {
        attributes.push(DefaultNla::new(IFA_BROADCAST, net.broadcast().octets().to_vec()));
    }
    if settings.no_duplicate_detection {
        attributes.push(number(IFA_FLAGS, IFA_F_NODAD));
    }
    Message { kind: RTM_NEWADDR, head, attributes }
}

pub(crate) fn add_route(route: &RouteEntry) -> Message {
    let destination = route.destination;
    let scope = if route.gateway.is_none() && destination.addr().is_ipv4() {
        RT_SCOPE_LINK
    } else {
        RT_SCOPE_UNIVERSE
    };
    let mut head = vec![family(destination.addr()), destination.prefix_len(), 0, 0];
    head.extend([RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST]);
    head.extend(if route.on_link { RTNH_F_ONLINK } else { 0 }.to_ne_bytes());
    let address = |kind, address| DefaultNla::new(kind, octets(address));
    let mut attributes = Vec::new();
    if destination.prefix_len() > 0 {
        attributes.push(address(RTA_DST, destination.network()));
    }
    attributes.extend(route.gateway.map(|gateway| address(RTA_GATEWAY, gateway)));
    attributes.extend(route.source.map(|source| address(RTA_PREFSRC, source)));
    attributes.extend(route.link.map(|link| number(RTA_OIF, link)));
    attributes.extend(route.metric.map(|metric| number(RTA_PRIORITY, metric)));
    Message { kind: RTM_NEWROUTE, head, attributes }
}

pub(crate) fn get_routes() -> Message {
    Message { kind: RTM_GETROUTE, head: vec![0; 12], attributes: vec![] }
}

/// A unicast route of the main table; nothing when the message is about another one.
pub(crate) fn parse_route(message: &Message) -> Option<RouteEntry> {
    let &[family, bits, _, _, table, _, _, kind, ref flags @ ..] = message.head.as_slice() else {
        return None;
    };
    if message.kind != RTM_NEWROUTE || table != RT_TABLE_MAIN || kind != RTN_UNICAST {
        return None;
    }
    let any = || match family {
        2 => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        10 => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        _ => None,
    };
    let address = |kind| message.attribute(kind).and_then(|bytes| ip(&bytes));
    let word = |kind| Some(u32::from_ne_bytes(message.attribute(kind)?.try_into().ok()?));
    let destination = IpNet::new(address(RTA_DST).or_else(any)?, bits).ok()?;
    let on_link = u32::from_ne_bytes(flags.try_into().ok()?) & RTNH_F_ONLINK != 0;
    Some(RouteEntry {
        destination,
        gateway: address(RTA_GATEWAY),
        source: address(RTA_PREFSRC),
        link: word(RTA_OIF),
        metric: word(RTA_PRIORITY),
        on_link,
    })
}
