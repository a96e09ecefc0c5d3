//! prctl(2), the operations a container's birth needs.

use crate::{Result, nr};

fn prctl(operation: u32, a: u64, b: u64) -> Result<usize> {
    // SAFETY: none of the operations below takes a pointer.
    unsafe { syscall!(nr::PRCTL, operation, a, b, 0u32, 0u32) }
}

/// `PR_SET_DUMPABLE`: whether others of the same user may trace us and look into /proc/self.
/// <https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html>
///
/// # Errors
/// None.
///
/// ```
/// cofferdam_sys::prctl::set_dumpable(true).unwrap();
/// ```
pub fn set_dumpable(on: bool) -> Result<()> {
    prctl(4, u64::from(on), 0).map(drop)
}

/// `PR_SET_PDEATHSIG`: the signal we get when the thread that made us ends.
/// <https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html>
///
/// # Errors
/// `EINVAL` for no signal.
///
/// ```
/// cofferdam_sys::prctl::set_pdeathsig(0).unwrap(); // none
/// assert!(cofferdam_sys::prctl::set_pdeathsig(1000).is_err());
/// ```
pub fn set_pdeathsig(signal: u32) -> Result<()> {
    prctl(1, u64::from(signal), 0).map(drop)
}

/// `PR_GET_PDEATHSIG`: the signal of [`set_pdeathsig`]; 0 is none.
/// <https://man7.org/linux/man-pages/man2/PR_GET_PDEATHSIG.2const.html>
///
/// # Errors
/// None.
///
/// ```
/// use cofferdam_sys::prctl;
/// prctl::set_pdeathsig(15).unwrap();
/// assert_eq!(prctl::pdeathsig(), Ok(15));
/// prctl::set_pdeathsig(0).unwrap();
/// ```
pub fn pdeathsig() -> Result<u32> {
    let mut signal = 0u32;
    // SAFETY: the kernel writes one int.
    unsafe { syscall!(nr::PRCTL, 2u32, &raw mut signal, 0u32, 0u32, 0u32) }.map(|_| signal)
}

/// `PR_SET_KEEPCAPS`: permitted capabilities survive setresuid.
/// <https://man7.org/linux/man-pages/man2/PR_SET_KEEPCAPS.2const.html>
///
/// # Errors
/// `EPERM` when locked.
///
/// ```
/// cofferdam_sys::prctl::set_keepcaps(false).unwrap();
/// ```
pub fn set_keepcaps(on: bool) -> Result<()> {
    prctl(8, u64::from(on), 0).map(drop)
}

/// `PR_CAPBSET_DROP`. <https://man7.org/linux/man-pages/man2/PR_CAPBSET_DROP.2const.html>
///
/// # Errors
/// `EPERM` without CAP_SETPCAP, `EINVAL` for an unknown capability.
///
/// ```
/// assert!(cofferdam_sys::prctl::drop_bounding(63).is_err()); // there is none of that number
/// ```
pub fn drop_bounding(capability: u32) -> Result<()> {
    prctl(24, u64::from(capability), 0).map(drop)
}

/// `PR_CAPBSET_READ`. <https://man7.org/linux/man-pages/man2/PR_CAPBSET_READ.2const.html>
///
/// # Errors
/// `EINVAL` for an unknown capability.
///
/// ```
/// assert!(cofferdam_sys::prctl::in_bounding(0).is_ok());
/// ```
pub fn in_bounding(capability: u32) -> Result<bool> {
    prctl(23, u64::from(capability), 0).map(|v| v == 1)
}

/// `PR_CAP_AMBIENT_CLEAR_ALL`. <https://man7.org/linux/man-pages/man2/PR_CAP_AMBIENT.2const.html>
///
/// # Errors
/// None since Linux 4.3.
///
/// ```
/// cofferdam_sys::prctl::clear_ambient().unwrap();
/// ```
pub fn clear_ambient() -> Result<()> {
    prctl(47, 4, 0).map(drop)
}

/// `PR_CAP_AMBIENT_RAISE`. <https://man7.org/linux/man-pages/man2/PR_CAP_AMBIENT.2const.html>
///
/// # Errors
/// `EPERM` unless it is both permitted and inheritable.
///
/// ```
/// assert!(cofferdam_sys::prctl::raise_ambient(63).is_err()); // there is none of that number
/// ```
pub fn raise_ambient(capability: u32) -> Result<()> {
    prctl(47, 2, u64::from(capability)).map(drop)
}

/// `PR_SET_NO_NEW_PRIVS`. <https://man7.org/linux/man-pages/man2/PR_SET_NO_NEW_PRIVS.2const.html>
///
/// # Errors
/// None.
///
/// ```
/// let last = std::thread::spawn(cofferdam_sys::prctl::set_no_new_privs); // of this thread alone
/// last.join().unwrap().unwrap();
/// ```
pub fn set_no_new_privs() -> Result<()> {
    prctl(38, 1, 0).map(drop)
}

/// `PR_SET_CHILD_SUBREAPER`. <https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html>
///
/// # Errors
/// None.
///
/// ```
/// cofferdam_sys::prctl::set_child_subreaper(false).unwrap();
/// ```
pub fn set_child_subreaper(on: bool) -> Result<()> {
    prctl(36, u64::from(on), 0).map(drop)
}

/// `PR_SET_NAME`: what the calling thread is called in /proc/PID/comm, of which 15 bytes are kept.
/// <https://man7.org/linux/man-pages/man2/PR_SET_NAME.2const.html>
///
/// # Errors
/// None.
///
/// ```
/// cofferdam_sys::prctl::set_name(c"somebody").unwrap();
/// let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
/// assert_eq!(comm, "somebody\n");
/// ```
pub fn set_name(name: &core::ffi::CStr) -> Result<()> {
    const PR_SET_NAME: u32 = 15;
    // SAFETY: a null-terminated string, of which at most 16 bytes are read.
    unsafe { syscall!(nr::PRCTL, PR_SET_NAME, name.as_ptr(), 0u32, 0u32, 0u32) }.map(drop)
}
