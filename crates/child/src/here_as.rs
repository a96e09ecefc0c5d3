//! Being another process for the length of one program: its root, working directory, umask, ids and capabilities,
//! taken for it and given back.
//!
//! Called by the loop and by `serve`. The process stays what it can be: permitted capabilities, real and saved ids
//! are not touched, so that it can become itself again. It is never anything in between: whatever fails on the
//! way back ends it.

use cofferdam_sys::{Errno, Fd, Result, capset, dirs, open, prctl, setns, setuid};

use crate::context::{Context, Done};
use crate::here;
use crate::op::Op;
use crate::serve;

/// What the process is by itself.
#[derive(Debug)]
pub(crate) struct Itself {
    root: Fd,
    uid: u32,
    gid: u32,
    permitted: u64,
    inheritable: u64,
    /// Whether it is somebody else at the moment.
    away: bool,
    /// Whether it has supplementary groups that are not its own; by itself it has none.
    groups: bool,
}

impl Itself {
    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }
}

pub(crate) fn become_another(c: &mut Context, op: &Op<'_>) -> Done {
    let Op::HereAs { umask, uid, gid, set_groups, groups, effective } = *op else {
        return Err(Errno::ENOSYS.into());
    };
    let (root, cwd) = (serve::first(c)?, serve::first(c)?);
    let (permitted, inheritable) = leaving(c, set_groups, groups)?;
    here::join_root(root.raw())?;
    here::join_cwd(cwd.raw())?;
    setns::umask(umask);
    setuid::set_effective_group(gid)?;
    setuid::set_effective_user(uid)?;
    capset::capset(permitted, permitted & effective, inheritable)?;
    // Changing ids may have made it traceable (/proc/sys/fs/suid_dumpable).
    Ok(prctl::set_dumpable(false)?)
}

/// From here on there is a way back to be gone. Gives what it may be at most.
fn leaving(c: &mut Context, set_groups: bool, groups: &[u8]) -> Result<(u64, u64)> {
    if c.itself.is_none() {
        let root = open::open(c"/", open::O_PATH | open::O_DIRECTORY)?;
        let ((uid, gid), (permitted, _, inheritable)) = (setuid::effective(), capset::capget()?);
        c.itself = Some(Itself { root, uid, gid, permitted, inheritable, away: false, groups: set_groups });
    }
    let itself = c.itself.as_mut().ok_or(Errno::EBADF)?;
    itself.away = true;
    // The supervisor's own groups, at the first time, and the last one's go.
    if set_groups && (itself.groups || !groups.is_empty()) {
        setuid::setgroups(groups)?;
        itself.groups = !groups.is_empty();
    }
    Ok((itself.permitted, itself.inheritable))
}

/// Is itself again, or ends.
pub(crate) fn become_itself(c: &mut Context) {
    let Some(itself) = c.itself.as_mut().filter(|itself| itself.away) else { return };
    if back(itself).is_err() {
        setns::exit(1);
    }
    itself.away = false;
}

fn back(itself: &mut Itself) -> Result<()> {
    let Itself { permitted, inheritable, .. } = *itself;
    capset::capset(permitted, permitted, inheritable)?;
    setuid::set_effective_user(itself.uid)?;
    setuid::set_effective_group(itself.gid)?;
    // Becoming another user than root takes them away.
    capset::capset(permitted, permitted, inheritable)?;
    if itself.groups {
        setuid::setgroups(&[])?;
        itself.groups = false;
    }
    dirs::fchdir(itself.root.raw())?;
    dirs::chroot(c".")?;
    setns::umask(0);
    prctl::set_dumpable(false)
}
