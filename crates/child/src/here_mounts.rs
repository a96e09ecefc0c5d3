//! Mounts in another process's mount namespace, which was joined: attached to exactly the descriptor that
//! was found, taken off by name in the directory that was found.
//!
//! Called by the loop.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, AT_RECURSIVE, OPEN_TREE_CLONE, Step};
use cofferdam_sys::mount_setattr::{MountAttr, mount_setattr};
use cofferdam_sys::{Errno, Result, open, pivot_root};

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
        Op::HereFsOpen { fstype } => here::hand_over(c, &fsopen::Context::open(fstype)?.into_fd()),
        Op::HereFsConfig { command, key, value } => configure(c, command, key, value),
        Op::HereFsMount { attr } => {
            let context = context(c)?;
            here::hand_over(c, &context.attach(attr)?)
        }
        Op::HereAttach { target, follow } => {
            let link = if follow { 0 } else { open::O_NOFOLLOW };
            let at = here::find(target, open::O_PATH | link)?;
            Ok(fsopen::move_mount(here::received(c, 0)?, at.raw())?)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn context(c: &mut Context) -> Result<fsopen::Context> {
    let fd = c.received.first_mut().and_then(Option::take).ok_or(Errno::EBADF)?;
    Ok(fsopen::Context::of(fd))
}

fn configure(c: &mut Context, command: u32, key: &CStr, value: &CStr) -> Done {
    let step = match command {
        0 => Step::Flag(key),
        1 => Step::String(key, value),
        5 => Step::Descriptor(key, here::received(c, 1)?),
        6 => Step::Create,
        7 => Step::Reconfigure,
        8 => Step::CreateExclusive,
        _ => return Err(Errno::EOPNOTSUPP.into()),
    };
    // What the kernel has to say about it stays in the descriptor, for the caller to read.
    Ok(context(c)?.configure(step)?)
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

/// umount2(2) takes names only.
fn unmount(target: &CStr, flags: u32) -> Done {
    // The working directory itself, which was found before: no name is looked up.
    if target == c"." {
        return Ok(pivot_root::unmount(target, flags)?);
    }
    let mut name = Path::new();
    let parent = here::parent(target, &mut name)?;
    let name = name.c_str()?;
    Ok(here::at(&parent, || pivot_root::unmount(name, flags))?)
}
