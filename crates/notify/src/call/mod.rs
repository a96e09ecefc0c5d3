//! System calls with their arguments by their types.
//!
//! Called by [`crate::Request::call`]. Each is read once and whole, then the request is asked for again; calls
//! that mean the same (`mkdir` and `mkdirat`, `connect` by itself and through i386's `socketcall`) are the same
//! here. Whether an argument makes sense is judged only as far as it must be to be read.

mod arguments;
mod files;
mod mounts;
mod processes;
mod sockets;

use std::ffi::CString;

use crate::{Address, Request, Result};
use arguments::Arguments;

pub(crate) use sockets::behind_socketcall;

/// The directory descriptor that stands for the working directory (`AT_FDCWD`).
pub const AT_FDCWD: i32 = -100;

/// A system call. Paths are the caller's: relative ones start at `dir`, a descriptor of the caller's
/// ([`crate::Caller::place`]) or [`AT_FDCWD`].
///
/// ```no_run
/// use cofferdam_notify::{Answer, Call, Errno};
/// # fn f(request: &cofferdam_notify::Request) -> cofferdam_notify::Result<Answer> {
/// match request.call()? {
///     Call::Connect { address, .. } if address.destination().is_some_and(|(_, port)| port == 25) => {
///         Ok(Answer::Errno(Errno::ECONNREFUSED))
///     }
///     Call::Mount(mount) => Err(Errno::EPERM)?,
///     Call::Other { name, .. } => Ok(Answer::Errno(Errno::ENOSYS)),
///     _ => Ok(Answer::Errno(Errno::EPERM)),
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the man pages'")]
pub enum Call {
    /// mkdir(2), mkdirat(2).
    Mkdir { dir: i32, path: CString, mode: u32 },
    /// mknod(2), mknodat(2); `device` is major and minor.
    Mknod { dir: i32, path: CString, mode: u32, device: (u32, u32) },
    /// open(2), creat(2), openat(2), openat2(2).
    Open { dir: i32, path: CString, how: OpenHow },
    /// chown(2), lchown(2), fchownat(2), fchown(2) (with an empty path and `AT_EMPTY_PATH`); -1 as an id is
    /// `u32::MAX`.
    Chown { dir: i32, path: CString, uid: u32, gid: u32, flags: u32 },
    /// chmod(2), fchmodat(2), fchmodat2(2), fchmod(2) (with an empty path and `AT_EMPTY_PATH`).
    Chmod { dir: i32, path: CString, mode: u32, flags: u32 },
    /// setxattr(2), lsetxattr(2), fsetxattr(2), setxattrat(2).
    SetXattr(SetXattr),
    /// unlink(2), rmdir(2), unlinkat(2).
    Unlink { dir: i32, path: CString, flags: u32 },
    /// symlink(2), symlinkat(2).
    Symlink { target: CString, dir: i32, path: CString },
    /// mount(2).
    Mount(Mount),
    /// umount(2), umount2(2).
    Unmount { target: CString, flags: u32 },
    /// fsopen(2).
    FsOpen { fstype: CString, flags: u32 },
    /// fspick(2).
    FsPick { dir: i32, path: CString, flags: u32 },
    /// fsconfig(2).
    FsConfig { fd: i32, config: FsConfig },
    /// fsmount(2).
    FsMount { fd: i32, flags: u32, attributes: u32 },
    /// move_mount(2).
    MoveMount { from: (i32, CString), to: (i32, CString), flags: u32 },
    /// open_tree(2).
    OpenTree { dir: i32, path: CString, flags: u32 },
    /// mount_setattr(2).
    MountSetattr { dir: i32, path: CString, flags: u32, attributes: MountAttributes },
    /// connect(2).
    Connect { socket: i32, address: Address },
    /// bind(2).
    Bind { socket: i32, address: Address },
    /// sendto(2); `buffer` and `length` are where the data are.
    SendTo { socket: i32, buffer: u64, length: u64, flags: u32, address: Option<Address> },
    /// sendmsg(2), sendmmsg(2).
    SendMessages { socket: i32, messages: Vec<Message>, flags: u32 },
    /// execve(2), execveat(2); `argv` and `envp` are where the arrays are ([`crate::Memory::strings`]).
    Exec { dir: i32, path: CString, argv: u64, envp: u64, flags: u32 },
    /// bpf(2), with as much of `union bpf_attr` as the caller says.
    Bpf { command: u32, attributes: Vec<u8> },
    /// sysinfo(2), uname(2): where the answer is to be written.
    Sysinfo { to: u64 },
    /// As [`Call::Sysinfo`].
    Uname { to: u64 },
    /// Any other, as it stands in the registers.
    Other { name: Option<&'static str>, args: [u64; 6] },
}

/// `struct open_how` of openat2(2).
///
/// ```
/// let how = cofferdam_notify::OpenHow { flags: 0o100 | 1, mode: 0o644, resolve: 0 };
/// assert!(how.writes());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenHow {
    /// `O_*`.
    pub flags: u64,
    /// Permission bits of a file that is made.
    pub mode: u64,
    /// `RESOLVE_*`.
    pub resolve: u64,
}

impl OpenHow {
    /// Whether the file may be changed by it: opened for writing, made, or emptied.
    #[must_use]
    pub const fn writes(&self) -> bool {
        const ACCESS: u64 = 3;
        const O_CREAT: u64 = 0o100;
        const O_TRUNC: u64 = 0o1000;
        self.flags & ACCESS != 0 || self.flags & (O_CREAT | O_TRUNC) != 0
    }

    /// Whether the descriptor is closed on execve(2).
    #[must_use]
    pub const fn cloexec(&self) -> bool {
        self.flags & 0o2_000_000 != 0
    }
}

/// Arguments of setxattr(2).
///
/// ```
/// # fn f(xattr: cofferdam_notify::SetXattr) -> bool {
/// xattr.name.as_bytes() == b"trusted.overlay.opaque" && xattr.value == b"y"
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetXattr {
    /// Where `path` starts; the file itself where that is empty and `flags_at` has `AT_EMPTY_PATH`.
    pub dir: i32,
    /// The file.
    pub path: CString,
    /// `AT_SYMLINK_NOFOLLOW`, `AT_EMPTY_PATH`.
    pub flags_at: u32,
    /// The attribute.
    pub name: CString,
    /// Its value, at most 64 KiB.
    pub value: Vec<u8>,
    /// `XATTR_CREATE`, `XATTR_REPLACE`.
    pub flags: u32,
}

/// One message of sendmsg(2) or sendmmsg(2). What it says is read when it is sent.
///
/// ```
/// # fn f(message: cofferdam_notify::Message) -> bool {
/// message.address.is_none() && message.control.is_empty()
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Where it goes; without one, to where the socket is connected.
    pub address: Option<Address>,
    /// Where its data are, and how long.
    pub parts: Vec<(u64, u64)>,
    /// Ancillary data (cmsg(3)) as the caller's ABI has them.
    pub control: Vec<u8>,
    /// Where the caller of sendmmsg(2) wants to be told how much was sent.
    pub told: Option<u64>,
}

/// Arguments of mount(2).
///
/// ```
/// # fn f(mount: cofferdam_notify::Mount) -> bool {
/// mount.is_new() && mount.fstype.as_deref() == Some(c"tmpfs")
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: Option<CString>,
    /// Where.
    pub target: CString,
    /// The type of the file system.
    pub fstype: Option<CString>,
    /// `MS_*`.
    pub flags: u64,
    /// Options, separated by commas.
    pub data: Option<CString>,
}

impl Mount {
    /// Whether it mounts a file system anew, and does not change or copy what is mounted.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        // MS_REMOUNT, MS_BIND, MS_MOVE and the four kinds of propagation.
        const OTHERS: u64 = 32 | 4096 | 8192 | 0b1111 << 17;
        self.flags & OTHERS == 0
    }
}

/// What fsconfig(2) is told.
///
/// ```
/// use cofferdam_notify::FsConfig;
/// let size = FsConfig::String { key: c"size".into(), value: c"1m".into() };
/// assert_ne!(size, FsConfig::Create { exclusive: false });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the man page's")]
pub enum FsConfig {
    Flag { key: CString },
    String { key: CString, value: CString },
    Binary { key: CString, value: Vec<u8> },
    Path { key: CString, dir: i32, path: CString, empty: bool },
    Descriptor { key: CString, fd: i32 },
    Create { exclusive: bool },
    Reconfigure,
    Other { command: u32 },
}

/// `struct mount_attr` of mount_setattr(2).
///
/// ```
/// let read_only = cofferdam_notify::MountAttributes { set: 1, ..Default::default() };
/// assert_eq!(read_only.clear, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountAttributes {
    /// `MOUNT_ATTR_*`.
    pub set: u64,
    /// `MOUNT_ATTR_*`.
    pub clear: u64,
    /// `MS_SHARED` and the like, or 0.
    pub propagation: u64,
    /// The user namespace of an idmapped mount, a descriptor of the caller's.
    pub user_namespace: u64,
}

impl Call {
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let (name, args, arch) = (request.name(), request.args(), request.arch());
        let (Some(known), Some(arch)) = (name, arch) else { return Ok(Self::Other { name, args }) };
        let decode = [files::decode, mounts::decode, sockets::decode, processes::decode];
        // What takes no memory is not read in a second step, so that it needs no right to.
        if !arguments::DECODED.contains(&known) {
            return Ok(Self::Other { name, args });
        }
        request.read(|memory| {
            let arguments = Arguments { args, memory, arch };
            for decode in decode {
                if let Some(call) = decode(known, &arguments)? {
                    return Ok(call);
                }
            }
            Ok(Self::Other { name, args })
        })
    }
}
