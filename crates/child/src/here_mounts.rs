//! Mounts in another process's mount namespace, which was joined: attached to exactly the descriptor that
//! was found, taken off by name in the directory that was found.
//!
//! Called by the loop.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, AT_RECURSIVE, OPEN_TREE_CLONE, Step};
use cofferdam_sys::mount_setattr::{MountAttr, mount_setattr};
use cofferdam_sys::{Errno, open, pivot_root};

use crate::context::{Context, Done, Path};
use crate::op::Op;
use crate::{here, mount, procfs, serve};

pub(crate) fn run(c: &mut Context, op: &Op<'_>) -> Done {
    match *op {
        Op::HereMount { target, fstype, params, attr } => {
            let at = here::find(target, open::O_PATH)?;
            let new = mount::new(&mut c.text, fstype, params, attr)?;
            Ok(fsopen::move_mount(new.raw(), at.raw())?)
        }
        Op::HereTree { path, recursive } => tree(c, path, recursive),
        Op::HerePlace { path, follow } => {
            let there = here::find(path, open::O_PATH | if follow { 0 } else { open::O_NOFOLLOW })?;
            here::becomes_first(c, there)
        }
        Op::HerePick { path } => {
            let there = here::place(c, path)?;
            let fs = fsopen::pick(there.raw())?;
            here::becomes_first(c, fs)
        }
        Op::HereGive {} => {
            let fd = serve::first(c)?;
            here::hand_over(c, &fd)
        }
        Op::HereAttributes { target, set, clear, propagation, recursive } => {
            let attr = MountAttr { set, clear, propagation, ..MountAttr::default() };
            let all = if recursive { AT_RECURSIVE } else { 0 };
            if target.is_empty() {
                return Ok(mount_setattr(here::received(c, 0)?, all, &attr)?);
            }
            Ok(mount_setattr(here::find(target, open::O_PATH)?.raw(), all, &attr)?)
        }
        Op::HereUnmount { target, flags } => unmount(c, target, flags),
        Op::HereFsOpen { fstype } => here::hand_over(c, &fsopen::Context::open(fstype)?.into_fd()),
        Op::HereFsConfig { command, key, value } => configure(c, command, key, value),
        Op::HereFsMount { attr } => {
            let fs = fsopen::Context::of(serve::first(c)?);
            here::hand_over(c, &fs.attach(attr)?)
        }
        Op::HereAttach { target, follow } => {
            let mount = serve::first(c)?;
            if target.is_empty() {
                return Ok(fsopen::move_mount(mount.raw(), here::received(c, 0)?)?);
            }
            let link = if follow { 0 } else { open::O_NOFOLLOW };
            Ok(fsopen::move_mount(mount.raw(), here::find(target, open::O_PATH | link)?.raw())?)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn configure(c: &mut Context, command: u32, key: &CStr, value: &CStr) -> Done {
    let fs = fsopen::Context::of(serve::first(c)?);
    let step = match command {
        0 => Step::Flag(key),
        1 => Step::String(key, value),
        5 => Step::Descriptor(key, here::received(c, 0)?),
        6 => Step::Create,
        7 => Step::Reconfigure,
        8 => Step::CreateExclusive,
        _ => return Err(Errno::EOPNOTSUPP.into()),
    };
    // What the kernel has to say about it stays in the descriptor, for the caller to read.
    let done = fs.configure(step);
    here::becomes_first(c, fs.into_fd())?;
    Ok(done?)
}

fn tree(c: &mut Context, path: &CStr, recursive: bool) -> Done {
    let all = if recursive { AT_RECURSIVE } else { 0 };
    let source = here::place(c, path)?;
    let tree = fsopen::open_tree(source.raw(), c"", OPEN_TREE_CLONE | open::AT_EMPTY_PATH | all)?;
    here::becomes_first(c, tree)
}

/// umount2(2) takes names only.
fn unmount(c: &mut Context, target: &CStr, flags: u32) -> Done {
    if target.is_empty() {
        let there = serve::first(c)?;
        return Ok(procfs::with_link(c, &there, |own, link| {
            here::at(own, || pivot_root::unmount_followed(link, flags))
        })?);
    }
    let mut name = Path::new();
    let parent = here::parent(target, &mut name)?;
    let name = name.c_str()?;
    Ok(here::at(&parent, || pivot_root::unmount(name, flags))?)
}
