//! pivot_root(2) and umount2(2).

use core::ffi::CStr;

use crate::{Result, nr};

/// Makes the working directory the root and leaves the old root mounted on it, to be taken off by
/// [`umount_here`]. <https://man7.org/linux/man-pages/man2/pivot_root.2.html>
///
/// # Errors
/// `EINVAL` when the root is a ramdisk or the working directory is no mount point.
///
/// ```no_run
/// use cofferdam_sys::{dirs, pivot_root::*};
/// dirs::chdir(c"/newroot")?; // a mount point, in a mount namespace of one's own
/// pivot_root_here()?;
/// umount_here()?; // the old root
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn pivot_root_here() -> Result<()> {
    // SAFETY: null-terminated strings.
    unsafe { syscall!(nr::PIVOT_ROOT, c".".as_ptr(), c".".as_ptr()) }.map(drop)
}

/// Detaches what is mounted on the working directory.
/// <https://man7.org/linux/man-pages/man2/umount.2.html>
///
/// # Errors
/// As the man page.
pub fn umount_here() -> Result<()> {
    detach(c".")
}

/// Detaches what is mounted at `path`; a link there is not followed.
/// <https://man7.org/linux/man-pages/man2/umount.2.html>
///
/// # Errors
/// `EINVAL` when it is no mount point.
///
/// ```
/// use cofferdam_sys::{Errno, pivot_root};
/// assert_eq!(pivot_root::detach(c"/nowhere"), Err(Errno::ENOENT));
/// ```
pub fn detach(path: &CStr) -> Result<()> {
    const MNT_DETACH: u32 = 2;
    unmount(path, MNT_DETACH)
}

/// Takes off what is mounted at `path`; a link there is not followed.
/// <https://man7.org/linux/man-pages/man2/umount.2.html>
///
/// # Errors
/// `EINVAL` when it is no mount point, `EBUSY` when it is in use.
///
/// ```
/// use cofferdam_sys::{Errno, pivot_root};
/// assert_eq!(pivot_root::unmount(c"/nowhere", 0), Err(Errno::ENOENT));
/// ```
pub fn unmount(path: &CStr, flags: u32) -> Result<()> {
    const UMOUNT_NOFOLLOW: u32 = 8;
    unmount_followed(path, flags | UMOUNT_NOFOLLOW)
}

/// As [`unmount`], of what a link at `path` leads to: a magic link of /proc, say.
///
/// # Errors
/// As [`unmount`].
///
/// ```
/// use cofferdam_sys::{Errno, pivot_root};
/// assert_eq!(pivot_root::unmount_followed(c"/nowhere", 0), Err(Errno::ENOENT));
/// ```
pub fn unmount_followed(path: &CStr, flags: u32) -> Result<()> {
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::UMOUNT2, path.as_ptr(), flags) }.map(drop)
}
