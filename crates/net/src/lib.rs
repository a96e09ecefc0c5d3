//! The wires: what a container's network is made of.
//!
//! Called by the library once the container has a network namespace and before its program runs. It
//! speaks netlink(7): no program is run, and no thread but its own short-lived ones ever changes
//! namespace. It knows namespaces by sockets that were opened in them, and no processes.
//!
//! [`Network`] is one network namespace: its links, addresses and routes, made and read back.
//! [`NetworkPlan`] judges a whole container's network as data, and [`Site::make`] makes it, or nothing.
//! [`Firewall`] lets it out, publishes its ports and says what it may reach; [`NameServer`] finds out what
//! the names in that mean.
//! [`Pool`] leases addresses, [`hosts`] and [`Resolver`] are the files that tell of them.
//! [`move_device`] takes a device of the host's as it is. What a move keeps is what the runtime specification asks for (`config-linux.md`, Network Devices):
//! the attributes of the device and its permanent addresses of global scope. Routes are not kept.

mod allow_list;
mod apply;
mod configure;
mod directory;
mod dns;
mod egress;
mod error;
mod firewall;
#[cfg(test)]
mod firewall_attack_tests;
#[cfg(test)]
mod firewall_tests;
mod forwarding;
mod interfaces;
mod judge;
mod judge_outward;
mod link;
mod mac;
mod message;
mod move_device;
mod names;
mod network;
mod nft;
mod outward;
mod plan;
mod plan_outward;
#[cfg(test)]
mod plan_tests;
mod pool;
mod ports;
#[cfg(test)]
mod publish_tests;
mod route;
mod site_outward;
mod socket;
mod spec;
mod state;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traffic;

pub use apply::{Made, Site};
pub use dns::{Listening, NameServer, Naming, Running, Verdict};
pub use egress::{Allow, Destination, NamePattern, Protocol};
pub use error::Error;
pub use firewall::Firewall;
pub use interfaces::{Interface, interfaces};
pub use link::{BridgePort, IpvlanMode, LinkKind, LinkSettings, MacvlanMode, Peer};
pub use mac::{Mac, MacError};
pub use move_device::move_device;
pub use names::{RESOLVED_UPSTREAM, Resolver, hosts};
pub use network::Network;
pub use outward::{Outward, Publish};
pub use plan::{HostEnd, InterfaceKind, InterfacePlan, NetworkPlan, RoutePlan};
pub use plan_outward::{OutwardPlan, PublishPlan, UserMode};
pub use pool::{Lease, Pool};
pub use route::{AddressSettings, RouteEntry};
pub use spec::{
    AllowSpec, DnsSpec, EgressSpec, HostSpec, InterfaceSpec, NetworkSpec, PortsSpec, PublishSpec, RouteSpec,
};
pub use state::{Counters, LinkState};
