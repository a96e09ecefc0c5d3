//! mknodat(2).

use core::ffi::CStr;

use crate::{Result, nr};

/// Character device.
pub const S_IFCHR: u32 = 0o020_000;
/// Block device.
pub const S_IFBLK: u32 = 0o060_000;
/// Fifo.
pub const S_IFIFO: u32 = 0o010_000;
/// Regular file.
pub const S_IFREG: u32 = 0o100_000;
/// Directory.
pub const S_IFDIR: u32 = 0o040_000;
/// Symbolic link.
pub const S_IFLNK: u32 = 0o120_000;
/// Mask of the type bits.
pub const S_IFMT: u32 = 0o170_000;

/// A device number as the kernel takes it, see makedev(3).
///
/// ```
/// assert_eq!(cofferdam_sys::mknodat::makedev(1, 3), 0x103);
/// ```
#[must_use]
pub const fn makedev(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

/// Makes a node. <https://man7.org/linux/man-pages/man2/mknod.2.html>
///
/// # Errors
/// `EPERM` in a user namespace, `EEXIST`, and others of the man page.
pub fn mknodat(dir: i32, path: &CStr, mode: u32, dev: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::MKNODAT, dir, path.as_ptr(), mode, dev) }.map(drop)
}
