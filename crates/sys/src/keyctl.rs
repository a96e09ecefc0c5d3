//! keyctl(2), as far as session keyrings go.

use core::ffi::CStr;

use crate::{Result, nr, raw::small};

/// Joins a new session keyring of that name and gives its serial number.
/// <https://man7.org/linux/man-pages/man3/keyctl_join_session_keyring.3.html>
///
/// # Errors
/// `ENOSYS` when the kernel has no keys, `EDQUOT` at the quota.
///
/// ```no_run
/// use cofferdam_sys::keyctl::*;
/// let keyring = join_session_keyring(c"example")?;
/// set_permissions(keyring, 0x3f3f_0000)?; // all to its possessor and its user
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn join_session_keyring(name: &CStr) -> Result<i32> {
    const KEYCTL_JOIN_SESSION_KEYRING: u32 = 1;
    // SAFETY: a null-terminated string.
    unsafe { syscall!(nr::KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) }.map(small)
}

/// Gives user, owner, group and others the permissions of `mask`.
/// <https://man7.org/linux/man-pages/man3/keyctl_setperm.3.html>
///
/// # Errors
/// As the man page.
pub fn set_permissions(key: i32, mask: u32) -> Result<()> {
    const KEYCTL_SETPERM: u32 = 5;
    // SAFETY: no memory is handed over.
    unsafe { syscall!(nr::KEYCTL, KEYCTL_SETPERM, key, mask) }.map(drop)
}
