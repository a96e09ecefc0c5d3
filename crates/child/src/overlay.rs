//! A root filesystem of which every change lives in memory: an overlay over a directory of the host,
//! its upper layer on a tmpfs that exists only in this mount namespace.

use core::ffi::CStr;

use cofferdam_sys::{Fd, Result, dirs, fsopen, open, pivot_root};

use crate::context::{Context, Done};
use crate::wire::List;
use crate::{mount, root};

pub(crate) fn root(c: &mut Context, path: &CStr, params: List<'_>, userxattr: bool) -> Done {
    let lower = open::open(path, open::O_PATH | open::O_DIRECTORY)?;
    let memory = mount::new(&mut c.text, c"tmpfs", params, 0)?;
    // Layers must be attached somewhere while the overlay is made; it keeps its own copies of them. A
    // directory that nothing else looks into meanwhile will do.
    let hide = open::open(c"/proc", open::O_PATH | open::O_DIRECTORY)?;
    fsopen::move_mount(memory.raw(), hide.raw())?;
    dirs::fchdir(memory.raw())?;
    dirs::mkdirat(open::AT_FDCWD, c"upper", 0o755)?;
    dirs::mkdirat(open::AT_FDCWD, c"work", 0o755)?;
    let overlay = overlay(c, path, userxattr)?;
    dirs::chdir(c"/")?;
    pivot_root::detach(c"/proc")?;
    root::attach(&overlay, Some(&lower))?;
    c.root = Some(overlay);
    Ok(())
}

fn overlay(c: &mut Context, path: &CStr, userxattr: bool) -> Result<Fd> {
    let context = fsopen::Context::open(c"overlay")?;
    let made = (|| {
        context.string(c"source", c"overlay")?;
        context.string(c"lowerdir", path)?;
        context.string(c"upperdir", c"upper")?;
        context.string(c"workdir", c"work")?;
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
