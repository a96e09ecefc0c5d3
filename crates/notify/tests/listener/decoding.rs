//! Calls as the C library and the kernel's callers make them, with their arguments by their types.

use std::os::fd::AsFd;

use cofferdam_notify::{AT_FDCWD, Address, Answer, Arch, Call, Errno, UnixAddress};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType};

use crate::world::notified;

/// The one call that `work` makes, as it was decoded.
fn decoded<T: Send + 'static>(calls: &[&str], work: impl FnOnce() -> T + Send + 'static) -> Call {
    let (listener, caller) = notified(calls, work);
    let request = listener.next().unwrap().unwrap();
    assert_eq!(request.arch(), Arch::native());
    let call = request.call().unwrap();
    request.answer(Answer::Errno(Errno::EPERM)).unwrap();
    caller.join().unwrap();
    call
}

#[test]
fn calls_on_files() {
    let call = decoded(&["mkdirat"], || rustix::fs::mkdir("/a/b", Mode::from(0o750)));
    assert_eq!(call, Call::Mkdir { dir: AT_FDCWD, path: c"/a/b".into(), mode: 0o750 });
    let call = decoded(&["mknod", "mknodat"], || {
        let device = rustix::fs::makedev(511, 70_000);
        rustix::fs::mknodat(rustix::fs::CWD, "n", FileType::CharacterDevice, Mode::RUSR, device)
    });
    let node = Call::Mknod { dir: AT_FDCWD, path: c"n".into(), mode: 0o020_400, device: (511, 70_000) };
    assert_eq!(call, node);
    let call = decoded(&["open", "openat"], || rustix::fs::open("/f", OFlags::RDONLY, Mode::RWXU));
    let Call::Open { path, how, .. } = call else { panic!("{call:?}") };
    assert!(path.as_c_str() == c"/f" && !how.writes() && how.mode == 0);
    let call = decoded(&["openat2"], || {
        let beneath = rustix::fs::ResolveFlags::BENEATH;
        rustix::fs::openat2(rustix::fs::CWD, "f", OFlags::CREATE, Mode::from(0o600), beneath)
    });
    let Call::Open { how, .. } = call else { panic!("{call:?}") };
    assert_eq!((how.mode, how.resolve, how.writes()), (0o600, 8, true));
    let call = decoded(&["chown", "fchownat"], || {
        let user = Some(rustix::fs::Uid::from_raw(7));
        rustix::fs::chownat(rustix::fs::CWD, "f", user, None, AtFlags::SYMLINK_NOFOLLOW)
    });
    let chown = Call::Chown { dir: AT_FDCWD, path: c"f".into(), uid: 7, gid: u32::MAX, flags: 0x100 };
    assert_eq!(call, chown);
    let call = decoded(&["setxattr"], || rustix::fs::setxattr("/f", "user.a", b"v\0w", XattrFlags::CREATE));
    let Call::SetXattr(xattr) = call else { panic!("{call:?}") };
    assert_eq!((xattr.name.as_bytes(), &*xattr.value, xattr.flags), (&b"user.a"[..], &b"v\0w"[..], 1));
}

#[test]
fn calls_on_sockets() {
    let call = decoded(&["connect"], || {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
        rustix::net::connect(&socket, &"192.0.2.1:53".parse::<std::net::SocketAddr>().unwrap())
    });
    let Call::Connect { address, .. } = call else { panic!("{call:?}") };
    assert_eq!(address.inet(), Some("192.0.2.1:53".parse().unwrap()));
    let call = decoded(&["bind"], || {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrUnix::new_abstract_name(b"n").unwrap())
    });
    let Call::Bind { address, .. } = call else { panic!("{call:?}") };
    assert_eq!(address.unix(), Some(UnixAddress::Abstract(b"n".to_vec())));
    let call = decoded(&["sendto"], || {
        let (socket, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let to = SocketAddrUnix::new("/s").unwrap();
        rustix::net::sendto(socket.as_fd(), b"hello", SendFlags::NOSIGNAL, &to)
    });
    let Call::SendTo { length: 5, address: Some(address), .. } = call else { panic!("{call:?}") };
    assert_eq!(address.unix(), Some(UnixAddress::Path(b"/s".to_vec())));
    let call = decoded(&["sendmsg"], || {
        let socket = rustix::net::socket(AddressFamily::INET6, SocketType::DGRAM, None).unwrap();
        let to = "[::1]:9".parse::<std::net::SocketAddr>().unwrap();
        let (data, mut none) = ([std::io::IoSlice::new(b"x")], rustix::net::SendAncillaryBuffer::default());
        rustix::net::sendmsg_addr(&socket, &to, &data, &mut none, SendFlags::empty())
    });
    let Call::SendMessages { messages, .. } = call else { panic!("{call:?}") };
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(message.address.as_ref().and_then(Address::inet), Some("[::1]:9".parse().unwrap()));
    assert_eq!((message.parts.len(), message.parts[0].1, message.told), (1, 1, None));
}

#[test]
fn calls_without_a_type_stand_in_their_registers() {
    let call = decoded(&["getpriority"], || rustix::process::getpriority_user(rustix::process::Uid::ROOT));
    assert!(matches!(call, Call::Other { name: Some("getpriority"), args: [2, 0, ..] }), "{call:?}");
}
