//! The terminal: a pseudoterminal of the container's own devpts, never named by a path once it is open
//! (CVE-2025-52565).

use cofferdam_sys::fsopen::{self, OPEN_TREE_CLONE};
use cofferdam_sys::{Errno, Fd, Result, dirs, mknodat, open, stat, tty};

use crate::context::{Context, Done};
use crate::frame::{Frame, TERMINAL};
use crate::inside::{self, Links, Missing};

pub(crate) fn make(
    c: &mut Context,
    (rows, columns): (u32, u32),
    uid: u32,
    console: bool,
    relayed: bool,
) -> Done {
    let master = ptmx(c.root()?)?;
    let terminal = tty::open_peer(master.raw())?;
    if rows > 0 || columns > 0 {
        let clip = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        tty::set_size(terminal.raw(), clip(rows), clip(columns))?;
    }
    if relayed {
        tty::plain_line_ends(terminal.raw())?;
    }
    if uid > 0 {
        dirs::fchown(terminal.raw(), uid, stat::stat(terminal.raw())?.gid)?;
    }
    if console {
        let at = inside::ensure(c.root()?, c"/dev/console", Missing::File, Links::Refuse)?;
        let tree = fsopen::open_tree(terminal.raw(), c"", OPEN_TREE_CLONE | open::AT_EMPTY_PATH)?;
        fsopen::move_mount(tree.raw(), at.raw())?;
    }
    c.say(Frame { kind: TERMINAL, a: 0, b: 0, errno: 0 }, &[master.raw()])?;
    c.terminal = Some(terminal);
    Ok(())
}

/// The master side, verified to be the multiplexer and not something an image put in its place.
fn ptmx(root: i32) -> Result<Fd> {
    let flags = open::O_RDWR | open::O_NOCTTY;
    let named = match inside::find(root, c"/dev/pts/ptmx", open::O_PATH, Links::Refuse) {
        Err(Errno::ENOENT) => inside::find(root, c"/dev/ptmx", open::O_PATH, Links::Follow)?,
        other => other?,
    };
    check(&named)?;
    let fd = match inside::find(root, c"/dev/pts/ptmx", flags, Links::Refuse) {
        Err(Errno::ENOENT) => inside::find(root, c"/dev/ptmx", flags, Links::Follow)?,
        other => other?,
    };
    check(&fd)?;
    Ok(fd)
}

fn check(fd: &Fd) -> Result<()> {
    let s = stat::stat(fd.raw())?;
    let right = s.mode & mknodat::S_IFMT == mknodat::S_IFCHR && (s.rdev_major, s.rdev_minor) == (5, 2);
    if right { Ok(()) } else { Err(Errno::ENODEV) }
}

pub(crate) fn take(c: &mut Context) -> Done {
    let terminal = c.terminal.take().ok_or(Errno::EBADF)?;
    tty::make_controlling(terminal.raw())?;
    for fd in 0..3 {
        open::dup_onto(terminal.raw(), fd)?;
    }
    Ok(())
}
