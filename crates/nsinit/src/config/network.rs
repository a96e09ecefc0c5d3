//! `networks` and `routes`: the network document's own words, which are libcontainer's.

/// A network of the container's.
///
/// ```
/// let lo: cofferdam_nsinit::Network = serde_json::from_str(r#"{"type": "loopback", "mtu": 1500}"#).unwrap();
/// assert_eq!(lo.kind, "loopback");
/// ```
pub use cofferdam_net::InterfaceSpec as Network;
/// A route of the container's.
///
/// ```
/// let route: cofferdam_nsinit::Route = serde_json::from_str(r#"{"gateway": "10.0.0.1"}"#).unwrap();
/// assert!(route.destination.is_empty());
/// ```
pub use cofferdam_net::RouteSpec as Route;
