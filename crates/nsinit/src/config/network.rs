//! `networks` and `routes`.

use serde::{Deserialize, Serialize};

use super::{empty, nullable};

/// A network of the container's.
///
/// ```
/// let lo: cofferdam_nsinit::Network = serde_json::from_str(r#"{"type": "loopback", "mtu": 1500}"#).unwrap();
/// assert_eq!(lo.kind, "loopback");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `loopback`, `netns` or `veth`.
    #[serde(rename = "type", deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub kind: String,
    /// `netns`: the file of the network namespace to join.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub ns_path: String,
    /// `veth`: the bridge that the host's end is attached to.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub bridge: String,
    /// `veth`: how the name of the host's end begins.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub veth_prefix: String,
    /// Hardware address.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub mac_address: String,
    /// Address and prefix.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub address: String,
    /// IPv6 address and prefix.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub ipv6_address: String,
    /// Default gateway.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub gateway: String,
    /// IPv6 default gateway.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub ipv6_gateway: String,
    /// Bytes.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub mtu: u32,
    /// Packets.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub txqueuelen: u32,
}

/// A route of the container's.
///
/// ```
/// let route: cofferdam_nsinit::Route = serde_json::from_str(r#"{"gateway": "10.0.0.1"}"#).unwrap();
/// assert!(route.destination.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// Where to: address and prefix.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub destination: String,
    /// Where from: address and prefix.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub source: String,
    /// By whom.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub gateway: String,
    /// Over which device.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "empty")]
    pub interface_name: String,
}
