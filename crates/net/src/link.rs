//! What a link is to be, and the one message that makes it so: rtnetlink(7), `linux/if_link.h`.
//!
//! Called by `network`. Pure: no socket, no kernel.

use netlink_packet_core::DefaultNla;
use serde::{Deserialize, Serialize};

use crate::Mac;
use crate::message::{IFF_UP, IFLA_IFNAME, IFLA_NET_NS_FD, Message, RTM_NEWLINK, nest, number, packed, text};

const RTM_DELLINK: u16 = 17;
const IFLA_ADDRESS: u16 = 1;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const VETH_INFO_PEER: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;

/// What a link gets beside its name; what is `None` stays as it is or as the kernel has it.
///
/// ```
/// use cofferdam_net::LinkSettings;
/// let settings = LinkSettings { mtu: Some(1400), up: true, ..LinkSettings::default() };
/// assert_eq!(settings.mac, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSettings {
    /// The hardware address.
    pub mac: Option<Mac>,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// The length of the transmit queue, in packets.
    pub queue_length: Option<u32>,
    /// The index of the bridge that it becomes a port of.
    pub master: Option<u32>,
    /// Whether to set it up.
    pub up: bool,
}

impl LinkSettings {
    fn attributes(&self) -> Vec<DefaultNla> {
        let mut attributes = Vec::new();
        attributes.extend(self.mac.map(|mac| DefaultNla::new(IFLA_ADDRESS, mac.octets().to_vec())));
        attributes.extend(self.mtu.map(|mtu| number(IFLA_MTU, mtu)));
        attributes.extend(self.queue_length.map(|length| number(IFLA_TXQLEN, length)));
        attributes.extend(self.master.map(|master| number(IFLA_MASTER, master)));
        attributes
    }
}

/// How the links of one macvlan parent see each other; `linux/if_link.h`.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_net::MacvlanMode::Bridge).unwrap(), "\"bridge\"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// Not at all.
    Private,
    /// Through a switch outside that sends frames back.
    Vepa,
    /// Directly.
    #[default]
    Bridge,
    /// The parent's only one.
    Passthru,
}

/// How ipvlan hands packets on; `Documentation/networking/ipvlan.rst`.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_net::IpvlanMode::L3s).unwrap(), "\"l3s\"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// As a switch.
    #[default]
    L2,
    /// As a router.
    L3,
    /// As a router whose packets connection tracking sees.
    L3s,
}

/// The other end of a veth pair.
///
/// ```
/// let peer = cofferdam_net::Peer { name: "eth0".into(), settings: Default::default() };
/// assert!(!peer.settings.up, "an end can be up only when both ends are there");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name, in its namespace.
    pub name: String,
    /// What it gets; `up` and `master` are not looked at, because it is made before its other end.
    pub settings: LinkSettings,
}

/// The kinds of links that can be made.
///
/// ```
/// use cofferdam_net::{LinkKind, MacvlanMode};
/// let kind = LinkKind::Macvlan { parent: 2, mode: MacvlanMode::Bridge };
/// assert_eq!(kind.name(), "macvlan");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A switch.
    Bridge,
    /// A pair; the peer is made directly in the target namespace.
    Veth(Peer),
    /// A further hardware address on a device; made directly in the target namespace.
    Macvlan {
        /// The device's index, in the namespace of the socket.
        parent: u32,
        /// How it sees the others of that device.
        mode: MacvlanMode,
    },
    /// A device's own hardware address with addresses of its own; made directly in the target namespace.
    Ipvlan {
        /// The device's index, in the namespace of the socket.
        parent: u32,
        /// How it hands packets on.
        mode: IpvlanMode,
    },
}

impl LinkKind {
    /// The kernel's word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Veth(_) => "veth",
            Self::Macvlan { .. } => "macvlan",
            Self::Ipvlan { .. } => "ipvlan",
        }
    }
}

fn flags(settings: &LinkSettings) -> u32 {
    if settings.up { IFF_UP } else { 0 }
}

fn info(kind: &str, data: &[DefaultNla]) -> DefaultNla {
    // The kernel takes the kind with or without its zero byte.
    nest(IFLA_LINKINFO, &[text(IFLA_INFO_KIND, kind), nest(IFLA_INFO_DATA, data)])
}

/// Makes a link with everything it gets; `target` is the descriptor of the namespace for a veth's peer
/// and for links on a parent.
pub(crate) fn make(name: &str, kind: &LinkKind, settings: &LinkSettings, target: Option<u32>) -> Message {
    let mut attributes = settings.attributes();
    attributes.push(text(IFLA_IFNAME, name));
    let there = target.map(|fd| number(IFLA_NET_NS_FD, fd));
    match kind {
        LinkKind::Bridge => attributes.push(info("bridge", &[])),
        LinkKind::Veth(peer) => {
            let mut of_peer = LinkSettings { master: None, ..peer.settings.clone() }.attributes();
            of_peer.push(text(IFLA_IFNAME, &peer.name));
            of_peer.extend(there);
            // A struct ifinfomsg stands before the peer's attributes.
            let mut body = vec![0; 16];
            body.extend(packed(&of_peer));
            attributes.push(info("veth", &[DefaultNla::new(VETH_INFO_PEER, body)]));
        }
        LinkKind::Macvlan { parent, mode } => {
            let mode = match mode {
                MacvlanMode::Private => 1,
                MacvlanMode::Vepa => 2,
                MacvlanMode::Bridge => 4,
                MacvlanMode::Passthru => 8,
            };
            attributes.push(number(IFLA_LINK, *parent));
            attributes.extend(there);
            attributes.push(info("macvlan", &[number(IFLA_MACVLAN_MODE, mode)]));
        }
        LinkKind::Ipvlan { parent, mode } => {
            let mode: u16 = match mode {
                IpvlanMode::L2 => 0,
                IpvlanMode::L3 => 1,
                IpvlanMode::L3s => 2,
            };
            attributes.push(number(IFLA_LINK, *parent));
            attributes.extend(there);
            let mode = DefaultNla::new(IFLA_IPVLAN_MODE, mode.to_ne_bytes().to_vec());
            attributes.push(info("ipvlan", &[mode]));
        }
    }
    Message::link(RTM_NEWLINK, 0, flags(settings), attributes)
}

/// Changes a link that is there.
pub(crate) fn change(index: u32, settings: &LinkSettings) -> Message {
    Message::link(RTM_NEWLINK, index, flags(settings), settings.attributes())
}

/// Gives a link another name; it must be down before Linux 6.2.
pub(crate) fn rename(index: u32, name: &str) -> Message {
    Message::link(RTM_NEWLINK, index, 0, vec![text(IFLA_IFNAME, name)])
}

/// Moves a link into a namespace under a name.
pub(crate) fn send_away(index: u32, name: &str, target: u32) -> Message {
    Message::move_link(index, name, target)
}

pub(crate) fn loopback_out(index: u32, on: bool) -> Message {
    const IFLA_AF_SPEC: u16 = 26;
    const AF_INET: u16 = 2;
    const IFLA_INET_CONF: u16 = 1;
    const IPV4_DEVCONF_ROUTE_LOCALNET: u16 = 26;
    let setting = nest(IFLA_INET_CONF, &[number(IPV4_DEVCONF_ROUTE_LOCALNET, on.into())]);
    let attributes = vec![nest(IFLA_AF_SPEC, &[nest(AF_INET, &[setting])])];
    Message::link(RTM_NEWLINK, index, 0, attributes)
}

pub(crate) fn delete(index: u32) -> Message {
    Message::link(RTM_DELLINK, index, 0, vec![])
}

/// What a bridge does with the frames of one of its ports.
///
/// ```
/// let port = cofferdam_net::BridgePort { hairpin: true, isolated: false };
/// assert_ne!(port, cofferdam_net::BridgePort::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePort {
    /// Frames may go back out where they came in, so that a container reaches itself through an address
    /// of the host's.
    pub hairpin: bool,
    /// No frame goes to another isolated port (Linux 4.18).
    pub isolated: bool,
}

pub(crate) fn port(name: &str, port: BridgePort) -> Message {
    let byte = |kind, on: bool| DefaultNla::new(kind, vec![u8::from(on)]);
    let data = [byte(IFLA_BRPORT_MODE, port.hairpin), byte(IFLA_BRPORT_ISOLATED, port.isolated)];
    let info = [text(IFLA_INFO_SLAVE_KIND, "bridge"), nest(IFLA_INFO_SLAVE_DATA, &data)];
    Message::link(RTM_NEWLINK, 0, 0, vec![text(IFLA_IFNAME, name), nest(IFLA_LINKINFO, &info)])
}
