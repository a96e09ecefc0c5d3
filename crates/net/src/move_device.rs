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
use crate::socket::{Netlink, Refusal};

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
    let this = Move { host_name, name };
    let mut here = Netlink::open().map_err(this.failed("opening a netlink socket"))?;
    let mut there = Netlink::open_in(namespace).map_err(|refusal| {
        this.failed("opening a netlink socket in the container's namespace")(refusal)
            .hint_for(Errno::EINVAL, "the file given is no network namespace")
            .hint_for(
                Errno::EPERM,
                "joining it takes CAP_SYS_ADMIN over it and in the caller's own user namespace",
            )
    })?;

    let device = find(&mut here, host_name).map_err(|refusal| {
        let hint = "no device of that name is in the runtime's network namespace; see /sys/class/net";
        this.failed("finding it")(refusal).hint_for(Errno::ENODEV, hint)
    })?;
    let addresses = addresses(&mut here, device).map_err(this.failed("listing its addresses"))?;
    let before = links(&mut there).map_err(this.failed("listing the devices of the container"))?;
    let fd = this.may_be_named(&before, namespace)?;

    here.ask(Message::move_link(device, name, fd), 0).map_err(|refusal| {
        this.failed("changing its namespace")(refusal)
            .hint_for(Errno::EINVAL, "loopback and some kinds of devices cannot leave their namespace")
            .hint_for(Errno::EPERM, "moving a device takes CAP_NET_ADMIN over both network namespaces")
    })?;

    let after = links(&mut there).map_err(this.failed("finding it in the container"))?;
    let device = arrived(&before, &after, name)
        .ok_or_else(|| this.failed("finding it in the container")(Errno::ENODEV.into()))?;
    for address in &addresses {
        there
            .ask(Message::add_address(device, address), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|refusal| this.failed(&format!("adding address {}", address.text()))(refusal))?;
    }
    there.ask(Message::set_up(device), 0).map_err(this.failed("setting it up"))?;
    Ok(())
}

/// What all steps of a move say when they fail.
struct Move<'a> {
    host_name: &'a str,
    name: &'a str,
}

impl Move<'_> {
    fn failed(&self, part: &str) -> impl FnOnce(Refusal) -> Error {
        let (host_name, name, part) = (self.host_name.to_owned(), self.name.to_owned(), part.to_owned());
        move |refusal| Error::new(&host_name, &name, part, refusal)
    }

    /// Refuses a name that the kernel would refuse only after the device has gone over. Returns the
    /// descriptor as netlink has it.
    fn may_be_named(&self, there: &[Link], namespace: &File) -> Result<u32, Error> {
        let naming = |errno: Errno| self.failed("naming it")(errno.into());
        if !is_name(self.name) {
            let hint = "a name has 1 to 15 bytes, no space, '/' or ':', and of '%' only one '%d'";
            return Err(naming(Errno::EINVAL).hint_for(Errno::EINVAL, hint));
        }
        if there.iter().any(|link| link.name == self.name.as_bytes()) {
            let hint =
                "the container's network has a device of that name; choose another name, or one with %d";
            return Err(naming(Errno::EEXIST).hint_for(Errno::EEXIST, hint));
        }
        u32::try_from(namespace.as_raw_fd()).map_err(|_| naming(Errno::EBADF))
    }
}

/// A name or a template, as `dev_valid_name` and `dev_alloc_name` of the kernel want it.
pub(crate) fn is_name(name: &str) -> bool {
    let bad = |b: u8| matches!(b, b'/' | b':' | 0 | 0x0b) || b.is_ascii_whitespace();
    (1..16).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.bytes().any(bad)
        && name.matches('%').count() == name.matches("%d").count()
        && name.matches('%').count() <= 1
}

fn find(route: &mut Netlink, name: &str) -> Result<u32, Refusal> {
    let answers = route.ask(Message::get_link(name), 0)?;
    let link = answers.iter().find_map(Link::parse).ok_or(Errno::ENODEV)?;
    Ok(link.index)
}

fn links(route: &mut Netlink) -> Result<Vec<Link>, Refusal> {
    Ok(route.list(&Message::get_links())?.iter().filter_map(Link::parse).collect())
}

fn addresses(route: &mut Netlink, link: u32) -> Result<Vec<Address>, Refusal> {
    let answers = route.list(&Message::get_addresses())?;
    Ok(answers.iter().filter_map(|message| Address::parse_movable(message, link)).collect())
}

/// The index that the device has in its new place: another one than before when that was in use there.
fn arrived(before: &[Link], after: &[Link], name: &str) -> Option<u32> {
    let is_new = |link: &Link| before.iter().all(|other| other.index != link.index);
    let is_it = |link: &&Link| if name.contains('%') { is_new(link) } else { link.name == name.as_bytes() };
    after.iter().find(is_it).map(|link| link.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.into() }
    }

    #[test]
    fn a_name_is_found_again_whatever_its_index_became() {
        let before = [link(1, "lo"), link(2, "a")];
        let after = [link(1, "lo"), link(2, "a"), link(7, "wan")];
        assert_eq!(arrived(&before, &after, "wan"), Some(7));
        assert_eq!(arrived(&before, &after, "gone"), None);
    }

    #[test]
    fn a_template_is_found_by_what_was_not_there_before() {
        let before = [link(1, "lo"), link(2, "eth0")];
        let after = [link(1, "lo"), link(2, "eth0"), link(3, "eth1")];
        assert_eq!(arrived(&before, &after, "eth%d"), Some(3));
        assert_eq!(arrived(&before, &before, "eth%d"), None);
    }

    #[test]
    fn names_and_templates_are_those_that_the_kernel_takes() {
        for good in ["eth0", "eth%d", "123456789012345", "a.100"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "1234567890123456", "a%", "a%s", "%d%d", "a\0"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
