//! The child program, embedded, and put once into a sealed file that nobody can change
//! (CVE-2019-5736): it is what /proc/self/exe of a container's process is until execve(2).

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

use cofferdam_sys::{Errno, memfd_create, open};

use crate::{Error, Result};

static CHILD: &[u8] = include_bytes!(env!("COFFERDAM_CHILD"));
static SEALED: OnceLock<OwnedFd> = OnceLock::new();

/// The descriptor of the child program. Made on first use; it stays open as long as the process.
pub(crate) fn descriptor() -> Result<i32> {
    if let Some(fd) = SEALED.get() {
        return Ok(fd.as_raw_fd());
    }
    let made = sealed(c"cofferdam", CHILD, true)?;
    Ok(SEALED.get_or_init(|| made).as_raw_fd())
}

/// A sealed file of these bytes.
pub(crate) fn sealed(name: &std::ffi::CStr, bytes: &[u8], executable: bool) -> Result<OwnedFd> {
    let make = || {
        let fd = memfd_create::memfd_create(name, executable)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = open::write(fd.raw(), rest)?;
            rest = rest.get(n..).filter(|_| n > 0).ok_or(Errno::EIO)?;
        }
        memfd_create::seal(fd.raw())?;
        Ok(OwnedFd::from(fd))
    };
    make().map_err(|e| Error::system("making a sealed file in memory", e))
}
