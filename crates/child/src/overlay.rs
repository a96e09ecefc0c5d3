//! A root filesystem of which every change lives in memory: overlays over directories of the host, their
//! upper layers on a tmpfs that exists only in this mount namespace.
//!
//! One overlay over the whole root where the kernel allows it, which leaves out what is mounted below:
//! that is laid over it. In a user namespace the kernel refuses a lower directory below which something is
//! mounted: then the root is put together from its entries.

use core::ffi::CStr;

use cofferdam_sys::fsopen::{self, OPEN_TREE_CLONE};
use cofferdam_sys::{Errno, Fd, Result, dirs, open, pivot_root, stat};

use crate::context::{Context, Done, Path};
use crate::mount;
use crate::op::Op;
use crate::wire::List;

pub(crate) fn run(c: &mut Context, op: &Op<'_>) -> Done {
    match *op {
        Op::OverlayRoot { path, params, userxattr, more } => root(c, path, params, (userxattr, more)),
        Op::LayeredRoot { path, params } => layered(c, path, params),
        Op::Layer { name, source, userxattr } => layer(c, name, source, userxattr),
        Op::PlaceRoot { path } => place(c, path),
        Op::NoMoreLayers {} => Ok(forget(c)?),
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn root(c: &mut Context, path: &CStr, params: List<'_>, (userxattr, more): (bool, bool)) -> Done {
    let lower = open::open(path, open::O_PATH | open::O_DIRECTORY)?;
    remember(c, params)?;
    make_like(c"upper", &lower)?;
    dirs::mkdirat(open::AT_FDCWD, c"work", 0o755)?;
    let overlay = overlay(c, path, (c"upper", c"work"), userxattr)?;
    if more {
        dirs::mkdirat(open::AT_FDCWD, c"layers", 0o700)?;
        // What comes is named from here: the overlay will be in the way of other paths.
        dirs::fchdir(lower.raw())?;
    } else {
        forget(c)?;
    }
    crate::root::attach(&overlay, Some(&lower))?;
    c.root = Some(overlay);
    Ok(())
}

/// Where the layers' directories are while they are needed.
const LAYERS: &[u8] = b"/proc/layers/";

/// Layers must be attached somewhere while overlays are made, which keep their own copies of them. A
/// directory that nothing else looks into meanwhile will do.
fn remember(c: &mut Context, params: List<'_>) -> Result<()> {
    let memory = mount::new(&mut c.text, c"tmpfs", params, 0)?;
    let hide = open::open(c"/proc", open::O_PATH | open::O_DIRECTORY)?;
    fsopen::move_mount(memory.raw(), hide.raw())?;
    dirs::fchdir(memory.raw())?;
    c.memory = Some(memory);
    Ok(())
}

fn forget(c: &mut Context) -> Result<()> {
    c.memory = None;
    dirs::chdir(c"/")?;
    pivot_root::detach(c"/proc")
}

/// A directory of the working directory, with another one's mode and, where we may, owner.
fn make_like(name: &CStr, other: &Fd) -> Result<()> {
    let s = stat::stat(other.raw())?;
    dirs::mkdirat(open::AT_FDCWD, name, 0o755)?;
    match dirs::lchownat(open::AT_FDCWD, name, s.uid, s.gid) {
        Ok(()) | Err(Errno::EPERM | Errno::EINVAL | Errno::EOVERFLOW) => {}
        Err(e) => return Err(e),
    }
    dirs::fchmodat(open::AT_FDCWD, name, s.mode & 0o7777)
}

fn overlay(c: &mut Context, lower: &CStr, (upper, work): (&CStr, &CStr), userxattr: bool) -> Result<Fd> {
    let context = fsopen::Context::open(c"overlay")?;
    let made = (|| {
        context.string(c"source", c"overlay")?;
        context.string(c"lowerdir", lower)?;
        context.string(c"upperdir", upper)?;
        context.string(c"workdir", work)?;
        if userxattr {
            context.flag(c"userxattr")?;
        }
        context.mount(0)
    })();
    if let Err(e) = made
        && fsopen::explains(e)
    {
        c.text.fill(|buffer| context.message(buffer).len());
    }
    made
}

/// The root is a directory of the tmpfs, bound on itself so that it is a mount that can be moved.
fn layered(c: &mut Context, path: &CStr, params: List<'_>) -> Done {
    let stands_for = open::open(path, open::O_PATH | open::O_DIRECTORY)?;
    remember(c, params)?;
    make_like(c"root", &stands_for)?;
    dirs::mkdirat(open::AT_FDCWD, c"layers", 0o700)?;
    let at = open::open(c"root", open::O_PATH | open::O_DIRECTORY)?;
    let tree = fsopen::open_tree(at.raw(), c"", OPEN_TREE_CLONE | open::AT_EMPTY_PATH)?;
    fsopen::move_mount(tree.raw(), at.raw())?;
    c.root = Some(tree);
    Ok(())
}

fn layer(c: &mut Context, name: &CStr, source: &CStr, userxattr: bool) -> Done {
    let lower = open::open(source, open::O_PATH | open::O_DIRECTORY)?;
    let (mut base, mut upper, mut work) = (Path::new(), Path::new(), Path::new());
    for (buffer, end) in [(&mut base, &b""[..]), (&mut upper, b"/upper"), (&mut work, b"/work")] {
        buffer.push(LAYERS)?;
        buffer.push(name.to_bytes())?;
        buffer.push(end)?;
    }
    dirs::mkdirat(open::AT_FDCWD, base.c_str()?, 0o700)?;
    make_like(upper.c_str()?, &lower)?;
    dirs::mkdirat(open::AT_FDCWD, work.c_str()?, 0o755)?;
    let overlay = overlay(c, source, (upper.c_str()?, work.c_str()?), userxattr)?;
    let root = c.root()?;
    match dirs::mkdirat(root, name, 0o755) {
        // Of an overlay over the whole root.
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let at = open::openat2(root, name, open::O_PATH | open::O_DIRECTORY, 0, open::RESOLVE_NO_SYMLINKS)?;
    Ok(fsopen::move_mount(overlay.raw(), at.raw())?)
}

fn place(c: &mut Context, path: &CStr) -> Done {
    let at = open::open(path, open::O_PATH | open::O_DIRECTORY)?;
    fsopen::move_mount(c.root()?, at.raw())?;
    Ok(forget(c)?)
}
