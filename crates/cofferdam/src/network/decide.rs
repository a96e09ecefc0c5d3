//! Deciding what network a container gets: the annotation, judged together with the namespaces.
//!
//! Called by `decide`. It makes nothing.

use std::path::Path;

use cofferdam_net::{NetworkPlan, NetworkSpec};
use cofferdam_oci::{Namespace, Pointer, Reject};
use cofferdam_plan::{HostFacts, OwnFile};

use super::NETWORK_ANNOTATION;
use super::files::{HOSTS, RESOLV_CONF};
use crate::Bundle;

/// Where the document stands.
fn pointer() -> Pointer {
    Pointer::new("/annotations").key(NETWORK_ANNOTATION)
}

/// The network that a bundle asks for, if it asks for one.
pub(crate) fn decide(bundle: &Bundle, facts: &HostFacts, rejects: &mut Vec<Reject>) -> Option<NetworkPlan> {
    let text = bundle.spec.annotations.get(NETWORK_ANNOTATION)?;
    let at = pointer();
    let spec: NetworkSpec = match cofferdam_oci::parse(text.as_bytes()) {
        Ok(spec) => spec,
        Err(error) => {
            let place = Pointer::new(format!("{at}{}", error.pointer));
            rejects.push(Reject::new(place, error.message));
            return None;
        }
    };
    let plan = NetworkPlan::new(&spec, &at).map_err(|more| rejects.extend(more)).ok()?;
    let before = rejects.len();
    rejects.extend(namespace(bundle, &plan, &at));
    rejects.extend(not_held(bundle, &plan, facts, &at));
    rejects.extend(rights(&plan, facts));
    rejects.extend(super::files::check(&bundle.spec));
    (rejects.len() == before).then_some(plan)
}

/// What is made must be made in a network of the container's own.
fn namespace(bundle: &Bundle, plan: &NetworkPlan, at: &Pointer) -> Option<Reject> {
    let all = bundle.spec.linux.as_ref().map(|linux| linux.namespaces.as_slice()).unwrap_or_default();
    let network: Option<&Namespace> = all.iter().find(|namespace| namespace.kind == "network");
    let joined = network.and_then(|n| n.path.as_deref()).filter(|path| !path.is_empty());
    let reject = |what: String, hint: &str| Some(Reject::new(at.clone(), what).hint(hint));
    match (network, joined, &plan.join) {
        (None, ..) => reject(
            "the container has no network of its own, and the host's is not changed".into(),
            "add a namespace of type network to linux.namespaces",
        ),
        (Some(_), Some(path), None) => reject(
            format!("the network namespace {path:?} is joined, and is not the container's own"),
            "leave out the namespace's path, or ask for a network of type netns with this path alone",
        ),
        (Some(_), path, Some(join)) if path.map(Path::new) != Some(join.as_path()) => reject(
            format!("{} is to be joined, and linux.namespaces says otherwise", join.display()),
            "give the namespace of type network this path",
        ),
        _ => None,
    }
}

/// What a user's own namespace cannot promise.
fn not_held(bundle: &Bundle, plan: &NetworkPlan, facts: &HostFacts, at: &Pointer) -> Option<Reject> {
    plan.user_mode?;
    if facts.euid == 0 {
        let hint = "as root, give the container an interface of type veth, and masquerade";
        let text = "this is for users who have no rights over the host's network";
        return Some(Reject::new(at.key("user_mode"), text).hint(hint));
    }
    plan.outward.egress.as_ref()?;
    let capabilities = bundle.spec.process.as_ref().and_then(|process| process.capabilities.as_ref())?;
    let undoes = |name: &&String| ["CAP_NET_ADMIN", "CAP_NET_RAW"].contains(&name.as_str());
    let name = capabilities.bounding.iter().find(undoes)?;
    let text = format!("the list is in the user's own namespace, where {name} is enough to get past it");
    Some(Reject::new(at.key("egress"), text).hint("take it from process.capabilities.bounding"))
}

/// Links have an end, or a device under them, in the host's network.
fn rights(plan: &NetworkPlan, facts: &HostFacts) -> Option<Reject> {
    const CAP_NET_ADMIN: u32 = 12;
    let first = plan.interfaces.first()?;
    let may = facts.capabilities >> CAP_NET_ADMIN & 1 == 1;
    let reject =
        || Reject::host(first.pointer.clone(), "making it takes CAP_NET_ADMIN over the host's network");
    (!may).then(|| reject().hint("start the container as root, or ask for user_mode instead of interfaces"))
}

/// Whether anything has to be made outside of the child, which sets up loopback by itself.
pub(crate) fn is_made(plan: &NetworkPlan) -> bool {
    !plan.interfaces.is_empty() || !plan.routes.is_empty() || plan.user_mode.is_some()
}

/// The files that tell the container of its network; `state` is its directory.
pub(crate) fn own_files(plan: &NetworkPlan, state: &Path) -> Vec<OwnFile> {
    let file = |name: &str, key: &str| OwnFile {
        pointer: pointer().key(key),
        source: std::path::absolute(state).unwrap_or_else(|_| state.to_owned()).join(name),
        target: format!("/etc/{name}"),
    };
    let (has_hosts, has_dns) = super::files::wanted(plan);
    let hosts = has_hosts.then(|| file(HOSTS, "hosts"));
    hosts.into_iter().chain(has_dns.then(|| file(RESOLV_CONF, "dns"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(network: &str, path: Option<&str>) -> Vec<String> {
        judged_for(&HostFacts::typical(), network, path)
    }

    fn judged_for(facts: &HostFacts, network: &str, path: Option<&str>) -> Vec<String> {
        let mut spec = crate::template::spec(false);
        spec.annotations.insert(NETWORK_ANNOTATION.into(), network.into());
        let namespaces = &mut spec.linux.as_mut().unwrap().namespaces;
        let own = namespaces.iter_mut().find(|n| n.kind == "network").unwrap();
        own.path = path.map(Into::into);
        let mut rejects = Vec::new();
        decide(&Bundle::from_spec("/", spec), facts, &mut rejects);
        rejects.iter().map(|reject| reject.pointer.to_string()).collect()
    }

    const VETH: &str = r#"{"networks": [{"type": "veth", "bridge": "br0"}]}"#;
    const JOIN: &str = r#"{"networks": [{"type": "netns", "ns_path": "/run/netns/a"}]}"#;

    #[test]
    fn places_are_those_in_the_bundle() {
        let at = "/annotations/org.cofferdam.network";
        for (text, place) in [
            ("", ""),
            (r#"{"networks": [{"type": "tap"}]}"#, "/networks/0/type"),
            (r#"{"networks": [{"type": "veth", "brigde": "br0"}]}"#, "/networks/0/brigde"),
            (r#"{"networks": [{"type": "veth", "bridge": "br0", "mtu": "1400"}]}"#, "/networks/0/mtu"),
            (r#"{"hosts": [{"address": "10.0.0.9"}]}"#, "/hosts/0/names"),
            (r#"{"dns": {"servers": ["dns.example"]}}"#, "/dns/servers/0"),
        ] {
            assert_eq!(judged(text, None), [format!("{at}{place}")], "{text}");
        }
    }

    #[test]
    fn links_in_the_hosts_network_take_rights_over_it() {
        let nobody = HostFacts { capabilities: 0, ..HostFacts::typical() };
        let place = "/annotations/org.cofferdam.network/networks/0";
        assert_eq!(judged_for(&nobody, VETH, None), [place]);
        assert!(judged_for(&nobody, JOIN, Some("/run/netns/a")).is_empty());
    }

    #[test]
    fn a_network_is_made_in_a_namespace_of_the_containers_own_only() {
        assert!(judged(VETH, None).is_empty());
        assert_eq!(judged(VETH, Some("/run/netns/a")).len(), 1);
        assert!(judged(JOIN, Some("/run/netns/a")).is_empty());
        assert_eq!(judged(JOIN, Some("/run/netns/b")).len(), 1);
        assert_eq!(judged(JOIN, None).len(), 1);
    }
}
