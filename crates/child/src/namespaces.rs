//! Namespaces and meetings: joining, making, succeeding, waiting.

use core::ffi::CStr;

use cofferdam_sys::clone3::{self, CLONE_NEWTIME, Forked};
use cofferdam_sys::{Errno, accept4, capset, keyctl, open, prctl, setns, setuid, sigprocmask};

use crate::context::{Context, Done};
use crate::frame::{Frame, Point, REACHED, SUCCESSOR};
use crate::procfs;

/// A PID namespace is entered by one's children only, and whose parent ends is handed to init: make one, as
/// the parent's child (`CLONE_PARENT`) or one's own, and end.
pub(crate) fn successor(c: &mut Context, flags: u64) -> Done {
    match clone3::fork_single_threaded(flags)? {
        Forked::Child => Ok(()),
        Forked::Parent(pid, pidfd) => {
            let frame = Frame { kind: SUCCESSOR, a: pid.unsigned_abs(), b: 0, errno: 0 };
            let status = i32::from(c.say(frame, &[pidfd.raw()]).is_err());
            setns::exit(status);
        }
    }
}

/// Takes ids of a user namespace. Capabilities in it are kept.
pub(crate) fn take_ids(uid: u32, gid: u32) -> Done {
    prctl::set_keepcaps(true)?;
    setuid::setresgid(gid)?;
    setuid::setresuid(uid)?;
    let (permitted, _, inheritable) = capset::capget()?;
    Ok(capset::capset(permitted, permitted, inheritable)?)
}

/// "0" is whoever writes it: the kernel need not stop the world to move a thread that moves itself.
pub(crate) fn join_cgroups(c: &mut Context) -> Done {
    for tasks in c.hear_with(Point::Cgroup)?.into_iter().flatten() {
        open::write(tasks.raw(), b"0")?;
    }
    Ok(())
}

/// Offsets must be written before the first process enters; entering by setns(2) needs no fork.
pub(crate) fn time(c: &Context, offsets: &[u8]) -> Done {
    setns::unshare(CLONE_NEWTIME)?;
    if !offsets.is_empty() {
        procfs::write(c, c"self/timens_offsets", offsets)?;
    }
    // A namespace file is a magic link, so it cannot be opened as `procfs` opens files; the directory it
    // lies in can.
    let ns = procfs::beneath(c, c"thread-self/ns", open::O_PATH | open::O_DIRECTORY)?;
    let made = open::openat2(ns.raw(), c"time_for_children", open::O_RDONLY, 0, 0)?;
    Ok(setns::setns(made.raw(), CLONE_NEWTIME)?)
}

/// A session keyring of the container's own, which others may search only by its name.
pub(crate) fn keyring(name: &CStr) -> Done {
    const POSSESSOR_ALL_USER_VIEW_SEARCH: u32 = 0x3f00_0000 | 0x0008_0000;
    match keyctl::join_session_keyring(name) {
        Ok(key) => {
            let _ = keyctl::set_permissions(key, POSSESSOR_ALL_USER_VIEW_SEARCH);
            Ok(())
        }
        // A kernel without keys has none to protect, and a user at the quota keeps the session it has.
        Err(Errno::ENOSYS | Errno::EDQUOT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

pub(crate) fn meet(c: &mut Context, point: u32) -> Done {
    c.say(Frame { kind: REACHED, a: point, b: 0, errno: 0 }, &[])?;
    Ok(c.hear_number(point)?)
}

/// `start` connects, says so, and stays until the program runs or the failure is told. One that leaves
/// without a word (it was killed) is forgotten, and the next one is waited for. Whoever does not want the
/// container any more asks it to end as they would ask its program.
pub(crate) fn await_start(c: &mut Context, listener: i32) -> Done {
    const HUP_INT_QUIT_TERM: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14;
    sigprocmask::end_by(HUP_INT_QUIT_TERM);
    loop {
        let connection = accept4::accept(listener)?;
        c.control = connection.into_raw();
        if c.hear(Point::Start).is_ok() {
            return Ok(());
        }
    }
}
