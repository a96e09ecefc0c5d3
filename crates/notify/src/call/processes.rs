//! Calls that concern processes and the system.
//!
//! Called by `Call::of`.

use cofferdam_sys::Errno;

use super::arguments::Arguments;
use super::{AT_FDCWD, Call};
use crate::{Error, Result};

pub(super) fn decode(name: &str, a: &Arguments<'_>) -> Result<Option<Call>> {
    let call = match name {
        "execve" => {
            Call::Exec { dir: AT_FDCWD, path: a.path(0)?, argv: a.long(1), envp: a.long(2), flags: 0 }
        }
        "execveat" => Call::Exec {
            dir: a.int(0),
            path: a.maybe_empty(1, a.uint(4))?,
            argv: a.long(2),
            envp: a.long(3),
            flags: a.uint(4),
        },
        "bpf" => Call::Bpf { command: a.uint(0), attributes: attributes(a)? },
        "sysinfo" => Call::Sysinfo { to: a.long(0) },
        "uname" => Call::Uname { to: a.long(0) },
        _ => return Ok(None),
    };
    Ok(Some(call))
}

fn attributes(a: &Arguments<'_>) -> Result<Vec<u8>> {
    const PAGE: usize = 4096;
    a.memory.counted(a.long(1), a.uint(2).into(), PAGE).map_err(|e| match e {
        Error::TooLong { limit, .. } => Error::TooLong { limit, errno: Errno::E2BIG },
        e => e,
    })
}
