//! Which interfaces a network namespace has, with their addresses, asked over a socket that was opened there.
//!
//! Called by crates that enter namespaces. Only asks.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::message::Message;
use crate::socket::{Netlink, Refusal};
use crate::{Error, Mac, state};

/// A network interface.
///
/// ```
/// let socket = cofferdam_sys::socket::route().unwrap();
/// for cofferdam_net::Interface { name, up, addresses, .. } in cofferdam_net::interfaces(socket.into())? {
///     println!("{name} {up} {addresses:?}");
/// }
/// # Ok::<(), cofferdam_net::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is up (`IFF_UP`).
    pub up: bool,
    /// All its flags (`IFF_*`), see netdevice(7).
    pub flags: u32,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// The hardware address; none where it has none, as loopback.
    pub mac: Option<Mac>,
    /// Its addresses, each with the length of its prefix in bits.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// Lists the interfaces of the namespace that `socket`, one of rtnetlink(7), was opened in.
///
/// # Errors
/// As the kernel answers.
///
/// ```
/// let socket = cofferdam_sys::socket::route().unwrap();
/// let found = cofferdam_net::interfaces(socket.into())?;
/// assert!(found.iter().any(|interface| interface.name == "lo"));
/// # Ok::<(), cofferdam_net::Error>(())
/// ```
pub fn interfaces(socket: OwnedFd) -> Result<Vec<Interface>, Error> {
    let mut route = Netlink::of(socket);
    let failed = |part: &'static str| move |refusal: Refusal| Error::asking(part, refusal);
    let links = route.list(&Message::get_links()).map_err(failed("its interfaces"))?;
    let addresses = route.list(&Message::get_addresses()).map_err(failed("its addresses"))?;
    let interface = |message: &Message| {
        let link = state::parse(message)?;
        let of_link = addresses.iter().filter(|a| a.index() == Some(link.index));
        Some(Interface {
            index: link.index,
            name: link.name,
            up: link.up,
            flags: message.link_flags()?,
            mtu: link.mtu,
            mac: link.mac,
            addresses: of_link.filter_map(Message::address).collect(),
        })
    };
    Ok(links.iter().filter_map(interface).collect())
}
