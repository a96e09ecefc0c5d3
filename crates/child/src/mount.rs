//! Mounts: made attached nowhere, given their attributes, then attached to exactly the descriptor that
//! was found inside. No path is looked up twice.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, AT_RECURSIVE, OPEN_TREE_CLONE};
use cofferdam_sys::mount_setattr::{
    MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY, MountAttr, mount_setattr,
};
use cofferdam_sys::{Errno, Fd, Result, dirs, mknodat, open, stat};

use crate::context::{Buffer, Context, Done};
use crate::frame::TEXT;
use crate::inside::{self, Links, Missing};
use crate::op::Op;
use crate::wire::List;
use crate::{node, tree};

pub(crate) fn run(c: &mut Context, op: &Op<'_>) -> Done {
    match *op {
        Op::Mount { .. } => filesystem(c, op),
        Op::MountLegacy { target, fstype, source, flags, data, propagation, hold } => {
            let mount = legacy(c, target, (source, fstype, flags, data))?;
            propagate(&mount, propagation)?;
            if hold { Ok(keep(c, mount)?) } else { Ok(()) }
        }
        Op::Bind { .. } => bind(c, op),
        Op::SetAttr { target, set, clear, rec_set, rec_clear, propagation } => {
            let mount = inside::find(c.root()?, target, open::O_PATH, Links::Follow)?;
            change(&mount, 0, set, clear)?;
            change(&mount, AT_RECURSIVE, rec_set, rec_clear)?;
            propagate(&mount, propagation)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn filesystem(c: &mut Context, op: &Op<'_>) -> Done {
    let Op::Mount { target, fstype, params, attr, rec_set, rec_clear, propagation, symlinks, idmap, .. } =
        *op
    else {
        return Err(Errno::ENOSYS.into());
    };
    let Op::Mount { copy_up, inherit_mode, hold, .. } = *op else { return Err(Errno::ENOSYS.into()) };
    let links = if symlinks { Links::Follow } else { Links::Refuse };
    // A mount point that is only made now has nothing to hand down.
    let mode = if inherit_mode { mode_of(c, target, links) } else { None };
    let at = mount_point(c, target, Missing::Directory(0o755), links)?;
    not_proc(&at, target)?;
    let mount = new_with_mode(&mut c.text, fstype, params, mode, attr)?;
    if copy_up {
        tree::copy_up(&at, &mount)?;
    }
    if idmap >= 0 {
        let attr = MountAttr {
            set: MOUNT_ATTR_IDMAP,
            userns_fd: u64::from(idmap.unsigned_abs()),
            ..MountAttr::default()
        };
        mount_setattr(mount.raw(), 0, &attr)?;
    }
    change(&mount, AT_RECURSIVE, rec_set, rec_clear)?;
    fsopen::move_mount(mount.raw(), at.raw())?;
    propagate(&mount, propagation)?;
    if hold { Ok(keep(c, mount)?) } else { Ok(()) }
}

/// For [`Op::Seal`].
fn keep(c: &mut Context, mount: Fd) -> Result<()> {
    *c.held.iter_mut().find(|slot| slot.is_none()).ok_or(Errno::E2BIG)? = Some(mount);
    Ok(())
}

/// The next of those.
pub(crate) fn seal(c: &mut Context, recursive: bool) -> Done {
    let mount = c.held.iter_mut().find_map(Option::take).ok_or(Errno::EBADMSG)?;
    Ok(change(&mount, if recursive { AT_RECURSIVE } else { 0 }, MOUNT_ATTR_RDONLY, 0)?)
}

/// Finds a mount point or makes it. One that must not be reached through links is refused as what it is:
/// not an ordinary directory.
fn mount_point(c: &mut Context, target: &CStr, missing: Missing, links: Links) -> Result<Fd> {
    if links == Links::Refuse {
        c.directory = None;
        return match inside::ensure(c.root()?, target, missing, links) {
            Err(Errno::ELOOP) => Err(Errno::ENOTDIR),
            other => other,
        };
    }
    let split = inside::split(target).ok();
    if let (Some((above, name)), Some((_, parent))) = (&split, &c.directory)
        && c.is_directory(above)
        && let Some(made) = inside::make(parent, name.to_bytes(), missing)?
    {
        return Ok(made);
    }
    // What is mounted where a link leads may cover the directory that was known.
    c.directory = None;
    let (at, parent) = inside::ensure_with_parent(c.root()?, target, missing, links)?;
    c.directory = split.map(|(above, _)| above).zip(parent);
    Ok(at)
}

/// What the plan has refused by its name, mounting over procfs, must not come about by the links of an
/// image (CVE-2019-16884, CVE-2025-52881).
fn not_proc(at: &Fd, target: &CStr) -> Result<()> {
    let meant = target == c"/proc" || target.to_bytes().starts_with(b"/proc/");
    if !meant && stat::filesystem(at.raw())? == stat::PROC_SUPER_MAGIC {
        return Err(Errno::EXDEV);
    }
    Ok(())
}

/// Permissions of what is there.
fn mode_of(c: &Context, target: &CStr, links: Links) -> Option<u32> {
    let there = inside::find(c.root().ok()?, target, open::O_PATH, links).ok()?;
    stat::stat(there.raw()).ok().map(|s| s.mode & 0o7777)
}

/// A new file system, attached nowhere; what the kernel says of a failure is kept in `text`.
pub(crate) fn new(text: &mut Buffer<TEXT>, fstype: &CStr, params: List<'_>, attr: u64) -> Result<Fd> {
    new_with_mode(text, fstype, params, None, attr)
}

fn new_with_mode(
    text: &mut Buffer<TEXT>,
    fstype: &CStr,
    params: List<'_>,
    mode: Option<u32>,
    attr: u64,
) -> Result<Fd> {
    let context = fsopen::Context::open(fstype)?;
    let set_mode = |mode| context.string(c"mode", octal(mode, &mut [0; 5])?);
    let made = configure(&context, params)
        .and_then(|()| mode.map_or(Ok(()), set_mode))
        .and_then(|()| context.mount(attr));
    if let Err(e) = made
        && fsopen::explains(e)
    {
        text.fill(|buffer| context.message(buffer).len());
    }
    made
}

/// Permissions as four octal digits.
fn octal(mode: u32, digits: &mut [u8; 5]) -> Result<&CStr> {
    for (digit, shift) in digits.iter_mut().zip([9, 6, 3, 0]) {
        *digit = b'0' | u8::try_from(mode >> shift & 7).unwrap_or_default();
    }
    CStr::from_bytes_with_nul(digits).map_err(|_| Errno::EINVAL)
}

fn configure(context: &fsopen::Context, params: List<'_>) -> Result<()> {
    let mut items = params.iter();
    while let Some(item) = items.next() {
        let key = CStr::from_bytes_with_nul(item.to_bytes_with_nul().get(1..).unwrap_or_default());
        let key = key.map_err(|_| Errno::EBADMSG)?;
        match item.to_bytes().first() {
            Some(b'f') => context.flag(key)?,
            Some(b's') => context.string(key, items.next().ok_or(Errno::EBADMSG)?)?,
            _ => return Err(Errno::EBADMSG),
        }
    }
    Ok(())
}

/// mount(2) on the working directory, which is the mount point: its options may be a page long.
fn legacy(
    c: &Context,
    target: &CStr,
    (source, fstype, flags, data): (&CStr, &CStr, u64, &CStr),
) -> Result<Fd> {
    let at = inside::ensure(c.root()?, target, Missing::Directory(0o755), Links::Follow)?;
    not_proc(&at, target)?;
    dirs::fchdir(at.raw())?;
    fsopen::mount_here(source, fstype, flags, data)?;
    dirs::chdir(c"/")?;
    inside::find(c.root()?, target, open::O_PATH, Links::Follow)
}

fn bind(c: &mut Context, op: &Op<'_>) -> Done {
    let Op::Bind {
        target,
        source,
        fd,
        recursive,
        nofollow,
        copy_symlink,
        set,
        clear,
        rec_set,
        rec_clear,
        ..
    } = *op
    else {
        return Err(Errno::ENOSYS.into());
    };
    let Op::Bind { propagation, idmap, idmap_recursive, from_inside, .. } = *op else {
        return Err(Errno::ENOSYS.into());
    };
    if copy_symlink
        && fd < 0
        && !from_inside
        && stat::lstat(open::AT_FDCWD, source)?.mode & mknodat::S_IFMT == mknodat::S_IFLNK
    {
        let mut link = crate::context::Path::new();
        let mut words = [0; 4095];
        link.push(dirs::readlinkat(open::AT_FDCWD, source, &mut words)?)?;
        return node::symlink(c, target, link.c_str()?);
    }
    let all = if recursive { AT_RECURSIVE } else { 0 };
    let last = if nofollow { open::O_NOFOLLOW } else { 0 };
    let tree = if fd >= 0 {
        Fd::own(fd)
    } else if from_inside {
        let found = inside::find(c.root()?, source, open::O_PATH | last, Links::Follow)?;
        fsopen::open_tree(found.raw(), c"", OPEN_TREE_CLONE | all | open::AT_EMPTY_PATH)?
    } else {
        let link = if nofollow { open::AT_SYMLINK_NOFOLLOW } else { 0 };
        fsopen::open_tree(open::AT_FDCWD, source, OPEN_TREE_CLONE | all | link)?
    };
    if idmap >= 0 {
        let attr = MountAttr {
            set: MOUNT_ATTR_IDMAP,
            userns_fd: u64::from(idmap.unsigned_abs()),
            ..MountAttr::default()
        };
        mount_setattr(tree.raw(), if idmap_recursive { AT_RECURSIVE } else { 0 }, &attr)?;
    }
    let is_directory = stat::stat(tree.raw())?.mode & mknodat::S_IFMT == mknodat::S_IFDIR;
    let missing = if is_directory { Missing::Directory(0o755) } else { Missing::File };
    let at = mount_point(c, target, missing, Links::Follow)?;
    not_proc(&at, target)?;
    change(&tree, 0, set, clear)?;
    change(&tree, AT_RECURSIVE, rec_set, rec_clear)?;
    fsopen::move_mount(tree.raw(), at.raw())?;
    propagate(&tree, propagation)
}

fn change(mount: &Fd, flags: u32, set: u64, clear: u64) -> Result<()> {
    if set | clear == 0 {
        return Ok(());
    }
    let attr = MountAttr { set, clear, ..MountAttr::default() };
    match mount_setattr(mount.raw(), flags, &attr) {
        // Before Linux 5.14 there is no such attribute, and so none to clear.
        Err(Errno::EINVAL) if clear & MOUNT_ATTR_NOSYMFOLLOW != 0 => {
            let clear = clear & !MOUNT_ATTR_NOSYMFOLLOW;
            mount_setattr(mount.raw(), flags, &MountAttr { clear, ..attr })
        }
        other => other,
    }
}

/// Propagation comes last: attaching below a shared mount makes the new one shared.
fn propagate(mount: &Fd, changes: &[u8]) -> Done {
    for word in changes.chunks_exact(8).filter_map(|b| b.first_chunk().map(|b| u64::from_ne_bytes(*b))) {
        let flags = if word & 1 == 1 { AT_RECURSIVE } else { 0 };
        mount_setattr(mount.raw(), flags, &MountAttr { propagation: word & !1, ..MountAttr::default() })?;
    }
    Ok(())
}
