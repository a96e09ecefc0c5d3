//! Nodes, links and directories inside.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, OPEN_TREE_CLONE};
use cofferdam_sys::{Errno, Result, dirs, mknodat, open, setns, stat};

use crate::context::{Context, Done};
use crate::inside::{self, Links, Missing};
use crate::procfs;

/// What a node is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Type and permission bits.
    pub(crate) mode: u32,
    pub(crate) dev: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Node {
    fn is(&self, s: &stat::Stat) -> bool {
        self.is_kind(s) && s.mode & 0o7777 == self.mode & 0o7777 && (s.uid, s.gid) == (self.uid, self.gid)
    }

    fn is_kind(&self, s: &stat::Stat) -> bool {
        let kind = self.mode & mknodat::S_IFMT;
        let numbered = kind == mknodat::S_IFIFO || mknodat::makedev(s.rdev_major, s.rdev_minor) == self.dev;
        s.mode & mknodat::S_IFMT == kind && numbered
    }
}

/// Makes a node; one that is there must be the same. What is not (a regular file of the image's where
/// /dev/null is wanted) is an error and never used.
pub(crate) fn node(c: &mut Context, path: &CStr, node: Node) -> Done {
    let name = directory_of(c, path)?;
    let parent = c.directory()?;
    // The permissions are the configuration's, not the caller's umask's.
    let umask = setns::umask(0);
    let made = mknodat::mknodat(parent, name, node.mode, node.dev);
    setns::umask(umask);
    match made {
        Ok(()) if stat::lstat(parent, name).is_ok_and(|s| node.is(&s)) => return Ok(()),
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(Errno::EPERM) if node.mode & mknodat::S_IFMT != mknodat::S_IFIFO => return hosts(c, path, node),
        Err(e) => return Err(e.into()),
    }
    // Others may write to the directory (a volume): only what is held by a descriptor is the same in the
    // next line.
    let held = open::openat2(parent, name, open::O_PATH | open::O_NOFOLLOW, 0, open::RESOLVE_BENEATH)?;
    let s = stat::stat(held.raw())?;
    if !node.is_kind(&s) {
        return Err(Errno::EEXIST.into());
    }
    if s.mode & 0o7777 != node.mode & 0o7777 {
        procfs::chmod(c, &held, node.mode & 0o7777)?;
    }
    Ok(dirs::fchown(held.raw(), node.uid, node.gid)?)
}

/// Where a cgroup above lets nobody make devices the host's of that path is shown, if it is the same. A cgroup that denies
/// /dev/null as well, as podman makes for pods on version 2, is told: no container gets far without.
fn hosts(c: &Context, path: &CStr, node: Node) -> Done {
    let held = open::open(path, open::O_PATH | open::O_NOFOLLOW).map_err(|_| Errno::EPERM)?;
    if !node.is_kind(&stat::stat(held.raw())?) {
        return Err(Errno::EPERM.into());
    }
    if node.dev == mknodat::makedev(1, 3) {
        open::open(path, open::O_RDWR | open::O_NOFOLLOW)?;
    }
    let tree = fsopen::open_tree(held.raw(), c"", OPEN_TREE_CLONE | open::AT_EMPTY_PATH)?;
    let at = inside::ensure(c.root()?, path, Missing::File, Links::Follow)?;
    Ok(fsopen::move_mount(tree.raw(), at.raw())?)
}

pub(crate) fn symlink(c: &mut Context, path: &CStr, target: &CStr) -> Done {
    let name = directory_of(c, path)?;
    match dirs::symlinkat(target, c.directory()?, name) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Opens the directory that `path` lies in, unless the last operation was there too, and gives the last
/// component.
fn directory_of<'a>(c: &mut Context, path: &'a CStr) -> Result<&'a CStr> {
    let (above, name) = inside::split(path)?;
    if !c.is_directory(&above) {
        let mut whole = above;
        let fd = inside::ensure(c.root()?, whole.c_str()?, Missing::Directory(0o755), Links::Follow)?;
        c.directory = Some((whole, fd));
    }
    Ok(name)
}

pub(crate) fn directory(c: &Context, path: &CStr, mode: u32) -> Done {
    inside::ensure(c.root()?, path, Missing::Directory(mode), Links::Follow)?;
    Ok(())
}
