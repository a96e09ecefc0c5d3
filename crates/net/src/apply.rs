//! Makes what a plan says, and removes it again.
//!
//! Called by the library between a container's birth and its program, and at its end. What is going to be
//! made is told before it is made, so that whoever comes after a crash can remove it; what fails half-way
//! leaves nothing.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use cofferdam_sys::Errno;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::directory::{self, Directory, Lock, broken};
use crate::plan::{HostEnd, InterfaceKind, InterfacePlan, NetworkPlan};
use crate::{
    AddressSettings, BridgePort, Error, LinkKind, LinkSettings, LinkState, Mac, Network, Peer, Pool,
    PublishPlan, move_device,
};
use crate::{ports, site_outward};

const UP: LinkSettings = LinkSettings { mac: None, mtu: None, queue_length: None, master: None, up: true };
const AT_ONCE: AddressSettings = AddressSettings { no_duplicate_detection: true };

/// What of a container's network is outside of its namespace and has to be removed after it; what is inside
/// goes with the namespace.
///
/// ```
/// let made: cofferdam_net::Made = serde_json::from_str(r#"{"veths": ["veth0123456"], "bridges": ["br0"]}"#)?;
/// assert_eq!(made.bridges, ["br0"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Made {
    /// The names of outer ends of pairs, in the order of the plan.
    pub veths: Vec<String>,
    /// The bridges that these are ports of. One is removed when it was made here and has no port left.
    pub bridges: Vec<String>,
    /// Who has leases of addresses; nobody when it is empty.
    pub holder: String,
    /// The name of the packet filter ([`crate::Firewall`]); there is none when it is empty.
    pub filter: String,
}

/// Where containers' networks are made: the host's network, and a directory in which is kept, for all
/// containers, who has which address, and which bridges were made and are to go with their last port.
///
/// ```no_run
/// use cofferdam_net::{Network, NetworkPlan, Site};
/// # let mut plan = NetworkPlan::default();
/// let mut site = Site::new(Network::here()?, "/run/cofferdam/@network".as_ref());
/// let mut made = site.intend(&plan, "web")?;
/// std::fs::write("/run/cofferdam/web/network.json", serde_json::to_vec(&made)?)?;
/// site.lease(&mut plan, &made, |holder| holder == "web")?;
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// site.make(&plan, &mut made, &mut Network::at(&namespace)?, &namespace)?;
/// site.remove(&made)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Site {
    pub(crate) host: Network,
    pub(crate) directory: Directory,
}

impl Site {
    /// A host's network; the directory is made when it is needed, and removed when it is empty. It should be
    /// lost at a reboot (`/run`), as links are.
    #[must_use]
    pub fn new(host: Network, directory: &Path) -> Self {
        Self { host, directory: Directory::new(directory) }
    }

    /// Decides what is going to be made, and makes nothing: to be written down before [`Self::make`], so that
    /// [`Self::remove`] can be done by whoever comes after a crash. `holder` is the container, as `alive` of
    /// [`Self::lease`] will be asked for it.
    ///
    /// # Errors
    /// `EEXIST` when a link has the name that is asked for.
    pub fn intend(&mut self, plan: &NetworkPlan, holder: &str) -> Result<Made, Error> {
        let mut made = Self::suppose(plan, holder);
        let mut ends = made.veths.iter_mut();
        for interface in &plan.interfaces {
            let InterfaceKind::Veth { host, .. } = &interface.kind else { continue };
            let Some(end) = ends.next() else { continue };
            *end = self.free_name(host, end).map_err(|error| error.for_pointer(&interface.pointer))?;
        }
        made.filter = site_outward::name(plan, &made);
        Ok(made)
    }

    /// What [`Self::intend`] says when all names are free: for whoever has to remove it and has no notes.
    ///
    /// ```
    /// # use cofferdam_net::{InterfaceSpec, NetworkPlan, NetworkSpec, Site};
    /// # let veth = InterfaceSpec { kind: "veth".into(), bridge: "br0".into(), ..Default::default() };
    /// # let spec = NetworkSpec { networks: vec![veth], ..Default::default() };
    /// let plan = NetworkPlan::new(&spec, &Default::default()).unwrap();
    /// let made = Site::suppose(&plan, "/run/cofferdam/web");
    /// assert_eq!((made.veths.len(), made.bridges), (1, vec!["br0".to_owned()]));
    /// ```
    #[must_use]
    pub fn suppose(plan: &NetworkPlan, holder: &str) -> Made {
        let mut made = Made::default();
        for interface in &plan.interfaces {
            if let InterfaceKind::Veth { host, bridge, .. } = &interface.kind {
                made.veths.push(match host {
                    HostEnd::Named(name) => name.clone(),
                    HostEnd::Prefix(prefix) => derived(prefix, &[holder, &interface.name]),
                });
                if !made.bridges.contains(bridge) {
                    made.bridges.push(bridge.clone());
                }
            }
            if !interface.pools.is_empty() || !interface.addresses.is_empty() {
                holder.clone_into(&mut made.holder);
            }
        }
        if !published(plan).is_empty() {
            holder.clone_into(&mut made.holder);
        }
        made.filter = site_outward::name(plan, &made);
        made
    }

    /// Leases addresses out of the plan's pools, and puts them into the plan, and the ports that it publishes; those that are in the plan are
    /// noted, so that no pool gives them. When an address is not free, `alive` is asked which holders are still
    /// there; see [`Pool::lease`].
    ///
    /// # Errors
    /// As [`Pool::lease`]; `EADDRINUSE` when somebody else has an address of the plan on the same bridge or
    /// device, or a port that it publishes.
    pub fn lease(
        &self,
        plan: &mut NetworkPlan,
        made: &Made,
        mut alive: impl FnMut(&str) -> bool,
    ) -> Result<(), Error> {
        let mut alive = |id: &str| alive(holder(id));
        for interface in &mut plan.interfaces {
            let said = |error: Error| error.for_pointer(&interface.pointer);
            let id = format!("{}:{}", made.holder, interface.name);
            let (on, of_bridge): (_, &[IpNet]) = match &interface.kind {
                InterfaceKind::Veth { bridge, bridge_addresses, .. } => (bridge, bridge_addresses),
                InterfaceKind::Macvlan { device, .. }
                | InterfaceKind::Ipvlan { device, .. }
                | InterfaceKind::Move { device } => (device, &[]),
            };
            for net in &interface.addresses {
                Pool::take(&self.directory, on, &id, net.addr(), &mut alive).map_err(said)?;
            }
            for subnet in &interface.pools {
                let reserved = of_bridge.iter().map(IpNet::addr).chain(interface.gateways.iter().copied());
                let pool = reserved.fold(Pool::of(self.directory.clone(), *subnet), Pool::reserve);
                interface.addresses.push(pool.lease_on(on, &id, &mut alive).map_err(said)?);
            }
        }
        let publish = published(plan);
        // An id is a holder and a name; ports have no interface's.
        let id = format!("{}:", made.holder);
        ports::take(&self.directory, &id, publish, !publish.is_empty() && self.is_here(), alive)
    }

    /// Whether the host's network is the calling thread's.
    fn is_here(&self) -> bool {
        let here = Network::here().and_then(|network| network.cookie());
        here.ok() == self.host.cookie().ok()
    }

    /// Makes a plan's interfaces and routes in a namespace: `inside` is a socket in it and `namespace` its
    /// file. Devices that move are taken from the calling thread's network namespace.
    ///
    /// # Errors
    /// As the kernel answers, with the pointer of what asked for it. All links that were made have been removed
    /// then, and devices that had moved are back, without their addresses; `made` says what is left.
    pub fn make(
        &mut self,
        plan: &NetworkPlan,
        made: &mut Made,
        inside: &mut Network,
        namespace: &File,
    ) -> Result<(), Error> {
        let mut work = Work::new(self, plan, inside, namespace);
        let made_inside = work.wire(plan, made).and_then(|()| plan.configure(work.inside));
        let done = made_inside.and_then(|()| work.site.let_out(plan, made));
        work.whole_or_nothing(made, done)
    }

    /// As [`Self::make`], but for what is done inside ([`NetworkPlan::configure`]), and for what lets a container
    /// out.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn wire(
        &mut self,
        plan: &NetworkPlan,
        made: &mut Made,
        inside: &mut Network,
        namespace: &File,
    ) -> Result<(), Error> {
        let mut work = Work::new(self, plan, inside, namespace);
        let done = work.wire(plan, made);
        work.whole_or_nothing(made, done)
    }

    /// Removes what was made; what has gone already is removed. Bridges go with their last port.
    ///
    /// # Errors
    /// The first failure; all the rest is removed nevertheless.
    pub fn remove(&mut self, made: &Made) -> Result<(), Error> {
        let mut result = Ok(());
        for name in &made.veths {
            let removed = self.remove_veth(name);
            result = result.and(removed);
        }
        let shut = self.shut(made);
        result = result.and(shut);
        for name in &made.bridges {
            let removed = self.remove_bridge(name);
            result = result.and(removed);
        }
        let released = self.release(made);
        result.and(released)
    }

    fn release(&self, made: &Made) -> Result<(), Error> {
        if made.holder.is_empty() {
            return Ok(());
        }
        Pool::release_if(&self.directory, |id| holder(id) == made.holder)
    }

    fn remove_veth(&mut self, name: &str) -> Result<(), Error> {
        match self.host.link(name)? {
            Some(link) if link.kind.as_deref() == Some("veth") => self.host.delete_link(link.index),
            _ => Ok(()),
        }
    }

    fn remove_bridge(&mut self, name: &str) -> Result<(), Error> {
        let mark = self.mark(name);
        if !mark.exists() {
            return Ok(()); // it was there before any container was
        }
        let _lock = self.directory.lock()?;
        if let Some(bridge) = self.host.link(name)?.filter(|link| link.kind.as_deref() == Some("bridge"))
            && mark.exists()
        {
            if self.host.links()?.iter().any(|link| link.master == Some(bridge.index)) {
                return Ok(());
            }
            self.host.delete_link(bridge.index)?;
        }
        directory::remove(&mark)
    }

    /// The bridge of a name, made and marked as made here when it is not there. One that was made here is not
    /// removed while the lock is held that comes with it; one of somebody else's is taken as it is.
    fn bridge(&mut self, name: &str, addresses: &[IpNet]) -> Result<(u32, Option<Lock>), Error> {
        let mark = self.mark(name);
        let is_there = |link: &Option<LinkState>| {
            link.as_ref().filter(|link| link.up && link.kind.as_deref() == Some("bridge")).map(|l| l.index)
        };
        if let Some(index) = is_there(&self.host.link(name)?).filter(|_| !mark.exists()) {
            return Ok((index, None));
        }
        let lock = self.directory.lock()?;
        let found = self.host.link(name)?;
        let ours = found.is_none() || mark.exists();
        let index = match is_there(&found) {
            Some(index) => index,
            None => {
                if found.is_none() {
                    std::fs::write(&mark, []).map_err(|error| broken("writing", &mark, &error))?;
                }
                // Without one of its own a bridge has its lowest port's hardware address, which comes and goes.
                let settings = LinkSettings { mac: random_mac(), ..UP };
                self.host.ensure_bridge(name, &settings)?.0
            }
        };
        let mut addresses = if ours { addresses.to_vec() } else { Vec::new() };
        if found.is_none() && addresses.iter().any(|net| net.addr().is_ipv6()) {
            // A router asks for its neighbours from a link-local address, and the one that the kernel makes
            // is not used before it has been checked for a second.
            addresses.extend(IpNet::new([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 64).ok());
        }
        if !addresses.is_empty() {
            self.host.configure(index, &addresses, AT_ONCE, &[])?;
        }
        Ok((index, Some(lock)))
    }

    fn mark(&self, bridge: &str) -> PathBuf {
        self.directory.file(&format!("bridge-{bridge}"))
    }

    /// A name that nothing outside has, so that what is noted is never somebody else's.
    fn free_name(&mut self, host: &HostEnd, first: &str) -> Result<String, Error> {
        let taken = |name: &str| {
            let hint = "a link of that name is there; choose another name or a prefix";
            Error::of("making veth pair", name, "naming it", Errno::EEXIST.into())
                .hint_for(Errno::EEXIST, hint)
        };
        if self.host.link(first)?.is_none() {
            return Ok(first.to_owned());
        }
        let HostEnd::Prefix(prefix) = host else { return Err(taken(first)) };
        let mut name = first.to_owned();
        for _ in 0..10 {
            name = derived(prefix, &[&name, &random().to_string()]);
            if self.host.link(&name)?.is_none() {
                return Ok(name);
            }
        }
        Err(taken(prefix))
    }
}

/// What is published by rules of ours. What carries packets for ordinary users listens by itself.
fn published(plan: &NetworkPlan) -> &[PublishPlan] {
    if plan.user_mode.is_some() { &[] } else { &plan.outward.publish }
}

/// Who has the lease of this id, whose interface stands at its end.
fn holder(id: &str) -> &str {
    id.rsplit_once(':').map_or(id, |(holder, _)| holder)
}

/// One plan's making.
struct Work<'a> {
    site: &'a mut Site,
    inside: &'a mut Network,
    namespace: &'a File,
    /// Whether all ports get hairpin.
    hairpin: bool,
    /// The outer ends that were made.
    veths: Vec<String>,
    /// What is inside now, and for devices that moved their names outside.
    arrived: Vec<(String, Option<String>)>,
}

impl<'a> Work<'a> {
    fn new(site: &'a mut Site, plan: &NetworkPlan, inside: &'a mut Network, namespace: &'a File) -> Self {
        // For a container that asks for its own published port.
        let hairpin = !plan.outward.publish.is_empty();
        Self { site, inside, namespace, hairpin, veths: Vec::new(), arrived: Vec::new() }
    }

    fn wire(&mut self, plan: &NetworkPlan, made: &Made) -> Result<(), Error> {
        let mut ends = made.veths.iter();
        for interface in &plan.interfaces {
            let end = matches!(interface.kind, InterfaceKind::Veth { .. }).then(|| ends.next()).flatten();
            let made = self.interface(interface, end.map_or("", String::as_str));
            made.map_err(|error| error.for_pointer(&interface.pointer))?;
        }
        Ok(())
    }

    fn interface(&mut self, plan: &InterfacePlan, end: &str) -> Result<(), Error> {
        match &plan.kind {
            InterfaceKind::Veth { bridge, bridge_addresses, port, .. } => {
                let port = BridgePort { hairpin: port.hairpin || self.hairpin, ..*port };
                self.veth(plan, end, (bridge, bridge_addresses), port)
            }
            InterfaceKind::Macvlan { device, mode } => {
                let parent = self.parent(device)?;
                self.over(plan, &LinkKind::Macvlan { parent, mode: *mode })
            }
            InterfaceKind::Ipvlan { device, mode } => {
                let parent = self.parent(device)?;
                self.over(plan, &LinkKind::Ipvlan { parent, mode: *mode })
            }
            InterfaceKind::Move { device } => {
                move_device(device, &plan.name, self.namespace)?;
                self.arrived.push((plan.name.clone(), Some(device.clone())));
                Ok(())
            }
        }
    }

    fn parent(&mut self, device: &str) -> Result<u32, Error> {
        let gone = || {
            Error::of("finding device", device, "in the host's network", Errno::ENODEV.into())
                .hint_for(Errno::ENODEV, "no device of that name is there; see /sys/class/net")
        };
        Ok(self.site.host.link(device)?.ok_or_else(gone)?.index)
    }

    /// A link on a device of the host's, made inside.
    fn over(&mut self, plan: &InterfacePlan, kind: &LinkKind) -> Result<(), Error> {
        self.site.host.make_link(&plan.name, kind, &plan.settings, Some(self.namespace.as_fd()))?;
        self.arrived.push((plan.name.clone(), None));
        Ok(())
    }

    fn veth(
        &mut self,
        plan: &InterfacePlan,
        end: &str,
        (bridge, addresses): (&str, &[IpNet]),
        port: BridgePort,
    ) -> Result<(), Error> {
        let (index, _lock) = self.site.bridge(bridge, addresses)?;
        let peer = Peer { name: plan.name.clone(), settings: plan.settings.clone() };
        let own = LinkSettings { mac: None, master: Some(index), up: true, ..plan.settings.clone() };
        let target = Some(self.namespace.as_fd());
        self.site.host.make_link(end, &LinkKind::Veth(peer), &own, target)?;
        self.veths.push(end.to_owned());
        if port != BridgePort::default() {
            self.site.host.set_port(end, port)?;
        }
        Ok(())
    }

    fn whole_or_nothing(&mut self, made: &mut Made, done: Result<(), Error>) -> Result<(), Error> {
        if done.is_err() {
            self.undo(made);
        }
        done
    }

    /// Removes what was made, as far as that goes; the failure that led here is the one that is told.
    fn undo(&mut self, made: &mut Made) {
        for (name, outside) in self.arrived.drain(..).rev() {
            let Ok(Some(link)) = self.inside.link(&name) else { continue };
            let _ = match outside {
                None => self.inside.delete_link(link.index),
                Some(outside) => match File::open("/proc/thread-self/ns/net") {
                    Ok(here) => self.inside.send_away(link.index, &outside, here.as_fd()),
                    Err(_) => Ok(()),
                },
            };
        }
        // An end that could not be made because its name was taken meanwhile is somebody else's.
        let (veths, bridges) = (std::mem::take(&mut self.veths), std::mem::take(&mut made.bridges));
        made.veths.clear();
        let mut filter = std::mem::take(&mut made.filter);
        if !veths.contains(&filter) {
            filter.clear();
        }
        let _ = self.site.remove(&Made { veths, bridges, holder: String::new(), filter });
    }
}

/// A name of a link that follows from these words: a prefix and seven digits of their FNV-1a hash.
fn derived(prefix: &str, words: &[&str]) -> String {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{prefix}{:07x}", (hash ^ (hash >> 32)) & 0x0fff_ffff)
}

/// Names and hardware addresses only have to differ: what the standard library seeds its maps with will do.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn random_mac() -> Option<Mac> {
    let [_, _, a, b, c, d, e, _] = random().to_ne_bytes();
    Mac::new([2, a, b, c, d, e]) // 2: administered locally
}
