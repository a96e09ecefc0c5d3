//! The move of one device, step by step.
//!
//! Everything that can be known to fail is asked before the one request that moves, so that a refusal
//! leaves the device where it was: up, and with its addresses.

use std::fs::File;
use std::os::fd::AsRawFd;

use cofferdam_sys::Errno;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use crate::Error;
use crate::message::{Address, Link, Message};
use crate::route::{Refusal, Route};

/// Moves the network device `host_name` from the caller's network namespace into another one, where it
/// is called `name`, keeps its permanent addresses of global scope, and sets it up.
///
/// Move and new name are one request, so a device there that is called `host_name` is not in the way. A
/// `name` with `%d` in it is a template: the kernel puts the first free number in its place. The device
/// keeps what it has but its routes: hardware address, MTU, alias; the specification
/// (`config-linux.md`, Network Devices) asks for no more. The caller needs `CAP_SYS_ADMIN` and
/// `CAP_NET_ADMIN` over both namespaces. No thread of the caller changes namespace.
///
/// # Errors
/// `ENODEV` when there is no such device, `EEXIST` when the name is taken, `EINVAL` for devices that
/// cannot move (loopback; bridges and tunnels of some kernels) and for names that are none, `EPERM`. Up to
/// and with the move itself nothing has changed then. When an address or the state cannot be set after
/// it, the device stays in the other namespace, and goes where its devices go when that ends.
///
/// ```no_run
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// cofferdam_net::move_device("eth1", "wan", &namespace)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn move_device(host_name: &str, name: &str, namespace: &File) -> Result<(), Error> {
    let failed = |part: &str| {
        let part = part.to_owned();
        move |refusal: Refusal| Error::new(host_name, name, part, refusal)
    };
    let mut here = Route::open().map_err(failed("opening a netlink socket"))?;
    let mut there = Route::open_in(namespace).map_err(|refusal| {
        failed("opening a netlink socket in the container's namespace")(refusal)
            .hint_for(Errno::EINVAL, "the file given is no network namespace")
            .hint_for(Errno::EPERM, "moving a device takes CAP_SYS_ADMIN over the container's network")
    })?;

    let device = find(&mut here, host_name).map_err(|refusal| {
        failed("finding it")(refusal).hint_for(
            Errno::ENODEV,
            "no device of that name is in the runtime's network namespace; see /sys/class/net",
        )
    })?;
    let addresses = addresses(&mut here, device).map_err(failed("listing its addresses"))?;
    let before = links(&mut there).map_err(failed("listing the devices of the container"))?;
    let taken = |refusal: Refusal| {
        failed("naming it")(refusal)
            .hint_for(Errno::EEXIST, "the container's network has a device of that name; choose another name")
    };
    if before.iter().any(|link| link.name == name.as_bytes()) {
        return Err(taken(Errno::EEXIST.into()));
    }

    let fd = u32::try_from(namespace.as_raw_fd()).map_err(|_| taken(Errno::EBADF.into()))?;
    here.ask(Message::move_link(device, name, fd), 0).map_err(|refusal| {
        failed("changing its namespace")(refusal)
            .hint_for(Errno::EINVAL, "loopback and some kinds of devices cannot leave their namespace")
            .hint_for(Errno::EPERM, "moving a device takes CAP_NET_ADMIN over both network namespaces")
    })?;

    let after = links(&mut there).map_err(failed("finding it in the container"))?;
    let device = arrived(&before, &after, name)
        .ok_or_else(|| failed("finding it in the container")(Errno::ENODEV.into()))?;
    for address in &addresses {
        there
            .ask(Message::add_address(device, address), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|refusal| failed(&format!("adding address {}", address.text()))(refusal))?;
    }
    there.ask(Message::set_up(device), 0).map_err(failed("setting it up"))?;
    Ok(())
}

fn find(route: &mut Route, name: &str) -> Result<u32, Refusal> {
    let answers = route.ask(Message::get_link(name), 0)?;
    let link = answers.iter().find_map(Link::parse).ok_or(Errno::ENODEV)?;
    Ok(link.index)
}

fn links(route: &mut Route) -> Result<Vec<Link>, Refusal> {
    Ok(route.list(&Message::get_links())?.iter().filter_map(Link::parse).collect())
}

fn addresses(route: &mut Route, link: u32) -> Result<Vec<Address>, Refusal> {
    let answers = route.list(&Message::get_addresses())?;
    Ok(answers.iter().filter_map(|message| Address::parse_movable(message, link)).collect())
}

/// The index that the device has in its new place: another one than before when that was in use there.
fn arrived(before: &[Link], after: &[Link], name: &str) -> Option<u32> {
    let is_new = |link: &Link| before.iter().all(|other| other.index != link.index);
    let is_it = |link: &&Link| if name.contains('%') { is_new(link) } else { link.name == name.as_bytes() };
    after.iter().find(is_it).map(|link| link.index)
}
