//! The owner of what a container's network has outside of its namespace.
//!
//! Called by `create`, which notes it before it is made, and by `lifecycle` and `salvage`, which remove it.

use std::fs::File;
use std::path::{Path, PathBuf};

use cofferdam_net::{Made, Network, NetworkPlan, Running, Site};
use cofferdam_oci::Spec;
use serde::{Deserialize, Serialize};

use super::service::{self, NameService, SavedService, Service, Wanted};
use super::{NetworkInterface, user_mode};
use crate::state::STATE;
use crate::store::Store;
use crate::{Error, Result};

/// Below the store that all of a user's containers know, whatever store they are in: networks are the host's.
/// No container has this name.
const DIRECTORY: &str = "@network";

/// What the state file knows of a container's network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedNetwork {
    /// Where the record of what containers share is kept: one for each network namespace.
    directory: PathBuf,
    /// What has to be removed.
    made: Made,
    /// What the container has.
    pub(crate) interfaces: Vec<NetworkInterface>,
    /// Who finds out what names mean, if that is a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<SavedService>,
    /// The container's directory, where its packets are carried by a program of the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_mode: Option<PathBuf>,
}

/// A network about to be made. Dropped before it is kept, it is removed.
#[derive(Debug)]
pub(crate) struct Wires {
    site: Site,
    plan: NetworkPlan,
    saved: SavedNetwork,
    service: Option<Service>,
    keep: bool,
}

impl Wires {
    /// Decides all names. Nothing is made yet; `state` is the container's directory.
    pub(crate) fn intend(plan: &NetworkPlan, state: &Path) -> Result<Self> {
        let (mut site, directory) = here()?;
        let made = site.intend(plan, &holder(state))?;
        // The child sets it up by itself.
        let mut plan = plan.clone();
        plan.loopback = false;
        let user_mode = plan.user_mode.and_then(|_| std::path::absolute(state).ok());
        let saved = SavedNetwork { directory, made, interfaces: Vec::new(), service: None, user_mode };
        Ok(Self { site, plan, saved, service: None, keep: false })
    }

    /// To be written down, each time after one of these methods.
    pub(crate) fn saved(&self) -> SavedNetwork {
        self.saved.clone()
    }

    /// Leases addresses and writes the files that tell of them; what is made is noted by now.
    pub(crate) fn prepare(&mut self, spec: &Spec, rootfs: &Path, state: &Path) -> Result<()> {
        let alive = |holder: &str| Path::new(holder).join(STATE).exists();
        self.site.lease(&mut self.plan, &self.saved.made, alive)?;
        let mut ends = self.saved.made.veths.iter();
        self.saved.interfaces = self.plan.interfaces.iter().map(|plan| interface(plan, &mut ends)).collect();
        super::files::write(&self.plan, spec, rootfs, state)
    }

    /// Makes the links, in the network namespace of this process, and starts whoever finds out what names
    /// mean. To be written down after that, before [`Self::serve`].
    pub(crate) fn make(&mut self, pid: i32, state: &Path, names: &NameService) -> Result<()> {
        let path = format!("/proc/{pid}/ns/net");
        let namespace = File::open(&path).map_err(|e| Error::io("opening namespace", &path, &e))?;
        if let (Some(mode), Some(state)) = (self.plan.user_mode, &self.saved.user_mode) {
            // First the list: no packet is carried that is not in it.
            let inside = service::hold_inside(&self.plan, pid, &namespace, names)?;
            user_mode::start(mode, &self.plan.outward.publish, pid, state)?;
            if let Some(inside) = inside {
                let (service, saved) = inside.start(&self.plan, pid, state, names)?;
                (self.service, self.saved.service) = (Some(service), Some(saved));
            }
            return Ok(());
        }
        let mut inside = Network::at(&namespace)?;
        self.site.make(&self.plan, &mut self.saved.made, &mut inside, &namespace)?;
        let filter = &self.saved.made.filter;
        let wanted = Wanted { plan: &self.plan, filter, namespace: &namespace, pid, state };
        if let Some((service, saved)) = wanted.start(names)? {
            (self.service, self.saved.service) = (Some(service), saved);
        }
        Ok(())
    }

    /// Whether something was started that has to be written down.
    pub(crate) fn has_more_to_note(&self) -> bool {
        self.saved.service.is_some()
    }

    /// Lets whoever finds out what names mean begin; a thread of this process is the caller's.
    pub(crate) fn serve(&mut self) -> Result<Option<Running>> {
        match self.service.take() {
            Some(Service::Program(waiting)) => waiting.go().map(|()| None),
            Some(Service::Thread(running)) => Ok(Some(running)),
            None => Ok(None),
        }
    }

    /// It is the container's now.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        if !self.keep {
            let _ = self.saved.service.iter().try_for_each(service::end);
            let _ = self.saved.user_mode.iter().try_for_each(|state| user_mode::end(state));
            let _ = self.site.remove(&self.saved.made);
        }
    }
}

fn interface<'a>(
    plan: &cofferdam_net::InterfacePlan,
    ends: &mut impl Iterator<Item = &'a String>,
) -> NetworkInterface {
    let veth = matches!(plan.kind, cofferdam_net::InterfaceKind::Veth { .. });
    NetworkInterface {
        name: plan.name.clone(),
        host_name: veth.then(|| ends.next().cloned()).flatten().unwrap_or_default(),
        addresses: plan.addresses.iter().map(ToString::to_string).collect(),
    }
}

/// Removes what a container had outside; what has gone already is removed. Links of a network namespace that
/// is not the caller's have gone with it, or go with the container's.
pub(crate) fn remove(saved: &SavedNetwork) -> Result<()> {
    saved.service.iter().try_for_each(service::end)?;
    saved.user_mode.iter().try_for_each(|state| user_mode::end(state))?;
    let host = Network::here()?;
    let here = directory(&host)? == saved.directory;
    let mut made = saved.made.clone();
    if !here {
        made.veths.clear();
        made.bridges.clear();
        made.filter.clear();
    }
    Ok(Site::new(host, &saved.directory).remove(&made)?)
}

/// Removes what a container had outside whose state cannot be read.
pub(crate) fn salvage(plan: &NetworkPlan, state: &Path) -> Result<()> {
    Ok(here()?.0.remove(&Site::suppose(plan, &holder(state)))?)
}

/// Who has a container's leases.
fn holder(state: &Path) -> String {
    std::path::absolute(state).unwrap_or_else(|_| state.to_owned()).to_string_lossy().into_owned()
}

/// The network of the calling thread, with the record of what containers share in it: for crates above this one
/// whose callers have a process, and no container of the library's.
///
/// # Errors
/// When there is no netlink socket to be had.
///
/// ```
/// let site = cofferdam::launch::network_site()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn site() -> Result<Site> {
    here().map(|(site, _)| site)
}

fn here() -> Result<(Site, PathBuf)> {
    let host = Network::here()?;
    let directory = directory(&host)?;
    Ok((Site::new(host, &directory), directory))
}

fn directory(host: &Network) -> Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let number = host.cookie().or_else(|error| {
        // Before Linux 5.14: numbers that are used again, but not while the namespace is there.
        let meta = std::fs::metadata("/proc/thread-self/ns/net").map(|meta| meta.ino());
        meta.map_err(|_| error)
    });
    let store = Store::default();
    // In /tmp somebody else may have made it first.
    store.check_anybodys()?;
    Ok(store.root().join(DIRECTORY).join(number?.to_string()))
}
