//! ioctl_ns(2), as far as the owner of a namespace goes: Linux 4.9.

use crate::{Fd, Result, nr, raw::small};

/// The user namespace that owns the namespace `fd`.
/// <https://man7.org/linux/man-pages/man2/NS_GET_USERNS.2const.html>
///
/// # Errors
/// `EPERM` when the owner is above the caller's own user namespace, `ENOTTY` for what is no namespace.
///
/// ```
/// use cofferdam_sys::{ioctl_ns, open};
/// let ours = open::open(c"/proc/self/ns/net", open::O_RDONLY).unwrap();
/// assert!(ioctl_ns::owner(ours.raw()).is_ok());
/// ```
pub fn owner(fd: i32) -> Result<Fd> {
    const NS_GET_USERNS: u32 = 0xb701;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::IOCTL, fd, NS_GET_USERNS) }.map(|fd| Fd::own(small(fd)))
}
