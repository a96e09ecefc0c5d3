//! InitializeNetworking: a container's networks and routes, made from outside.
//!
//! Called by Exec between creation and start, by SetupContainer, and by callers that start their processes by
//! themselves. It speaks netlink in the caller's namespace and in the container's.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_net::{AddressSettings, LinkKind, LinkSettings, Network as Links, Peer, RouteEntry};
use cofferdam_oci::Pointer;
use cofferdam_sys::Errno;

use crate::{Config, NamespaceType, Network, NetworkState, Route};

/// What a container's end of a veth pair is called.
const DEVICE: &str = "eth0";
/// How often another name for the host's end is tried.
const TRIES: u32 = 10;

/// libcontainer's `InitializeNetworking`: makes the networks and routes of a container whose first process is
/// `pid`, and writes down what was made.
///
/// - `loopback`: the loopback device is set up.
/// - `veth`: a pair of devices is made, one end a port of the bridge, the other the container's `eth0` with
///   its addresses and default routes. It goes with the container's network namespace.
/// - `netns`: nothing is made; its path is written down.
///
/// Where the configuration has a user namespace, devices are made here and configured by
/// [`super::setup_container`]; else both is done here.
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
    let container = Container::open(pid)?;
    for (index, network) in config.networks.iter().enumerate() {
        let at = Pointer::new("/networks").index(index);
        let made = match network.kind.as_str() {
            "loopback" => Ok(()),
            "netns" => {
                state.ns_path.clone_from(&network.ns_path);
                Ok(())
            }
            "veth" => container.veth(network, &at, state),
            other => Err(wrong(&at.key("type"), &format!("{other:?} is neither loopback, netns nor veth"))),
        };
        made.map_err(|e| placed(e, &at))?;
    }
    if config.namespaces.contains(NamespaceType::User) { Ok(()) } else { container.configure(config) }
}

/// The half that was the init's, or SetupContainer's: devices are set up, with their addresses and routes.
pub(super) fn configure(config: &Config, pid: i32) -> Result<()> {
    Container::open(pid)?.configure(config)
}

fn placed(error: Error, at: &Pointer) -> Error {
    if error.pointer().is_some() { error } else { error.with_pointer(at) }
}

/// The network namespace of a container.
struct Container {
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
        Ok(Self { ours: (theirs.dev(), theirs.ino()) == (own.dev(), own.ino()), namespace })
    }

    /// Not to be configured is the caller's own network.
    fn links(&self) -> Result<Links> {
        if self.ours {
            return Err(Error::new(ErrorKind::Configuration, "configuring a container's network")
                .with_detail("it is the caller's")
                .with_hint("NEWNET gives the container its own"));
        }
        Ok(Links::at(&self.namespace)?)
    }

    fn configure(&self, config: &Config) -> Result<()> {
        for (index, network) in config.networks.iter().enumerate() {
            let at = Pointer::new("/networks").index(index);
            let configured = match network.kind.as_str() {
                "loopback" => self.loopback(),
                "veth" => self.ethernet(network, &at),
                _ => Ok(()),
            };
            configured.map_err(|e| placed(e, &at))?;
        }
        for (index, route) in config.routes.iter().enumerate() {
            let at = Pointer::new("/routes").index(index);
            self.route(route, &at).map_err(|e| placed(e, &at))?;
        }
        Ok(())
    }

    fn loopback(&self) -> Result<()> {
        if !self.ours {
            self.links()?.set_up("lo")?;
        }
        Ok(())
    }

    fn veth(&self, wanted: &Network, at: &Pointer, state: &mut NetworkState) -> Result<()> {
        // Asked first: into the caller's own there is nothing to make.
        self.links()?;
        let mut host = Links::here()?;
        for (field, value) in [("bridge", &wanted.bridge), ("veth_prefix", &wanted.veth_prefix)] {
            if value.is_empty() {
                return Err(wrong(&at.key(field), "empty"));
            }
        }
        let bridge = host.link(&wanted.bridge)?.filter(|link| link.kind.as_deref() == Some("bridge"));
        let bridge = bridge
            .ok_or_else(|| wrong(&at.key("bridge"), &format!("there is no bridge {}", wanted.bridge)))?;
        let settings = LinkSettings {
            mtu: positive(wanted.mtu, &at.key("mtu"))?,
            queue_length: positive(wanted.txqueuelen, &at.key("txqueuelen"))?,
            ..LinkSettings::default()
        };
        let mac = optional(&wanted.mac_address, &at.key("mac_address"))?;
        let peer = Peer { name: DEVICE.to_owned(), settings: LinkSettings { mac, ..settings.clone() } };
        let port = LinkSettings { master: Some(bridge.index), up: true, ..settings };
        state.veth_host = self.pair(&mut host, &wanted.veth_prefix, &LinkKind::Veth(peer), &port)?;
        DEVICE.clone_into(&mut state.veth_child);
        Ok(())
    }

    /// The container's end.
    fn ethernet(&self, wanted: &Network, at: &Pointer) -> Result<()> {
        let mut inside = self.links()?;
        let (addresses, routes) = (addresses(wanted, at)?, gateways(wanted, at)?);
        let addresses =
            addresses.iter().map(|(text, field)| parsed(text, field)).collect::<Result<Vec<_>>>()?;
        let index = inside.set_up(DEVICE)?;
        Ok(inside.configure(index, &addresses, AddressSettings::default(), &routes)?)
    }

    /// Makes the pair, under a name for the host's end that is free.
    fn pair(&self, host: &mut Links, prefix: &str, kind: &LinkKind, port: &LinkSettings) -> Result<String> {
        let mut tries = 0;
        loop {
            let name = format!("{prefix}{:07x}", RandomState::new().hash_one(tries) & 0x0fff_ffff);
            match host.make_link(&name, kind, port, Some(self.namespace.as_fd())) {
                Ok(()) => return Ok(name),
                Err(e) if e.errno == Errno::EEXIST.0 && tries < TRIES => tries += 1,
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn route(&self, wanted: &Route, at: &Pointer) -> Result<()> {
        let mut inside = self.links()?;
        let gateway: Option<IpAddr> = optional(&wanted.gateway, &at.key("gateway"))?;
        let source: Option<IpAddr> = optional(&wanted.source, &at.key("source"))?;
        let Some(any) = gateway.or(source) else {
            if wanted.destination.is_empty() {
                return Err(wrong(at, "neither destination, source nor gateway"));
            }
            return add(&mut inside, wanted, at, (None, None), "");
        };
        add(&mut inside, wanted, at, (gateway, source), if any.is_ipv4() { "0.0.0.0/0" } else { "::/0" })
    }
}

/// Adds a route; without a destination it is the one to `all`.
fn add(
    inside: &mut Links,
    wanted: &Route,
    at: &Pointer,
    (gateway, source): (Option<IpAddr>, Option<IpAddr>),
    all: &str,
) -> Result<()> {
    let text = if wanted.destination.is_empty() { all } else { &wanted.destination };
    let name = &wanted.interface_name;
    let link = inside.link(name)?.ok_or_else(|| {
        wrong(&at.key("interface_name"), &format!("the container has no interface {name:?}"))
    })?;
    let to = RouteEntry::to(parsed(text, &at.key("destination"))?);
    let route = RouteEntry { gateway, source, link: Some(link.index), ..to };
    Ok(inside.configure(link.index, &[], AddressSettings::default(), &[route])?)
}

/// The addresses that are there, each with its field.
fn addresses<'a>(wanted: &'a Network, at: &Pointer) -> Result<Vec<(&'a str, Pointer)>> {
    let both = [(&wanted.address, "address"), (&wanted.ipv6_address, "ipv6_address")];
    let there = both.into_iter().filter(|(text, _)| !text.is_empty());
    let all: Vec<_> = there.map(|(text, field)| (text.as_str(), at.key(field))).collect();
    if wanted.address.is_empty() { Err(wrong(&at.key("address"), "empty")) } else { Ok(all) }
}

/// The default routes.
fn gateways(wanted: &Network, at: &Pointer) -> Result<Vec<RouteEntry>> {
    let mut routes = Vec::new();
    for (text, field, all) in
        [(&wanted.gateway, "gateway", "0.0.0.0/0"), (&wanted.ipv6_gateway, "ipv6_gateway", "::/0")]
    {
        let field = at.key(field);
        if let Some(gateway) = optional(text, &field)? {
            routes.push(RouteEntry::to(parsed(all, &field)?).via(gateway));
        }
    }
    Ok(routes)
}

/// A number, if there is one.
fn positive(number: i64, field: &Pointer) -> Result<Option<u32>> {
    let number = u32::try_from(number).map_err(|_| wrong(field, &format!("{number} is out of range")))?;
    Ok((number != 0).then_some(number))
}

/// What stands in a field, if something does.
fn optional<T: FromStr>(text: &str, field: &Pointer) -> Result<Option<T>> {
    if text.is_empty() { Ok(None) } else { parsed(text, field).map(Some) }
}

fn parsed<T: FromStr>(text: &str, field: &Pointer) -> Result<T> {
    text.parse().map_err(|_| wrong(field, &format!("{text:?} is no address of this kind")))
}

fn wrong(field: &Pointer, what: &str) -> Error {
    Error::new(ErrorKind::Configuration, "making the container's network")
        .with_detail(what)
        .with_pointer(field)
}
