//! seccomp(2): installing a filter. The compiler is another crate.

use crate::{Fd, Result, nr, raw::small};

/// The filter gets a notification descriptor.
pub const SECCOMP_FILTER_FLAG_NEW_LISTENER: u32 = 8;
/// Once a notification was received, only a fatal signal interrupts the caller. Linux 5.19.
pub const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: u32 = 32;

#[repr(C)]
struct Program {
    len: u16,
    filter: *const u8,
}

/// Installs `filter`, an array of `struct sock_filter`; gives the listener when `flags` ask for one.
/// <https://man7.org/linux/man-pages/man2/seccomp.2.html>
///
/// # Errors
/// `EINVAL` for a wrong filter or flag, `EACCES` without no_new_privs or CAP_SYS_ADMIN.
///
/// ```
/// use cofferdam_sys::{prctl, seccomp};
/// let allow_all = [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]; // ret SECCOMP_RET_ALLOW
/// let thread = std::thread::spawn(move || {
///     prctl::set_no_new_privs()?;
///     seccomp::set_filter(0, &allow_all)
/// });
/// assert!(thread.join().unwrap().unwrap().is_none());
/// ```
pub fn set_filter(flags: u32, filter: &[u8]) -> Result<Option<Fd>> {
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    let len = u16::try_from(filter.len() / 8).map_err(|_| crate::Errno::E2BIG)?;
    let program = Program { len, filter: filter.as_ptr() };
    // SAFETY: the kernel reads `len` instructions of eight bytes.
    let ret = unsafe { syscall!(nr::SECCOMP, SECCOMP_SET_MODE_FILTER, flags, &raw const program) }?;
    Ok((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER != 0).then(|| Fd::own(small(ret))))
}

/// Whether the kernel knows these flags of [`set_filter`]: it answers `EFAULT` to a null filter when it
/// does. <https://man7.org/linux/man-pages/man2/seccomp.2.html>
///
/// ```
/// assert!(cofferdam_sys::seccomp::knows_flags(0));
/// assert!(!cofferdam_sys::seccomp::knows_flags(1 << 31));
/// ```
#[must_use]
pub fn knows_flags(flags: u32) -> bool {
    // SAFETY: a null filter is refused before anything is installed.
    let answer = unsafe { syscall!(nr::SECCOMP, 1u32, flags, 0usize) };
    answer == Err(crate::Errno::EFAULT)
}
