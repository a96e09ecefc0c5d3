//! `networks` and `routes`: they become a network document in an annotation.

use std::collections::BTreeMap;

use cofferdam::NETWORK_ANNOTATION;
use cofferdam_net::{NetworkPlan, NetworkSpec};
use cofferdam_oci::Pointer;

use super::Findings;
use crate::{Config, NamespaceType, Route};

/// The network document of a configuration; none where nothing is to be made: a new network namespace has its
/// loopback device in any case, and one that is joined is among the namespaces.
///
/// ```
/// use cofferdam_nsinit::{Config, network};
/// let config = Config::parse(br#"{"networks": [{"type": "loopback"},
///     {"type": "veth", "bridge": "br0", "address": "10.0.0.2/24"}]}"#)?;
/// assert_eq!(network(&config).unwrap().networks[1].bridge, "br0");
/// assert!(network(&Config::parse(br#"{"networks": [{"type": "loopback"}]}"#)?).is_none());
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[must_use]
pub fn network(config: &Config) -> Option<NetworkSpec> {
    let document = NetworkSpec {
        networks: config.networks.clone(),
        routes: config.routes.iter().map(without_prefix).collect(),
        hosts: config.hosts.clone(),
        dns: config.dns.clone(),
        masquerade: config.masquerade,
        publish: config.publish.clone(),
        egress: config.egress.clone(),
        user_mode: config.user_mode.clone(),
    };
    let made = |kind: &str| !matches!(kind, "loopback" | "netns");
    let nothing = NetworkSpec { networks: Vec::new(), ..document.clone() } == NetworkSpec::default();
    (!nothing || document.networks.iter().any(|one| made(&one.kind))).then_some(document)
}

/// v1.0 had sources with their prefixes; what counts is the address.
fn without_prefix(route: &Route) -> Route {
    let address = route.source.split('/').next().unwrap_or_default();
    Route { source: address.to_owned(), ..route.clone() }
}

pub(super) fn annotation(config: &Config, findings: &mut Findings) -> BTreeMap<String, String> {
    let Some(document) = network(config) else { return BTreeMap::new() };
    let joined = config.networks.iter().any(|one| one.kind == "netns");
    if !config.namespaces.contains(NamespaceType::Network) && !joined {
        let field = if config.networks.is_empty() { "/routes" } else { "/networks" };
        findings.wrong(Pointer::new(field), "without NEWNET they would be the host's");
    }
    if let Err(rejects) = NetworkPlan::new(&document, &Pointer::root()) {
        findings.rejects.extend(rejects);
    }
    let text = serde_json::to_string(&document).unwrap_or_default();
    BTreeMap::from([(NETWORK_ANNOTATION.to_owned(), text)])
}
