//! Mounts in another process's mount namespace, which was joined: attached to exactly the descriptor that
//! was found, taken off by name in the directory that was found.
//!
//! Called by the loop.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, AT_RECURSIVE, OPEN_TREE_CLONE};
use cofferdam_sys::mount_setattr::{MountAttr, mount_setattr};
use cofferdam_sys::{Errno, dirs, open, pivot_root};

use crate::context::{Context, Done, Path};
use crate::here;
use crate::mount;
use crate::op::Op;

pub(crate) fn run(c: &mut Context, op: &Op<'_>) -> Done {
    match *op {
        Op::HereMount { target, fstype, params, attr } => {
            let at = here::find(target, open::O_PATH)?;
            let new = mount::new(&mut c.text, fstype, params, attr)?;
            Ok(fsopen::move_mount(new.raw(), at.raw())?)
        }
        Op::HereBind { source, target, recursive, set } => bind(source, target, recursive, set),
        Op::HereAttributes { target, set, clear, propagation, recursive } => {
            let mount = here::find(target, open::O_PATH)?;
            let attr = MountAttr { set, clear, propagation, ..MountAttr::default() };
            Ok(mount_setattr(mount.raw(), if recursive { AT_RECURSIVE } else { 0 }, &attr)?)
        }
        Op::HereUnmount { target, flags } => unmount(target, flags),
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn bind(source: &CStr, target: &CStr, recursive: bool, set: u64) -> Done {
    let all = if recursive { AT_RECURSIVE } else { 0 };
    let source = here::find(source, open::O_PATH)?;
    let at = here::find(target, open::O_PATH)?;
    let tree = fsopen::open_tree(source.raw(), c"", OPEN_TREE_CLONE | open::AT_EMPTY_PATH | all)?;
    if set != 0 {
        mount_setattr(tree.raw(), all, &MountAttr { set, ..MountAttr::default() })?;
    }
    Ok(fsopen::move_mount(tree.raw(), at.raw())?)
}

/// umount2(2) takes names only. The working directory is where it was afterwards, also after a failure.
fn unmount(target: &CStr, flags: u32) -> Done {
    let mut name = Path::new();
    let parent = here::parent(target, &mut name)?;
    let here = open::open(c".", open::O_PATH | open::O_DIRECTORY)?;
    dirs::fchdir(parent.raw())?;
    let done = pivot_root::unmount(name.c_str()?, flags);
    dirs::fchdir(here.raw())?;
    Ok(done?)
}
