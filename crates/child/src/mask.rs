//! Masked and read-only paths, by descriptor from the look-up to the mount.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, AT_RECURSIVE, OPEN_TREE_CLONE};
use cofferdam_sys::mount_setattr::{MOUNT_ATTR_RDONLY, MountAttr, mount_setattr};
use cofferdam_sys::{Errno, Fd, Result, mknodat, open, stat};

use crate::context::{Context, Done};
use crate::inside::{self, Links};
use crate::mount;
use crate::wire::List;

/// What is not there needs neither mask nor protection.
fn present(c: &Context, path: &CStr) -> Result<Option<Fd>> {
    match inside::find(c.root()?, path, open::O_PATH, Links::Follow) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Covers a directory with an empty one, anything else with the host's /dev/null.
pub(crate) fn mask(c: &mut Context, path: &CStr, label: &CStr) -> Done {
    let Some(at) = present(c, path)? else { return Ok(()) };
    if stat::stat(at.raw())?.mode & mknodat::S_IFMT != mknodat::S_IFDIR {
        let null = copy(c.null()?)?;
        return Ok(fsopen::move_mount(null.raw(), at.raw())?);
    }
    // The first directory gets the original: one left unattached would cost a grace period to give up.
    match &c.empty {
        Some(empty) => {
            let cover = copy(empty.raw())?;
            fsopen::move_mount(cover.raw(), at.raw())?;
        }
        None => {
            let empty = empty(c, label)?;
            fsopen::move_mount(empty.raw(), at.raw())?;
            c.empty = Some(empty);
        }
    }
    Ok(())
}

fn copy(fd: i32) -> Result<Fd> {
    fsopen::open_tree(fd, c"", OPEN_TREE_CLONE | open::AT_EMPTY_PATH)
}

/// One empty tmpfs serves all masked directories: a superblock each would cost more than all the rest.
fn empty(c: &mut Context, label: &CStr) -> Result<Fd> {
    let base = b"fro\0snr_blocks\x001\0snr_inodes\x001\0smode\x00755\0scontext\0";
    let mut list = crate::context::Path::new();
    let params = if label.is_empty() {
        base.strip_suffix(b"scontext\0").unwrap_or(base)
    } else {
        list.push(base)?;
        list.push(label.to_bytes_with_nul())?;
        list.bytes()
    };
    mount::new(&mut c.text, c"tmpfs", List::new(params), MOUNT_ATTR_RDONLY)
}

/// Binds the path on itself, with all below it, read-only.
pub(crate) fn readonly(c: &Context, path: &CStr) -> Done {
    let Some(at) = present(c, path)? else { return Ok(()) };
    let tree = fsopen::open_tree(at.raw(), c"", OPEN_TREE_CLONE | AT_RECURSIVE | open::AT_EMPTY_PATH)?;
    mount_setattr(tree.raw(), AT_RECURSIVE, &MountAttr { set: MOUNT_ATTR_RDONLY, ..MountAttr::default() })?;
    Ok(fsopen::move_mount(tree.raw(), at.raw())?)
}
