//! connect(2) to a unix socket, within a time. std's waits for as long as the other side's queue is full.

use core::ffi::c_void;

use crate::{Errno, Fd, Result, nr, raw::small};

const AF_UNIX: u16 = 1;
const SOCK_STREAM: u32 = 1;
const SOCK_CLOEXEC: u32 = 0o2_000_000;
const SOL_SOCKET: i32 = 1;
const SO_SNDTIMEO: u32 = 21;
const LONGEST: usize = 108;

#[repr(C)]
struct Address {
    family: u16,
    path: [u8; LONGEST],
}

/// A stream, close-on-exec, connected to the socket of that path; a path that begins with NUL is an
/// abstract name, unix(7). Whatever is sent on it later waits no longer than `millis` either.
/// <https://man7.org/linux/man-pages/man2/connect.2.html>
///
/// # Errors
/// `EAGAIN` when nobody accepted in time, `ECONNREFUSED` when nobody listens, `ENAMETOOLONG` for more than
/// 107 bytes.
///
/// ```
/// use cofferdam_sys::{Errno, connect};
/// assert_eq!(connect::stream(b"/nonexistent", 100).unwrap_err(), Errno::ENOENT);
/// ```
pub fn stream(path: &[u8], millis: u64) -> Result<Fd> {
    const FAMILY: usize = 2;
    let mut address = Address { family: AF_UNIX, path: [0; LONGEST] };
    // A path ends with NUL, an abstract name with its length.
    if path.len() >= LONGEST {
        return Err(Errno::ENAMETOOLONG);
    }
    address.path.get_mut(..path.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(path);
    let end = usize::from(path.first() != Some(&0));
    let length = FAMILY.saturating_add(path.len()).saturating_add(end);
    // SAFETY: no memory is handed over.
    let socket = unsafe { syscall!(nr::SOCKET, u32::from(AF_UNIX), SOCK_STREAM | SOCK_CLOEXEC, 0u32) }?;
    let socket = Fd::own(small(socket));
    let time: [u64; 2] = [millis / 1000, (millis % 1000).saturating_mul(1000)];
    // SAFETY: the sixteen bytes of struct timeval live until the call returns and are only read.
    unsafe { syscall!(nr::SETSOCKOPT, socket.raw(), SOL_SOCKET, SO_SNDTIMEO, time.as_ptr(), 16u32) }?;
    let start: *const c_void = (&raw const address).cast();
    loop {
        // SAFETY: the address lives until the call returns and is only read, and `length` is within it.
        match unsafe { syscall!(nr::CONNECT, socket.raw(), start, length) } {
            Err(Errno::EINTR) => {}
            other => return other.map(|_| socket),
        }
    }
}
