//! Addresses from a pool: no two containers get the same one.
//!
//! Called by whoever makes containers, before their networks. It owns one file of leases in a directory,
//! replaced as a whole while the directory's lock is held. No state is in memory, so any number of processes
//! may use one directory.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use cofferdam_sys::Errno;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::directory::{self, Directory};
use crate::ports::PortLease;
use crate::socket::Refusal;

const FORMAT: u32 = 1;
const FILE: &str = "leases.json";
const NEW: &str = "leases.new";

/// An address that somebody has.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("cofferdam-lease-{}", std::process::id()));
/// let pool = cofferdam_net::Pool::open(&directory, "10.88.0.0/24".parse().unwrap())?;
/// pool.lease("web", |_| true)?;
/// let lease: cofferdam_net::Lease = pool.leases()?.remove(0);
/// assert_eq!((lease.id.as_str(), lease.address.to_string().as_str()), ("web", "10.88.0.1"));
/// # std::fs::remove_dir_all(directory).unwrap();
/// # Ok::<(), cofferdam_net::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// Who has it: a container's id, or what the caller tells its interfaces apart by.
    pub id: String,
    /// From which subnet; an address that was not leased out of one is a subnet of its own.
    pub subnet: IpNet,
    /// The address.
    pub address: IpAddr,
    /// The bridge or device on which it is: the same address on another one is another address.
    #[serde(default)]
    pub on: String,
}

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
struct Leases {
    format: u32,
    leases: Vec<Lease>,
    /// The latest of each subnet; the next ones come after it, so that an address rests before it is
    /// given again.
    latest: Vec<(IpNet, IpAddr)>,
    /// The host's ports that are published.
    #[serde(default)]
    ports: Vec<PortLease>,
}

/// A subnet whose addresses are leased. Pools whose subnets overlap share a directory and never give the
/// same address either.
///
/// ```
/// # let directory = std::env::temp_dir().join(format!("cofferdam-pool-{}", std::process::id()));
/// let pool = cofferdam_net::Pool::open(&directory, "10.88.0.0/24".parse().unwrap())?
///     .reserve("10.88.0.1".parse().unwrap()); // the bridge's
/// assert_eq!(pool.lease("web", |_| true)?.to_string(), "10.88.0.2/24");
/// assert_eq!(pool.lease("db", |_| true)?.to_string(), "10.88.0.3/24");
/// assert_eq!(pool.lease("web", |_| true)?.to_string(), "10.88.0.2/24", "it has one already");
/// pool.release("web")?;
/// # std::fs::remove_dir_all(directory).unwrap();
/// # Ok::<(), cofferdam_net::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    directory: Directory,
    subnet: IpNet,
    reserved: Vec<IpAddr>,
}

impl Pool {
    /// The addresses of a subnet, but its own and its broadcast address; leases are kept in the directory,
    /// which is made when it is not there. It should be lost at a reboot (`/run`), as the containers are.
    ///
    /// # Errors
    /// As making the directory.
    pub fn open(directory: &Path, subnet: IpNet) -> Result<Self, Error> {
        let pool = Self::of(Directory::new(directory), subnet);
        pool.directory.lock()?;
        Ok(pool)
    }

    pub(crate) fn of(directory: Directory, subnet: IpNet) -> Self {
        Self { directory, subnet: subnet.trunc(), reserved: Vec::new() }
    }

    /// Never gives this address.
    #[must_use]
    pub fn reserve(mut self, address: IpAddr) -> Self {
        self.reserved.push(address);
        self
    }

    /// An address for `id`, with the subnet's prefix; the one that it has from this subnet, if it has one.
    /// Only when none is free, `alive` is asked of each lease's id, and the dead ones' are taken back. It is
    /// asked while the lock is held, so it may not use the pool.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when all addresses are leased to the living; as reading and writing the directory.
    pub fn lease(&self, id: &str, alive: impl FnMut(&str) -> bool) -> Result<IpNet, Error> {
        self.lease_on("", id, alive)
    }

    /// The same on this bridge or device.
    pub(crate) fn lease_on(
        &self,
        on: &str,
        id: &str,
        mut alive: impl FnMut(&str) -> bool,
    ) -> Result<IpNet, Error> {
        self.change(|kept| {
            let mine = |lease: &&Lease| lease.id == id && lease.subnet == self.subnet;
            if let Some(lease) = kept.leases.iter().find(mine) {
                return Ok(lease.address);
            }
            let address = self.free(kept).or_else(|| {
                kept.leases.retain(|lease| alive(&lease.id));
                self.free(kept)
            });
            let address = address.ok_or_else(|| self.exhausted(kept.leases.len()))?;
            kept.leases.push(Lease { id: id.to_owned(), subnet: self.subnet, address, on: on.to_owned() });
            kept.latest.retain(|(subnet, _)| *subnet != self.subnet);
            kept.latest.push((self.subnet, address));
            Ok(address)
        })
        .and_then(|address| IpNet::new(address, self.subnet.prefix_len()).map_err(|_| self.exhausted(0)))
    }

    /// Notes an address that `id` has on a bridge or device without having leased it, so that no pool gives it.
    ///
    /// # Errors
    /// `EADDRINUSE` when somebody else who lives has it there; as reading and writing the directory.
    pub(crate) fn take(
        directory: &Directory,
        on: &str,
        id: &str,
        address: IpAddr,
        mut alive: impl FnMut(&str) -> bool,
    ) -> Result<(), Error> {
        let pool = Self::of(directory.clone(), address.into());
        pool.change(|kept| {
            let same = |lease: &Lease| lease.address == address && lease.on == on && lease.id != id;
            if let Some(lease) = kept.leases.iter().find(|lease| same(lease) && alive(&lease.id)) {
                let part = format!("{} has it", lease.id);
                let error = Error::of("keeping address", address.to_string(), part, Errno::EADDRINUSE.into());
                let hint = "two containers on one bridge cannot have the same address; delete the other one";
                return Err(error.hint_for(Errno::EADDRINUSE, hint));
            }
            let mine = |lease: &Lease| lease.id == id && lease.address == address;
            kept.leases.retain(|lease| !same(lease) && !mine(lease));
            kept.leases.push(Lease { id: id.to_owned(), subnet: pool.subnet, address, on: on.to_owned() });
            Ok(())
        })
    }

    /// Gives back all addresses of `id`, of all subnets. Having none is no failure.
    ///
    /// # Errors
    /// As reading and writing the directory.
    pub fn release(&self, id: &str) -> Result<(), Error> {
        self.change(|kept| {
            kept.leases.retain(|lease| lease.id != id);
            Ok(())
        })
    }

    /// Takes back the addresses of all whom `alive` does not know, of all subnets, and says whose.
    ///
    /// # Errors
    /// As reading and writing the directory.
    pub fn recover(&self, mut alive: impl FnMut(&str) -> bool) -> Result<Vec<Lease>, Error> {
        self.change(|kept| {
            let (left, dead) =
                std::mem::take(&mut kept.leases).into_iter().partition(|lease| alive(&lease.id));
            kept.leases = left;
            Ok(dead)
        })
    }

    /// All leases of the directory.
    ///
    /// # Errors
    /// As reading the directory.
    pub fn leases(&self) -> Result<Vec<Lease>, Error> {
        let _lock = self.directory.lock()?;
        Ok(self.read()?.leases)
    }

    /// Changes what is kept of published ports.
    pub(crate) fn change_ports(
        directory: &Directory,
        change: impl FnOnce(&mut Vec<PortLease>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Self::of(directory.clone(), IpNet::default()).change(|kept| change(&mut kept.ports))
    }

    /// Gives back all whose id is meant. When nobody has one any more the file goes, and what it says of
    /// which address was the latest.
    pub(crate) fn release_if(
        directory: &Directory,
        mut meant: impl FnMut(&str) -> bool,
    ) -> Result<(), Error> {
        let pool = Self::of(directory.clone(), IpNet::default());
        let _lock = directory.lock()?;
        let mut kept = pool.read()?;
        kept.leases.retain(|lease| !meant(&lease.id));
        kept.ports.retain(|lease| !meant(&lease.id));
        if !kept.leases.is_empty() || !kept.ports.is_empty() {
            return pool.write(&kept);
        }
        // Who was killed while writing has left the new one.
        directory::remove(&directory.file(NEW)).and_then(|()| directory::remove(&directory.file(FILE)))
    }

    /// The next address after the latest one that nobody has.
    fn free(&self, kept: &Leases) -> Option<IpAddr> {
        let (first, last) = bounds(self.subnet)?;
        let latest = kept.latest.iter().find(|(subnet, _)| *subnet == self.subnet);
        let from = latest.map_or(first, |(_, address)| to_number(*address).saturating_add(1));
        let from = if (first..=last).contains(&from) { from } else { first };
        let taken = |address: &IpAddr| {
            self.reserved.contains(address) || kept.leases.iter().any(|lease| lease.address == *address)
        };
        let is_v4 = self.subnet.addr().is_ipv4();
        (from..=last).chain(first..from).filter_map(|n| to_address(n, is_v4)).find(|address| !taken(address))
    }

    fn exhausted(&self, leases: usize) -> Error {
        let object = self.subnet.to_string();
        let part = format!("{leases} leases");
        Error::of("leasing an address of", object, part, Errno::EADDRNOTAVAIL.into()).hint_for(
            Errno::EADDRNOTAVAIL,
            "every address is leased to a container that lives; use a larger subnet",
        )
    }

    fn read(&self) -> Result<Leases, Error> {
        let path = self.directory.file(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Leases::default()),
            other => other.map_err(|error| failed(&path, "reading", &error))?,
        };
        let bad = |said: String| {
            Error::of(
                "keeping leases in",
                path.display().to_string(),
                "reading",
                Refusal { errno: Errno::EBADMSG.0, said: Some(said) },
            )
        };
        let kept: Leases = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if kept.format != FORMAT {
            return Err(bad(format!("format {} is not {FORMAT}", kept.format)));
        }
        Ok(kept)
    }

    /// Reads, changes and replaces the file under the lock; a failed change leaves it as it was.
    fn change<T>(&self, change: impl FnOnce(&mut Leases) -> Result<T, Error>) -> Result<T, Error> {
        let _lock = self.directory.lock()?;
        let mut kept = self.read()?;
        let result = change(&mut kept)?;
        kept.format = FORMAT;
        self.write(&kept)?;
        Ok(result)
    }

    fn write(&self, kept: &Leases) -> Result<(), Error> {
        let (path, new) = (self.directory.file(FILE), self.directory.file(NEW));
        let write = || {
            let text = serde_json::to_vec(kept)?;
            std::fs::write(&new, text)?;
            std::fs::rename(&new, &path)
        };
        write().map_err(|error| failed(&path, "writing", &error))
    }
}

fn failed(path: &Path, part: &str, error: &io::Error) -> Error {
    let refusal = Refusal {
        errno: error.raw_os_error().unwrap_or(Errno::EIO.0),
        said: error.raw_os_error().is_none().then(|| error.to_string()),
    };
    Error::of("keeping leases in", path.display().to_string(), part, refusal)
}

/// The first address of a subnet that an interface can have, when another one is left.
pub(crate) fn first(subnet: IpNet) -> Option<IpNet> {
    let (first, last) = bounds(subnet)?;
    let address = to_address(first, subnet.addr().is_ipv4()).filter(|_| first < last)?;
    IpNet::new(address, subnet.prefix_len()).ok()
}

/// The first and the last address that an interface can have.
fn bounds(subnet: IpNet) -> Option<(u128, u128)> {
    let (first, last) = (to_number(subnet.network()), to_number(subnet.broadcast()));
    let host_bits = subnet.max_prefix_len().checked_sub(subnet.prefix_len())?;
    match (subnet, host_bits) {
        // Two addresses are a link of two ends, one is a single one: RFC 3021, RFC 6164.
        (_, 0 | 1) => Some((first, last)),
        (IpNet::V4(_), _) => Some((first.checked_add(1)?, last.checked_sub(1)?)),
        // The first address of an IPv6 subnet is that of all its routers: RFC 4291, 2.6.1.
        (IpNet::V6(_), _) => Some((first.checked_add(1)?, last)),
    }
}

fn to_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

fn to_address(number: u128, is_v4: bool) -> Option<IpAddr> {
    if is_v4 {
        u32::try_from(number).ok().map(|n| std::net::Ipv4Addr::from_bits(n).into())
    } else {
        Some(std::net::Ipv6Addr::from_bits(number).into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::PathBuf;

    use super::*;

    /// A directory that goes with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("cofferdam-net-{name}-{}", std::process::id())))
        }

        fn pool(&self, subnet: &str) -> Pool {
            Pool::open(&self.0, subnet.parse().unwrap()).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn lease(pool: &Pool, id: &str) -> String {
        pool.lease(id, |_| true).unwrap().to_string()
    }

    #[test]
    fn a_hundred_at_once_get_a_hundred_addresses() {
        let scratch = Scratch::new("crowd");
        let given: HashSet<IpNet> = std::thread::scope(|scope| {
            let one = |n: usize| scratch.pool("10.88.0.0/24").lease(&n.to_string(), |_| true).unwrap();
            let all: Vec<_> = (0..100).map(|n| scope.spawn(move || one(n))).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(given.len(), 100);
        assert_eq!(scratch.pool("10.88.0.0/24").leases().unwrap().len(), 100);
    }

    #[test]
    fn an_address_rests_before_it_is_given_again() {
        let scratch = Scratch::new("rest");
        let pool = scratch.pool("10.88.0.0/29");
        assert_eq!([lease(&pool, "a"), lease(&pool, "b")], ["10.88.0.1/29", "10.88.0.2/29"]);
        pool.release("a").unwrap();
        let rest: Vec<_> = ["c", "d", "e", "f", "g"].map(|id| lease(&pool, id)).into();
        assert_eq!(rest, [3, 4, 5, 6, 1].map(|n| format!("10.88.0.{n}/29")));
    }

    #[test]
    fn a_full_pool_takes_back_from_the_dead_and_refuses_without_any() {
        let scratch = Scratch::new("full");
        let pool = scratch.pool("10.88.0.0/30").reserve("10.88.0.1".parse().unwrap());
        assert_eq!(lease(&pool, "a"), "10.88.0.2/30");
        let error = pool.lease("b", |_| true).unwrap_err();
        assert_eq!(error.errno, Errno::EADDRNOTAVAIL.0);
        assert!(error.to_string().starts_with("leasing an address of 10.88.0.0/30: 1 leases"), "{error}");
        assert_eq!(pool.leases().unwrap()[0].id, "a", "a refusal changes nothing");
        assert_eq!(pool.lease("b", |id| id != "a").unwrap().to_string(), "10.88.0.2/30");
        assert_eq!(pool.leases().unwrap().len(), 1);
    }

    #[test]
    fn an_address_that_somebody_chose_is_not_given_and_not_chosen_twice_on_one_bridge() {
        let scratch = Scratch::new("chosen");
        let (pool, directory) = (scratch.pool("10.88.0.0/29"), Directory::new(&scratch.0));
        let take = |on: &str, id: &str, alive: bool| {
            Pool::take(&directory, on, id, "10.88.0.1".parse().unwrap(), |_| alive)
        };
        take("br0", "a", true).unwrap();
        take("br0", "a", true).unwrap();
        assert_eq!(lease(&pool, "b"), "10.88.0.2/29");
        let error = take("br0", "c", true).unwrap_err();
        assert_eq!(error.errno, Errno::EADDRINUSE.0);
        assert!(error.to_string().starts_with("keeping address 10.88.0.1: a has it"), "{error}");
        take("br1", "c", true).unwrap();
        take("br0", "d", false).unwrap();
        let ids: Vec<_> = pool.leases().unwrap().into_iter().map(|lease| lease.id).collect();
        assert_eq!(ids, ["b", "c", "d"]);
    }

    #[test]
    fn overlapping_subnets_never_give_the_same_address() {
        let scratch = Scratch::new("overlap");
        let (narrow, wide) = (scratch.pool("10.88.0.0/30"), scratch.pool("10.88.0.0/16"));
        assert_eq!([lease(&narrow, "a"), lease(&wide, "b")], ["10.88.0.1/30", "10.88.0.2/16"]);
    }

    #[test]
    fn the_dead_are_recovered_by_name() {
        let scratch = Scratch::new("recover");
        let pool = scratch.pool("10.88.0.0/24");
        lease(&pool, "a");
        lease(&pool, "b");
        let dead = pool.recover(|id| id == "b").unwrap();
        assert_eq!(dead.iter().map(|lease| lease.id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(lease(&pool, "b"), "10.88.0.2/24", "the living keep theirs");
    }

    #[test]
    fn ipv6_and_pairs_leave_out_what_no_interface_can_have() {
        let scratch = Scratch::new("kinds");
        assert_eq!(lease(&scratch.pool("fd00::/64"), "a"), "fd00::1/64");
        assert_eq!(lease(&scratch.pool("fd00:1::/127"), "a"), "fd00:1::/127");
        assert_eq!(lease(&scratch.pool("192.0.2.4/31"), "a"), "192.0.2.4/31");
        assert_eq!(lease(&scratch.pool("192.0.2.9/32"), "a"), "192.0.2.9/32");
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused_and_left() {
        let scratch = Scratch::new("foreign");
        let pool = scratch.pool("10.88.0.0/24");
        let path = scratch.0.join("leases.json");
        for (text, said) in [("{", "EOF"), (r#"{"format":9,"leases":[],"latest":[]}"#, "format 9 is not 1")] {
            std::fs::create_dir_all(&scratch.0).unwrap();
            std::fs::write(&path, text).unwrap();
            let error = pool.lease("a", |_| true).unwrap_err();
            assert!(error.detail.as_deref().unwrap().contains(said), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
