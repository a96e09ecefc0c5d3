//! setresuid(2), setresgid(2), setgroups(2), geteuid(2), getegid(2).

use crate::{Result, nr};

/// Sets all three user ids. <https://man7.org/linux/man-pages/man2/setresuid.2.html>
///
/// # Errors
/// `EINVAL` for an id that is not mapped, `EPERM`.
///
/// ```
/// use cofferdam_sys::{memfd_create::memfd_create, setuid, stat};
/// let mine = stat::stat(memfd_create(c"mine", false).unwrap().raw()).unwrap();
/// setuid::setresuid(mine.uid).unwrap();
/// ```
pub fn setresuid(uid: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SETRESUID, uid, uid, uid) }.map(drop)
}

/// Sets all three group ids. <https://man7.org/linux/man-pages/man2/setresuid.2.html>
///
/// # Errors
/// As [`setresuid`].
///
/// ```
/// use cofferdam_sys::{memfd_create::memfd_create, setuid, stat};
/// let mine = stat::stat(memfd_create(c"mine", false).unwrap().raw()).unwrap();
/// setuid::setresgid(mine.gid).unwrap();
/// ```
pub fn setresgid(gid: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SETRESGID, gid, gid, gid) }.map(drop)
}

/// Sets the supplementary groups, given as native-endian 32-bit numbers.
/// <https://man7.org/linux/man-pages/man2/setgroups.2.html>
///
/// # Errors
/// `EPERM` where they are denied, `EINVAL` for over 65536 or an id that is not mapped.
///
/// ```no_run
/// use cofferdam_sys::setuid::*;
/// setgroups(&1000u32.to_ne_bytes())?; // while it is still allowed
/// setresgid(1000)?;
/// setresuid(1000)?;
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn setgroups(gids: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `len / 4` numbers; it copies bytes, so alignment does not matter.
    unsafe { syscall!(nr::SETGROUPS, gids.len() / 4, gids.as_ptr()) }.map(drop)
}

/// Sets the effective user id alone, and with it whose files are accessed.
/// <https://man7.org/linux/man-pages/man2/setresuid.2.html>
///
/// # Errors
/// As [`setresuid`].
///
/// ```
/// use cofferdam_sys::setuid::*;
/// let (user, group) = effective();
/// set_effective_user(user).unwrap();
/// set_effective_group(group).unwrap();
/// assert_eq!(effective(), (user, group));
/// ```
pub fn set_effective_user(uid: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SETRESUID, -1i32, uid, -1i32) }.map(drop)
}

/// Sets the effective group id alone. <https://man7.org/linux/man-pages/man2/setresuid.2.html>
///
/// # Errors
/// As [`setresuid`].
pub fn set_effective_group(gid: u32) -> Result<()> {
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::SETRESGID, -1i32, gid, -1i32) }.map(drop)
}

/// Effective user and group. <https://man7.org/linux/man-pages/man2/geteuid.2.html>
#[must_use]
pub fn effective() -> (u32, u32) {
    let id = |n: Result<usize>| n.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(u32::MAX);
    // SAFETY: no memory is handed over.
    unsafe { (id(syscall!(nr::GETEUID)), id(syscall!(nr::GETEGID))) }
}
