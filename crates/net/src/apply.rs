//! Makes what a plan says, and removes it again.
//!
//! Called by the library between a container's birth and its program, and at its end. What is going to be
//! made is told before it is made, so that whoever comes after a crash can remove it; what fails half-way
//! leaves nothing.

use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cofferdam_sys::Errno;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::plan::{HostEnd, InterfaceKind, InterfacePlan, NetworkPlan};
use crate::{
    AddressSettings, BridgePort, Error, LinkKind, LinkSettings, Mac, Network, Peer, RouteEntry, move_device,
};

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
    /// The names of outer ends of pairs.
    pub veths: Vec<String>,
    /// The bridges that these are ports of. One is removed when it was made here and has no port left.
    pub bridges: Vec<String>,
}

/// Where containers' networks are made: the host's network, and a directory in which is kept, for all
/// containers, which bridges were made and are to go with their last port.
///
/// ```no_run
/// use cofferdam_net::{Network, NetworkPlan, Site};
/// # let plan = NetworkPlan::default();
/// let mut site = Site::new(Network::here()?, "/run/cofferdam/net".as_ref())?;
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// let mut inside = Network::at(&namespace)?;
/// let made = site.make(&plan, &mut inside, &namespace, |made| {
///     std::fs::write("/run/cofferdam/web/network.json", serde_json::to_vec(made)?)
/// })?;
/// site.remove(&made)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Site {
    host: Network,
    directory: PathBuf,
}

impl Site {
    /// A host's network; the directory is made when it is not there. It should be lost at a reboot
    /// (`/run`), as links are.
    ///
    /// # Errors
    /// As making the directory.
    pub fn new(host: Network, directory: &Path) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| broken("making directory", directory, &error))?;
        Ok(Self { host, directory: directory.to_owned() })
    }

    /// Makes a plan's interfaces and routes in a namespace: `inside` is a socket in it and `namespace` its
    /// file. `note` is told what is going to be made, each time before it is; when it fails, nothing more is
    /// made. Devices that move are taken from the calling thread's network namespace.
    ///
    /// # Errors
    /// As the kernel answers, with the pointer of what asked for it. All that was made has been removed
    /// then, and devices that had moved are back, without their addresses.
    pub fn make(
        &mut self,
        plan: &NetworkPlan,
        inside: &mut Network,
        namespace: &File,
        note: impl FnMut(&Made) -> io::Result<()>,
    ) -> Result<Made, Error> {
        let mut work =
            Work { site: self, inside, namespace, note, made: Made::default(), arrived: Vec::new() };
        match work.all(plan) {
            Ok(()) => Ok(work.made),
            Err(error) => {
                work.undo();
                Err(error)
            }
        }
    }

    /// Removes what was made; what has gone already is removed. Bridges go with their last port.
    ///
    /// # Errors
    /// The first failure; all the rest is removed nevertheless.
    pub fn remove(&mut self, made: &Made) -> Result<(), Error> {
        let mut result = Ok(());
        for name in &made.veths {
            let removed = self.host.link(name).and_then(|link| match link {
                Some(link) if link.kind.as_deref() == Some("veth") => self.host.delete_link(link.index),
                _ => Ok(()),
            });
            result = result.and(removed);
        }
        for name in &made.bridges {
            let removed = self.remove_bridge(name);
            result = result.and(removed);
        }
        result
    }

    fn remove_bridge(&mut self, name: &str) -> Result<(), Error> {
        let _lock = self.lock()?;
        let mark = self.mark(name);
        if !mark.exists() {
            return Ok(()); // it was there before any container was
        }
        if let Some(bridge) = self.host.link(name)?.filter(|link| link.kind.as_deref() == Some("bridge")) {
            if self.host.links()?.iter().any(|link| link.master == Some(bridge.index)) {
                return Ok(());
            }
            self.host.delete_link(bridge.index)?;
        }
        match std::fs::remove_file(&mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(broken("removing", &mark, &error)),
            _ => Ok(()),
        }
    }

    /// The bridge of a name, marked as made here when it is; the caller holds the lock.
    fn bridge(&mut self, name: &str, addresses: &[IpNet]) -> Result<u32, Error> {
        let found = self.host.link(name)?;
        let (index, made) = match found {
            Some(link) if link.up && link.kind.as_deref() == Some("bridge") => (link.index, false),
            other => {
                let mark = self.mark(name);
                if other.is_none() {
                    std::fs::write(&mark, []).map_err(|error| broken("writing", &mark, &error))?;
                }
                // Without one of its own a bridge has its lowest port's hardware address, which comes and goes.
                let settings = LinkSettings { mac: random_mac(), ..UP };
                self.host.ensure_bridge(name, &settings)?
            }
        };
        let mut addresses = addresses.to_vec();
        if made && addresses.iter().any(|net| net.addr().is_ipv6()) {
            // A router asks for its neighbours from a link-local address, and the one that the kernel makes
            // is not used before it has been checked for a second.
            addresses.extend(IpNet::new([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 64).ok());
        }
        if !addresses.is_empty() {
            self.host.configure(index, &addresses, AT_ONCE, &[])?;
        }
        Ok(index)
    }

    fn mark(&self, bridge: &str) -> PathBuf {
        self.directory.join(format!("bridge-{bridge}"))
    }

    fn lock(&self) -> Result<File, Error> {
        let path = self.directory.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.map_err(|error| broken("opening", &path, &error))?;
        file.lock().map_err(|error| broken("locking", &path, &error))?;
        Ok(file)
    }
}

/// One plan's making.
struct Work<'a, N> {
    site: &'a mut Site,
    inside: &'a mut Network,
    namespace: &'a File,
    note: N,
    made: Made,
    /// What is inside now, and for devices that moved their names outside.
    arrived: Vec<(String, Option<String>)>,
}

impl<N: FnMut(&Made) -> io::Result<()>> Work<'_, N> {
    fn all(&mut self, plan: &NetworkPlan) -> Result<(), Error> {
        if plan.loopback {
            self.inside.set_up("lo")?;
        }
        for interface in &plan.interfaces {
            self.interface(interface).map_err(|error| error.for_pointer(&interface.pointer))?;
        }
        for route in &plan.routes {
            let said = |error: Error| error.for_pointer(&route.pointer);
            let link = match &route.interface {
                Some(name) => {
                    let gone = || Error::of("adding route", route.route.text(), name, Errno::ENODEV.into());
                    Some(self.inside.link(name).map_err(said)?.ok_or_else(gone).map_err(said)?.index)
                }
                None => None,
            };
            let entry = RouteEntry { link, ..route.route.clone() };
            self.inside.configure(0, &[], AT_ONCE, &[entry]).map_err(said)?;
        }
        Ok(())
    }

    fn interface(&mut self, plan: &InterfacePlan) -> Result<(), Error> {
        let mut left = plan.settings.clone();
        match &plan.kind {
            InterfaceKind::Veth { host, bridge, bridge_addresses, port } => {
                self.veth(plan, host, (bridge, bridge_addresses), *port)?;
                left = LinkSettings::default();
            }
            InterfaceKind::Macvlan { device, mode } => {
                let parent = self.parent(device)?;
                self.over(plan, &LinkKind::Macvlan { parent, mode: *mode })?;
                left = LinkSettings::default();
            }
            InterfaceKind::Ipvlan { device, mode } => {
                let parent = self.parent(device)?;
                self.over(plan, &LinkKind::Ipvlan { parent, mode: *mode })?;
                left = LinkSettings::default();
            }
            InterfaceKind::Move { device } => {
                move_device(device, &plan.name, self.namespace)?;
                self.arrived.push((plan.name.clone(), Some(device.clone())));
            }
        }
        let index = self.inside.set_up(&plan.name)?;
        if left != LinkSettings::default() {
            self.inside.change_link(index, &left)?;
        }
        let routes: Vec<_> = plan.gateways.iter().map(|gateway| default_route(*gateway, index)).collect();
        let settings = AddressSettings { no_duplicate_detection: !plan.duplicate_detection };
        self.inside.configure(index, &plan.addresses, settings, &routes)
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
        host: &HostEnd,
        (bridge, addresses): (&str, &[IpNet]),
        port: BridgePort,
    ) -> Result<(), Error> {
        let name = self.free_name(host)?;
        self.made.veths.push(name.clone());
        if !self.made.bridges.iter().any(|known| known == bridge) {
            self.made.bridges.push(bridge.to_owned());
        }
        (self.note)(&self.made).map_err(|error| broken("noting", Path::new(&name), &error))?;
        let _lock = self.site.lock()?;
        let master = Some(self.site.bridge(bridge, addresses)?);
        let peer = Peer { name: plan.name.clone(), settings: plan.settings.clone() };
        let own = LinkSettings { mac: None, master, up: true, ..plan.settings.clone() };
        let target = Some(self.namespace.as_fd());
        self.site.host.make_link(&name, &LinkKind::Veth(peer), &own, target)?;
        if port != BridgePort::default() {
            self.site.host.set_port(&name, port)?;
        }
        Ok(())
    }

    /// A name that nothing outside has, so that what is noted is never somebody else's.
    fn free_name(&mut self, host: &HostEnd) -> Result<String, Error> {
        let taken = |name: &str| {
            let hint = "a link of that name is there; choose another name or a prefix";
            Error::of("making veth pair", name, "naming it", Errno::EEXIST.into())
                .hint_for(Errno::EEXIST, hint)
        };
        match host {
            HostEnd::Named(name) => match self.site.host.link(name)? {
                None => Ok(name.clone()),
                Some(_) => Err(taken(name)),
            },
            HostEnd::Prefix(prefix) => {
                for _ in 0..10 {
                    let name = format!("{prefix}{:07x}", random() & 0x0fff_ffff);
                    if self.site.host.link(&name)?.is_none() {
                        return Ok(name);
                    }
                }
                Err(taken(prefix))
            }
        }
    }

    /// Removes what was made, as far as that goes; the failure that led here is the one that is told.
    fn undo(&mut self) {
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
        let _ = self.site.remove(&self.made);
        let _ = (self.note)(&Made::default());
    }
}

fn default_route(gateway: std::net::IpAddr, link: u32) -> RouteEntry {
    let everywhere: IpNet = match gateway {
        std::net::IpAddr::V4(_) => ipnet::Ipv4Net::default().into(),
        std::net::IpAddr::V6(_) => ipnet::Ipv6Net::default().into(),
    };
    RouteEntry::to(everywhere).via(gateway).over(link)
}

/// Names and hardware addresses only have to differ: what the standard library seeds its maps with will do.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn random_mac() -> Option<Mac> {
    let [_, _, a, b, c, d, e, _] = random().to_ne_bytes();
    Mac::new([2, a, b, c, d, e]) // 2: administered locally
}

fn broken(step: &'static str, path: &Path, error: &io::Error) -> Error {
    let errno = Errno(error.raw_os_error().unwrap_or(Errno::EIO.0));
    Error::of(step, path.display().to_string(), "keeping record of the network", errno.into())
}
