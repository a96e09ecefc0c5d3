//! A container's packet filter as a part of its network: made after its links, removed with them.
//!
//! Called by `apply`. The filter is named after the first outer end, which nobody else in the network has.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::apply::{Made, Site};
use crate::forwarding;
use crate::plan::{InterfaceKind, InterfacePlan, NetworkPlan};
use crate::{Error, Firewall, Outward, OutwardPlan, Publish};

/// The name of the filter that a plan needs; nothing when it needs none.
pub(crate) fn name(plan: &NetworkPlan, made: &Made) -> String {
    let OutwardPlan { masquerade, publish, egress } = &plan.outward;
    let needed = *masquerade || !publish.is_empty() || egress.is_some();
    made.veths.first().filter(|_| needed).cloned().unwrap_or_default()
}

fn is_veth(interface: &&InterfacePlan) -> bool {
    matches!(interface.kind, InterfaceKind::Veth { .. })
}

/// What the document says, for the addresses that the container has got.
fn outward(plan: &NetworkPlan, addresses: &[IpNet]) -> Outward {
    let mut publish = Vec::new();
    for port in &plan.outward.publish {
        for v4 in [true, false] {
            let to = addresses.iter().map(IpNet::addr).find(|address| address.is_ipv4() == v4);
            let fits = port.host_address.is_none_or(|host| host.is_ipv4() == v4);
            publish.extend(to.filter(|_| fits).map(|to| Publish {
                protocol: port.protocol,
                host: port.host_address,
                ports: port.host_port..=port.host_port,
                to,
                to_port: port.container_port,
            }));
        }
    }
    let masquerade = if plan.outward.masquerade { addresses.to_vec() } else { Vec::new() };
    Outward { masquerade, publish }
}

impl Site {
    /// Lets a container out, in, and no further than it may go.
    pub(crate) fn let_out(&mut self, plan: &NetworkPlan, made: &Made) -> Result<(), Error> {
        if made.filter.is_empty() {
            return Ok(());
        }
        let ports = || plan.interfaces.iter().filter(is_veth);
        let addresses: Vec<IpNet> = ports().flat_map(|interface| interface.addresses.clone()).collect();
        let outward = outward(plan, &addresses);
        let _lock = self.directory.lock()?;
        let mut firewall = Firewall::here()?;
        if outward != Outward::default() {
            let has = |v4: bool| addresses.iter().any(|net| net.addr().is_ipv4() == v4);
            forwarding::enable(has(true), has(false))?;
            firewall.open(&made.filter, &outward)?;
            if outward.is_at_loopback() {
                self.loopback_over(made, true)?;
            }
        }
        if let Some(allowed) = &plan.outward.egress {
            let own = |interface: &InterfacePlan| interface.addresses.iter().map(IpNet::addr).collect();
            let ports: Vec<(&str, Vec<IpAddr>)> =
                made.veths.iter().map(String::as_str).zip(ports().map(own)).collect();
            firewall.confine(&made.filter, &ports, allowed)?;
        }
        Ok(())
    }

    /// Removes the filter; one that is not there is removed.
    pub(crate) fn shut(&mut self, made: &Made) -> Result<(), Error> {
        if made.filter.is_empty() {
            return Ok(());
        }
        let _lock = self.directory.lock()?;
        let mut firewall = Firewall::here()?;
        // Who guards the host's loopback from a bridge that takes packets from there?
        if !firewall.is_another_open(&made.filter)? {
            self.loopback_over(made, false)?;
        }
        let closed = firewall.close(&made.filter);
        let released = firewall.release(&made.filter);
        closed.and(released)
    }

    fn loopback_over(&mut self, made: &Made, on: bool) -> Result<(), Error> {
        for bridge in &made.bridges {
            if let Some(link) = self.host.link(bridge)? {
                self.host.let_loopback_out(link.index, on)?;
            }
        }
        Ok(())
    }
}
