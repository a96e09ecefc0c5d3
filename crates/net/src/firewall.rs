//! A container's packet filter: what goes out, what is published, what it may reach.
//!
//! Called by the library once a container has its addresses, and at its end. Everything of one container is
//! in one table of nf_tables, which is put there and removed as a whole, in one transaction.

use std::fs::File;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use cofferdam_sys::Errno;
use ipnet::IpNet;
use netlink_sys::protocols::NETLINK_NETFILTER;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::nft::{Hook, IPPROTO_ICMPV6, Request, Rule, Table, batch};
use crate::socket::{Netlink, Refusal};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// `NF_IP_PRI_NAT_DST` and `NF_IP_PRI_NAT_SRC`: where nft(8) has `dstnat` and `srcnat`.
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;

/// A protocol with ports.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_net::Protocol::Udp).unwrap(), "\"udp\"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    fn number(self) -> u8 {
        match self {
            Self::Tcp => TCP,
            Self::Udp => UDP,
        }
    }
}

/// Ports of the host that are a container's.
///
/// ```
/// use cofferdam_net::{Protocol, Publish};
/// let web = Publish { protocol: Protocol::Tcp, host: None, ports: 8080..=8080, to: "10.0.0.2".parse().unwrap(), to_port: 80 };
/// assert_eq!(web.ports.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Of which protocol.
    pub protocol: Protocol,
    /// At which address of the host's; at all but loopback when none is given.
    pub host: Option<IpAddr>,
    /// The host's ports.
    pub ports: RangeInclusive<u16>,
    /// The container's address.
    pub to: IpAddr,
    /// The container's first port.
    pub to_port: u16,
}

/// What leaves and reaches a container through the host.
///
/// ```
/// let outward = cofferdam_net::Outward { masquerade: vec!["10.0.0.2/24".parse().unwrap()], publish: vec![] };
/// assert_eq!(outward.masquerade[0].addr().to_string(), "10.0.0.2");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outward {
    /// The container's addresses whose packets get the host's as their source when they leave the
    /// address's own network.
    pub masquerade: Vec<IpNet>,
    /// The published ports.
    pub publish: Vec<Publish>,
}

/// Something that a container may reach; what is not given is any.
///
/// ```
/// use cofferdam_net::{Allow, Protocol};
/// let https = Allow { to: Some("192.0.2.0/24".parse().unwrap()), ports: Some((Protocol::Tcp, 443..=443)) };
/// assert_ne!(https, Allow::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allow {
    /// The address or prefix.
    pub to: Option<IpNet>,
    /// The ports; every protocol when none are given.
    pub ports: Option<(Protocol, RangeInclusive<u16>)>,
}

/// The packet filter of a network namespace, through a socket of netlink's netfilter family.
///
/// ```no_run
/// use cofferdam_net::{Allow, Firewall, Outward};
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// let only = [Allow { to: Some("192.0.2.7/32".parse()?), ports: None }];
/// Firewall::at(&namespace)?.allow_only(&only)?;
/// let mut host = Firewall::here()?;
/// host.open("web", &Outward { masquerade: vec!["10.0.0.2/24".parse()?], publish: vec![] })?;
/// host.close("web")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Firewall {
    socket: Netlink,
}

impl Firewall {
    /// That of the calling thread's namespace.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` when the kernel has no netfilter, `EMFILE`.
    pub fn here() -> Result<Self, Error> {
        let socket = Netlink::open_protocol(NETLINK_NETFILTER);
        Ok(Self {
            socket: socket.map_err(|refusal| failed("opening a netlink socket", "here", "", refusal))?,
        })
    }

    /// That of a namespace's file; a thread of this crate's own goes there for the moment that it takes to
    /// open the socket.
    ///
    /// # Errors
    /// As [`Self::here`], and `EPERM` without `CAP_SYS_ADMIN` over the namespace, `EINVAL` when the file
    /// is none.
    pub fn at(namespace: &File) -> Result<Self, Error> {
        use std::os::fd::AsFd;
        let socket = Netlink::open_protocol_in(namespace.as_fd(), NETLINK_NETFILTER);
        let said = |refusal| failed("opening a netlink socket", "in the container's namespace", "", refusal);
        Ok(Self { socket: socket.map_err(said)? })
    }

    /// Lets a container out and publishes its ports; this namespace is the host's. What was there for `id`
    /// is replaced. The host has to forward packets (`net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`),
    /// and other tables may still refuse them. A published port answers other hosts, other containers and
    /// the host at its own addresses, but not at 127.0.0.1.
    ///
    /// # Errors
    /// `EINVAL` for addresses of two protocols in one, and for a range without or with too many ports;
    /// `EOPNOTSUPP` or `ENOENT` when the kernel lacks a part of nf_tables, `EPERM` without `CAP_NET_ADMIN`.
    pub fn open(&mut self, id: &str, outward: &Outward) -> Result<(), Error> {
        let table = table(id);
        let mut requests = start(&table);
        requests.push(table.chain("prerouting", "nat", Hook::Prerouting, DSTNAT));
        requests.push(table.chain("output", "nat", Hook::Output, DSTNAT));
        requests.push(table.chain("postrouting", "nat", Hook::Postrouting, SRCNAT));
        for publish in &outward.publish {
            for rule in published(publish).map_err(|said| refused(id, said))? {
                requests.push(table.rule("prerouting", &rule));
                requests.push(table.rule("output", &rule));
            }
        }
        for net in &outward.masquerade {
            // Who asked from the same network for a published port would be answered past the host.
            let near = Rule::default().from(net.trunc()).to(net.addr().into()).translated();
            requests.push(table.rule("postrouting", &near.masquerade()));
            let far = Rule::default().from(net.addr().into()).not_to(net.trunc());
            requests.push(table.rule("postrouting", &far.masquerade()));
        }
        self.transaction("setting up outward traffic of", id, requests)
    }

    /// Removes what [`Self::open`] made; having made nothing is no failure.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn close(&mut self, id: &str) -> Result<(), Error> {
        match self.transaction("removing the packet filter of", id, vec![table(id).delete()]) {
            Err(error) if error.errno == Errno::ENOENT.0 => Ok(()),
            other => other,
        }
    }

    /// Lets the processes of this namespace, a container's, reach what is allowed and nothing else; the
    /// rest is refused at once (TCP with a reset, all other with ICMP's "administratively prohibited").
    /// Loopback and answers on connections from outside stay, and so does IPv6's discovery of neighbours.
    /// A list that was there is replaced. It ends with the namespace.
    ///
    /// It binds processes without `CAP_NET_ADMIN` and `CAP_NET_RAW` over the namespace: with the first they
    /// can remove it, with the second send packets that pass it by. [`Self::confine`] binds these too.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn allow_only(&mut self, allowed: &[Allow]) -> Result<(), Error> {
        const CHAIN: &str = "output";
        let table = Table::inet("cofferdam-egress".into());
        let mut requests = start(&table);
        requests.push(table.chain(CHAIN, "filter", Hook::Output, 0));
        requests.push(table.rule(CHAIN, &Rule::default().over("lo").accept()));
        requests.extend(only(&Rule::default(), allowed).iter().map(|rule| table.rule(CHAIN, rule)));
        self.transaction("setting up the allow-list", "of outward connections", requests)
    }

    /// As [`Self::allow_only`], from outside, where nothing that the container may do reaches: this
    /// namespace is the host's, `veth` is the outer end of the container's only interface, and `addresses`
    /// are all it has. What comes in there from another address is dropped. Services of the host's itself
    /// are refused as well, unless they are allowed.
    ///
    /// Frames between two ports of a bridge do not pass the host's filter: the port has to be isolated
    /// ([`crate::BridgePort`]), and so have its neighbours.
    ///
    /// # Errors
    /// As [`Self::open`], and `ENOENT` when there is no such device; newer kernels (6.18 does) wait for one of
    /// that name instead.
    pub fn confine(
        &mut self,
        id: &str,
        veth: &str,
        addresses: &[IpAddr],
        allowed: &[Allow],
    ) -> Result<(), Error> {
        let (packets, frames) = confinement(id);
        let mut requests = [start(&packets), start(&frames)].concat();
        requests.push(frames.ingress("ingress", veth));
        requests.extend(honest(addresses).iter().map(|rule| frames.rule("ingress", rule)));
        for (chain, hook) in [("input", Hook::Input), ("forward", Hook::Forward)] {
            requests.push(packets.chain(chain, "filter", hook, 0));
            for address in addresses {
                let rules = only(&Rule::default().from((*address).into()), allowed);
                requests.extend(rules.iter().map(|rule| packets.rule(chain, rule)));
            }
        }
        self.transaction("confining", id, requests)
    }

    /// Removes what [`Self::confine`] made; having made nothing is no failure.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn release(&mut self, id: &str) -> Result<(), Error> {
        // Added first, so that none is missing.
        let (packets, frames) = confinement(id);
        let requests = vec![packets.add(), packets.delete(), frames.add(), frames.delete()];
        self.transaction("removing the confinement of", id, requests)
    }

    fn transaction(&mut self, step: &'static str, id: &str, requests: Vec<Request>) -> Result<(), Error> {
        self.socket.transaction(batch(), requests).map_err(|(at, refusal)| {
            failed(step, id, &format!("part {at} of the transaction"), refusal)
                .hint_for(Errno::EPERM, "it takes CAP_NET_ADMIN over the network namespace")
                .hint_for(
                    Errno::EOPNOTSUPP,
                    "the kernel lacks this part of nf_tables, or its module is not loaded",
                )
                .hint_for(Errno::EMSGSIZE, "too many rules for one transaction; use prefixes and ranges")
        })
    }
}

fn table(id: &str) -> Table {
    Table::inet(format!("cofferdam-out-{id}"))
}

fn confinement(id: &str) -> (Table, Table) {
    let name = || format!("cofferdam-only-{id}");
    (Table::inet(name()), Table::netdev(name()))
}

/// An empty table, whatever was in it.
fn start(table: &Table) -> Vec<Request> {
    vec![table.add(), table.delete(), table.add()]
}

/// What stays allowed, what is allowed, and the refusal of the rest, each for packets that are like `who`.
fn only(who: &Rule, allowed: &[Allow]) -> Vec<Rule> {
    const ND_AND_MLD: [u8; 4] = [133, 135, 136, 143];
    let mut rules = vec![who.clone().known().accept()];
    rules.extend(ND_AND_MLD.map(|kind| who.clone().icmpv6(kind).accept()));
    for allow in allowed {
        let mut rule = who.clone();
        if let Some(net) = allow.to {
            rule = rule.to(net);
        }
        if let Some((protocol, ports)) = &allow.ports {
            rule = rule.protocol(protocol.number()).ports(*ports.start(), *ports.end());
        }
        rules.push(rule.accept());
    }
    rules.push(who.clone().protocol(TCP).reject_with_reset());
    rules.push(who.clone().reject());
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
        let unspecified = IpNet::from(IpAddr::from([0u16; 8]));
        let link_local = IpNet::new(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10);
        for net in [link_local.unwrap_or(unspecified), unspecified] {
            rules.push(Rule::default().frame_from(net).protocol(IPPROTO_ICMPV6).accept());
        }
    }
    rules
}

/// The rules that lead to a container's ports.
fn published(publish: &Publish) -> Result<Vec<Rule>, &'static str> {
    /// More shifted ports than this would be more rules than a transaction holds.
    const MOST: usize = 128;
    let (first, last) = (*publish.ports.start(), *publish.ports.end());
    let count = publish.ports.len();
    if first == 0 || count == 0 {
        return Err("a range of ports has a first and a last one, not 0");
    }
    if publish.host.is_some_and(|host| host.is_ipv4() != publish.to.is_ipv4()) {
        return Err("the host's address and the container's are of two protocols");
    }
    let v4 = publish.to.is_ipv4();
    let any: IpNet = if v4 { ipnet::Ipv4Net::default().into() } else { ipnet::Ipv6Net::default().into() };
    let loopback = IpNet::new(
        if v4 { [127, 0, 0, 0].into() } else { std::net::Ipv6Addr::LOCALHOST.into() },
        if v4 { 8 } else { 128 },
    );
    let place = match publish.host {
        Some(host) => Rule::default().to(host.into()),
        None => Rule::default().at_this_host().not_to(loopback.unwrap_or(any)),
    };
    let on = |first, last| place.clone().protocol(publish.protocol.number()).ports(first, last);
    if first == publish.to_port {
        return Ok(vec![on(first, last).redirect(publish.to, None)]);
    }
    if count > MOST
        || publish.to_port.checked_add(last.saturating_sub(first)).is_none()
        || publish.to_port == 0
    {
        return Err("a range that is shifted has at most 128 ports, and they end at 65535");
    }
    let shifted = publish.ports.clone().zip(publish.to_port..);
    Ok(shifted.map(|(port, to)| on(port, port).redirect(publish.to, Some(to))).collect())
}

fn refused(id: &str, said: &str) -> Error {
    let refusal = Refusal { errno: Errno::EINVAL.0, said: Some(said.to_owned()) };
    failed("publishing ports of", id, "judging them", refusal)
}

fn failed(step: &'static str, object: &str, part: &str, refusal: Refusal) -> Error {
    Error::of(step, object, if part.is_empty() { "asking the kernel" } else { part }, refusal)
}
