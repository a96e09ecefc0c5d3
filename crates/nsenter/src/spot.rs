//! A place inside: by its name there, or by a descriptor.
//!
//! Used by `inside`, for what can be done to both.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use cofferdam::launch::Operations;
use cofferdam_child::op::Op;

use crate::Result;
use crate::inside::{single, text};

/// Where something is done.
///
/// ```no_run
/// use std::path::Path;
/// use cofferdam_nsenter::{Inside, Spot, Target};
/// const MOUNT_ATTR_RDONLY: u64 = 1;
/// let enter = Target::open(4711)?.enter();
/// enter.mount_setattr(Spot::Path(Path::new("/data")), (MOUNT_ATTR_RDONLY, 0), 0, false)?;
/// # Ok::<(), cofferdam_nsenter::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Spot<'a> {
    /// What a path leads to inside.
    Path(&'a Path),
    /// What a descriptor names, which may be a place only (`O_PATH`).
    Of(BorrowedFd<'a>),
}

impl Spot<'_> {
    /// One operation, whose path is empty for a descriptor.
    pub(crate) fn single(
        &self,
        doing: &'static str,
        op: impl for<'p> FnOnce(&'p std::ffi::CStr) -> Op<'p>,
    ) -> Result<Operations> {
        Ok(match self {
            Self::Path(path) => single(doing, path, op(&text(path)?)),
            Self::Of(_) => single(doing, "a descriptor".as_ref(), op(c"")),
        })
    }

    /// The descriptor that goes along.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        match self {
            Self::Path(_) => None,
            Self::Of(fd) => Some(fd.as_raw_fd()),
        }
    }
}
