//! An owned file descriptor, closed when dropped. The only state this crate has.

use crate::{Errno, nr};

/// A file descriptor that is closed when it goes out of scope.
///
/// ```
/// let null = cofferdam_sys::open::open(c"/dev/null", cofferdam_sys::open::O_RDONLY).unwrap();
/// assert!(null.raw() > 2);
/// ```
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Takes ownership of a descriptor's number.
    #[must_use]
    pub const fn own(raw: i32) -> Self {
        Self(raw)
    }

    /// The number.
    #[must_use]
    pub const fn raw(&self) -> i32 {
        self.0
    }

    /// Gives the number away; it is not closed.
    #[must_use]
    pub const fn into_raw(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        let _ = close(self.0);
    }
}

/// `close(fd)`. <https://man7.org/linux/man-pages/man2/close.2.html>
fn close(fd: i32) -> Result<(), Errno> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::CLOSE, fd) }.map(drop)
}

#[cfg(feature = "std")]
impl From<Fd> for std::os::fd::OwnedFd {
    fn from(fd: Fd) -> Self {
        use std::os::fd::FromRawFd;
        // SAFETY: an Fd owns its number, and into_raw gives that ownership away.
        unsafe { Self::from_raw_fd(fd.into_raw()) }
    }
}
