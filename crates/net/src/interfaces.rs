//! Which interfaces a network namespace has, with their addresses, asked over a socket that was opened there.
//!
//! Called by crates that enter namespaces. Only asks.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::Error;
use crate::message::{Link, Message};
use crate::socket::{Netlink, Refusal};

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
        let link = Link::parse(message)?;
        let of_link = addresses.iter().filter(|a| a.index() == Some(link.index));
        Some(Interface {
            index: link.index,
            name: String::from_utf8_lossy(&link.name).into_owned(),
            up: message.link_flags()? & 1 != 0,
            addresses: of_link.filter_map(Message::address).collect(),
        })
    };
    Ok(links.iter().filter_map(interface).collect())
}
