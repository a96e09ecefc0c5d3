//! seccomp_unotify(2): system calls that a filter hands to another process, and its answers. Linux 5.0.
//!
//! The descriptor comes from [`crate::seccomp::set_filter`] with
//! [`crate::seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER`].

use crate::{Errno, Result, nr, raw::small};

/// The call is made after all ([`Response::flags`]). Linux 5.5.
pub const SECCOMP_USER_NOTIF_FLAG_CONTINUE: u32 = 1;
/// The descriptor gets the number that is asked for ([`AddFd::flags`]). Linux 5.9.
pub const SECCOMP_ADDFD_FLAG_SETFD: u32 = 1;
/// The descriptor's number is the answer, in one step ([`AddFd::flags`]). Linux 5.14.
pub const SECCOMP_ADDFD_FLAG_SEND: u32 = 2;
/// Who is woken runs where the waker runs ([`set_flags`]). Linux 6.6.
pub const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: u64 = 1;

const RECV: u32 = 0xc050_2100;
const SEND: u32 = 0xc018_2101;
const ID_VALID: u32 = 0x4008_2102;
const ADDFD: u32 = 0x4018_2103;
const SET_FLAGS: u32 = 0x4008_2104;

/// `struct seccomp_notif`, with the `struct seccomp_data` in it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// Cookie, unique for its filter.
    pub id: u64,
    /// Number of the thread that made the call, in the receiver's PID namespace; 0 when it has none there.
    pub pid: u32,
    /// Zero so far.
    pub flags: u32,
    /// Number of the system call.
    pub nr: i32,
    /// `AUDIT_ARCH_*` of the ABI by which it was made.
    pub arch: u32,
    /// Address of the instruction.
    pub instruction_pointer: u64,
    /// Arguments.
    pub args: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Cookie of the notification.
    pub id: u64,
    /// What the call returns, where `error` is 0.
    pub val: i64,
    /// Negative error number, or 0.
    pub error: i32,
    /// [`SECCOMP_USER_NOTIF_FLAG_CONTINUE`]; `val` and `error` must be 0 then.
    pub flags: u32,
}

/// `struct seccomp_notif_addfd`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddFd {
    /// Cookie of the notification.
    pub id: u64,
    /// `SECCOMP_ADDFD_FLAG_*`.
    pub flags: u32,
    /// The descriptor here.
    pub srcfd: u32,
    /// Its number there, with [`SECCOMP_ADDFD_FLAG_SETFD`]; else 0.
    pub newfd: u32,
    /// `O_CLOEXEC`, or 0.
    pub newfd_flags: u32,
}

/// `struct seccomp_notif_sizes`: how large the kernel's structures are, in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// [`Notification`].
    pub notification: u16,
    /// [`Response`].
    pub response: u16,
    /// `struct seccomp_data`.
    pub data: u16,
}

const _: () = assert!(size_of::<Notification>() == 80);
const _: () = assert!(size_of::<Response>() == 24 && size_of::<AddFd>() == 24 && size_of::<Sizes>() == 6);

/// `SECCOMP_GET_NOTIF_SIZES`. Linux 5.0. <https://man7.org/linux/man-pages/man2/seccomp.2.html>
///
/// # Errors
/// `EINVAL` before Linux 5.0.
///
/// ```
/// use cofferdam_sys::seccomp_unotify::{Notification, Sizes, sizes};
/// let Sizes { notification, .. } = sizes().unwrap();
/// assert_eq!(usize::from(notification), size_of::<Notification>());
/// ```
pub fn sizes() -> Result<Sizes> {
    const SECCOMP_GET_NOTIF_SIZES: u32 = 3;
    let mut sizes = Sizes::default();
    // SAFETY: the kernel writes the six bytes of the structure.
    unsafe { syscall!(nr::SECCOMP, SECCOMP_GET_NOTIF_SIZES, 0u32, &raw mut sizes) }?;
    Ok(sizes)
}

/// `SECCOMP_IOCTL_NOTIF_RECV`: waits for the next notification. Linux 5.0.
/// <https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html>
///
/// Readiness for reading (poll(2)) says that it will not wait, if nobody else receives.
///
/// # Errors
/// `ENOENT` when the caller's thread was killed or interrupted meanwhile, and (Linux 6.11) when nobody has
/// the filter any more; `EINTR`.
///
/// ```
/// use cofferdam_sys::{Errno, prctl, seccomp, seccomp_unotify::*};
/// // if nr == getppid: SECCOMP_RET_USER_NOTIF; else SECCOMP_RET_ALLOW
/// let getppid = if cfg!(target_arch = "x86_64") { 110 } else { 173 };
/// let filter = [
///     0x20, 0, 0, 0, 0, 0, 0, 0, 0x15, 0, 0, 1, getppid, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0xc0, 0x7f, 0x06, 0, 0, 0,
///     0, 0, 0xff, 0x7f,
/// ];
/// let (to, from) = std::sync::mpsc::channel();
/// let caller = std::thread::spawn(move || {
///     prctl::set_no_new_privs().unwrap();
///     let flags = seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER;
///     to.send(seccomp::set_filter(flags, &filter).unwrap().unwrap()).unwrap();
///     std::os::unix::process::parent_id()
/// });
/// let listener = from.recv().unwrap();
/// let _ = set_flags(listener.raw(), SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
/// let notification = receive(listener.raw()).unwrap();
/// assert_eq!(id_valid(listener.raw(), notification.id), Ok(()));
/// let no_descriptor = AddFd { id: notification.id, srcfd: 4096, ..AddFd::default() };
/// assert_eq!(add_fd(listener.raw(), &no_descriptor), Err(Errno::EBADF));
/// send(listener.raw(), &Response { id: notification.id, val: 4711, ..Response::default() }).unwrap();
/// assert_eq!(caller.join().unwrap(), 4711);
/// assert_eq!(id_valid(listener.raw(), notification.id), Err(Errno::ENOENT));
/// ```
pub fn receive(listener: i32) -> Result<Notification> {
    /// More room than today's structure has: the kernel writes its own size.
    #[repr(C)]
    struct Room {
        known: Notification,
        newer: [u64; 22],
    }
    let mut room = Room { known: Notification::default(), newer: [0; 22] };
    // SAFETY: the kernel reads and writes its `struct seccomp_notif`, for which there is room, and which must
    // be zero.
    unsafe { syscall!(nr::IOCTL, listener, RECV, &raw mut room) }?;
    Ok(room.known)
}

/// `SECCOMP_IOCTL_NOTIF_SEND`: answers. Linux 5.0.
/// <https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html>
///
/// # Errors
/// `ENOENT` when nobody waits for the answer any more, `EINPROGRESS` when it was given already, `EINVAL` for
/// flags and values that exclude each other.
pub fn send(listener: i32, response: &Response) -> Result<()> {
    // SAFETY: the kernel reads the structure's 24 bytes, as the request's number says.
    unsafe { syscall!(nr::IOCTL, listener, SEND, &raw const *response) }.map(drop)
}

/// `SECCOMP_IOCTL_NOTIF_ID_VALID`: whether the caller still waits in this system call. Linux 5.0.
/// <https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html>
///
/// # Errors
/// `ENOENT` when it does not.
pub fn id_valid(listener: i32, id: u64) -> Result<()> {
    // SAFETY: the kernel reads eight bytes.
    unsafe { syscall!(nr::IOCTL, listener, ID_VALID, &raw const id) }.map(drop)
}

/// `SECCOMP_IOCTL_NOTIF_ADDFD`: puts a descriptor into the caller's table and gives its number there. Linux 5.9;
/// with [`SECCOMP_ADDFD_FLAG_SEND`] (5.14) that number is also the answer.
/// <https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html>
///
/// # Errors
/// `EMFILE` and `EBADF` at the caller's limit, `EBADF` for a wrong descriptor, `ENOENT` when nobody waits any
/// more, `EINPROGRESS` when it was answered, `EBUSY` while another descriptor is put there.
pub fn add_fd(listener: i32, add: &AddFd) -> Result<u32> {
    // SAFETY: the kernel reads the structure's 24 bytes, as the request's number says.
    let fd = unsafe { syscall!(nr::IOCTL, listener, ADDFD, &raw const *add) }?;
    u32::try_from(fd).map_err(|_| Errno::EBADF)
}

/// `SECCOMP_IOCTL_NOTIF_SET_FLAGS`, such as [`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`]. Linux 6.6.
/// <https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html>
///
/// # Errors
/// `EINVAL` for flags or a kernel that does not know them.
pub fn set_flags(listener: i32, flags: u64) -> Result<()> {
    // SAFETY: the flags are handed over by value.
    unsafe { syscall!(nr::IOCTL, listener, SET_FLAGS, flags) }.map(drop)
}

/// The descriptor of `AddFd::srcfd`.
///
/// ```
/// assert_eq!(cofferdam_sys::seccomp_unotify::source(3), 3);
/// ```
#[must_use]
pub const fn source(fd: i32) -> u32 {
    fd.cast_unsigned()
}

/// The number that [`add_fd`] gave, as a descriptor.
///
/// ```
/// assert_eq!(cofferdam_sys::seccomp_unotify::number(3), 3);
/// ```
#[must_use]
pub fn number(fd: u32) -> i32 {
    usize::try_from(fd).map_or(-1, small)
}
