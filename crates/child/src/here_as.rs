//! Being another process for the length of one program: its root, working directory, umask, ids and capabilities.
//!
//! Called by the loop and by `serve`. The process stays what it can be: permitted capabilities, real and saved ids
//! are not touched, so that it can become itself again. It is never anything in between: whatever fails on the
//! way back ends it. Places are left with the program, since nobody could unmount where we are; ids, capabilities and
//! umask are kept for the next program, which is mostly for the same process, and given back before any other.

use cofferdam_sys::{Errno, Fd, Result, capset, dirs, open, prctl, setns, setuid, stat};

use crate::context::{Buffer, Context, Done};
use crate::here;
use crate::op::Op;
use crate::serve;

/// What the process is by itself.
#[derive(Debug)]
pub(crate) struct Itself {
    root: Fd,
    /// Inode and mount of the root.
    place: (u64, u64),
    uid: u32,
    gid: u32,
    permitted: u64,
    inheritable: u64,
    /// Whether a program runs as another.
    acting: bool,
    /// Whether the root is another's.
    moved: bool,
    /// Whether ids, capabilities and umask are, and whose, if they are wholly.
    away: bool,
    rights: Option<Rights>,
    /// Whether it has supplementary groups that are not its own; by itself it has none.
    groups: bool,
}

/// What is kept for the next program.
#[derive(Debug)]
struct Rights {
    umask: u32,
    uid: u32,
    gid: u32,
    effective: u64,
    groups: Buffer<128>,
}

impl Itself {
    pub(crate) const fn is_acting(&self) -> bool {
        self.acting
    }

    fn has(&self, op: &Op<'_>) -> bool {
        let Op::HereAs { umask, uid, gid, groups, effective, .. } = *op else { return false };
        self.rights.as_ref().is_some_and(|r| {
            (r.umask, r.uid, r.gid, r.effective, r.groups.bytes()) == (umask, uid, gid, effective, groups)
        })
    }
}

pub(crate) fn become_another(c: &mut Context, op: &Op<'_>) -> Done {
    let Op::HereAs { umask, uid, gid, set_groups, groups, effective, elsewhere: outside } = *op else {
        return Err(Errno::ENOSYS.into());
    };
    let root = serve::first(c)?;
    let cwd = if outside { Some(serve::first(c)?) } else { None };
    let itself = itself(c, set_groups)?;
    itself.acting = true;
    let there = stat::stat(root.raw())?;
    // Before Linux 5.8 mounts cannot be told apart.
    let elsewhere = (there.ino, there.mount) != itself.place || there.mount == 0;
    // Its own working directory may be one that the other could not enter by now.
    if !elsewhere && itself.has(op) && go(&root, cwd.as_ref()).is_ok() {
        return Ok(());
    }
    itself.again();
    itself.away = true;
    // The supervisor's own groups, at the first time, and the last one's go.
    if set_groups && (itself.groups || !groups.is_empty()) {
        setuid::setgroups(groups)?;
        itself.groups = !groups.is_empty();
    }
    if elsewhere {
        itself.moved = true;
        here::join_root(root.raw())?;
    }
    go(&root, cwd.as_ref())?;
    setns::umask(umask);
    setuid::set_effective_group(gid)?;
    setuid::set_effective_user(uid)?;
    capset::capset(itself.permitted, itself.permitted & effective, itself.inheritable)?;
    // Changing ids may have made it traceable (/proc/sys/fs/suid_dumpable).
    prctl::set_dumpable(false)?;
    let mut known = Buffer::new();
    // More groups than there is room for are set again each time.
    itself.rights =
        known.push(groups).is_ok().then_some(Rights { umask, uid, gid, effective, groups: known });
    Ok(())
}

/// To the working directory, which is the root where no other is told.
fn go(root: &Fd, cwd: Option<&Fd>) -> Done {
    match cwd {
        Some(cwd) => here::join_cwd(cwd.raw()),
        None => Ok(dirs::fchdir(root.raw())?),
    }
}

/// From here on there is a way back.
fn itself(c: &mut Context, set_groups: bool) -> Result<&mut Itself> {
    if c.itself.is_none() {
        let root = open::open(c"/", open::O_PATH | open::O_DIRECTORY)?;
        let place = stat::stat(root.raw()).map(|stat| (stat.ino, stat.mount))?;
        let ((uid, gid), (permitted, _, inheritable)) = (setuid::effective(), capset::capget()?);
        c.itself = Some(Itself {
            root,
            place,
            uid,
            gid,
            permitted,
            inheritable,
            acting: false,
            moved: false,
            away: false,
            rights: None,
            groups: set_groups,
        });
    }
    c.itself.as_mut().ok_or(Errno::EBADF)
}

/// After a program: leaves the other's places, or is itself again.
pub(crate) fn leave(c: &mut Context) {
    let Some(itself) = c.itself.as_mut().filter(|itself| itself.acting) else { return };
    itself.acting = false;
    if itself.moved || itself.rights.is_none() || dirs::fchdir(itself.root.raw()).is_err() {
        itself.again();
    }
}

/// Before a program that is nobody else's.
pub(crate) fn become_itself(c: &mut Context) {
    if let Some(itself) = c.itself.as_mut() {
        itself.again();
    }
}

impl Itself {
    /// Is itself, or ends.
    fn again(&mut self) {
        if self.away && self.back().is_err() {
            setns::exit(1);
        }
        self.away = false;
    }

    fn back(&mut self) -> Result<()> {
        let Self { permitted, inheritable, .. } = *self;
        self.rights = None;
        capset::capset(permitted, permitted, inheritable)?;
        setuid::set_effective_user(self.uid)?;
        setuid::set_effective_group(self.gid)?;
        // Becoming another user than root takes them away.
        capset::capset(permitted, permitted, inheritable)?;
        if self.groups {
            setuid::setgroups(&[])?;
            self.groups = false;
        }
        dirs::fchdir(self.root.raw())?;
        if self.moved {
            dirs::chroot(c".")?;
            self.moved = false;
        }
        setns::umask(0);
        prctl::set_dumpable(false)
    }
}
