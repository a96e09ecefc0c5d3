//! Messages of netlink as bytes, and those of a move: rtnetlink(7), `linux/if_link.h`, `linux/if_addr.h`.
//!
//! Used by everything here. Pure: no socket, no kernel. Headers, attributes and acknowledgements come from
//! `netlink-packet-core`. The bodies are here and where they are used, because the crate that has them
//! all, `netlink-packet-route`, is some 30000 lines and brings a second version of syn.

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, Nla,
    NlasIterator, Parseable,
};

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
pub(crate) const RTM_NEWROUTE: u16 = 24;

/// Of netfilter's netlink, which numbers its messages within subsystems.
const NFT_MSG_NEWTABLE: u16 = 10 << 8;

pub(crate) const IFLA_IFNAME: u16 = 3;
pub(crate) const IFLA_NET_NS_FD: u16 = 28;
pub(crate) const IFF_UP: u32 = 1;

pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;
pub(crate) const IFA_BROADCAST: u16 = 4;
pub(crate) const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;
/// What of an address moves. Not its label, which has the device's old name in it, and not its
/// lifetime, which is without end.
const KEPT: [u16; 5] = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_RT_PRIORITY, IFA_PROTO];

const IFA_F_PERMANENT: u32 = 0x80;
/// The flags of an address that a user chooses: nodad, home, managetempaddr, noprefixroute,
/// mcautojoin. The others are states that the kernel keeps.
const CHOSEN: u32 = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;
const RT_SCOPE_UNIVERSE: u8 = 0;

/// A message about a link or an address: a fixed head, then attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u16,
    pub(crate) head: Vec<u8>,
    pub(crate) attributes: Vec<DefaultNla>,
}

impl Message {
    /// Asks for the link of this name.
    pub(crate) fn get_link(name: &str) -> Self {
        Self::link(RTM_GETLINK, 0, 0, vec![text(IFLA_IFNAME, name)])
    }

    /// Asks for all links.
    pub(crate) fn get_links() -> Self {
        Self::link(RTM_GETLINK, 0, 0, vec![])
    }

    /// Moves a link into the namespace of the descriptor, where it gets the name; one transaction.
    pub(crate) fn move_link(index: u32, name: &str, namespace: u32) -> Self {
        Self::link(RTM_NEWLINK, index, 0, vec![text(IFLA_IFNAME, name), number(IFLA_NET_NS_FD, namespace)])
    }

    /// Sets a link up.
    pub(crate) fn set_up(index: u32) -> Self {
        Self::link(RTM_NEWLINK, index, IFF_UP, vec![])
    }

    /// Asks for all addresses of all links.
    pub(crate) fn get_addresses() -> Self {
        Self { kind: RTM_GETADDR, head: vec![0; 8], attributes: vec![] }
    }

    /// Gives a link an address that another one had.
    pub(crate) fn add_address(index: u32, address: &Address) -> Self {
        let mut head = vec![address.family, address.prefix, 0, RT_SCOPE_UNIVERSE];
        head.extend(index.to_ne_bytes());
        let mut attributes = address.kept.clone();
        attributes.push(number(IFA_FLAGS, address.flags & CHOSEN));
        Self { kind: RTM_NEWADDR, head, attributes }
    }

    /// A `struct ifinfomsg`; the flags are those to set.
    pub(crate) fn link(kind: u16, index: u32, flags: u32, attributes: Vec<DefaultNla>) -> Self {
        let mut head = vec![0; 4];
        for word in [index, flags, flags] {
            head.extend(word.to_ne_bytes());
        }
        Self { kind, head, attributes }
    }

    /// The index in both heads: a link's own, or that of the link that has the address.
    pub(crate) fn index(&self) -> Option<u32> {
        let bytes = self.head.get(4..8)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }

    pub(crate) fn attribute(&self, kind: u16) -> Option<Vec<u8>> {
        let attribute = self.attributes.iter().find(|a| a.kind() == kind)?;
        let mut value = vec![0; attribute.value_len()];
        attribute.emit_value(&mut value);
        Some(value)
    }
}

/// A link: its index and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: Vec<u8>,
}

impl Link {
    /// What the kernel says of a link; nothing when the message is about something else.
    pub(crate) fn parse(message: &Message) -> Option<Self> {
        if message.kind != RTM_NEWLINK {
            return None;
        }
        let mut name = message.attribute(IFLA_IFNAME)?;
        name.retain(|&b| b != 0);
        Some(Self { index: message.index()?, name })
    }
}

/// An address, as far as it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    family: u8,
    prefix: u8,
    flags: u32,
    kept: Vec<DefaultNla>,
}

impl Address {
    /// An address of the link, when it is permanent and of global scope.
    pub(crate) fn parse_movable(message: &Message, link: u32) -> Option<Self> {
        let &[family, prefix, short_flags, scope, ..] = message.head.as_slice() else { return None };
        let long_flags = message.attribute(IFA_FLAGS).and_then(|v| v.try_into().ok()).map(u32::from_ne_bytes);
        let flags = long_flags.unwrap_or_else(|| u32::from(short_flags));
        let movable = message.kind == RTM_NEWADDR
            && message.index() == Some(link)
            && scope == RT_SCOPE_UNIVERSE
            && flags & IFA_F_PERMANENT != 0;
        let kept = || message.attributes.iter().filter(|a| KEPT.contains(&a.kind())).cloned().collect();
        movable.then(|| Self { family, prefix, flags, kept: kept() })
    }

    /// The address as text, without its peer.
    pub(crate) fn text(&self) -> String {
        let find = |kind| self.kept.iter().find(|a| a.kind() == kind);
        let Some(attribute) = find(IFA_LOCAL).or_else(|| find(IFA_ADDRESS)) else { return "?".into() };
        let mut value = vec![0; attribute.value_len()];
        attribute.emit_value(&mut value);
        ip(&value).map_or_else(|| "?".into(), |address| format!("{address}/{}", self.prefix))
    }
}

impl Message {
    /// The address that a message tells of and its prefix, in bits, whatever its scope.
    pub(crate) fn address(&self) -> Option<(std::net::IpAddr, u8)> {
        let prefix = *self.head.get(1).filter(|_| self.kind == RTM_NEWADDR)?;
        let value = self.attribute(IFA_LOCAL).or_else(|| self.attribute(IFA_ADDRESS))?;
        Some((ip(&value)?, prefix))
    }

    /// The flags of a link.
    pub(crate) fn link_flags(&self) -> Option<u32> {
        let bytes = self.head.get(8..12).filter(|_| self.kind == RTM_NEWLINK)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }
}

pub(crate) fn ip(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok()
}

pub(crate) fn text(kind: u16, value: &str) -> DefaultNla {
    let mut bytes = value.as_bytes().to_vec();
    bytes.push(0);
    DefaultNla::new(kind, bytes)
}

pub(crate) fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

/// Attributes one after the other, as the value of another has them.
pub(crate) fn packed(inside: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; inside.buffer_len()];
    inside.emit(&mut bytes);
    bytes
}

/// An attribute that is made of attributes.
pub(crate) fn nest(kind: u16, inside: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind, packed(inside))
}

/// The attributes in the value of one; what is not well-formed ends the list.
pub(crate) fn inside(value: &[u8]) -> Vec<DefaultNla> {
    NlasIterator::new(value).map_while(|a| DefaultNla::parse(&a.ok()?).ok()).collect()
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.head.len().saturating_add(self.attributes.as_slice().buffer_len())
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (head, attributes) = buffer.split_at_mut(self.head.len());
        head.copy_from_slice(&self.head);
        self.attributes.as_slice().emit(attributes);
    }
}

impl NetlinkDeserializable for Message {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let kind = header.message_type;
        let len = match kind {
            RTM_NEWLINK => 16,
            RTM_NEWADDR => 8,
            RTM_NEWROUTE => 12,
            NFT_MSG_NEWTABLE => 4,
            _ => return Err(DecodeError::from(format!("message of type {kind}"))),
        };
        let (head, rest) =
            payload.split_at_checked(len).ok_or_else(|| DecodeError::buffer_too_small(payload.len(), len))?;
        let attributes: Result<_, _> = NlasIterator::new(rest).map(|a| DefaultNla::parse(&a?)).collect();
        Ok(Self { kind, head: head.to_vec(), attributes: attributes? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(message: &Message) -> Vec<u8> {
        let mut buffer = vec![0xff; message.buffer_len()];
        message.serialize(&mut buffer);
        buffer
    }

    fn words(bytes: &[u8]) -> Vec<u32> {
        bytes.chunks_exact(4).map(|w| u32::from_ne_bytes(w.try_into().unwrap())).collect()
    }

    fn address(flags: u32, scope: u8, attributes: Vec<DefaultNla>) -> Message {
        let short = u8::try_from(flags & 0xff).unwrap();
        let mut head = vec![2, 24, short, scope];
        head.extend(5u32.to_ne_bytes());
        Message { kind: RTM_NEWADDR, head, attributes }
    }

    #[test]
    fn a_move_is_one_request_with_name_and_namespace() {
        let message = Message::move_link(5, "wan0", 9);
        let got = bytes(&message);
        assert_eq!(message.message_type(), 16);
        assert_eq!(words(&got[..16]), [0, 5, 0, 0], "no flag of the link is touched");
        let mut want = [9u16.to_ne_bytes(), IFLA_IFNAME.to_ne_bytes()].concat();
        want.extend(b"wan0\0\0\0\0");
        want.extend([8u16.to_ne_bytes(), IFLA_NET_NS_FD.to_ne_bytes()].concat());
        want.extend(9u32.to_ne_bytes());
        assert_eq!(got[16..], want);
    }

    #[test]
    fn setting_up_changes_that_flag_alone() {
        assert_eq!(words(&bytes(&Message::set_up(5))), [0, 5, 1, 1]);
    }

    #[test]
    fn only_permanent_addresses_of_global_scope_move() {
        let movable =
            |flags, scope, link| Address::parse_movable(&address(flags, scope, vec![]), link).is_some();
        assert!(movable(0x80, 0, 5));
        assert!(!movable(0, 0, 5), "dynamic");
        assert!(!movable(0x80, 253, 5), "link scope");
        assert!(!movable(0x80, 254, 5), "host scope");
        assert!(!movable(0x80, 0, 6), "of another link");
    }

    #[test]
    fn the_long_flags_win_over_the_short_ones() {
        let message = address(0, 0, vec![number(IFA_FLAGS, 0x280)]);
        assert_eq!(Address::parse_movable(&message, 5).unwrap().flags, 0x280);
    }

    #[test]
    fn an_address_is_added_without_its_label_its_lifetime_and_its_state() {
        let local = DefaultNla::new(IFA_LOCAL, vec![10, 0, 0, 1]);
        let peer = DefaultNla::new(IFA_ADDRESS, vec![10, 0, 0, 2]);
        let lifetime = DefaultNla::new(6, vec![0; 16]);
        let had = vec![peer.clone(), local.clone(), text(3, "eth0"), lifetime, number(IFA_FLAGS, 0x2c3)];
        let moved = Address::parse_movable(&address(0xc3, 0, had), 5).unwrap();
        assert_eq!(moved.text(), "10.0.0.1/24");
        let added = Message::add_address(7, &moved);
        assert_eq!(added.index(), Some(7));
        assert_eq!(added.attributes, [peer, local, number(IFA_FLAGS, 0x202)]);
        assert_eq!(added.head[..4], [2, 24, 0, 0]);
    }

    #[test]
    fn a_message_that_ends_early_is_an_error() {
        let mut header = NetlinkHeader::default();
        for (kind, len) in [(RTM_NEWLINK, 15), (RTM_NEWADDR, 7), (99, 64)] {
            header.message_type = kind;
            assert!(Message::deserialize(&header, &vec![0; len]).is_err(), "{kind}");
        }
        header.message_type = RTM_NEWADDR;
        assert!(Message::deserialize(&header, &[0, 0, 0, 0, 0, 0, 0, 0, 99, 0, 1, 0]).is_err());
        let message = Message::add_address(7, &Address { family: 2, prefix: 8, flags: 0, kept: vec![] });
        assert_eq!(Message::deserialize(&header, &bytes(&message)).unwrap(), message);
    }
}
