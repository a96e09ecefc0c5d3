//! mount_setattr(2): Linux 5.12.

use core::ffi::CStr;

use crate::open::AT_EMPTY_PATH;
use crate::{Result, nr};

/// Read-only.
pub const MOUNT_ATTR_RDONLY: u64 = 1;
/// Set-user-id and file capabilities are ignored.
pub const MOUNT_ATTR_NOSUID: u64 = 2;
/// Devices cannot be opened.
pub const MOUNT_ATTR_NODEV: u64 = 4;
/// Nothing can be executed.
pub const MOUNT_ATTR_NOEXEC: u64 = 8;
/// Links are not followed: Linux 5.14.
pub const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x0020_0000;
/// Idmapped.
pub const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
/// `MS_UNBINDABLE`, `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`.
pub const PROPAGATION: u64 = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20;
/// Events come in, none go out.
pub const MS_SLAVE: u64 = 1 << 19;
/// No events at all.
pub const MS_PRIVATE: u64 = 1 << 18;

/// What changes, `struct mount_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MountAttr {
    /// Attributes to set.
    pub set: u64,
    /// Attributes to clear.
    pub clear: u64,
    /// New propagation, or 0.
    pub propagation: u64,
    /// User namespace of an idmap.
    pub userns_fd: u64,
}

/// Changes the mount that `fd` is the root of, and with `flags` `AT_RECURSIVE` all below it.
/// <https://man7.org/linux/man-pages/man2/mount_setattr.2.html>
///
/// # Errors
/// `EINVAL` when `fd` is not the root of a mount, `EPERM` for attributes that are locked.
///
/// ```no_run
/// use cofferdam_sys::{fsopen::*, mount_setattr::*, open::*};
/// let tree = open_tree(AT_FDCWD, c"/srv", OPEN_TREE_CLONE | AT_RECURSIVE)?;
/// let readonly = MountAttr { set: MOUNT_ATTR_RDONLY, propagation: MS_PRIVATE, ..MountAttr::default() };
/// mount_setattr(tree.raw(), AT_RECURSIVE, &readonly)?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn mount_setattr(fd: i32, flags: u32, attr: &MountAttr) -> Result<()> {
    at(fd, c"", flags | AT_EMPTY_PATH, attr)
}

/// As [`mount_setattr`], of a path.
///
/// # Errors
/// As [`mount_setattr`].
///
/// ```no_run
/// use cofferdam_sys::{fsopen::AT_RECURSIVE, mount_setattr::*, open::AT_FDCWD};
/// at(AT_FDCWD, c"/", AT_RECURSIVE, &MountAttr { propagation: MS_SLAVE, ..MountAttr::default() })?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn at(dir: i32, path: &CStr, flags: u32, attr: &MountAttr) -> Result<()> {
    let attr: *const MountAttr = attr;
    // SAFETY: a null-terminated string and a structure of the size that is given.
    unsafe { syscall!(nr::MOUNT_SETATTR, dir, path.as_ptr(), flags, attr, size_of::<MountAttr>()) }.map(drop)
}
