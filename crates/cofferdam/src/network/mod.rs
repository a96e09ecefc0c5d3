//! A container's network: what its document asks for, decided, made between its birth and its program, noted
//! in the state before it is made, and removed with it.
//!
//! Called by `decide`, `create` and `lifecycle`. Everything is made over netlink by `cofferdam_net`; the
//! calling process never leaves its namespace.

mod decide;
mod devices;
mod files;
mod service;
mod user_mode;
mod wires;

pub(crate) use decide::{decide, is_made, own_files};
pub(crate) use devices::{move_devices, move_missing_devices};
pub use service::{NameService, name_service};
pub use wires::site;
pub(crate) use wires::{SavedNetwork, Wires, remove, salvage};

/// The annotation by which a configuration asks for a network: a [`cofferdam_net::NetworkSpec`] as JSON.
///
/// ```
/// use cofferdam::{Command, NETWORK_ANNOTATION};
/// let mut spec = cofferdam::template::spec(false);
/// let network = r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/16"}], "masquerade": true}"#;
/// spec.annotations.insert(NETWORK_ANNOTATION.to_owned(), network.to_owned());
/// let command = Command::from_spec(spec);
/// ```
pub const NETWORK_ANNOTATION: &str = "org.cofferdam.network";

/// The annotation in the state, as hooks and `state` have it, that tells of a network's interfaces: an array of
/// [`NetworkInterface`] as JSON.
///
/// ```no_run
/// # fn f(container: &cofferdam::Container) -> Result<(), Box<dyn std::error::Error>> {
/// let state = container.state()?;
/// let text = &state.annotations[cofferdam::NETWORK_INTERFACES];
/// let interfaces: Vec<cofferdam::NetworkInterface> = serde_json::from_str(text)?;
/// # Ok(())
/// # }
/// ```
pub const NETWORK_INTERFACES: &str = "org.cofferdam.network.interfaces";

pub(crate) fn interfaces(network: &SavedNetwork) -> (String, String) {
    (NETWORK_INTERFACES.to_owned(), serde_json::to_string(&network.interfaces).unwrap_or_default())
}

/// The annotation that says this.
pub(crate) fn annotation(network: &cofferdam_net::NetworkSpec) -> (String, String) {
    (NETWORK_ANNOTATION.to_owned(), serde_json::to_string(network).unwrap_or_default())
}

/// Says it in a configuration, which gets a network namespace where it has none.
pub(crate) fn ask(spec: &mut cofferdam_oci::Spec, network: &cofferdam_net::NetworkSpec) {
    spec.annotations.extend([annotation(network)]);
    let namespaces = &mut spec.linux.get_or_insert_default().namespaces;
    if !namespaces.iter().any(|namespace| namespace.kind == "network") {
        namespaces.push(crate::template::new_namespace("network"));
    }
}

/// An interface of a container's network as it was made.
///
/// ```
/// use cofferdam::NetworkInterface;
/// fn address(interfaces: &[NetworkInterface]) -> Option<&str> {
///     interfaces.first()?.addresses.first().map(String::as_str)
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct NetworkInterface {
    /// Its name inside.
    pub name: String,
    /// The name of a veth's outer end; empty for other kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host_name: String,
    /// Its addresses with their prefixes.
    pub addresses: Vec<String>,
}
