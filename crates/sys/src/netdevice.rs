//! netdevice(7), as far as "set loopback up" goes. Everything else is done by netlink in the parent.

use crate::{Result, nr, socket};

#[repr(C)]
struct IfReq {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Sets the loopback device of the calling process's network namespace up.
/// <https://man7.org/linux/man-pages/man7/netdevice.7.html>
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over the namespace.
///
/// ```no_run
/// use cofferdam_sys::{clone3, netdevice, setns};
/// setns::unshare(clone3::CLONE_NEWNET)?;
/// netdevice::loopback_up()?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn loopback_up() -> Result<()> {
    const SIOCSIFFLAGS: u32 = 0x8914;
    const IFF_UP: u16 = 1;
    let socket = socket::inet_datagram()?;
    let request = IfReq { name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0", flags: IFF_UP, rest: [0; 22] };
    // SAFETY: a struct ifreq, which the kernel only reads for this request.
    unsafe { syscall!(nr::IOCTL, socket.raw(), SIOCSIFFLAGS, &raw const request) }.map(drop)
}
