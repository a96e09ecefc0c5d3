//! A container's packet filter: what goes out, what is published, what it may reach.
//!
//! Called by the library once a container has its addresses, and at its end. Everything of one container is
//! in one table of nf_tables, which is put there and removed as a whole, in one transaction.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use cofferdam_sys::Errno;
use netlink_sys::protocols::NETLINK_NETFILTER;

use crate::nft::{Request, Table, batch};
use crate::socket::{Netlink, Refusal};
use crate::{Allow, Error, Outward, allow_list, outward};

/// The packet filter of a network namespace, through a socket of netlink's netfilter family.
///
/// ```no_run
/// use cofferdam_net::{Allow, Firewall, Outward};
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// let only = [Allow { to: "192.0.2.7".parse()?, ports: vec![] }];
/// Firewall::at(&namespace)?.allow_only(&only)?;
/// let mut host = Firewall::here()?;
/// host.open("web", &Outward { masquerade: vec!["10.0.0.2/24".parse()?], publish: vec![] })?;
/// host.close("web")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Firewall {
    socket: Netlink,
}

impl Firewall {
    /// That of the calling thread's namespace.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` when the kernel has no netfilter, `EMFILE`.
    pub fn here() -> Result<Self, Error> {
        let socket = Netlink::open_protocol(NETLINK_NETFILTER);
        Ok(Self {
            socket: socket.map_err(|refusal| failed("opening a netlink socket", "here", "", refusal))?,
        })
    }

    /// That of a namespace's file; a thread of this crate's own goes there for the moment that it takes to
    /// open the socket.
    ///
    /// # Errors
    /// As [`Self::here`], and `EPERM` without `CAP_SYS_ADMIN` over the namespace, `EINVAL` when the file
    /// is none.
    pub fn at(namespace: &File) -> Result<Self, Error> {
        use std::os::fd::AsFd;
        let socket = Netlink::open_protocol_in(namespace.as_fd(), NETLINK_NETFILTER);
        let said = |refusal| failed("opening a netlink socket", "in the container's namespace", "", refusal);
        Ok(Self { socket: socket.map_err(said)? })
    }

    /// That in which somebody else opened this socket ([`Self::into_socket`]).
    #[must_use]
    pub fn of(socket: OwnedFd) -> Self {
        Self { socket: Netlink::of(socket) }
    }

    /// The socket, for another process's [`Self::of`].
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn into_socket(self) -> Result<OwnedFd, Error> {
        self.socket
            .into_fd()
            .map_err(|refusal| failed("handing on a netlink socket", "of a filter", "", refusal))
    }

    /// Lets a container out and publishes its ports; this namespace is the host's. What was there for `id`
    /// is replaced. The host has to forward packets (`net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`),
    /// and other tables may still refuse them. A published port answers other hosts, other containers and
    /// the host at its own addresses; at 127.0.0.1 where the container's bridge takes packets from there
    /// ([`crate::Network::let_loopback_out`]), and at ::1 never: no kernel lets that out. For the container
    /// itself to be answered at the host's addresses, its port needs hairpin where `br_netfilter` is loaded.
    ///
    /// # Errors
    /// `EINVAL` for addresses of two protocols in one, and for a range without or with too many ports;
    /// `EOPNOTSUPP` or `ENOENT` when the kernel lacks a part of nf_tables, `EPERM` without `CAP_NET_ADMIN`.
    pub fn open(&mut self, id: &str, outward: &Outward) -> Result<(), Error> {
        let table = table(id);
        let rules = outward::requests(&table, outward).map_err(|said| refused(id, said))?;
        let requests = [table.anew(), rules].concat();
        self.transaction("setting up outward traffic of", id, requests)
    }

    /// Removes what [`Self::open`] made; having made nothing is no failure.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn close(&mut self, id: &str) -> Result<(), Error> {
        match self.transaction("removing the packet filter of", id, vec![table(id).delete()]) {
            Err(error) if error.errno == Errno::ENOENT.0 => Ok(()),
            other => other,
        }
    }

    /// Whether [`Self::open`] was called here for somebody else, and [`Self::close`] was not.
    pub(crate) fn is_another_open(&mut self, id: &str) -> Result<bool, Error> {
        let mine = table(id);
        let all = self
            .socket
            .list(&Table::all())
            .map_err(|refusal| failed("listing tables of", id, "", refusal))?;
        let names = all.iter().filter_map(Table::named);
        Ok(names.into_iter().any(|name| name.starts_with(OUT) && name != mine.name()))
    }

    /// Lets the processes of this namespace, a container's, reach what is allowed and nothing else; the
    /// rest is refused at once (TCP with a reset, all other with ICMP's "administratively prohibited").
    /// Loopback and answers on connections from outside stay, and so does IPv6's discovery of neighbours.
    /// A list that was there is replaced. It ends with the namespace.
    ///
    /// It binds processes without `CAP_NET_ADMIN` and `CAP_NET_RAW` over the namespace: with the first they
    /// can remove it, with the second send packets that pass it by. [`Self::confine`] binds these too.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn allow_only(&mut self, allowed: &[Allow]) -> Result<(), Error> {
        self.transaction("setting up the allow-list", "of outward connections", allow_list::inside(allowed))
    }

    /// As [`Self::allow_only`], from outside, where nothing that the container may do reaches: this
    /// namespace is the host's, `ports` are the outer ends of all interfaces that the container has, each with
    /// all of its addresses. What comes in there from another address is dropped. Services of the host's itself
    /// are refused as well, unless they are allowed.
    ///
    /// To neighbours on its bridge it speaks where the list has their addresses; answers to them are refused
    /// with all the rest, since bridges know no connections.
    ///
    /// # Errors
    /// As [`Self::open`], and `ENOENT` when there is no such device; newer kernels (6.18 does) wait for one of
    /// that name instead.
    pub fn confine(
        &mut self,
        id: &str,
        ports: &[(&str, Vec<IpAddr>)],
        allowed: &[Allow],
    ) -> Result<(), Error> {
        self.transaction("confining", id, allow_list::outside(id, ports, allowed))
    }

    /// Removes what [`Self::confine`] made; having made nothing is no failure.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn release(&mut self, id: &str) -> Result<(), Error> {
        // Added first, so that none is missing.
        let tables = allow_list::outside_tables(id);
        let requests = tables.iter().flat_map(|table| [table.add(), table.delete()]).collect();
        match self.transaction("removing the confinement of", id, requests) {
            // A kernel without one of the families has none of it.
            Err(error) if [Errno::EOPNOTSUPP.0, Errno::EAFNOSUPPORT.0].contains(&error.errno) => Ok(()),
            other => other,
        }
    }

    /// Adds what the names of a list were found to mean: `names` are their numbers in it. `id` is that of
    /// [`Self::confine`], none that of [`Self::allow_only`].
    pub(crate) fn mean(
        &mut self,
        id: Option<&str>,
        names: &[usize],
        found: &[IpAddr],
        time: Duration,
    ) -> Result<(), Error> {
        let table = match id {
            Some(id) => allow_list::outside_tables(id).into_iter().next(),
            None => Some(allow_list::inside_table()),
        };
        let requests =
            table.map(|table| allow_list::meanings(&table, names, found, time)).unwrap_or_default();
        self.transaction("letting through what was found for", id.unwrap_or("the container"), requests)
    }

    fn transaction(&mut self, step: &'static str, id: &str, requests: Vec<Request>) -> Result<(), Error> {
        self.socket.transaction(batch(), requests).map_err(|(at, refusal)| {
            failed(step, id, &format!("part {at} of the transaction"), refusal)
                .hint_for(Errno::EPERM, "it takes CAP_NET_ADMIN over the network namespace")
                .hint_for(
                    Errno::EOPNOTSUPP,
                    "the kernel lacks this part of nf_tables, or its module is not loaded",
                )
                .hint_for(Errno::EMSGSIZE, "too many rules for one transaction; use prefixes and ranges")
        })
    }
}

/// What the names of tables for outward traffic begin with.
const OUT: &str = "cofferdam-out-";

fn table(id: &str) -> Table {
    Table::inet(format!("{OUT}{id}"))
}

fn refused(id: &str, said: &str) -> Error {
    let refusal = Refusal { errno: Errno::EINVAL.0, said: Some(said.to_owned()) };
    failed("publishing ports of", id, "judging them", refusal)
}

fn failed(step: &'static str, object: &str, part: &str, refusal: Refusal) -> Error {
    Error::of(step, object, if part.is_empty() { "asking the kernel" } else { part }, refusal)
}
