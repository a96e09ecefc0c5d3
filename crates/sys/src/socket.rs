//! socketpair(2), socket(2), connect(2), bind(2), sendto(2), sendmsg(2), recvmsg(2) with descriptors, see unix(7)
//! and cmsg(3).

use crate::{Errno, Fd, Result, nr, raw::small};

const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const SOCK_DGRAM: u32 = 2;
const SOCK_SEQPACKET: u32 = 5;
const SOCK_CLOEXEC: u32 = 0o2_000_000;
const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;

/// Most descriptors that [`recv`] takes in one message.
pub const MAX_FDS: usize = 32;

#[repr(C)]
struct IoVec {
    base: *mut u8,
    len: usize,
}

#[repr(C)]
struct MsgHdr {
    name: *mut u8,
    name_len: u32,
    iov: *mut IoVec,
    iov_len: usize,
    control: *mut Control,
    control_len: usize,
    flags: i32,
}

/// A control message that carries up to [`MAX_FDS`] descriptors.
#[repr(C, align(8))]
struct Control {
    len: usize,
    level: i32,
    kind: i32,
    fds: [i32; MAX_FDS],
}

const HEADER: usize = 16;

/// A connected pair that keeps message boundaries, close-on-exec.
/// <https://man7.org/linux/man-pages/man2/socketpair.2.html>
///
/// # Errors
/// `EMFILE`.
///
/// ```
/// use cofferdam_sys::socket::*;
/// let (a, b) = pair().unwrap();
/// send(a.raw(), b"hello", &[0]).unwrap();
/// let mut buffer = [0; 16];
/// let (n, fds) = recv(b.raw(), &mut buffer).unwrap();
/// assert_eq!((&buffer[..n], fds.into_iter().flatten().count()), (&b"hello"[..], 1));
/// ```
pub fn pair() -> Result<(Fd, Fd)> {
    let mut fds = [0i32; 2];
    // SAFETY: room for the two descriptors.
    unsafe { syscall!(nr::SOCKETPAIR, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0u32, fds.as_mut_ptr()) }?;
    let [a, b] = fds;
    Ok((Fd::own(a), Fd::own(b)))
}

/// An unconnected datagram socket, for ioctl(2)s on network devices.
///
/// # Errors
/// `EMFILE`, `EAFNOSUPPORT`.
///
/// ```
/// assert!(cofferdam_sys::socket::inet_datagram().unwrap().raw() > 2);
/// ```
pub fn inet_datagram() -> Result<Fd> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SOCKET, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0u32) }.map(|fd| Fd::own(small(fd)))
}

/// A socket of rtnetlink(7) in the caller's network namespace, whoever uses it later.
/// <https://man7.org/linux/man-pages/man7/rtnetlink.7.html>
///
/// # Errors
/// `EMFILE`.
///
/// ```
/// assert!(cofferdam_sys::socket::route().unwrap().raw() > 2);
/// ```
pub fn route() -> Result<Fd> {
    const AF_NETLINK: u32 = 16;
    const SOCK_RAW: u32 = 3;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SOCKET, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0u32) }.map(|fd| Fd::own(small(fd)))
}

/// Sends one message and up to [`MAX_FDS`] descriptors; no signal when the other side has gone.
/// <https://man7.org/linux/man-pages/man2/sendmsg.2.html>
///
/// # Errors
/// `EPIPE` when the other side has gone, `EINVAL` for too many descriptors.
pub fn send(socket: i32, bytes: &[u8], fds: &[i32]) -> Result<()> {
    const MSG_NOSIGNAL: u32 = 0x4000;
    let mut control = Control { len: 0, level: SOL_SOCKET, kind: SCM_RIGHTS, fds: [-1; MAX_FDS] };
    control.fds.get_mut(..fds.len()).ok_or(Errno::EINVAL)?.copy_from_slice(fds);
    control.len = HEADER.saturating_add(fds.len().saturating_mul(4));
    let mut iov = IoVec { base: bytes.as_ptr().cast_mut(), len: bytes.len() };
    let message = MsgHdr {
        name: core::ptr::null_mut(),
        name_len: 0,
        iov: &raw mut iov,
        iov_len: 1,
        control: if fds.is_empty() { core::ptr::null_mut() } else { &raw mut control },
        control_len: if fds.is_empty() { 0 } else { control.len },
        flags: 0,
    };
    loop {
        // SAFETY: everything the header points to lives until the call returns and is only read.
        match unsafe { syscall!(nr::SENDMSG, socket, &raw const message, MSG_NOSIGNAL) } {
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one message and its descriptors (close-on-exec). No bytes mean that the other side has
/// gone. <https://man7.org/linux/man-pages/man2/recvmsg.2.html>
///
/// # Errors
/// As the man page.
pub fn recv(socket: i32, buffer: &mut [u8]) -> Result<(usize, [Option<Fd>; MAX_FDS])> {
    const MSG_CMSG_CLOEXEC: u32 = 0x4000_0000;
    let mut control = Control { len: 0, level: 0, kind: 0, fds: [-1; MAX_FDS] };
    let mut iov = IoVec { base: buffer.as_mut_ptr(), len: buffer.len() };
    let mut message = MsgHdr {
        name: core::ptr::null_mut(),
        name_len: 0,
        iov: &raw mut iov,
        iov_len: 1,
        control: &raw mut control,
        control_len: size_of::<Control>(),
        flags: 0,
    };
    let n = loop {
        // SAFETY: everything the header points to lives until the call returns and has the room said.
        match unsafe { syscall!(nr::RECVMSG, socket, &raw mut message, MSG_CMSG_CLOEXEC) } {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut fds = [const { None }; MAX_FDS];
    if message.control_len >= HEADER && control.level == SOL_SOCKET && control.kind == SCM_RIGHTS {
        let count = control.len.saturating_sub(HEADER) / 4;
        for (slot, fd) in fds.iter_mut().zip(control.fds).take(count) {
            *slot = Some(Fd::own(fd));
        }
    }
    Ok((n, fds))
}

/// Connects to an address as the kernel takes it (`struct sockaddr`).
/// <https://man7.org/linux/man-pages/man2/connect.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::{Errno, socket::*};
/// let socket = inet_datagram().unwrap();
/// // AF_INET, port 9, 127.0.0.1
/// let mut address = [0, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
/// address[..2].copy_from_slice(&2u16.to_ne_bytes());
/// assert_eq!(bind(socket.raw(), &address[..8]), Err(Errno::EINVAL));
/// connect(socket.raw(), &address).unwrap();
/// assert_eq!(send_to(socket.raw(), b"x", 0, &address), Ok(1));
/// ```
pub fn connect(socket: i32, address: &[u8]) -> Result<()> {
    // SAFETY: the address's own length.
    unsafe { syscall!(nr::CONNECT, socket, address.as_ptr(), address.len()) }.map(drop)
}

/// Takes an address. <https://man7.org/linux/man-pages/man2/bind.2.html>
///
/// # Errors
/// As the man page.
pub fn bind(socket: i32, address: &[u8]) -> Result<()> {
    // SAFETY: the address's own length.
    unsafe { syscall!(nr::BIND, socket, address.as_ptr(), address.len()) }.map(drop)
}

/// Sends to an address; without one (an empty one) to whom the socket is connected. No signal when the other side
/// has gone. <https://man7.org/linux/man-pages/man2/send.2.html>
///
/// # Errors
/// As the man page.
pub fn send_to(socket: i32, bytes: &[u8], flags: u32, address: &[u8]) -> Result<usize> {
    const MSG_NOSIGNAL: u32 = 0x4000;
    let to = if address.is_empty() { core::ptr::null() } else { address.as_ptr() };
    // SAFETY: the lengths are the slices' own.
    unsafe {
        syscall!(nr::SENDTO, socket, bytes.as_ptr(), bytes.len(), flags | MSG_NOSIGNAL, to, address.len())
    }
}

/// Sends one message with ancillary data (cmsg(3)); without an address (an empty one) to whom the socket is connected.
/// No signal when the other side has gone. <https://man7.org/linux/man-pages/man2/sendmsg.2.html>
///
/// # Errors
/// As the man page.
///
/// ```
/// use cofferdam_sys::socket::*;
/// let (a, b) = pair().unwrap();
/// assert_eq!(send_message(a.raw(), b"hello", &[], 0, &[]), Ok(5));
/// assert_eq!(recv(b.raw(), &mut [0; 9]).unwrap().0, 5);
/// ```
pub fn send_message(socket: i32, bytes: &[u8], control: &[u8], flags: u32, address: &[u8]) -> Result<usize> {
    const MSG_NOSIGNAL: u32 = 0x4000;
    let mut iov = IoVec { base: bytes.as_ptr().cast_mut(), len: bytes.len() };
    let message = MsgHdr {
        name: if address.is_empty() { core::ptr::null_mut() } else { address.as_ptr().cast_mut() },
        name_len: u32::try_from(address.len()).map_err(|_| Errno::EINVAL)?,
        iov: &raw mut iov,
        iov_len: 1,
        control: if control.is_empty() { core::ptr::null_mut() } else { control.as_ptr().cast_mut().cast() },
        control_len: control.len(),
        flags: 0,
    };
    // SAFETY: everything the header points to has the length that it says, lives until the call returns, and is
    // only read; the kernel copies ancillary data by bytes, so that their alignment does not matter.
    unsafe { syscall!(nr::SENDMSG, socket, &raw const message, flags | MSG_NOSIGNAL) }
}

/// The address family of a socket (`AF_*`); socket(7), `SO_DOMAIN`.
///
/// # Errors
/// `ENOTSOCK`.
///
/// ```
/// use cofferdam_sys::socket::*;
/// assert_eq!(domain(inet_datagram().unwrap().raw()), Ok(2));
/// ```
pub fn domain(socket: i32) -> Result<u32> {
    const SO_DOMAIN: u32 = 39;
    let (mut domain, mut length) = (0u32, 4u32);
    // SAFETY: room for the number, and its length.
    unsafe { syscall!(nr::GETSOCKOPT, socket, SOL_SOCKET, SO_DOMAIN, &raw mut domain, &raw mut length) }?;
    Ok(domain)
}

/// Receives one message of a socket of netlink(7) and the port that sent it: 0 is the kernel.
/// <https://man7.org/linux/man-pages/man2/recvmsg.2.html>
///
/// # Errors
/// As the man page; `EMSGSIZE` when the buffer is too small.
///
/// ```
/// use cofferdam_sys::socket::*;
/// let socket = route().unwrap();
/// // RTM_GETLINK with NLM_F_REQUEST | NLM_F_DUMP, as a struct nlmsghdr and a struct rtgenmsg.
/// send(socket.raw(), &[20, 0, 0, 0, 18, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]).unwrap();
/// let mut buffer = [0; 65536];
/// let (n, port) = recv_netlink(socket.raw(), &mut buffer).unwrap();
/// assert!(n > 16 && port == 0);
/// ```
pub fn recv_netlink(socket: i32, buffer: &mut [u8]) -> Result<(usize, u32)> {
    const MSG_TRUNC: i32 = 0x20;
    // struct sockaddr_nl: family and padding, port, groups.
    let mut name = [0u32; 3];
    let mut iov = IoVec { base: buffer.as_mut_ptr(), len: buffer.len() };
    let mut message = MsgHdr {
        name: name.as_mut_ptr().cast(),
        name_len: 12,
        iov: &raw mut iov,
        iov_len: 1,
        control: core::ptr::null_mut(),
        control_len: 0,
        flags: 0,
    };
    let n = loop {
        // SAFETY: everything the header points to lives until the call returns and has the room said.
        match unsafe { syscall!(nr::RECVMSG, socket, &raw mut message, 0u32) } {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    if message.flags & MSG_TRUNC != 0 {
        return Err(Errno::EMSGSIZE);
    }
    let [_, port, _] = name;
    Ok((n, port))
}

/// Who made the other end of a connected pair: process, user and group, as seen from here.
/// <https://man7.org/linux/man-pages/man7/unix.7.html>
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
///
/// ```
/// let (a, _b) = cofferdam_sys::socket::pair().unwrap();
/// let (pid, _, _) = cofferdam_sys::socket::peer(a.raw()).unwrap();
/// assert_eq!(pid.unsigned_abs(), std::process::id());
/// ```
pub fn peer(socket: i32) -> Result<(i32, u32, u32)> {
    const SO_PEERCRED: u32 = 17;
    let (mut credentials, mut length) = ([0u32; 3], 12u32);
    // SAFETY: room for the twelve bytes of struct ucred, and their number.
    unsafe {
        syscall!(nr::GETSOCKOPT, socket, SOL_SOCKET, SO_PEERCRED, credentials.as_mut_ptr(), &raw mut length)
    }?;
    let [pid, uid, gid] = credentials;
    Ok((pid.cast_signed(), uid, gid))
}

/// The number of the network namespace that a socket belongs to, which no other one has until the next boot;
/// socket(7), `SO_NETNS_COOKIE`. Linux 5.14.
///
/// # Errors
/// `ENOPROTOOPT` before.
///
/// ```
/// use cofferdam_sys::socket::*;
/// let number = netns_cookie(route().unwrap().raw()).unwrap();
/// assert_eq!(netns_cookie(route().unwrap().raw()), Ok(number));
/// ```
pub fn netns_cookie(socket: i32) -> Result<u64> {
    const SO_NETNS_COOKIE: u32 = 71;
    let (mut cookie, mut length) = (0u64, 8u32);
    // SAFETY: room for the eight bytes of the number, and their number.
    unsafe {
        syscall!(nr::GETSOCKOPT, socket, SOL_SOCKET, SO_NETNS_COOKIE, &raw mut cookie, &raw mut length)
    }?;
    Ok(cookie)
}
