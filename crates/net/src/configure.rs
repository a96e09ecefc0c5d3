//! What is done inside a container's namespace once its links are there: they are set up, with addresses and
//! routes.
//!
//! Called by [`crate::Site::make`], and by who makes the links in another way. It makes nothing outside.

use std::net::IpAddr;

use cofferdam_sys::Errno;
use ipnet::IpNet;

use crate::plan::{InterfaceKind, InterfacePlan, NetworkPlan, RoutePlan};
use crate::{AddressSettings, Error, LinkSettings, Network, RouteEntry};

impl NetworkPlan {
    /// Sets the plan's links up, which have been made, and gives them addresses and routes; `inside` is a
    /// socket in their namespace.
    ///
    /// # Errors
    /// As the kernel answers, with the pointer of what asked for it; `ENODEV` when a link is not there.
    ///
    /// ```no_run
    /// # fn f(plan: &cofferdam_net::NetworkPlan) -> Result<(), Box<dyn std::error::Error>> {
    /// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
    /// plan.configure(&mut cofferdam_net::Network::at(&namespace)?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn configure(&self, inside: &mut Network) -> Result<(), Error> {
        if self.loopback {
            inside.set_up("lo")?;
        }
        for plan in &self.interfaces {
            interface(plan, inside).map_err(|error| error.for_pointer(&plan.pointer))?;
        }
        for plan in &self.routes {
            route(plan, inside).map_err(|error| error.for_pointer(&plan.pointer))?;
        }
        Ok(())
    }
}

fn interface(plan: &InterfacePlan, inside: &mut Network) -> Result<(), Error> {
    let index = inside.set_up(&plan.name)?;
    // What is made gets its settings with it.
    let moved = matches!(plan.kind, InterfaceKind::Move { .. });
    if moved && plan.settings != LinkSettings::default() {
        inside.change_link(index, &plan.settings)?;
    }
    let routes: Vec<_> = plan.gateways.iter().map(|gateway| default_route(*gateway, index)).collect();
    let settings = AddressSettings { no_duplicate_detection: !plan.duplicate_detection };
    inside.configure(index, &plan.addresses, settings, &routes)
}

fn route(plan: &RoutePlan, inside: &mut Network) -> Result<(), Error> {
    let link = match &plan.interface {
        Some(name) => {
            let gone = || Error::of("adding route", plan.route.text(), name, Errno::ENODEV.into());
            Some(inside.link(name)?.ok_or_else(gone)?.index)
        }
        None => None,
    };
    let entry = RouteEntry { link, ..plan.route.clone() };
    inside.configure(0, &[], AddressSettings::default(), &[entry])
}

fn default_route(gateway: IpAddr, link: u32) -> RouteEntry {
    let everywhere: IpNet = match gateway {
        IpAddr::V4(_) => ipnet::Ipv4Net::default().into(),
        IpAddr::V6(_) => ipnet::Ipv6Net::default().into(),
    };
    RouteEntry::to(everywhere).via(gateway).over(link)
}
