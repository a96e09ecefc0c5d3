//! Nodes, links and directories inside.

use core::ffi::CStr;

use cofferdam_sys::{Errno, dirs, mknodat, stat};

use crate::context::{Context, Done};
use crate::inside::{self, Links, Missing};

/// Makes a node; one that is there must be the same. What is not (a regular file of the image's where
/// /dev/null is wanted) is an error and never used.
pub(crate) fn node(c: &Context, path: &CStr, mode: u32, dev: u32, uid: u32, gid: u32) -> Done {
    let (parent, name) = inside::parent(c.root()?, path)?;
    match mknodat::mknodat(parent.raw(), name, mode, dev) {
        Ok(()) => {}
        Err(Errno::EEXIST) => {
            let s = stat::lstat(parent.raw(), name)?;
            let same = s.mode & mknodat::S_IFMT == mode & mknodat::S_IFMT
                && (mode & mknodat::S_IFMT == mknodat::S_IFIFO
                    || mknodat::makedev(s.rdev_major, s.rdev_minor) == dev);
            if !same {
                return Err(Errno::EEXIST.into());
            }
        }
        Err(e) => return Err(e.into()),
    }
    // A node was just made, or is one: chmod cannot be led astray by a link of that name.
    dirs::fchmodat(parent.raw(), name, mode & 0o7777)?;
    Ok(dirs::lchownat(parent.raw(), name, uid, gid)?)
}

pub(crate) fn symlink(c: &Context, path: &CStr, target: &CStr) -> Done {
    let (parent, name) = inside::parent(c.root()?, path)?;
    match dirs::symlinkat(target, parent.raw(), name) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

pub(crate) fn directory(c: &Context, path: &CStr, mode: u32) -> Done {
    inside::ensure(c.root()?, path, Missing::Directory(mode), Links::Follow)?;
    Ok(())
}
