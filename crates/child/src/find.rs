//! Finding the program, as execvp(3) would, and telling why it cannot run before anybody waits for it.

use core::ffi::CStr;

use cofferdam_sys::{Errno, Result, mknodat, open, stat};

use crate::context::{Context, Done, Path};

/// `detail` of a failure when no directory of `PATH` has the program.
pub(crate) const NOT_IN_PATH: u32 = 1;

pub(crate) fn find(c: &mut Context, name: &CStr, path: &CStr) -> Done {
    c.found.clear();
    if name.to_bytes().contains(&b'/') {
        executable(name)?;
        return Ok(c.found.push(name.to_bytes())?);
    }
    let mut denied = false;
    for directory in path.to_bytes().split(|b| *b == b':') {
        let mut candidate = Path::new();
        candidate.push(if directory.is_empty() { b"." } else { directory })?;
        candidate.push(b"/")?;
        candidate.push(name.to_bytes())?;
        match executable(candidate.c_str()?) {
            Ok(()) => return Ok(c.found.push(candidate.bytes())?),
            Err(Errno::EACCES) => denied = true,
            Err(_) => {}
        }
    }
    let errno = if denied { Errno::EACCES } else { Errno::ENOENT };
    Err(crate::context::Fail { errno, detail: NOT_IN_PATH })
}

/// Whether the calling process could execute the file, as far as can be told without doing so.
fn executable(path: &CStr) -> Result<()> {
    let fd = open::open(path, open::O_PATH)?;
    let s = stat::stat(fd.raw())?;
    match s.mode & mknodat::S_IFMT {
        mknodat::S_IFDIR => Err(Errno::EISDIR),
        mknodat::S_IFREG if s.mode & 0o111 != 0 => cofferdam_sys::access::executable(fd.raw()),
        _ => Err(Errno::EACCES),
    }
}
