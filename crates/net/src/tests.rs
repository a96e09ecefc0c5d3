//! Devices that really move, between network namespaces that the tests make and that end with them.
//!
//! Each test is a thread in a namespace of its own, so nothing here can reach a device of the host.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;

use cofferdam_sys::Errno;
use cofferdam_sys::clone3::CLONE_NEWNET;
use cofferdam_sys::setns::unshare;
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};

use crate::message::{Link, Message};
use crate::move_device;
use crate::socket::Netlink;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const IFLA_MTU: u16 = 4;
const GLOBAL: u8 = 0;
const LINK: u8 = 253;
const FOREVER: u32 = u32::MAX;

/// Runs in a thread with a new network namespace.
pub(crate) fn in_new_network<T: Send>(run: impl FnOnce() -> T + Send) -> Option<T> {
    let there = || match unshare(CLONE_NEWNET) {
        Err(Errno::EPERM) => {
            eprintln!("skipped: making a network namespace takes CAP_SYS_ADMIN");
            None
        }
        other => {
            other.unwrap();
            Some(run())
        }
    };
    std::thread::scope(|scope| match scope.spawn(there).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// The namespace of this thread.
fn here() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

pub(crate) fn new_network() -> File {
    in_new_network(here).unwrap()
}

/// Makes a pair of veth devices, with an MTU that no default is.
fn make_veth(route: &mut Netlink, name: &str, peer: &str) {
    let zero_ended = |s: &str| [s.as_bytes(), b"\0"].concat();
    let attribute = |kind: u16, value: &[u8]| {
        let len = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    // IFLA_LINKINFO with IFLA_INFO_KIND and IFLA_INFO_DATA with VETH_INFO_PEER
    let peer = [vec![0; 16], attribute(3, &zero_ended(peer))].concat();
    let info = [attribute(1, b"veth\0"), attribute(2, &attribute(1, &peer))].concat();
    let attributes = vec![
        DefaultNla::new(3, zero_ended(name)),
        DefaultNla::new(IFLA_MTU, 1400u32.to_ne_bytes().to_vec()),
        DefaultNla::new(18, info),
    ];
    let message = Message { kind: RTM_NEWLINK, head: vec![0; 16], attributes };
    route.ask(message, NLM_F_CREATE | NLM_F_EXCL).unwrap();
}

fn link(route: &mut Netlink, name: &str) -> Option<Message> {
    let links = route.list(&Message::get_links()).unwrap();
    links.into_iter().find(|m| Link::parse(m).is_some_and(|l| l.name == name.as_bytes()))
}

fn index(route: &mut Netlink, name: &str) -> u32 {
    link(route, name).unwrap().index().unwrap()
}

fn is_up(link: &Message) -> bool {
    u32::from_ne_bytes(link.head[8..12].try_into().unwrap()) & 1 == 1
}

fn add(route: &mut Netlink, device: &str, address: &str, prefix: u8, scope: u8, seconds: u32) {
    let (family, value) = match address.parse::<IpAddr>().unwrap() {
        IpAddr::V4(a) => (2, a.octets().to_vec()),
        IpAddr::V6(a) => (10, a.octets().to_vec()),
    };
    let mut head = vec![family, prefix, 0x02, scope];
    head.extend(index(route, device).to_ne_bytes());
    let lifetime = [seconds, seconds, 0, 0].map(u32::to_ne_bytes).concat();
    let attributes =
        vec![DefaultNla::new(1, value.clone()), DefaultNla::new(2, value), DefaultNla::new(6, lifetime)];
    route.ask(Message { kind: RTM_NEWADDR, head, attributes }, NLM_F_CREATE | NLM_F_EXCL).unwrap();
}

/// All addresses of a device but those that the kernel makes itself, of link scope and IPv6.
fn addresses(route: &mut Netlink, device: &str) -> Vec<String> {
    let at = index(route, device);
    let answers = route.list(&Message::get_addresses()).unwrap();
    let mut found: Vec<_> = answers
        .iter()
        .filter(|m| m.index() == Some(at) && !(m.head[0] == 10 && m.head[3] == LINK))
        .map(|m| {
            let value = m.attribute(1).unwrap();
            let ip = <[u8; 4]>::try_from(value.as_slice()).map(IpAddr::from);
            let ip = ip.unwrap_or_else(|_| <[u8; 16]>::try_from(value.as_slice()).unwrap().into());
            format!("{ip}/{}", m.head[1])
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_device_arrives_renamed_up_and_with_its_addresses() {
    in_new_network(|| {
        let (mut host, container) = (Netlink::open().unwrap(), new_network());
        make_veth(&mut host, "one", "two");
        let at = index(&mut host, "one");
        host.ask(Message::set_up(at), 0).unwrap();
        add(&mut host, "one", "10.1.0.1", 24, GLOBAL, FOREVER);
        add(&mut host, "one", "10.1.0.2", 24, GLOBAL, FOREVER);
        add(&mut host, "one", "2001:db8::1", 64, GLOBAL, FOREVER);
        add(&mut host, "one", "169.254.7.7", 16, LINK, FOREVER);
        add(&mut host, "one", "10.2.0.1", 24, GLOBAL, 1000);
        add(&mut host, "two", "10.3.0.1", 24, GLOBAL, FOREVER);
        let hardware = link(&mut host, "one").unwrap().attribute(1);

        move_device("one", "wan", &container).unwrap();

        let mut inside = Netlink::open_in(&container).unwrap();
        let moved = link(&mut inside, "wan").unwrap();
        assert!(is_up(&moved));
        assert_eq!(addresses(&mut inside, "wan"), ["10.1.0.1/24", "10.1.0.2/24", "2001:db8::1/64"]);
        assert_eq!(moved.attribute(IFLA_MTU).unwrap(), 1400u32.to_ne_bytes());
        assert_eq!(moved.attribute(1), hardware);
        assert_eq!(link(&mut inside, "one"), None);
        assert_eq!(link(&mut host, "one"), None);
        assert_eq!(addresses(&mut host, "two"), ["10.3.0.1/24"], "the other end has its own");
    });
}

#[test]
fn a_device_keeps_its_name_when_none_other_is_asked_for() {
    in_new_network(|| {
        let container = new_network();
        make_veth(&mut Netlink::open().unwrap(), "one", "two");
        move_device("one", "one", &container).unwrap();
        assert!(is_up(&link(&mut Netlink::open_in(&container).unwrap(), "one").unwrap()));
    });
}

#[test]
fn a_device_of_the_old_name_and_index_is_not_in_the_way() {
    in_new_network(|| {
        let (mut host, container) = (Netlink::open().unwrap(), new_network());
        let mut inside = Netlink::open_in(&container).unwrap();
        make_veth(&mut host, "one", "two");
        make_veth(&mut inside, "one", "two");
        let taken = index(&mut inside, "one");
        assert_eq!(taken, index(&mut host, "one"), "both indices start at the same number");
        add(&mut host, "one", "10.1.0.1", 24, GLOBAL, FOREVER);
        move_device("one", "wan", &container).unwrap();
        assert_ne!(index(&mut inside, "wan"), taken);
        assert_eq!(addresses(&mut inside, "wan"), ["10.1.0.1/24"]);
        assert!(addresses(&mut inside, "one").is_empty());
    });
}

#[test]
fn a_template_gets_the_first_free_number() {
    in_new_network(|| {
        let (mut host, container) = (Netlink::open().unwrap(), new_network());
        let mut inside = Netlink::open_in(&container).unwrap();
        make_veth(&mut host, "one", "two");
        make_veth(&mut inside, "eth0", "eth1");
        add(&mut host, "one", "10.1.0.1", 24, GLOBAL, FOREVER);
        move_device("one", "eth%d", &container).unwrap();
        assert_eq!(addresses(&mut inside, "eth2"), ["10.1.0.1/24"]);
        assert!(is_up(&link(&mut inside, "eth2").unwrap()));
    });
}

#[test]
fn a_name_that_is_taken_or_none_leaves_the_device_as_it_was() {
    in_new_network(|| {
        let (mut host, container) = (Netlink::open().unwrap(), new_network());
        make_veth(&mut host, "one", "two");
        make_veth(&mut Netlink::open_in(&container).unwrap(), "wan", "lan");
        let at = index(&mut host, "one");
        host.ask(Message::set_up(at), 0).unwrap();
        add(&mut host, "one", "2001:db8::1", 64, GLOBAL, FOREVER);
        for (name, errno) in [("wan", Errno::EEXIST), ("a/b", Errno::EINVAL), ("%s", Errno::EINVAL)] {
            let error = move_device("one", name, &container).unwrap_err();
            assert_eq!(error.errno, errno.0, "{error}");
            assert!(error.hint.is_some(), "{error}");
        }
        assert!(is_up(&link(&mut host, "one").unwrap()));
        assert_eq!(addresses(&mut host, "one"), ["2001:db8::1/64"]);
    });
}

#[test]
fn a_device_that_is_not_there_is_named() {
    in_new_network(|| {
        let error = move_device("none", "wan", &new_network()).unwrap_err();
        assert_eq!((error.errno, error.object.as_str()), (Errno::ENODEV.0, "none to wan"));
        assert!(error.to_string().contains("(ENODEV)"), "{error}");
    });
}

#[test]
fn loopback_cannot_move_and_the_hint_says_so() {
    in_new_network(|| {
        let error = move_device("lo", "lo1", &new_network()).unwrap_err();
        assert_eq!((error.errno, error.part.as_str()), (Errno::EINVAL.0, "changing its namespace"));
        assert!(error.hint.unwrap().contains("loopback"), "{error}");
        assert!(error.detail.as_deref().is_none_or(|said| !said.is_empty()), "{error}");
    });
}

#[test]
fn a_file_that_is_no_network_is_refused() {
    in_new_network(|| {
        let other = File::open("/proc/thread-self/ns/uts").unwrap();
        assert_eq!(move_device("lo", "a", &other).unwrap_err().errno, Errno::EINVAL.0);
    });
}

#[test]
fn the_caller_stays_in_its_network() {
    in_new_network(|| {
        let (before, container) = (std::fs::read_link("/proc/thread-self/ns/net").unwrap(), new_network());
        make_veth(&mut Netlink::open().unwrap(), "one", "two");
        move_device("one", "wan", &container).unwrap();
        assert_eq!(std::fs::read_link("/proc/thread-self/ns/net").unwrap(), before);
        let mut devices = String::new();
        File::open("/proc/thread-self/net/dev").unwrap().read_to_string(&mut devices).unwrap();
        assert!(devices.contains("two:") && !devices.contains("wan:"), "{devices}");
    });
}
