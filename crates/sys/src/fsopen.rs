//! fsopen(2), fsconfig(2), fsmount(2), move_mount(2), open_tree(2): the mount API on descriptors.
//! Linux 5.2.

use core::ffi::CStr;

use crate::{Errno, Fd, Result, nr, raw::small};

/// Clone the tree instead of naming it, for [`open_tree`].
pub const OPEN_TREE_CLONE: u32 = 1;
/// Mounts below come along, for [`open_tree`] with [`OPEN_TREE_CLONE`] and for mount_setattr.
pub const AT_RECURSIVE: u32 = 0x8000;

/// A file system that is being configured.
///
/// ```no_run
/// use cofferdam_sys::fsopen::Context;
/// let tmpfs = Context::open(c"tmpfs")?;
/// tmpfs.string(c"size", c"65536k")?;
/// let mount = tmpfs.mount(0)?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
#[derive(Debug)]
pub struct Context(Fd);

/// One step of configuring a file system, for [`Context::configure`]: fsconfig(2)'s commands as far as they take
/// no blob.
///
/// ```
/// use cofferdam_sys::fsopen::Step;
/// assert!(matches!(Step::Create, Step::Create | Step::Reconfigure));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A flag.
    Flag(&'a CStr),
    /// A string.
    String(&'a CStr, &'a CStr),
    /// A descriptor.
    Descriptor(&'a CStr, i32),
    /// Make the superblock, or take one that is there.
    Create,
    /// Change it.
    Reconfigure,
    /// Make the superblock, and no other's. Linux 6.6.
    CreateExclusive,
}

impl Context {
    /// Of a descriptor of fsopen(2) or fspick(2).
    #[must_use]
    pub const fn of(fd: Fd) -> Self {
        Self(fd)
    }

    /// The descriptor.
    #[must_use]
    pub fn into_fd(self) -> Fd {
        self.0
    }

    /// Takes one step. <https://man7.org/linux/man-pages/man2/fsconfig.2.html>
    ///
    /// # Errors
    /// What the file system says; [`Context::message`] says more.
    pub fn configure(&self, step: Step<'_>) -> Result<()> {
        let (command, key, aux) = match step {
            Step::Flag(key) => return self.flag(key),
            Step::String(key, value) => return self.string(key, value),
            Step::Descriptor(key, aux) => (5u32, key.as_ptr(), aux),
            Step::Create => (6, core::ptr::null(), 0),
            Step::Reconfigure => (7, core::ptr::null(), 0),
            Step::CreateExclusive => (8, core::ptr::null(), 0),
        };
        // SAFETY: a null-terminated string or none, no value.
        unsafe { syscall!(nr::FSCONFIG, self.0.raw(), command, key, 0usize, aux) }.map(drop)
    }

    /// Makes a mount of the superblock that was made, attached nowhere.
    /// <https://man7.org/linux/man-pages/man2/fsmount.2.html>
    ///
    /// # Errors
    /// `EBUSY` before there is a superblock.
    pub fn attach(&self, attr: u64) -> Result<Fd> {
        // SAFETY: no memory is handed over.
        unsafe { syscall!(nr::FSMOUNT, self.0.raw(), 1u32, attr) }.map(|fd| Fd::own(small(fd)))
    }

    /// `fsopen(fstype)`, close-on-exec. <https://man7.org/linux/man-pages/man2/fsopen.2.html>
    ///
    /// # Errors
    /// `ENODEV` for an unknown type, `EPERM` without CAP_SYS_ADMIN.
    pub fn open(fstype: &CStr) -> Result<Self> {
        // SAFETY: a null-terminated string.
        unsafe { syscall!(nr::FSOPEN, fstype.as_ptr(), 1u32) }.map(|fd| Self(Fd::own(small(fd))))
    }

    /// Sets a parameter that is a flag.
    ///
    /// # Errors
    /// `EINVAL` for an unknown one; [`Context::message`] says more.
    pub fn flag(&self, key: &CStr) -> Result<()> {
        // SAFETY: a null-terminated string, no value.
        unsafe { syscall!(nr::FSCONFIG, self.0.raw(), 0u32, key.as_ptr(), 0usize, 0u32) }.map(drop)
    }

    /// Sets a parameter that is a string of at most 255 bytes.
    ///
    /// # Errors
    /// `EINVAL` for an unknown or too long one; [`Context::message`] says more.
    pub fn string(&self, key: &CStr, value: &CStr) -> Result<()> {
        // SAFETY: null-terminated strings.
        unsafe { syscall!(nr::FSCONFIG, self.0.raw(), 1u32, key.as_ptr(), value.as_ptr(), 0u32) }.map(drop)
    }

    /// Makes the superblock and a mount of it, attached nowhere; `attr` as for
    /// [`crate::mount_setattr`].
    ///
    /// # Errors
    /// What the file system says; [`Context::message`] says more.
    pub fn mount(&self, attr: u64) -> Result<Fd> {
        // SAFETY: FSCONFIG_CMD_CREATE takes neither key nor value.
        unsafe { syscall!(nr::FSCONFIG, self.0.raw(), 6u32, 0usize, 0usize, 0u32) }?;
        self.attach(attr)
    }

    /// What the kernel has to say about the last failure, such as `e tmpfs: Unknown parameter 'x'`.
    pub fn message<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        crate::open::read(self.0.raw(), buffer).map_or(&[], |n| buffer.get(..n).unwrap_or_default())
    }
}

/// The file system that `fd` is on, to be changed, close-on-exec: `fspick(fd, "")`.
/// <https://man7.org/linux/man-pages/man2/fspick.2.html>
///
/// # Errors
/// `EINVAL` when `fd` is not the root of a mount, `EPERM` without CAP_SYS_ADMIN.
///
/// ```no_run
/// use cofferdam_sys::{fsopen::*, open};
/// let there = open::open(c"/mnt", open::O_PATH)?;
/// let fs = Context::of(pick(there.raw())?);
/// fs.string(c"size", c"2m")?;
/// fs.configure(Step::Reconfigure)?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn pick(fd: i32) -> Result<Fd> {
    const CLOEXEC_AND_EMPTY_PATH: u32 = 1 | 8;
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::FSPICK, fd, c"".as_ptr(), CLOEXEC_AND_EMPTY_PATH) }.map(|fd| Fd::own(small(fd)))
}

/// `open_tree(dir, path, flags)`, close-on-exec; with [`OPEN_TREE_CLONE`] a copy attached nowhere.
/// <https://man7.org/linux/man-pages/man2/open_tree.2.html>
///
/// # Errors
/// As the man page; `EPERM` to clone without CAP_SYS_ADMIN over the mount namespace.
///
/// ```
/// use cofferdam_sys::{fsopen, open};
/// let etc = fsopen::open_tree(open::AT_FDCWD, c"/etc", 0).unwrap();
/// assert!(open::openat2(etc.raw(), c"passwd", open::O_PATH, 0, open::RESOLVE_BENEATH).is_ok());
/// ```
pub fn open_tree(dir: i32, path: &CStr, flags: u32) -> Result<Fd> {
    const OPEN_TREE_CLOEXEC: u32 = 0o2_000_000;
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::OPEN_TREE, dir, path.as_ptr(), flags | OPEN_TREE_CLOEXEC) }
        .map(|fd| Fd::own(small(fd)))
}

/// Attaches the mount `from` to exactly what `to` refers to: no path is looked up.
/// <https://man7.org/linux/man-pages/man2/move_mount.2.html>
///
/// # Errors
/// As the man page; `ENOTDIR` when one is a directory and the other is not.
///
/// ```no_run
/// use cofferdam_sys::{fsopen::*, open::*};
/// let copy = open_tree(AT_FDCWD, c"/srv/data", OPEN_TREE_CLONE | AT_RECURSIVE)?;
/// let place = open(c"/mnt", O_PATH | O_DIRECTORY)?;
/// move_mount(copy.raw(), place.raw())?; // as `mount --rbind /srv/data /mnt`
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn move_mount(from: i32, to: i32) -> Result<()> {
    const F_EMPTY_PATH: u32 = 4;
    const T_EMPTY_PATH: u32 = 0x40;
    let empty = c"".as_ptr();
    // SAFETY: null-terminated strings.
    unsafe { syscall!(nr::MOVE_MOUNT, from, empty, to, empty, F_EMPTY_PATH | T_EMPTY_PATH) }.map(drop)
}

/// mount(2) onto the working directory, for parameters longer than [`Context::string`] takes.
/// <https://man7.org/linux/man-pages/man2/mount.2.html>
///
/// # Errors
/// As the man page.
///
/// ```no_run
/// use cofferdam_sys::{dirs, fsopen::mount_here};
/// dirs::chdir(c"/mnt")?;
/// mount_here(c"none", c"overlay", 0, c"lowerdir=/a:/b,upperdir=/c,workdir=/d")?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn mount_here(source: &CStr, fstype: &CStr, flags: u64, data: &CStr) -> Result<()> {
    // SAFETY: null-terminated strings.
    unsafe { syscall!(nr::MOUNT, source.as_ptr(), c".".as_ptr(), fstype.as_ptr(), flags, data.as_ptr()) }
        .map(drop)
}

/// Moves the mount at the working directory to `/` (`MS_MOVE`), for roots that cannot be pivoted.
/// <https://man7.org/linux/man-pages/man2/mount.2.html>
///
/// # Errors
/// As the man page.
///
/// ```no_run
/// use cofferdam_sys::{dirs, fsopen::move_here_to_root};
/// dirs::chdir(c"/newroot")?; // a mount point
/// move_here_to_root()?;
/// dirs::chroot(c".")?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn move_here_to_root() -> Result<()> {
    const MS_MOVE: u64 = 8192;
    // SAFETY: null-terminated strings; type and data are not used.
    unsafe { syscall!(nr::MOUNT, c".".as_ptr(), c"/".as_ptr(), 0usize, MS_MOVE, 0usize) }.map(drop)
}

/// Whether a failure of the mount API may have left a message behind.
///
/// ```
/// use cofferdam_sys::{Errno, fsopen::explains};
/// assert!(explains(Errno::EINVAL) && !explains(Errno::EMFILE));
/// ```
#[must_use]
pub fn explains(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EINVAL | Errno::EPERM | Errno::ENOENT | Errno::EBUSY | Errno::ENODEV | Errno::ENOTBLK
    )
}
