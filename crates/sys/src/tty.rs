//! ioctl_tty(2), as far as a container's console goes. `TIOCGPTPEER`: Linux 4.13.

use crate::{Fd, Result, nr, raw::small};

/// Unlocks the other side of a pseudoterminal and opens it, without a path.
/// <https://man7.org/linux/man-pages/man2/TIOCGPTPEER.2const.html>
///
/// # Errors
/// `ENOTTY` for anything but a master.
///
/// ```
/// use cofferdam_sys::{open::*, tty::*};
/// let master = open(c"/dev/ptmx", O_RDWR | O_NOCTTY).unwrap();
/// let peer = open_peer(master.raw()).unwrap();
/// set_size(peer.raw(), 24, 80).unwrap();
/// ```
pub fn open_peer(master: i32) -> Result<Fd> {
    const TIOCSPTLCK: u32 = 0x4004_5431;
    const TIOCGPTPEER: u32 = 0x5441;
    const O_RDWR_NOCTTY_CLOEXEC: u32 = 0o2_000_402;
    let unlock = 0i32;
    // SAFETY: the kernel reads one int.
    unsafe { syscall!(nr::IOCTL, master, TIOCSPTLCK, &raw const unlock) }?;
    // SAFETY: the argument is a number.
    unsafe { syscall!(nr::IOCTL, master, TIOCGPTPEER, O_RDWR_NOCTTY_CLOEXEC) }.map(|fd| Fd::own(small(fd)))
}

/// Sets the size in characters. <https://man7.org/linux/man-pages/man2/TIOCSWINSZ.2const.html>
///
/// # Errors
/// `ENOTTY`.
pub fn set_size(terminal: i32, rows: u16, columns: u16) -> Result<()> {
    const TIOCSWINSZ: u32 = 0x5414;
    let size = [rows, columns, 0, 0];
    // SAFETY: struct winsize is four shorts.
    unsafe { syscall!(nr::IOCTL, terminal, TIOCSWINSZ, size.as_ptr()) }.map(drop)
}

/// `struct termios` of the kernel, on every architecture but a few old ones.
#[repr(C)]
#[derive(Default)]
struct Termios {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    line: u8,
    characters: [u8; 19],
}

/// Ends lines with a line feed alone: takes `ONLCR` away. <https://man7.org/linux/man-pages/man3/termios.3.html>
///
/// # Errors
/// `ENOTTY`.
///
/// ```
/// use cofferdam_sys::{open::*, tty::*};
/// let master = open(c"/dev/ptmx", O_RDWR | O_NOCTTY).unwrap();
/// let peer = open_peer(master.raw()).unwrap();
/// plain_line_ends(peer.raw()).unwrap();
/// write(peer.raw(), b"a\n").unwrap();
/// let mut shown = [0; 8];
/// assert_eq!(read(master.raw(), &mut shown).unwrap(), 2);
/// ```
pub fn plain_line_ends(terminal: i32) -> Result<()> {
    const TCGETS: u32 = 0x5401;
    const TCSETS: u32 = 0x5402;
    const ONLCR: u32 = 4;
    let mut mode = Termios::default();
    // SAFETY: the kernel writes one struct termios.
    unsafe { syscall!(nr::IOCTL, terminal, TCGETS, &raw mut mode) }?;
    mode.output &= !ONLCR;
    // SAFETY: the kernel reads one struct termios.
    unsafe { syscall!(nr::IOCTL, terminal, TCSETS, &raw const mode) }.map(drop)
}

/// Makes it the controlling terminal. <https://man7.org/linux/man-pages/man2/TIOCSCTTY.2const.html>
///
/// # Errors
/// `EPERM` unless the caller leads a session without one.
///
/// ```no_run
/// use cofferdam_sys::{open::*, setns, tty::*};
/// let master = open(c"/dev/ptmx", O_RDWR | O_NOCTTY)?;
/// setns::setsid()?;
/// make_controlling(open_peer(master.raw())?.raw())?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn make_controlling(terminal: i32) -> Result<()> {
    const TIOCSCTTY: u32 = 0x540e;
    // SAFETY: the argument is a number.
    unsafe { syscall!(nr::IOCTL, terminal, TIOCSCTTY, 0u32) }.map(drop)
}
