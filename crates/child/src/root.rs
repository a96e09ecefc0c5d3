//! The root filesystem: bound on itself, held by a descriptor, entered.

use core::ffi::CStr;

use cofferdam_sys::mount_setattr::{MS_PRIVATE, MS_SLAVE, MountAttr, mount_setattr};
use cofferdam_sys::{Errno, Fd, Result, dirs, fsopen, mount_setattr, open, pivot_root, stat};

use crate::context::{Context, Done};

/// Changes the propagation of every mount of the new namespace, so that none of ours reaches the host.
pub(crate) fn propagation(flag: u64) -> Done {
    let attr = MountAttr { propagation: flag, ..MountAttr::default() };
    Ok(mount_setattr::at(open::AT_FDCWD, c"/", fsopen::AT_RECURSIVE, &attr)?)
}

/// Makes the root filesystem a mount of its own, at its own path (hooks look for it there), and keeps
/// its descriptor: everything else inside is reached from it.
pub(crate) fn open(c: &mut Context, path: &CStr, fd: i32, private_parent: bool, bind: bool) -> Done {
    let directory = match open::open(path, open::O_PATH | open::O_DIRECTORY) {
        Err(Errno::EACCES) if fd >= 0 => None,
        other => Some(other?),
    };
    if !bind {
        c.root = directory;
        return Ok(());
    }
    if let Some(directory) = directory.as_ref().filter(|_| private_parent) {
        // Before the copy is made: a copy of a shared mount is shared, and such a one cannot be pivoted to.
        let parent = mount_root_of(directory.raw())?;
        let attr = MountAttr { propagation: MS_PRIVATE, ..MountAttr::default() };
        mount_setattr(parent.as_ref().map_or(directory.raw(), Fd::raw), 0, &attr)?;
    }
    let tree = match &directory {
        Some(directory) if fd < 0 => {
            let flags = fsopen::OPEN_TREE_CLONE | fsopen::AT_RECURSIVE | open::AT_EMPTY_PATH;
            fsopen::open_tree(directory.raw(), c"", flags)?
        }
        _ => Fd::own(fd),
    };
    attach(&tree, directory.as_ref())?;
    c.root = Some(tree);
    Ok(())
}

/// Attaches the root's tree at its own path or, where the way there is closed to the container's
/// user namespace, at `/`.
pub(crate) fn attach(tree: &Fd, at: Option<&Fd>) -> Done {
    let slash;
    let at = match at {
        Some(at) => at,
        None => {
            slash = open::open(c"/", open::O_PATH)?;
            &slash
        }
    };
    Ok(fsopen::move_mount(tree.raw(), at.raw())?)
}

/// The root of the mount that `fd` lies in; `None` when it is `fd` itself.
fn mount_root_of(fd: i32) -> Result<Option<Fd>> {
    let (mut at, start) = (None, stat::stat(fd)?);
    let mut inode = start.ino;
    for _ in 0..256 {
        let here = at.as_ref().map_or(fd, Fd::raw);
        let up = open::openat2(here, c"..", open::O_PATH | open::O_DIRECTORY, 0, 0)?;
        let s = stat::stat(up.raw())?;
        if s.mount != start.mount || s.ino == inode {
            return Ok(at);
        }
        inode = s.ino;
        at = Some(up);
    }
    Err(Errno::ELOOP)
}

/// In a container that was entered, its root is ours.
pub(crate) fn enter(c: &mut Context) -> Done {
    c.root = Some(open::open(c"/", open::O_PATH | open::O_DIRECTORY)?);
    Ok(())
}

pub(crate) fn pivot(c: &Context, shared: bool) -> Done {
    let old = if shared { Some(open::open(c"/", open::O_PATH | open::O_DIRECTORY)?) } else { None };
    dirs::fchdir(c.root()?)?;
    pivot_root::pivot_root_here()?;
    if let Some(old) = old {
        // Taking off a shared mount takes off its peers, which are the host's.
        let slave = MountAttr { propagation: MS_SLAVE, ..MountAttr::default() };
        mount_setattr(old.raw(), fsopen::AT_RECURSIVE, &slave)?;
    }
    pivot_root::umount_here()?;
    Ok(dirs::chdir(c"/")?)
}

pub(crate) fn move_root(c: &Context) -> Done {
    dirs::fchdir(c.root()?)?;
    fsopen::move_here_to_root()?;
    dirs::chroot(c".")?;
    Ok(dirs::chdir(c"/")?)
}

pub(crate) fn chroot(c: &Context) -> Done {
    dirs::fchdir(c.root()?)?;
    dirs::chroot(c".")?;
    Ok(dirs::chdir(c"/")?)
}

/// Changes the working directory; one that getcwd(2) cannot name lies outside (CVE-2024-21626).
pub(crate) fn chdir(c: &mut Context, path: &CStr, first_try: bool) -> Done {
    if c.in_cwd {
        return Ok(());
    }
    match dirs::chdir(path) {
        Err(Errno::EACCES) if first_try => return Ok(()),
        other => other?,
    }
    let mut buffer = [0; 4096];
    match dirs::getcwd(&mut buffer)?.first() {
        Some(b'/') => {
            c.in_cwd = true;
            Ok(())
        }
        _ => Err(Errno::EXDEV.into()),
    }
}
