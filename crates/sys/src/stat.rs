//! fstat(2) and fstatfs(2) of descriptors (`O_PATH` ones too).

use crate::{Result, nr};

/// procfs, see statfs(2).
pub const PROC_SUPER_MAGIC: u64 = 0x9fa0;
/// devpts.
pub const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;
/// cgroup v2.
pub const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;

/// What is asked of `struct statx`.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Inode number.
    pub ino: u64,
    /// Major number of the device a node stands for.
    pub rdev_major: u32,
    /// Minor number of the device a node stands for.
    pub rdev_minor: u32,
    /// Size in bytes.
    pub size: u64,
    /// Which mount it was reached through (Linux 5.8).
    pub mount: u64,
}

#[repr(C, align(8))]
struct Statx([u8; 256]);

impl Statx {
    fn u16(&self, at: usize) -> u16 {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b))
    }
    fn u32(&self, at: usize) -> u32 {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
    }
    fn u64(&self, at: usize) -> u64 {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_ne_bytes(*b))
    }
}

/// The status of what `fd` refers to. <https://man7.org/linux/man-pages/man2/statx.2.html>
///
/// # Errors
/// `EBADF`.
///
/// ```
/// let null = cofferdam_sys::open::open(c"/dev/null", cofferdam_sys::open::O_PATH).unwrap();
/// let s = cofferdam_sys::stat::stat(null.raw()).unwrap();
/// assert_eq!((s.rdev_major, s.rdev_minor), (1, 3));
/// ```
pub fn stat(fd: i32) -> Result<Stat> {
    statx(fd, c"", crate::open::AT_EMPTY_PATH)
}

/// The status of a path beneath `dir`; a link itself is meant.
///
/// # Errors
/// `ENOENT` and others of the man page.
///
/// ```
/// use cofferdam_sys::{open::AT_FDCWD, stat::{Stat, lstat}};
/// const S_IFMT: u32 = 0o170_000;
/// let link: Stat = lstat(AT_FDCWD, c"/proc/self").unwrap();
/// assert_eq!(link.mode & S_IFMT, 0o120_000);
/// ```
pub fn lstat(dir: i32, path: &core::ffi::CStr) -> Result<Stat> {
    statx(dir, path, crate::open::AT_SYMLINK_NOFOLLOW)
}

fn statx(dir: i32, path: &core::ffi::CStr, flags: u32) -> Result<Stat> {
    const STATX_BASIC_STATS_AND_MNT_ID: u32 = 0x17ff;
    let mut x = Statx([0; 256]);
    // SAFETY: a null-terminated string and room for the 256 bytes of struct statx.
    unsafe { syscall!(nr::STATX, dir, path.as_ptr(), flags, STATX_BASIC_STATS_AND_MNT_ID, &raw mut x) }?;
    Ok(Stat {
        mode: u32::from(x.u16(28)),
        uid: x.u32(20),
        gid: x.u32(24),
        ino: x.u64(32),
        size: x.u64(40),
        rdev_major: x.u32(128),
        rdev_minor: x.u32(132),
        mount: x.u64(144),
    })
}

/// The magic number of the file system that `fd` lies on.
/// <https://man7.org/linux/man-pages/man2/statfs.2.html>
///
/// # Errors
/// `EBADF`.
///
/// ```
/// use cofferdam_sys::{open, stat};
/// let proc = open::open(c"/proc", open::O_PATH).unwrap();
/// assert_eq!(stat::filesystem(proc.raw()).unwrap(), stat::PROC_SUPER_MAGIC);
/// ```
pub fn filesystem(fd: i32) -> Result<u64> {
    let mut statfs = [0u64; 15];
    // SAFETY: room for the 120 bytes of struct statfs.
    unsafe { syscall!(nr::FSTATFS, fd, statfs.as_mut_ptr()) }?;
    let [magic, ..] = statfs;
    Ok(magic)
}
