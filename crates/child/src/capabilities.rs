//! User, groups and capabilities.

use cofferdam_sys::{Errno, capset, prctl, setuid};

use crate::context::Done;

pub(crate) fn bounding(set: u64, last: u32) -> Done {
    for capability in (0..=last.min(63)).filter(|c| set >> c & 1 == 0) {
        match prctl::drop_bounding(capability) {
            Ok(()) => {}
            // Past the last capability that this kernel knows.
            Err(Errno::EINVAL) => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Groups first, while there is the right to; permitted capabilities are kept for what follows.
pub(crate) fn user(uid: u32, gid: u32, set_groups: bool, groups: &[u8]) -> Done {
    prctl::set_keepcaps(true)?;
    setuid::setresgid(gid)?;
    if set_groups {
        setuid::setgroups(groups)?;
    }
    setuid::setresuid(uid)?;
    prctl::set_keepcaps(false)?;
    let (permitted, _, inheritable) = capset::capget()?;
    Ok(capset::capset(permitted, permitted, inheritable)?)
}

pub(crate) fn set((permitted, effective, inheritable): (u64, u64, u64), ambient: u64, keep: u64) -> Done {
    prctl::clear_ambient()?;
    let kept = if keep == 0 { 0 } else { capset::capget()?.0 & keep };
    capset::capset(permitted | kept, effective | kept, inheritable)?;
    for capability in 0..64 {
        if ambient >> capability & 1 == 1 {
            prctl::raise_ambient(capability)?;
        }
    }
    Ok(())
}
