//! One network namespace: its links, addresses and routes.
//!
//! Called by the plan's executor and by crates that enter namespaces. Each method is one request, or
//! several in one datagram.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use cofferdam_sys::Errno;
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};

use crate::Error;
use crate::link::{self, BridgePort, LinkKind, LinkSettings};
use crate::message::{Message, RTM_NEWLINK};
use crate::route::{self, AddressSettings, RouteEntry};
use crate::socket::{Netlink, Refusal};
use crate::state::{self, LinkState};

const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// A network namespace, through a socket of rtnetlink(7) that was opened in it. It may be used from any
/// thread and keeps the namespace alive.
///
/// ```no_run
/// use cofferdam_net::{AddressSettings, LinkKind, LinkSettings, Network, Peer};
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// let (mut host, mut inside) = (Network::here()?, Network::at(&namespace)?);
/// let bridge = host.ensure_bridge("br0", &LinkSettings { up: true, ..Default::default() })?.0;
/// let peer = Peer { name: "eth0".into(), settings: LinkSettings::default() };
/// let settings = LinkSettings { master: Some(bridge), up: true, ..Default::default() };
/// use std::os::fd::AsFd;
/// host.make_link("veth1234", &LinkKind::Veth(peer), &settings, Some(namespace.as_fd()))?;
/// let eth0 = inside.set_up("eth0")?;
/// inside.configure(eth0, &["10.0.0.2/24".parse()?], AddressSettings::default(), &[])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Network {
    socket: Netlink,
}

impl Network {
    /// That of the calling thread.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn here() -> Result<Self, Error> {
        let socket = Netlink::open().map_err(|r| failed("opening a netlink socket", "here", "", r))?;
        Ok(Self { socket })
    }

    /// That of a namespace's file; a thread of this crate's own goes there for the moment that it takes to
    /// open the socket.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN` over it and in the caller's own user namespace, `EINVAL` when the
    /// file is no network namespace.
    pub fn at(namespace: &File) -> Result<Self, Error> {
        let said = |refusal| {
            failed("opening a netlink socket", "in the container's namespace", "joining it", refusal)
                .hint_for(Errno::EINVAL, "the file given is no network namespace")
                .hint_for(
                    Errno::EPERM,
                    "it takes CAP_SYS_ADMIN over it and in the caller's own user namespace",
                )
        };
        Ok(Self { socket: Netlink::open_in(namespace).map_err(said)? })
    }

    /// That in which somebody else opened this socket of rtnetlink(7).
    #[must_use]
    pub fn of(socket: OwnedFd) -> Self {
        Self { socket: Netlink::of(socket) }
    }

    /// A number of the namespace that no other one has until the next boot (Linux 5.14).
    ///
    /// # Errors
    /// `ENOPROTOOPT` when the kernel has no such numbers.
    pub fn cookie(&self) -> Result<u64, Error> {
        let asking = |errno: Errno| Error::asking("its number", errno.into());
        cofferdam_sys::socket::netns_cookie(self.socket.raw()).map_err(asking)
    }

    /// All links.
    ///
    /// # Errors
    /// As the kernel answers.
    pub fn links(&mut self) -> Result<Vec<LinkState>, Error> {
        let answers = self.socket.list(&Message::get_links()).map_err(asking("its links"))?;
        Ok(answers.iter().filter_map(state::parse).collect())
    }

    /// The link of a name, if there is one.
    ///
    /// # Errors
    /// As the kernel answers.
    pub fn link(&mut self, name: &str) -> Result<Option<LinkState>, Error> {
        match self.socket.ask(Message::get_link(name), 0) {
            Ok(answers) => Ok(answers.iter().find_map(state::parse)),
            Err(refusal) if refusal.errno == Errno::ENODEV.0 => Ok(None),
            Err(refusal) => Err(failed("asking for link", name, "", refusal)),
        }
    }

    /// The addresses of a link.
    ///
    /// # Errors
    /// As the kernel answers.
    pub fn addresses(&mut self, link: u32) -> Result<Vec<IpNet>, Error> {
        let answers = self.socket.list(&Message::get_addresses()).map_err(asking("its addresses"))?;
        let of_link = answers.iter().filter(|message| message.index() == Some(link));
        Ok(of_link.filter_map(Message::address).filter_map(|(ip, bits)| IpNet::new(ip, bits).ok()).collect())
    }

    /// The unicast routes of the main table, those included that the kernel made.
    ///
    /// # Errors
    /// As the kernel answers.
    pub fn routes(&mut self) -> Result<Vec<RouteEntry>, Error> {
        let answers = self.socket.list(&route::get_routes()).map_err(asking("its routes"))?;
        Ok(answers.iter().filter_map(route::parse_route).collect())
    }

    /// Makes a link with all of its settings in one request. A veth's peer, a macvlan and an ipvlan are
    /// made in `target`, or here without.
    ///
    /// # Errors
    /// `EEXIST` when a name is taken, `EOPNOTSUPP` when the kernel has no such kind of link, `EINVAL` when
    /// the parent is none or the bridge refuses the port, `EPERM` without `CAP_NET_ADMIN` over both.
    pub fn make_link(
        &mut self,
        name: &str,
        kind: &LinkKind,
        settings: &LinkSettings,
        target: Option<BorrowedFd<'_>>,
    ) -> Result<(), Error> {
        let step = match kind {
            LinkKind::Bridge => "making bridge",
            LinkKind::Veth(_) => "making veth pair",
            LinkKind::Macvlan { .. } => "making macvlan",
            LinkKind::Ipvlan { .. } => "making ipvlan",
        };
        let message = link::make(name, kind, settings, target.map(number).transpose()?);
        self.socket.ask(message, NEW).map(drop).map_err(|refusal| {
            failed(step, name, "", refusal)
                .hint_for(
                    Errno::EEXIST,
                    "a link of that name, or of its peer's, is there; choose another one",
                )
                .hint_for(
                    Errno::EOPNOTSUPP,
                    "the kernel has no links of this kind, or its module is not loaded",
                )
                .hint_for(Errno::EPERM, "making links takes CAP_NET_ADMIN over both network namespaces")
                .hint_for(Errno::EBUSY, "the parent is a port of a bridge, or has links of another kind")
        })
    }

    /// The bridge of this name, made when it is not there, and whether it was. Several callers at once
    /// get the same one. A bridge that is there is only set up, when that is asked for.
    ///
    /// # Errors
    /// `EEXIST` when the name is that of a link which is no bridge; otherwise as [`Self::make_link`].
    pub fn ensure_bridge(&mut self, name: &str, settings: &LinkSettings) -> Result<(u32, bool), Error> {
        let made = match self.link(name)? {
            Some(_) => false,
            None => match self.make_link(name, &LinkKind::Bridge, settings, None) {
                Ok(()) => true,
                Err(error) if error.errno == Errno::EEXIST.0 => false,
                Err(error) => return Err(error),
            },
        };
        let is = |errno: Errno| failed("making bridge", name, "finding it", errno.into());
        let found = self.link(name)?.ok_or_else(|| is(Errno::ENODEV))?;
        if found.kind.as_deref() != Some("bridge") {
            return Err(is(Errno::EEXIST).hint_for(Errno::EEXIST, "a link of that name is no bridge"));
        }
        if settings.up && !found.up {
            self.change_link(found.index, &LinkSettings { up: true, ..LinkSettings::default() })?;
        }
        Ok((found.index, made))
    }

    /// Gives a link settings.
    ///
    /// # Errors
    /// `ENODEV`, `EINVAL` for an MTU that the link cannot have, `EPERM`.
    pub fn change_link(&mut self, link: u32, settings: &LinkSettings) -> Result<(), Error> {
        self.tell("changing link", link, link::change(link, settings), 0)
    }

    /// Gives a link another name.
    ///
    /// # Errors
    /// `EEXIST` when it is taken, `EINVAL` when it is none, `EBUSY` when the link is up (before Linux 6.2).
    pub fn rename(&mut self, link: u32, name: &str) -> Result<(), Error> {
        self.tell("renaming link", link, link::rename(link, name), 0)
    }

    /// Moves a link into another namespace, under a name; addresses and routes are lost. To keep what a
    /// device has, see [`crate::move_device`].
    ///
    /// # Errors
    /// `EEXIST` when the name is taken there, `EINVAL` for a link that cannot move, `EPERM`.
    pub fn send_away(&mut self, link: u32, name: &str, target: BorrowedFd<'_>) -> Result<(), Error> {
        self.tell("moving link", link, link::send_away(link, name, number(target)?), 0)
    }

    /// Says what a bridge does with the frames of a port of its.
    ///
    /// # Errors
    /// `EINVAL` when the link is no port of a bridge, `ENODEV`.
    pub fn set_port(&mut self, name: &str, port: BridgePort) -> Result<(), Error> {
        let answer = self.socket.ask(link::port(name, port), 0);
        answer.map(drop).map_err(|refusal| failed("setting up bridge port", name, "", refusal))
    }

    /// Says whether packets may leave from 127.0.0.0/8 over a link and come to it (`route_localnet`). Whoever
    /// turns it on has to keep others on that link from reaching loopback; [`crate::Firewall::open`] does.
    ///
    /// # Errors
    /// `ENODEV`, `EPERM`.
    pub fn let_loopback_out(&mut self, link: u32, on: bool) -> Result<(), Error> {
        self.tell("letting loopback out over link", link, link::loopback_out(link, on), 0)
    }

    /// Deletes a link; a veth's peer goes with it. One that has gone already is deleted.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for hardware and loopback, `EPERM`.
    pub fn delete_link(&mut self, link: u32) -> Result<(), Error> {
        match self.tell("deleting link", link, link::delete(link), 0) {
            Err(error) if error.errno == Errno::ENODEV.0 => Ok(()),
            other => other,
        }
    }

    /// Sets the link of a name up and gives its index.
    ///
    /// # Errors
    /// `ENODEV`, `EPERM`.
    pub fn set_up(&mut self, name: &str) -> Result<u32, Error> {
        let up = Message::link(
            RTM_NEWLINK,
            0,
            crate::message::IFF_UP,
            vec![crate::message::text(crate::message::IFLA_IFNAME, name)],
        );
        let answers = self
            .socket
            .batch(&[(up, 0), (Message::get_link(name), 0)])
            .map_err(|(_, refusal)| failed("setting up link", name, "", refusal))?;
        let found = answers.iter().flatten().find_map(state::parse);
        found
            .map(|link| link.index)
            .ok_or_else(|| failed("setting up link", name, "finding it", Errno::ENODEV.into()))
    }

    /// Gives a link addresses and then the namespace routes, all in one datagram. An address that the link
    /// has already is kept. A route without a link goes over this one, if it has no gateway either.
    ///
    /// # Errors
    /// `EEXIST` for a route that is there, `ENETUNREACH` for a gateway that no address reaches, `EINVAL` for
    /// a source that is no address of the namespace, `ENODEV`.
    pub fn configure(
        &mut self,
        link: u32,
        addresses: &[IpNet],
        settings: AddressSettings,
        routes: &[RouteEntry],
    ) -> Result<(), Error> {
        let mut requests = Vec::new();
        for address in addresses {
            requests.push((route::add_address(link, *address, settings), NLM_F_CREATE | NLM_F_REPLACE));
        }
        for entry in routes {
            let over = entry.link.or_else(|| entry.gateway.is_none().then_some(link));
            requests.push((route::add_route(&RouteEntry { link: over, ..entry.clone() }), NEW));
        }
        self.socket.batch(&requests).map(drop).map_err(|(at, refusal)| {
            let of_address = addresses.get(at).map(|address| ("adding address", address.to_string()));
            let of_route = at.checked_sub(addresses.len()).and_then(|at| routes.get(at));
            let of_route = of_route.map(|route| ("adding route", route.text()));
            let (step, what) = of_address.or(of_route).unwrap_or(("configuring link", String::new()));
            failed(step, &what, &format!("link {link}"), refusal)
                .hint_for(Errno::ENETUNREACH, "the gateway must be in the network of one of the addresses")
                .hint_for(Errno::ENETDOWN, "the link is down")
        })
    }

    fn tell(&mut self, step: &'static str, link: u32, message: Message, flags: u16) -> Result<(), Error> {
        let answer = self.socket.ask(message, flags);
        answer.map(drop).map_err(|refusal| failed(step, &link.to_string(), "", refusal))
    }
}

fn failed(step: &'static str, object: &str, part: &str, refusal: Refusal) -> Error {
    let part = if part.is_empty() { "asking the kernel" } else { part };
    Error::of(step, object, part, refusal)
}

fn asking(part: &'static str) -> impl Fn(Refusal) -> Error {
    move |refusal| Error::asking(part, refusal)
}

/// A descriptor as netlink has it.
pub(crate) fn number(fd: BorrowedFd<'_>) -> Result<u32, Error> {
    u32::try_from(fd.as_raw_fd())
        .map_err(|_| failed("naming a namespace", "", "its descriptor", Errno::EBADF.into()))
}
