//! The network of a container, judged: what is to be made.
//!
//! Called by whoever decides. Pure: no socket, no kernel. What a plan says the kernel may still refuse.

use std::net::IpAddr;
use std::path::PathBuf;

use cofferdam_oci::Pointer;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{BridgePort, IpvlanMode, LinkSettings, MacvlanMode, OutwardPlan, Resolver, RouteEntry, UserMode};

/// What is to be made.
///
/// ```
/// use cofferdam_net::{NetworkPlan, NetworkSpec};
/// use cofferdam_oci::Pointer;
/// let spec: NetworkSpec = serde_json::from_str(
///     r#"{"networks": [{"type": "veth", "bridge": "br0", "address": "10.0.0.2", "mtu": 9}]}"#,
/// )?;
/// let rejects = NetworkPlan::new(&spec, &Pointer::root()).unwrap_err();
/// let at: Vec<_> = rejects.iter().map(|reject| reject.pointer.as_str()).collect();
/// assert_eq!(at, ["/networks/0/mtu", "/networks/0/address"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NetworkPlan {
    /// Whether loopback is set up.
    pub loopback: bool,
    /// The namespace to join instead of a new one; that is for whoever starts the process.
    pub join: Option<PathBuf>,
    /// The interfaces, in the order in which they are made.
    pub interfaces: Vec<InterfacePlan>,
    /// The routes that are added when all interfaces are up.
    pub routes: Vec<RoutePlan>,
    /// Further names for `/etc/hosts`.
    pub hosts: Vec<(IpAddr, Vec<String>)>,
    /// What `/etc/resolv.conf` says; what is empty is as the host has it.
    pub dns: Resolver,
    /// What leaves and reaches the container through the host.
    pub outward: OutwardPlan,
    /// The program that carries packets for users without rights over the host's network.
    pub user_mode: Option<UserMode>,
}

/// An interface that is to be made.
///
/// ```
/// # use cofferdam_net::{InterfaceSpec, NetworkPlan, NetworkSpec};
/// # let spec = InterfaceSpec { kind: "move".into(), device: "eth1".into(), ..Default::default() };
/// # let spec = NetworkSpec { networks: vec![spec], ..Default::default() };
/// let plan = NetworkPlan::new(&spec, &Default::default()).unwrap();
/// let interface: &cofferdam_net::InterfacePlan = &plan.interfaces[0];
/// assert_eq!(interface.kind, cofferdam_net::InterfaceKind::Move { device: "eth1".into() });
/// assert_eq!(interface.name, "eth1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InterfacePlan {
    /// Which part of the document asked for it.
    pub pointer: Pointer,
    /// Its name inside.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// What it gets inside.
    pub settings: LinkSettings,
    /// Its addresses, those of pools excepted until they are leased.
    pub addresses: Vec<IpNet>,
    /// The subnets out of which it gets further ones.
    pub pools: Vec<IpNet>,
    /// The routers of its default routes, one for each protocol at most.
    pub gateways: Vec<IpAddr>,
    /// Whether IPv6 addresses are first checked for being somebody else's.
    pub duplicate_detection: bool,
}

/// What an interface is; see [`InterfacePlan`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InterfaceKind {
    /// One end of a pair whose other end is a port of a bridge.
    Veth {
        /// The other end's name, or what it begins with.
        host: HostEnd,
        /// The bridge; made where it is not there.
        bridge: String,
        /// What addresses the bridge gets.
        bridge_addresses: Vec<IpNet>,
        /// What the bridge does with the port's frames.
        port: BridgePort,
    },
    /// A further hardware address on a device of the host's.
    Macvlan {
        /// The device.
        device: String,
        /// How it sees the others on it.
        mode: MacvlanMode,
    },
    /// A device's own hardware address with addresses of its own.
    Ipvlan {
        /// The device.
        device: String,
        /// How it hands packets on.
        mode: IpvlanMode,
    },
    /// A device of the host's itself.
    Move {
        /// The device.
        device: String,
    },
}

/// How the outer end of a veth is called.
///
/// ```
/// assert_ne!(cofferdam_net::HostEnd::Named("veth0".into()), cofferdam_net::HostEnd::Prefix("veth".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostEnd {
    /// So.
    Named(String),
    /// This and seven digits that follow from the container's name.
    Prefix(String),
}

/// A route that is to be added.
///
/// ```
/// # use cofferdam_net::{NetworkPlan, NetworkSpec, RouteSpec};
/// # let route = RouteSpec { destination: "192.0.2.0/24".into(), interface_name: "lo".into(), ..Default::default() };
/// # let spec = NetworkSpec { routes: vec![route], ..Default::default() };
/// let plan = NetworkPlan::new(&spec, &Default::default()).unwrap();
/// let route: &cofferdam_net::RoutePlan = &plan.routes[0];
/// assert_eq!(route.interface.as_deref(), Some("lo"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoutePlan {
    /// Which part of the document asked for it.
    pub pointer: Pointer,
    /// The route, but for its link.
    pub route: RouteEntry,
    /// The name of its link.
    pub interface: Option<String>,
}
