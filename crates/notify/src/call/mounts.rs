//! Calls on mounts, of mount(2) and of the newer API.
//!
//! Called by `Call::of`.

use std::ffi::CString;

use cofferdam_sys::Errno;

use super::arguments::Arguments;
use super::{Call, FsConfig, Mount, MountAttributes};
use crate::{Error, Result};

/// Most bytes of a key or a string of fsconfig(2), with its null.
const KEY: usize = 256;

pub(super) fn decode(name: &str, a: &Arguments<'_>) -> Result<Option<Call>> {
    let call = match name {
        "mount" => Call::Mount(Mount {
            source: a.optional(0)?,
            target: a.path(1)?,
            fstype: a.optional(2)?,
            flags: flags(a.long(3)),
            data: data(a)?,
        }),
        "umount" => Call::Unmount { target: a.path(0)?, flags: 0 },
        "umount2" => Call::Unmount { target: a.path(0)?, flags: a.uint(1) },
        "fsopen" => Call::FsOpen { fstype: a.path(0)?, flags: a.uint(1) },
        "fspick" => Call::FsPick { dir: a.int(0), path: a.path(1)?, flags: a.uint(2) },
        "fsconfig" => Call::FsConfig { fd: a.int(0), config: config(a)? },
        "fsmount" => Call::FsMount { fd: a.int(0), flags: a.uint(1), attributes: a.uint(2) },
        "move_mount" => {
            Call::MoveMount { from: (a.int(0), a.path(1)?), to: (a.int(2), a.path(3)?), flags: a.uint(4) }
        }
        "open_tree" => Call::OpenTree { dir: a.int(0), path: a.path(1)?, flags: a.uint(2) },
        "mount_setattr" => set_attributes(a)?,
        _ => return Ok(None),
    };
    Ok(Some(call))
}

/// Without the magic number that binaries of the last century put into the upper half.
const fn flags(flags: u64) -> u64 {
    const MS_MGC_VAL: u64 = 0xc0ed_0000;
    if flags & 0xffff_0000 == MS_MGC_VAL { flags & !0xffff_0000 } else { flags }
}

/// The kernel takes a page of whatever is there, and ends it with a null.
fn data(a: &Arguments<'_>) -> Result<Option<CString>> {
    const MOST: usize = 4095;
    a.memory.optional(a.long(4), |at| {
        let mut bytes = a.memory.up_to(at, MOST)?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        CString::new(bytes).map_err(|_| Error::malformed("the mount's data"))
    })
}

fn config(a: &Arguments<'_>) -> Result<FsConfig> {
    const BLOB: usize = 1 << 20;
    let text = |n| {
        a.memory.string(a.long(n), KEY).map_err(|e| match e {
            Error::TooLong { limit, .. } => Error::TooLong { limit, errno: Errno::EINVAL },
            e => e,
        })
    };
    Ok(match a.uint(1) {
        0 => FsConfig::Flag { key: text(2)? },
        1 => FsConfig::String { key: text(2)?, value: text(3)? },
        2 => {
            let length = u64::from(a.uint(4));
            FsConfig::Binary { key: text(2)?, value: a.memory.counted(a.long(3), length, BLOB)? }
        }
        empty @ (3 | 4) => {
            FsConfig::Path { key: text(2)?, dir: a.int(4), path: a.path(3)?, empty: empty == 4 }
        }
        5 => FsConfig::Descriptor { key: text(2)?, fd: a.int(4) },
        6 => FsConfig::Create { exclusive: false },
        7 => FsConfig::Reconfigure,
        8 => FsConfig::Create { exclusive: true },
        command => FsConfig::Other { command },
    })
}

fn set_attributes(a: &Arguments<'_>) -> Result<Call> {
    const SMALLEST: u64 = 32;
    if a.long(4) < SMALLEST {
        return Err(Error::malformed("the size of struct mount_attr"));
    }
    let [set, clear, propagation, user_namespace] = a.memory.structure(a.long(3), a.long(4))?;
    let attributes = MountAttributes { set, clear, propagation, user_namespace };
    Ok(Call::MountSetattr { dir: a.int(0), path: a.path(1)?, flags: a.uint(2), attributes })
}
