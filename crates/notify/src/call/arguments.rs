//! Registers by the types of arguments.
//!
//! Called by the decoders. An `int` is the lower half of its register, whatever the caller left above it: so the
//! kernel takes it.

use std::ffi::CString;

use cofferdam_seccomp::Arch;

use crate::{Memory, Result};

/// All calls that a decoder knows.
pub(super) const DECODED: &[&str] = &[
    "bind",
    "bpf",
    "chmod",
    "chown",
    "chown32",
    "connect",
    "creat",
    "execve",
    "execveat",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchown32",
    "fchownat",
    "fsconfig",
    "fsetxattr",
    "fsmount",
    "fsopen",
    "fspick",
    "lchown",
    "lchown32",
    "lsetxattr",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mount",
    "mount_setattr",
    "move_mount",
    "open",
    "open_tree",
    "openat",
    "openat2",
    "rmdir",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setxattr",
    "setxattrat",
    "socketcall",
    "symlink",
    "symlinkat",
    "sysinfo",
    "umount",
    "umount2",
    "uname",
    "unlink",
    "unlinkat",
];

/// A call's registers, and the memory that they point into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments<'a> {
    pub(super) args: [u64; 6],
    pub(super) memory: &'a Memory,
    pub(super) arch: Arch,
}

impl Arguments<'_> {
    /// `unsigned long`, or an address.
    pub(super) fn long(&self, n: usize) -> u64 {
        self.args.get(n).copied().unwrap_or(0)
    }

    /// `unsigned int`.
    pub(super) fn uint(&self, n: usize) -> u32 {
        lower(self.long(n))
    }

    /// `int`, a descriptor among others.
    pub(super) fn int(&self, n: usize) -> i32 {
        self.uint(n).cast_signed()
    }

    /// A path.
    pub(super) fn path(&self, n: usize) -> Result<CString> {
        self.memory.path(self.long(n))
    }

    /// A path, or nothing at a null pointer.
    pub(super) fn optional(&self, n: usize) -> Result<Option<CString>> {
        self.memory.optional(self.long(n), |at| self.memory.path(at))
    }

    /// A path that a null pointer leaves empty, as the kernel does with `AT_EMPTY_PATH` (Linux 6.11).
    pub(super) fn maybe_empty(&self, n: usize, flags: u32) -> Result<CString> {
        const AT_EMPTY_PATH: u32 = 0x1000;
        match self.long(n) {
            0 if flags & AT_EMPTY_PATH != 0 => Ok(CString::default()),
            at => self.memory.path(at),
        }
    }
}

/// The lower half of a register.
pub(super) fn lower(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)
}
