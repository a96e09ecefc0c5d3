//! What leaves and reaches a container, judged.
//!
//! A part of [`crate::NetworkPlan`]. Pure: no socket, no kernel.

use std::net::IpAddr;

use cofferdam_oci::Pointer;
use serde::{Deserialize, Serialize};

use crate::{Allow, Protocol};

/// What leaves and reaches a container through the host.
///
/// ```
/// let none = cofferdam_net::OutwardPlan::default();
/// assert!(!none.masquerade && none.publish.is_empty() && none.egress.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutwardPlan {
    /// Whether packets that leave the host get its address as their source.
    pub masquerade: bool,
    /// The host's ports that are the container's.
    pub publish: Vec<PublishPlan>,
    /// What the container may reach: anything without a list.
    pub egress: Option<Vec<Allow>>,
}

/// A port of the host's that is a port of the container's.
///
/// ```
/// # use cofferdam_net::{NetworkPlan, NetworkSpec, Protocol};
/// let spec: NetworkSpec = serde_json::from_str(
///     r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.0.0.0/24"}],
///         "publish": [{"host_port": 8080, "container_port": 80}]}"#,
/// )?;
/// let plan = NetworkPlan::new(&spec, &Default::default()).unwrap();
/// let web: &cofferdam_net::PublishPlan = &plan.outward.publish[0];
/// assert_eq!((web.protocol, web.host_port, web.container_port), (Protocol::Tcp, 8080, 80));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishPlan {
    /// Which part of the document asked for it.
    pub pointer: Pointer,
    /// Of which protocol.
    pub protocol: Protocol,
    /// At which address of the host's; at all when there is none.
    pub host_address: Option<IpAddr>,
    /// The host's port.
    pub host_port: u16,
    /// The container's port.
    pub container_port: u16,
}

/// What carries packets for users without rights over the host's network.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_net::UserMode::Slirp4netns).unwrap(), "\"slirp4netns\"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserMode {
    /// The first of the others that is installed.
    Auto,
    /// pasta(1).
    Pasta,
    /// slirp4netns(1).
    Slirp4netns,
}
