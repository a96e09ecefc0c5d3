//! The messages of nf_tables as bytes: `linux/netfilter/nf_tables.h`, `linux/netfilter/nfnetlink.h`.
//!
//! Called by `firewall`. Pure: no socket, no kernel. A rule is a list of expressions; each compares or
//! changes what an earlier one put into a register, and the first comparison that fails ends the rule.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};

use crate::message::{Message, nest, text};
use crate::route::octets;

const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFT_MSG_NEWTABLE: u16 = 0;
const NFT_MSG_DELTABLE: u16 = 2;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFT_MSG_NEWRULE: u16 = 6;
const NFT_MSG_NEWSET: u16 = 9;
const NFT_MSG_NEWSETELEM: u16 = 12;
const NFT_MSG_DELSETELEM: u16 = 14;
const NFPROTO_INET: u8 = 1;
const NFPROTO_NETDEV: u8 = 5;
const NFPROTO_BRIDGE: u8 = 7;
/// The first register of 16 bytes, and the second.
const NFT_REG_1: u32 = 1;
const NFT_REG_2: u32 = 2;
const NFT_REG_VERDICT: u32 = 0;
const NFT_META_IIFNAME: u32 = 6;
const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;
const IPPROTO_ICMPV6: u8 = 58;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// Where a chain's packets come from; `linux/netfilter.h`.
#[derive(Clone, Copy)]
pub(crate) enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// A message and its flags.
pub(crate) type Request = (Message, u16);

fn word(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

/// A value of a register's.
fn data(kind: u16, value: &[u8]) -> DefaultNla {
    nest(kind, &[DefaultNla::new(1, value.to_vec())])
}

/// What stands around a transaction: its begin and its end.
pub(crate) fn batch() -> (Message, Message) {
    let [high, low] = NFNL_SUBSYS_NFTABLES.to_be_bytes();
    let mark = |kind| Message { kind, head: vec![0, 0, high, low], attributes: vec![] };
    (mark(NFNL_MSG_BATCH_BEGIN), mark(NFNL_MSG_BATCH_END))
}

/// A table: what one container's filter is in.
pub(crate) struct Table {
    family: u8,
    name: String,
}

impl Table {
    /// Of packets of IPv4 and IPv6.
    pub(crate) fn inet(name: String) -> Self {
        Self { family: NFPROTO_INET, name }
    }

    /// Of the frames of devices.
    pub(crate) fn netdev(name: String) -> Self {
        Self { family: NFPROTO_NETDEV, name }
    }

    /// Of the frames on bridges.
    pub(crate) fn bridge(name: String) -> Self {
        Self { family: NFPROTO_BRIDGE, name }
    }

    /// Asks for all tables.
    pub(crate) fn all() -> Message {
        const NFT_MSG_GETTABLE: u16 = 1;
        Self::inet(String::new()).message(NFT_MSG_GETTABLE, vec![])
    }

    /// The name of the table that a message tells of.
    pub(crate) fn named(message: &Message) -> Option<String> {
        if message.kind != NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE {
            return None;
        }
        let name = message.attribute(1)?;
        Some(String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(&name)).into_owned())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An empty table, whatever was in it.
    pub(crate) fn anew(&self) -> Vec<Request> {
        vec![self.add(), self.delete(), self.add()]
    }

    /// A `struct nfgenmsg` and attributes.
    fn message(&self, kind: u16, attributes: Vec<DefaultNla>) -> Message {
        Message { kind: NFNL_SUBSYS_NFTABLES << 8 | kind, head: vec![self.family, 0, 0, 0], attributes }
    }

    /// Makes it, also when it is there.
    pub(crate) fn add(&self) -> Request {
        (self.message(NFT_MSG_NEWTABLE, vec![text(1, &self.name)]), NLM_F_CREATE)
    }

    /// Deletes it with all that is in it.
    pub(crate) fn delete(&self) -> Request {
        (self.message(NFT_MSG_DELTABLE, vec![text(1, &self.name)]), 0)
    }

    /// A chain at a hook: `kind` is `nat` or `filter`. What no rule of it decides is accepted.
    pub(crate) fn chain(&self, name: &str, kind: &str, hook: Hook, priority: i32) -> Request {
        self.base(name, kind, &[word(1, hook as u32), signed(2, priority)], NF_ACCEPT)
    }

    /// A chain of the frames that come in over a device. What no rule of it decides is dropped.
    pub(crate) fn ingress(&self, name: &str, device: &str) -> Request {
        const NF_NETDEV_INGRESS: u32 = 0;
        self.base(name, "filter", &[word(1, NF_NETDEV_INGRESS), signed(2, 0), text(3, device)], NF_DROP)
    }

    fn base(&self, name: &str, kind: &str, hook: &[DefaultNla], policy: u32) -> Request {
        let attributes =
            vec![text(1, &self.name), text(3, name), nest(4, hook), word(5, policy), text(7, kind)];
        (self.message(NFT_MSG_NEWCHAIN, attributes), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// A set of addresses that leave it by themselves; `number` is its own in the transaction.
    pub(crate) fn set(&self, name: &str, v4: bool, number: u32) -> Request {
        const NFT_SET_TIMEOUT: u32 = 0x10;
        /// How many addresses are in it at most.
        const SIZE: u32 = 4096;
        // The types are nft(8)'s, which shows sets by them: ipv4_addr and ipv6_addr.
        let (kind, length) = if v4 { (7, 4) } else { (8, 16) };
        let mut attributes = vec![text(1, &self.name), text(2, name), word(3, NFT_SET_TIMEOUT)];
        attributes.extend([word(4, kind), word(5, length), nest(9, &[word(1, SIZE)]), word(10, number)]);
        (self.message(NFT_MSG_NEWSET, attributes), NLM_F_CREATE)
    }

    /// Puts an address into a set for a time.
    pub(crate) fn add_element(&self, set: &str, address: IpAddr, time: Duration) -> Request {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let time = DefaultNla::new(4, milliseconds.to_be_bytes().to_vec());
        let element = nest(1, &[data(1, &octets(address)), time]);
        (self.message(NFT_MSG_NEWSETELEM, self.elements(set, element)), NLM_F_CREATE)
    }

    /// Takes an address out of a set.
    pub(crate) fn delete_element(&self, set: &str, address: IpAddr) -> Request {
        let element = nest(1, &[data(1, &octets(address))]);
        (self.message(NFT_MSG_DELSETELEM, self.elements(set, element)), 0)
    }

    fn elements(&self, set: &str, element: DefaultNla) -> Vec<DefaultNla> {
        vec![text(1, &self.name), text(2, set), nest(3, &[element])]
    }

    /// Adds a rule at the end of a chain.
    pub(crate) fn rule(&self, chain: &str, rule: &Rule) -> Request {
        let attributes = vec![text(1, &self.name), text(2, chain), nest(4, &rule.0)];
        (self.message(NFT_MSG_NEWRULE, attributes), NLM_F_CREATE | NLM_F_APPEND)
    }
}

fn signed(kind: u16, value: i32) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

/// A rule under construction.
#[derive(Clone, Default)]
pub(crate) struct Rule(Vec<DefaultNla>);

impl Rule {
    fn expression(mut self, name: &str, attributes: &[DefaultNla]) -> Self {
        self.0.push(nest(1, &[text(1, name), nest(2, attributes)]));
        self
    }

    fn compare(self, operation: u32, value: &[u8]) -> Self {
        self.expression("cmp", &[word(1, NFT_REG_1), word(2, operation), data(3, value)])
    }

    fn is(self, value: &[u8]) -> Self {
        self.compare(0, value)
    }

    fn meta(self, key: u32) -> Self {
        self.expression("meta", &[word(1, NFT_REG_1), word(2, key)])
    }

    fn payload(self, base: u32, offset: u32, length: u32) -> Self {
        let attributes = [word(1, NFT_REG_1), word(2, base), word(3, offset), word(4, length)];
        self.expression("payload", &attributes)
    }

    fn mask(self, mask: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or_default();
        let nothing = vec![0; mask.len()];
        let registers = [word(1, NFT_REG_1), word(2, NFT_REG_1), word(3, length)];
        self.expression("bitwise", &[&registers[..], &[data(4, mask), data(5, &nothing)]].concat())
    }

    /// The packet is IPv4 or IPv6.
    pub(crate) fn family(self, v4: bool) -> Self {
        const NFT_META_NFPROTO: u32 = 15;
        self.meta(NFT_META_NFPROTO).is(&[if v4 { 2 } else { 10 }])
    }

    /// An address of the packet, as far as the prefix goes.
    fn address(self, net: IpNet, is_source: bool, operation: u32) -> Self {
        self.family(net.addr().is_ipv4()).bare_address(net, is_source, operation)
    }

    fn bare_address(self, net: IpNet, is_source: bool, operation: u32) -> Self {
        let (offset, length) = match (net.addr(), is_source) {
            (IpAddr::V4(_), true) => (12, 4),
            (IpAddr::V4(_), false) => (16, 4),
            (IpAddr::V6(_), true) => (8, 16),
            (IpAddr::V6(_), false) => (24, 16),
        };
        let rule = self.payload(NETWORK, offset, length);
        let rule =
            if net.prefix_len() < net.max_prefix_len() { rule.mask(&octets(net.netmask())) } else { rule };
        rule.compare(operation, &octets(net.network()))
    }

    pub(crate) fn from(self, net: IpNet) -> Self {
        self.address(net, true, 0)
    }

    pub(crate) fn to(self, net: IpNet) -> Self {
        self.address(net, false, 0)
    }

    pub(crate) fn not_to(self, net: IpNet) -> Self {
        self.address(net, false, 1)
    }

    /// The destination is in a set.
    pub(crate) fn towards(self, set: &str, v4: bool) -> Self {
        let (offset, length) = if v4 { (16, 4) } else { (24, 16) };
        let rule = self.family(v4).payload(NETWORK, offset, length);
        rule.expression("lookup", &[text(1, set), word(2, NFT_REG_1)])
    }

    /// A frame with what that type of Ethernet's is.
    pub(crate) fn frame(self, ethertype: u16) -> Self {
        const NFT_META_PROTOCOL: u32 = 1;
        self.meta(NFT_META_PROTOCOL).is(&ethertype.to_be_bytes())
    }

    fn frame_of(self, net: IpNet) -> Self {
        self.frame(if net.addr().is_ipv4() { 0x0800 } else { 0x86dd })
    }

    /// A frame with a packet from there.
    pub(crate) fn frame_from(self, net: IpNet) -> Self {
        self.frame_of(net).bare_address(net, true, 0)
    }

    /// A frame with a packet to there.
    pub(crate) fn frame_to(self, net: IpNet) -> Self {
        self.frame_of(net).bare_address(net, false, 0)
    }

    /// A frame in which ARP says that it has, or asks on behalf of, that address.
    pub(crate) fn arp_of(self, address: std::net::Ipv4Addr) -> Self {
        self.frame(0x0806).payload(NETWORK, 14, 4).is(&address.octets())
    }

    /// The destination is this host.
    pub(crate) fn at_this_host(self) -> Self {
        const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
        const NFTA_FIB_F_DADDR: u32 = 2;
        const RTN_LOCAL: u32 = 2;
        let attributes = [word(1, NFT_REG_1), word(2, NFT_FIB_RESULT_ADDRTYPE), word(3, NFTA_FIB_F_DADDR)];
        self.expression("fib", &attributes).is(&RTN_LOCAL.to_ne_bytes())
    }

    pub(crate) fn protocol(self, number: u8) -> Self {
        const NFT_META_L4PROTO: u32 = 16;
        self.meta(NFT_META_L4PROTO).is(&[number])
    }

    /// The destination's port, of TCP or UDP.
    pub(crate) fn ports(self, first: u16, last: u16) -> Self {
        let rule = self.payload(TRANSPORT, 2, 2);
        if first == last {
            return rule.is(&first.to_be_bytes());
        }
        const LTE: u32 = 3;
        const GTE: u32 = 5;
        rule.compare(GTE, &first.to_be_bytes()).compare(LTE, &last.to_be_bytes())
    }

    /// The limit of hops of a packet that is IPv6 already is the highest.
    pub(crate) fn first_hop(self) -> Self {
        self.payload(NETWORK, 7, 1).is(&[255])
    }

    /// The destination of a packet of whose family no more has to be asked.
    pub(crate) fn bare_to(self, net: IpNet) -> Self {
        self.bare_address(net, false, 0)
    }

    /// The type of an ICMPv6 message.
    pub(crate) fn icmpv6(self, kind: u8) -> Self {
        self.protocol(IPPROTO_ICMPV6).payload(TRANSPORT, 0, 1).is(&[kind])
    }

    fn device(self, key: u32, operation: u32, device: &str) -> Self {
        let mut name = device.as_bytes().to_vec();
        name.resize(16, 0);
        self.meta(key).compare(operation, &name)
    }

    /// It leaves by that device.
    pub(crate) fn over(self, device: &str) -> Self {
        const NFT_META_OIFNAME: u32 = 7;
        self.device(NFT_META_OIFNAME, 0, device)
    }

    /// It came by that device.
    pub(crate) fn by_device(self, device: &str) -> Self {
        self.device(NFT_META_IIFNAME, 0, device)
    }

    /// It came by another device.
    pub(crate) fn not_by_device(self, device: &str) -> Self {
        self.device(NFT_META_IIFNAME, 1, device)
    }

    fn ct_bits(self, key: u32, bits: u32) -> Self {
        let bits = bits.to_ne_bytes();
        let rule = self.expression("ct", &[word(1, NFT_REG_1), word(2, key)]);
        rule.mask(&bits).compare(1, &[0; 4])
    }

    /// Of a connection, or about one, that was let through before.
    pub(crate) fn known(self) -> Self {
        const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
        self.ct_bits(0, ESTABLISHED_OR_RELATED)
    }

    /// Of a connection whose destination was translated.
    pub(crate) fn translated(self) -> Self {
        const NFT_CT_STATUS: u32 = 2;
        const IPS_DST_NAT: u32 = 0x20;
        self.ct_bits(NFT_CT_STATUS, IPS_DST_NAT)
    }

    fn verdict(self, verdict: u32) -> Self {
        let verdict = nest(2, &[nest(2, &[word(1, verdict)])]);
        self.expression("immediate", &[word(1, NFT_REG_VERDICT), verdict])
    }

    pub(crate) fn accept(self) -> Self {
        self.verdict(NF_ACCEPT)
    }

    pub(crate) fn drop(self) -> Self {
        self.verdict(NF_DROP)
    }

    pub(crate) fn reject_with_reset(self) -> Self {
        self.expression("reject", &[word(1, 1), DefaultNla::new(2, vec![0])])
    }

    /// Says that it is prohibited by an administrator, by ICMP or ICMPv6.
    pub(crate) fn reject(self) -> Self {
        self.expression("reject", &[word(1, 2), DefaultNla::new(2, vec![3])])
    }

    pub(crate) fn masquerade(self) -> Self {
        self.expression("masq", &[])
    }

    /// Goes there instead; to the same port unless another one is given.
    pub(crate) fn redirect(self, to: IpAddr, port: Option<u16>) -> Self {
        const NFT_NAT_DNAT: u32 = 1;
        let load = |rule: Self, register, value: &[u8]| {
            rule.expression("immediate", &[word(1, register), data(2, value)])
        };
        let mut rule = load(self, NFT_REG_1, &octets(to));
        let family = u32::from(crate::route::family(to));
        let mut nat = vec![word(1, NFT_NAT_DNAT), word(2, family), word(3, NFT_REG_1)];
        if let Some(port) = port {
            rule = load(rule, NFT_REG_2, &port.to_be_bytes());
            nat.push(word(5, NFT_REG_2));
        }
        rule.expression("nat", &nat)
    }
}
