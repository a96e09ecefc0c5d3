//! What the kernel says of a link: its settings, and its counters.
//!
//! Called by `network`. Pure: no socket, no kernel.

use netlink_packet_core::{DefaultNla, Nla};
use serde::{Deserialize, Serialize};

use crate::Mac;
use crate::message::{IFF_UP, Link, Message, inside};

const IFLA_ADDRESS: u16 = 1;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_ISOLATED: u16 = 33;

/// A link as it is.
///
/// ```
/// let mut network = cofferdam_net::Network::here()?;
/// let loopback: cofferdam_net::LinkState = network.link("lo")?.unwrap();
/// assert_eq!((loopback.name.as_str(), loopback.kind), ("lo", None));
/// # Ok::<(), cofferdam_net::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkState {
    /// Its index in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The kernel's word for what it is, such as `veth`; none for hardware and loopback.
    pub kind: Option<String>,
    /// Whether it is up (`IFF_UP`).
    pub up: bool,
    /// The hardware address; none where it has none, as loopback.
    pub mac: Option<Mac>,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// The length of the transmit queue, in packets.
    pub queue_length: u32,
    /// The index of the bridge that it is a port of.
    pub master: Option<u32>,
    /// What that bridge does with its frames.
    pub port: Option<crate::BridgePort>,
    /// What went through it.
    pub counters: Counters,
}

/// What went through a link since it was made, as seen from its own side: what it received and what it
/// sent (`struct rtnl_link_stats64`). Of a veth pair, each end's are the other's the other way round.
///
/// ```
/// let counters = cofferdam_net::Counters::default();
/// assert_eq!((counters.rx_bytes, counters.tx_dropped), (0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets received with errors.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets received and thrown away.
    pub rx_dropped: u64,
    /// Packets thrown away instead of sent.
    pub tx_dropped: u64,
}

impl Counters {
    /// From the bytes of `struct rtnl_link_stats64`, which grew at its end over the years.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut words = bytes.chunks_exact(8).filter_map(|w| w.try_into().ok()).map(u64::from_ne_bytes);
        let mut next = || words.next();
        Some(Self {
            rx_packets: next()?,
            tx_packets: next()?,
            rx_bytes: next()?,
            tx_bytes: next()?,
            rx_errors: next()?,
            tx_errors: next()?,
            rx_dropped: next()?,
            tx_dropped: next()?,
        })
    }
}

fn find(attributes: &[DefaultNla], kind: u16) -> Option<Vec<u8>> {
    let attribute = attributes.iter().find(|a| a.kind() == kind)?;
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    Some(value)
}

pub(crate) fn parse(message: &Message) -> Option<LinkState> {
    let link = Link::parse(message)?;
    let word = |kind| Some(u32::from_ne_bytes(message.attribute(kind)?.try_into().ok()?));
    let info = message.attribute(IFLA_LINKINFO).map(|value| inside(&value)).unwrap_or_default();
    let kind = find(&info, IFLA_INFO_KIND)
        .map(|name| String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned());
    let port = find(&info, IFLA_INFO_SLAVE_DATA).map(|value| inside(&value));
    let on = |kind| port.as_ref().is_some_and(|port| find(port, kind).is_some_and(|v| v.first() == Some(&1)));
    Some(LinkState {
        index: link.index,
        name: String::from_utf8_lossy(&link.name).into_owned(),
        kind,
        up: message.link_flags()? & IFF_UP != 0,
        mac: message.attribute(IFLA_ADDRESS).and_then(|mac| Mac::new(mac.try_into().ok()?)),
        mtu: word(IFLA_MTU).unwrap_or_default(),
        queue_length: word(IFLA_TXQLEN).unwrap_or_default(),
        master: word(IFLA_MASTER),
        port: port
            .is_some()
            .then(|| crate::BridgePort { hairpin: on(IFLA_BRPORT_MODE), isolated: on(IFLA_BRPORT_ISOLATED) }),
        counters: message.attribute(IFLA_STATS64).and_then(|v| Counters::parse(&v)).unwrap_or_default(),
    })
}
