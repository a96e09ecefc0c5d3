//! Calls on files.
//!
//! Called by `Call::of`.

use std::ffi::CString;

use cofferdam_sys::Errno;

use super::arguments::{Arguments, lower};
use super::{AT_FDCWD, Call, OpenHow, SetXattr};
use crate::{Error, Result};

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
const AT_REMOVEDIR: u32 = 0x200;

pub(super) fn decode(name: &str, a: &Arguments<'_>) -> Result<Option<Call>> {
    const CREATE: u64 = 0o1101; // O_CREAT | O_WRONLY | O_TRUNC
    let call = match name {
        "mkdir" => Call::Mkdir { dir: AT_FDCWD, path: a.path(0)?, mode: a.uint(1) },
        "mkdirat" => Call::Mkdir { dir: a.int(0), path: a.path(1)?, mode: a.uint(2) },
        "mknod" => mknod(AT_FDCWD, a, 0)?,
        "mknodat" => mknod(a.int(0), a, 1)?,
        "open" => open(AT_FDCWD, a.path(0)?, a.uint(1).into(), a.uint(2)),
        "openat" => open(a.int(0), a.path(1)?, a.uint(2).into(), a.uint(3)),
        "creat" => open(AT_FDCWD, a.path(0)?, CREATE, a.uint(1)),
        "openat2" => openat2(a)?,
        "chmod" => Call::Chmod { dir: AT_FDCWD, path: a.path(0)?, mode: a.uint(1), flags: 0 },
        "fchmodat" => Call::Chmod { dir: a.int(0), path: a.path(1)?, mode: a.uint(2), flags: 0 },
        "fchmodat2" => {
            let flags = a.uint(3);
            Call::Chmod { dir: a.int(0), path: a.maybe_empty(1, flags)?, mode: a.uint(2), flags }
        }
        "fchmod" => {
            Call::Chmod { dir: a.int(0), path: CString::default(), mode: a.uint(1), flags: AT_EMPTY_PATH }
        }
        "unlink" => Call::Unlink { dir: AT_FDCWD, path: a.path(0)?, flags: 0 },
        "rmdir" => Call::Unlink { dir: AT_FDCWD, path: a.path(0)?, flags: AT_REMOVEDIR },
        "unlinkat" => Call::Unlink { dir: a.int(0), path: a.path(1)?, flags: a.uint(2) },
        "symlink" => Call::Symlink { target: a.path(0)?, dir: AT_FDCWD, path: a.path(1)? },
        "symlinkat" => Call::Symlink { target: a.path(0)?, dir: a.int(1), path: a.path(2)? },
        _ => return Ok(chown(name, a)?.or(set_xattr(name, a)?)),
    };
    Ok(Some(call))
}

fn mknod(dir: i32, a: &Arguments<'_>, first: usize) -> Result<Call> {
    let [path, mode, device] = [first, first.saturating_add(1), first.saturating_add(2)];
    Ok(Call::Mknod { dir, path: a.path(path)?, mode: a.uint(mode), device: split(a.uint(device)) })
}

/// Major and minor of a device number as the kernel takes it, see makedev(3).
const fn split(device: u32) -> (u32, u32) {
    (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00)
}

fn open(dir: i32, path: CString, flags: u64, mode: u32) -> Call {
    // Without O_CREAT or O_TMPFILE the register of the mode holds whatever it held.
    const MAKES: u64 = 0o100 | 0o20_000_000;
    let mode = if flags & MAKES == 0 { 0 } else { mode.into() };
    Call::Open { dir, path, how: OpenHow { flags, mode, resolve: 0 } }
}

fn openat2(a: &Arguments<'_>) -> Result<Call> {
    const SMALLEST: u64 = 24;
    if a.long(3) < SMALLEST {
        return Err(Error::malformed("the size of struct open_how"));
    }
    let [flags, mode, resolve] = a.memory.structure(a.long(2), a.long(3))?;
    Ok(Call::Open { dir: a.int(0), path: a.path(1)?, how: OpenHow { flags, mode, resolve } })
}

fn chown(name: &str, a: &Arguments<'_>) -> Result<Option<Call>> {
    // Where there is a chown32, the old calls have ids of 16 bits.
    let narrow = !name.ends_with("32") && name != "fchownat" && a.arch.call_number("chown32").is_some();
    let id = |n| match lower(a.long(n)) {
        id if !narrow => id,
        id if id & 0xffff == 0xffff => u32::MAX,
        id => id & 0xffff,
    };
    let (dir, path, first, flags) = match name {
        "chown" | "chown32" => (AT_FDCWD, a.path(0)?, 1, 0),
        "lchown" | "lchown32" => (AT_FDCWD, a.path(0)?, 1, AT_SYMLINK_NOFOLLOW),
        "fchown" | "fchown32" => (a.int(0), CString::default(), 1, AT_EMPTY_PATH),
        "fchownat" => (a.int(0), a.maybe_empty(1, a.uint(4))?, 2, a.uint(4)),
        _ => return Ok(None),
    };
    Ok(Some(Call::Chown { dir, path, uid: id(first), gid: id(first + 1), flags }))
}

fn set_xattr(name: &str, a: &Arguments<'_>) -> Result<Option<Call>> {
    let (dir, path, flags_at) = match name {
        "setxattr" => (AT_FDCWD, a.path(0)?, 0),
        "lsetxattr" => (AT_FDCWD, a.path(0)?, AT_SYMLINK_NOFOLLOW),
        "fsetxattr" => (a.int(0), CString::default(), AT_EMPTY_PATH),
        "setxattrat" => (a.int(0), a.maybe_empty(1, a.uint(2))?, a.uint(2)),
        _ => return Ok(None),
    };
    let (at, value, size, flags) = if name == "setxattrat" {
        // struct xattr_args: address, then size and flags in one word.
        let [value, rest] = a.memory.structure(a.long(4), a.long(5))?;
        (a.long(3), value, u64::from(lower(rest)), lower(rest >> 32))
    } else {
        (a.long(1), a.long(2), a.long(3), a.uint(4))
    };
    Ok(Some(Call::SetXattr(SetXattr {
        dir,
        path,
        flags_at,
        name: attribute(a, at)?,
        value: value_of(a, value, size)?,
        flags,
    })))
}

fn attribute(a: &Arguments<'_>, at: u64) -> Result<CString> {
    const XATTR_NAME_MAX: usize = 255;
    let range = |e| match e {
        Error::TooLong { limit, .. } => Error::TooLong { limit, errno: Errno::ERANGE },
        e => e,
    };
    let name = a.memory.string(at, XATTR_NAME_MAX + 1).map_err(range)?;
    if name.is_empty() {
        return Err(Error::Malformed { what: "an attribute without a name", errno: Errno::ERANGE });
    }
    Ok(name)
}

fn value_of(a: &Arguments<'_>, at: u64, size: u64) -> Result<Vec<u8>> {
    const XATTR_SIZE_MAX: usize = 65536;
    a.memory.counted(at, size, XATTR_SIZE_MAX).map_err(|e| match e {
        Error::TooLong { limit, .. } => Error::TooLong { limit, errno: Errno::E2BIG },
        e => e,
    })
}
