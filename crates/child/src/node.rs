//! Nodes, links and directories inside.

use core::ffi::CStr;

use cofferdam_sys::{Errno, dirs, mknodat, open, stat};

use crate::context::{Context, Done};
use crate::inside::{self, Links, Missing};
use crate::procfs;

/// Makes a node; one that is there must be the same. What is not (a regular file of the image's where
/// /dev/null is wanted) is an error and never used.
pub(crate) fn node(c: &Context, path: &CStr, mode: u32, dev: u32, uid: u32, gid: u32) -> Done {
    let (parent, name) = inside::parent(c.root()?, path)?;
    match mknodat::mknodat(parent.raw(), name, mode, dev) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(e) => return Err(e.into()),
    }
    // Others may write to the directory (a volume): only what is held by a descriptor is the same in the
    // next line.
    let node = open::openat2(parent.raw(), name, open::O_PATH | open::O_NOFOLLOW, 0, open::RESOLVE_BENEATH)?;
    let s = stat::stat(node.raw())?;
    let kind = mode & mknodat::S_IFMT;
    let same_numbers = kind == mknodat::S_IFIFO || mknodat::makedev(s.rdev_major, s.rdev_minor) == dev;
    if s.mode & mknodat::S_IFMT != kind || !same_numbers {
        return Err(Errno::EEXIST.into());
    }
    if s.mode & 0o7777 != mode & 0o7777 {
        procfs::chmod(c, &node, mode & 0o7777)?;
    }
    Ok(dirs::fchown(node.raw(), uid, gid)?)
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
