//! The network of a container as a document says it: strings and numbers, not judged yet.
//!
//! Read by whoever reads configurations; [`crate::NetworkPlan::new`] judges it. Its names are those of
//! libcontainer's `networks` and `routes`, so a refusal points into the user's own document. A member that is
//! not known is refused: one that is misspelt could be the one that keeps something shut.

use serde::{Deserialize, Serialize};

/// Interfaces, routes, and what is to be said and let through. A JSON document:
///
/// ```
/// let spec: cofferdam_net::NetworkSpec = serde_json::from_str(
///     r#"{"networks": [{"type": "loopback"}], "routes": [{"destination": "192.0.2.0/24", "gateway": "10.0.0.1"}]}"#,
/// )?;
/// assert_eq!(spec.networks[0].kind, "loopback");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSpec {
    /// The interfaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<InterfaceSpec>,
    /// Routes beside those of the interfaces' gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteSpec>,
    /// Further names for the container's `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostSpec>,
    /// What the container's `/etc/resolv.conf` says; what is empty is as the host has it.
    #[serde(skip_serializing_if = "unset")]
    pub dns: DnsSpec,
    /// Whether packets that leave the host get the host's address as their source.
    #[serde(skip_serializing_if = "unset")]
    pub masquerade: bool,
    /// Ports of the host's that are the container's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<PublishSpec>,
    /// What the container may reach; all else is refused then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressSpec>,
    /// For users without rights over the host's network: the program that carries packets for the container,
    /// `pasta`, `slirp4netns` or `auto` for the first one that is installed.
    #[serde(skip_serializing_if = "unset")]
    pub user_mode: String,
}

fn unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
#[serde(default, deny_unknown_fields)]
pub struct InterfaceSpec {
    /// `loopback`, `veth`, `netns`, `macvlan`, `ipvlan` or `move`. Of a loopback nothing else is looked at.
    #[serde(rename = "type", skip_serializing_if = "unset")]
    pub kind: String,
    /// Its name inside; the first free one of `eth0`, `eth1`, … where none is given.
    #[serde(skip_serializing_if = "unset")]
    pub name: String,
    /// A veth's name outside.
    #[serde(skip_serializing_if = "unset")]
    pub host_interface_name: String,
    /// What a veth's name outside begins with, where it is not given: seven digits follow.
    #[serde(skip_serializing_if = "unset")]
    pub veth_prefix: String,
    /// The bridge that a veth is attached to; made where it is not there.
    #[serde(skip_serializing_if = "unset")]
    pub bridge: String,
    /// What addresses the bridge gets, with their prefixes; the first one of each pool where none of its
    /// protocol is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bridge_addresses: Vec<String>,
    /// The hardware address inside.
    #[serde(skip_serializing_if = "unset")]
    pub mac_address: String,
    /// An address with its prefix.
    #[serde(skip_serializing_if = "unset")]
    pub address: String,
    /// An IPv6 address with its prefix.
    #[serde(skip_serializing_if = "unset")]
    pub ipv6_address: String,
    /// Further addresses with their prefixes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// A subnet out of which an address is leased that no other container has.
    #[serde(skip_serializing_if = "unset")]
    pub pool: String,
    /// The same for IPv6.
    #[serde(skip_serializing_if = "unset")]
    pub ipv6_pool: String,
    /// The router of the default route; `none` for no such route. Without it, the first address of the pool,
    /// for the first interface that has one.
    #[serde(skip_serializing_if = "unset")]
    pub gateway: String,
    /// The same for IPv6.
    #[serde(skip_serializing_if = "unset")]
    pub ipv6_gateway: String,
    /// The largest packet, in bytes; 0 for the kernel's default.
    #[serde(skip_serializing_if = "unset")]
    pub mtu: i64,
    /// The length of the transmit queue in packets; 0 for the kernel's default.
    #[serde(skip_serializing_if = "unset")]
    pub txqueuelen: i64,
    /// Whether the bridge sends frames back to this port.
    #[serde(skip_serializing_if = "unset")]
    pub hairpin_mode: bool,
    /// Whether the bridge keeps this port from other isolated ones.
    #[serde(skip_serializing_if = "unset")]
    pub isolated: bool,
    /// Whether IPv6 addresses are first checked for being somebody else's; they cannot be used for a
    /// second or two then.
    #[serde(skip_serializing_if = "unset")]
    pub duplicate_detection: bool,
    /// The network namespace to join (`netns`).
    #[serde(skip_serializing_if = "unset")]
    pub ns_path: String,
    /// The device of the host's under a macvlan or ipvlan, or the one that moves.
    #[serde(skip_serializing_if = "unset")]
    pub device: String,
    /// The mode of a macvlan (`bridge`, `private`, `vepa`, `passthru`) or an ipvlan (`l2`, `l3`, `l3s`).
    #[serde(skip_serializing_if = "unset")]
    pub mode: String,
}

/// One route; an empty string is one that is not given.
///
/// ```
/// let spec = cofferdam_net::RouteSpec { source: "10.0.0.2".into(), ..Default::default() };
/// assert!(spec.destination.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSpec {
    /// Where packets go to, with its prefix; everywhere where none is given.
    #[serde(skip_serializing_if = "unset")]
    pub destination: String,
    /// The source that they get.
    #[serde(skip_serializing_if = "unset")]
    pub source: String,
    /// The router.
    #[serde(skip_serializing_if = "unset")]
    pub gateway: String,
    /// The interface's name inside.
    #[serde(skip_serializing_if = "unset")]
    pub interface_name: String,
}

/// Further names of a host.
///
/// ```
/// let host: cofferdam_net::HostSpec = serde_json::from_str(r#"{"address": "10.0.0.9", "names": ["db"]}"#)?;
/// assert_eq!(host.names, ["db"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSpec {
    /// Its address.
    pub address: String,
    /// Its names.
    pub names: Vec<String>,
}

/// What a `resolv.conf` says; what is empty is as the host has it.
///
/// ```
/// let dns = cofferdam_net::DnsSpec { servers: vec!["192.0.2.1".into()], ..Default::default() };
/// assert_eq!(serde_json::to_string(&dns)?, r#"{"servers":["192.0.2.1"]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsSpec {
    /// Addresses of servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// Domains that short names are tried in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Options, such as `ndots:2`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A port of the host's that is a port of the container's.
///
/// ```
/// let web = cofferdam_net::PublishSpec { host_port: 8080, container_port: 80, ..Default::default() };
/// assert!(web.protocol.is_empty(), "TCP");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublishSpec {
    /// `tcp`, which it is when nothing is said, or `udp`.
    #[serde(skip_serializing_if = "unset")]
    pub protocol: String,
    /// At which address of the host's; at all when none is given.
    #[serde(skip_serializing_if = "unset")]
    pub host_address: String,
    /// The host's port.
    pub host_port: i64,
    /// The container's port.
    pub container_port: i64,
}

/// What a container may reach.
///
/// ```
/// let nothing = cofferdam_net::EgressSpec::default();
/// assert!(nothing.allow.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressSpec {
    /// All of it.
    pub allow: Vec<AllowSpec>,
}

/// Something that a container may reach.
///
/// ```
/// use cofferdam_net::{AllowSpec, PortsSpec};
/// let https: AllowSpec = serde_json::from_str(r#"{"to": "*.example.com", "ports": [443, "8000-8099"]}"#)?;
/// assert_eq!(https.ports, [PortsSpec::One(443), PortsSpec::Range("8000-8099".into())]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AllowSpec {
    /// An address, a prefix, a name, or `*.name` for all names below one; anything when none is given.
    #[serde(skip_serializing_if = "unset")]
    pub to: String,
    /// `tcp` or `udp`. Without it TCP, when ports are given; every protocol, when none are.
    #[serde(skip_serializing_if = "unset")]
    pub protocol: String,
    /// Ports; all when none are given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortsSpec>,
}

/// A port or a range of ports.
///
/// ```
/// let ports: cofferdam_net::PortsSpec = serde_json::from_str("443").unwrap();
/// assert_eq!(ports, cofferdam_net::PortsSpec::One(443));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PortsSpec {
    /// One.
    One(i64),
    /// From one to another, both included: `8000-8099`.
    Range(String),
}
