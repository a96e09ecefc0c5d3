//! Descriptors: none that is not needed stays, so that no directory of the host can be reached through
//! one (CVE-2016-9962, CVE-2024-21626).

use cofferdam_sys::{Errno, Fd, close_range, dirs, mknodat, stat};

use crate::context::{Context, Done};

/// Closes all from 3 on but ours and those of `keep`.
pub(crate) fn close_others(c: &Context, keep: &[u8]) -> Done {
    all_but(keep, [c.control, c.proc.as_ref().map_or(-1, Fd::raw)], 0)
}

/// None of ours survives execve, and nothing else that is not in `keep`.
pub(crate) fn cloexec_others(keep: &[u8]) -> Done {
    all_but(keep, [-1; 2], close_range::CLOSE_RANGE_CLOEXEC)
}

fn all_but(keep: &[u8], ours: [i32; 2], flags: u32) -> Done {
    let listed = || keep.chunks_exact(4).filter_map(|b| b.first_chunk().map(|b| i32::from_ne_bytes(*b)));
    let mut first = 3u32;
    loop {
        let kept = listed().chain(ours).filter_map(|fd| u32::try_from(fd).ok()).filter(|fd| *fd >= first);
        let Some(fd) = kept.min() else { break };
        if fd > first {
            close_range::close_range(first, fd.saturating_sub(1), flags)?;
        }
        first = fd.saturating_add(1);
    }
    Ok(close_range::close_range(first, u32::MAX, flags)?)
}

/// From here on nothing of the host's can be reached through us: neither by the program's path or working
/// directory, which may lead through /proc/self/fd, nor by who may look into /proc/PID/fd.
pub(crate) fn forget(c: &mut Context, keep: &[u8]) -> Done {
    // Each is let go of by its owner: closed behind its back, its number would be somebody else's later.
    (c.proc, c.root, c.null, c.empty) = (None, None, None, None);
    (c.state, c.memory, c.terminal, c.directory) = (None, None, None, None);
    c.held.fill_with(|| None);
    close_others(c, keep)
}

/// A prepared process learns late what it is to be connected to.
pub(crate) fn take_streams(c: &mut Context) -> Done {
    let received = core::mem::take(&mut c.received);
    for (to, from) in (0..3).zip(received.into_iter().flatten()) {
        cofferdam_sys::open::dup_onto(from.raw(), to)?;
    }
    Ok(())
}

/// Nothing from `first` on survives execve.
pub(crate) fn cloexec_from(first: u32) -> Done {
    Ok(close_range::close_range(first, u32::MAX, close_range::CLOSE_RANGE_CLOEXEC)?)
}

/// A user other than root must be able to reopen /dev/stdout. Where the host does not let us (a
/// descriptor of another owner's, /dev/null, a read-only file system), it stays as it is.
pub(crate) fn own_stdio(uid: u32) -> Done {
    for fd in 0..3 {
        let Ok(s) = stat::stat(fd) else { continue };
        let null = s.mode & mknodat::S_IFMT == mknodat::S_IFCHR && (s.rdev_major, s.rdev_minor) == (1, 3);
        if s.uid == uid || null {
            continue;
        }
        match dirs::fchown(fd, uid, s.gid) {
            Ok(()) | Err(Errno::EINVAL | Errno::EPERM | Errno::EROFS | Errno::EBADF) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
