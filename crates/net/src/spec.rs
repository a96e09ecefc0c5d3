//! The network of a container as a document says it: strings and numbers, not judged yet.
//!
//! Read by whoever reads configurations; [`crate::NetworkPlan::new`] judges it. Its names are those of
//! libcontainer's `networks` and `routes`, so a refusal points into the user's own document.

use serde::{Deserialize, Serialize};

/// Interfaces and routes.
///
/// ```
/// let spec: cofferdam_net::NetworkSpec = serde_json::from_str(
///     r#"{"networks": [{"type": "loopback"}], "routes": [{"destination": "192.0.2.0/24", "gateway": "10.0.0.1"}]}"#,
/// )?;
/// assert_eq!(spec.networks[0].kind, "loopback");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSpec {
    /// The interfaces.
    pub networks: Vec<InterfaceSpec>,
    /// Routes beside those of the interfaces' gateways.
    pub routes: Vec<RouteSpec>,
}

/// One interface; an empty string is one that is not given.
///
/// ```
/// let spec = cofferdam_net::InterfaceSpec {
///     kind: "veth".into(),
///     bridge: "br0".into(),
///     address: "10.0.0.2/24".into(),
///     ..Default::default()
/// };
/// assert!(!spec.hairpin_mode);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceSpec {
    /// `loopback`, `veth`, `netns`, `macvlan`, `ipvlan` or `move`. Of a loopback nothing else is looked at.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name inside; the first free one of `eth0`, `eth1`, … where none is given.
    pub name: String,
    /// A veth's name outside.
    pub host_interface_name: String,
    /// What a veth's name outside begins with, where it is not given: seven random digits follow.
    pub veth_prefix: String,
    /// The bridge that a veth is attached to; made where it is not there.
    pub bridge: String,
    /// What addresses the bridge gets, with their prefixes.
    pub bridge_addresses: Vec<String>,
    /// The hardware address inside.
    pub mac_address: String,
    /// An address with its prefix.
    pub address: String,
    /// An IPv6 address with its prefix.
    pub ipv6_address: String,
    /// Further addresses with their prefixes.
    pub addresses: Vec<String>,
    /// The router of the default route.
    pub gateway: String,
    /// The router of IPv6's default route.
    pub ipv6_gateway: String,
    /// The largest packet, in bytes; 0 for the kernel's default.
    pub mtu: i64,
    /// The length of the transmit queue in packets; 0 for the kernel's default.
    pub txqueuelen: i64,
    /// Whether the bridge sends frames back to this port.
    pub hairpin_mode: bool,
    /// Whether the bridge keeps this port from other isolated ones.
    pub isolated: bool,
    /// Whether IPv6 addresses are first checked for being somebody else's; they cannot be used for a
    /// second or two then.
    pub duplicate_detection: bool,
    /// The network namespace to join (`netns`).
    pub ns_path: String,
    /// The device of the host's under a macvlan or ipvlan, or the one that moves.
    pub device: String,
    /// The mode of a macvlan (`bridge`, `private`, `vepa`, `passthru`) or an ipvlan (`l2`, `l3`, `l3s`).
    pub mode: String,
}

/// One route; an empty string is one that is not given.
///
/// ```
/// let spec = cofferdam_net::RouteSpec { source: "10.0.0.2".into(), ..Default::default() };
/// assert!(spec.destination.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteSpec {
    /// Where packets go to, with its prefix; everywhere where none is given.
    pub destination: String,
    /// The source that they get.
    pub source: String,
    /// The router.
    pub gateway: String,
    /// The interface's name inside.
    pub interface_name: String,
}
