//! InitializeNetworking: a container's networks and routes, made from outside.
//!
//! Called by Exec between creation and start, by SetupContainer, and by callers that start their processes by
//! themselves. It speaks netlink in the caller's namespace and in the container's.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_net::{InterfaceKind, Network as Links, NetworkPlan, NetworkSpec};
use cofferdam_oci::{Pointer, Reject};

use crate::{Config, NamespaceType, NetworkState};

/// libcontainer's `InitializeNetworking`: makes the networks and routes of a container whose first process is
/// `pid`, and writes down what was made.
///
/// - `loopback`: the loopback device is set up.
/// - `veth`: a pair of devices is made, one end a port of the bridge, which has to be there, the other the
///   container's `eth0` with its addresses and default routes. It goes with the container's network namespace.
///   macvlan, ipvlan and moved devices do, too.
/// - `netns`: nothing is made; its path is written down.
///
/// Where the configuration has a user namespace, devices are made here and configured by
/// [`super::setup_container`]; else both is done here.
///
/// What outlasts a network namespace (addresses of a pool, masquerading, published ports and their like) is
/// made by [`super::exec`] only, which keeps what has to be removed.
///
/// A process in the caller's own network namespace has its loopback device left alone, and gets nothing else.
///
/// # Errors
/// [`ErrorKind::Configuration`] for what means nothing, with its place; what the kernel refuses; when the
/// process has ended.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, NetworkState, namespaces::initialize_networking};
/// let config = Config::parse(br#"{"networks": [{"type": "loopback"},
///     {"type": "veth", "bridge": "br0", "veth_prefix": "veth", "address": "10.0.0.2/24", "gateway": "10.0.0.1"}]}"#)?;
/// let mut state = NetworkState::default();
/// initialize_networking(&config, 4711, &mut state)?;
/// println!("the host's end is {}", state.veth_host);
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn initialize_networking(config: &Config, pid: i32, state: &mut NetworkState) -> Result<()> {
    if config.networks.is_empty() && config.routes.is_empty() {
        return Ok(());
    }
    let plan = plan(config)?;
    if let Some(joined) = &plan.join {
        state.ns_path = joined.display().to_string();
    }
    let container = Container::open(pid)?;
    container.wire(&plan, state)?;
    if config.namespaces.contains(NamespaceType::User) { Ok(()) } else { container.configure(&plan) }
}

/// The half that was the init's, or SetupContainer's: devices are set up, with their addresses and routes.
pub(super) fn configure(config: &Config, pid: i32) -> Result<()> {
    Container::open(pid)?.configure(&plan(config)?)
}

/// The networks and routes of a configuration, judged by the same rules as those of the core.
fn plan(config: &Config) -> Result<NetworkPlan> {
    let document = crate::network(config)
        .unwrap_or_else(|| NetworkSpec { networks: config.networks.clone(), ..NetworkSpec::default() });
    let plan = NetworkPlan::new(&document, &Pointer::root()).map_err(Error::rejected)?;
    let mut rejects = Vec::new();
    for interface in &plan.interfaces {
        if !interface.pools.is_empty() {
            rejects.push(outlasts(&interface.pointer.key("pool")));
        }
    }
    let outward = &plan.outward;
    let rows = [
        (outward.masquerade, "masquerade"),
        (!outward.publish.is_empty(), "publish"),
        (outward.egress.is_some(), "egress"),
        (plan.user_mode.is_some(), "user_mode"),
    ];
    let asked = rows.iter().filter(|(asked, _)| *asked);
    rejects.extend(asked.map(|(_, key)| outlasts(&Pointer::root().key(key))));
    if rejects.is_empty() { Ok(plan) } else { Err(Error::rejected(rejects)) }
}

/// Libcontainer made no bridges.
fn bridges(plan: &NetworkPlan) -> Result<()> {
    let mut rejects = Vec::new();
    for interface in &plan.interfaces {
        let InterfaceKind::Veth { bridge, .. } = &interface.kind else { continue };
        let found = Links::here()?.link(bridge)?.filter(|link| link.kind.as_deref() == Some("bridge"));
        if found.is_none() {
            let at = interface.pointer.key("bridge");
            rejects.push(Reject::new(at, format!("there is no bridge {bridge}")));
        }
    }
    if rejects.is_empty() { Ok(()) } else { Err(Error::rejected(rejects)) }
}

fn outlasts(at: &Pointer) -> Reject {
    let what = "what has to be removed with the container is made by exec only";
    Reject::new(at.clone(), what)
}

/// The network namespace of a container.
struct Container {
    path: String,
    namespace: File,
    /// Whether it is the caller's.
    ours: bool,
}

impl Container {
    fn open(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/ns/net");
        let failed = |e: std::io::Error| Error::io("opening the network namespace", &path, &e);
        let namespace = File::open(&path).map_err(failed)?;
        let theirs = namespace.metadata().map_err(failed)?;
        let own = std::fs::metadata("/proc/thread-self/ns/net").map_err(failed)?;
        let ours = (theirs.dev(), theirs.ino()) == (own.dev(), own.ino());
        Ok(Self { ours, namespace, path })
    }

    /// Not to be configured is the caller's own network, whoever asks for it.
    fn links(&self, plan: &NetworkPlan) -> Result<Option<Links>> {
        let asks = plan.interfaces.iter().map(|i| &i.pointer).chain(plan.routes.iter().map(|r| &r.pointer));
        match asks.into_iter().next().filter(|_| self.ours) {
            None if self.ours => Ok(None),
            None => Ok(Some(Links::at(&self.namespace)?)),
            Some(at) => Err(Error::new(ErrorKind::Configuration, "configuring a container's network")
                .with_detail("it is the caller's")
                .with_hint("NEWNET gives the container its own")
                .with_pointer(at)),
        }
    }

    fn wire(&self, plan: &NetworkPlan, state: &mut NetworkState) -> Result<()> {
        let Some(mut inside) = self.links(plan)?.filter(|_| !plan.interfaces.is_empty()) else {
            return Ok(());
        };
        bridges(plan)?;
        let mut site = cofferdam::launch::network_site()?;
        let mut made = site.intend(plan, &self.path)?;
        site.wire(plan, &mut made, &mut inside, &self.namespace)?;
        let veth = plan.interfaces.iter().find(|one| matches!(one.kind, InterfaceKind::Veth { .. }));
        if let Some((one, host)) = veth.zip(made.veths.first()) {
            state.veth_child.clone_from(&one.name);
            state.veth_host.clone_from(host);
        }
        Ok(())
    }

    fn configure(&self, plan: &NetworkPlan) -> Result<()> {
        match self.links(plan)? {
            Some(mut inside) => Ok(plan.configure(&mut inside)?),
            None => Ok(()),
        }
    }
}
