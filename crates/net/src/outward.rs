//! What leaves and reaches a container through its host: masquerade and published ports, as rules.
//!
//! Called by `firewall`. Pure: no socket, no kernel.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Protocol;
use crate::nft::{Hook, Request, Rule, Table};

/// `NF_IP_PRI_RAW`, `NF_IP_PRI_NAT_DST` and `NF_IP_PRI_NAT_SRC`: where nft(8) has `raw`, `dstnat`, `srcnat`.
const RAW: i32 = -300;
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;

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
    /// At which address of the host's; at all when none is given.
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

impl Outward {
    /// Whether something is published at 127.0.0.1, so that the container's bridge has to take packets from
    /// there ([`crate::Network::let_loopback_out`]).
    ///
    /// ```
    /// assert!(!cofferdam_net::Outward::default().is_at_loopback());
    /// ```
    #[must_use]
    pub fn is_at_loopback(&self) -> bool {
        let at_loopback = |publish: &Publish| publish.host.is_none_or(|host| host.is_loopback());
        self.publish.iter().any(|publish| publish.to.is_ipv4() && at_loopback(publish))
    }
}

/// The chains and rules of one container.
pub(crate) fn requests(table: &Table, outward: &Outward) -> Result<Vec<Request>, &'static str> {
    let mut requests = vec![
        table.chain("guard", "filter", Hook::Prerouting, RAW),
        // What lets the host's own programs in at 127.0.0.1 would let neighbours reach others there.
        table.rule("guard", &Rule::default().not_by_device("lo").to(loopback(true)).drop()),
        table.chain("prerouting", "nat", Hook::Prerouting, DSTNAT),
        table.chain("output", "nat", Hook::Output, DSTNAT),
        table.chain("postrouting", "nat", Hook::Postrouting, SRCNAT),
    ];
    for publish in &outward.publish {
        let v4 = publish.to.is_ipv4();
        check(publish)?;
        let (from_outside, from_here) = match publish.host {
            // The kernel takes nothing from ::1 elsewhere.
            Some(host) if host.is_loopback() => (None, v4.then(|| Rule::default().to(host.into()))),
            Some(host) => (Some(Rule::default().to(host.into())), Some(Rule::default().to(host.into()))),
            None => {
                let elsewhere = Rule::default().at_this_host().not_to(loopback(v4));
                let all = Rule::default().at_this_host().family(true);
                (Some(elsewhere.clone()), Some(if v4 { all } else { elsewhere }))
            }
        };
        for (chain, place) in [("prerouting", from_outside), ("output", from_here)] {
            let rules = place.map(|place| redirections(publish, &place)).unwrap_or_default();
            requests.extend(rules.iter().map(|rule| table.rule(chain, rule)));
        }
        if v4 {
            let local = Rule::default().from(loopback(true)).to(publish.to.into()).translated();
            requests.push(table.rule("postrouting", &local.masquerade()));
        }
    }
    for net in &outward.masquerade {
        // Who asked from the same network for a published port would be answered past the host.
        let near = Rule::default().from(net.trunc()).to(net.addr().into()).translated();
        requests.push(table.rule("postrouting", &near.masquerade()));
        let far = Rule::default().from(net.addr().into()).not_to(net.trunc());
        requests.push(table.rule("postrouting", &far.masquerade()));
    }
    Ok(requests)
}

fn loopback(v4: bool) -> IpNet {
    let v6 = || IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST));
    if v4 { IpNet::new(IpAddr::from([127, 0, 0, 0]), 8).unwrap_or_else(|_| v6()) } else { v6() }
}

fn check(publish: &Publish) -> Result<(), &'static str> {
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
    let ends = publish.to_port.checked_add(last.saturating_sub(first));
    if first != publish.to_port && (count > MOST || ends.is_none() || publish.to_port == 0) {
        return Err("a range that is shifted has at most 128 ports, and they end at 65535");
    }
    Ok(())
}

/// The rules that lead from a place to a container's ports.
fn redirections(publish: &Publish, place: &Rule) -> Vec<Rule> {
    let on = |first, last| place.clone().protocol(publish.protocol.number()).ports(first, last);
    let (first, last) = (*publish.ports.start(), *publish.ports.end());
    if first == publish.to_port {
        return vec![on(first, last).redirect(publish.to, None)];
    }
    let shifted = publish.ports.clone().zip(publish.to_port..);
    shifted.map(|(port, to)| on(port, port).redirect(publish.to, Some(to))).collect()
}
