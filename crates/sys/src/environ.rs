//! environ(7): the calling process's environment, which only a process with one thread may change.
//!
//! Called by what acts on the calling process just before execve(2). It may not change anything while
//! somebody else may look.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::{Errno, Result};

/// Asks whether the calling process has a single thread: then no other can come to be while the caller runs.
/// It needs no /proc: unshare(2) refuses to part threads, and without others there is nothing to do.
///
/// # Errors
/// `EBUSY` when there are others; why neither unshare(2) nor /proc could be asked.
///
/// ```
/// use cofferdam_sys::{Errno, environ};
/// let (end, wait) = std::sync::mpsc::channel::<()>();
/// let other = std::thread::spawn(move || wait.recv());
/// assert_eq!(environ::single_threaded(), Err(Errno::EBUSY));
/// drop(end);
/// # let _ = other.join();
/// ```
pub fn single_threaded() -> Result<()> {
    const CLONE_THREAD: u64 = 0x1_0000;
    match crate::setns::unshare(CLONE_THREAD) {
        Err(Errno::EINVAL) => Err(Errno::EBUSY),
        // A filter may deny the call whatever it is asked.
        Err(_) => count(),
        Ok(()) => Ok(()),
    }
}

fn count() -> Result<()> {
    let failed = |e: std::io::Error| Errno(e.raw_os_error().unwrap_or(Errno::EIO.0));
    let threads = std::fs::read_dir("/proc/self/task").map_err(failed)?;
    if threads.count() == 1 { Ok(()) } else { Err(Errno::EBUSY) }
}

/// Sets a variable.
///
/// # Errors
/// `EINVAL` for a name that is empty or has `=`, or a null byte; as [`single_threaded`].
///
/// ```
/// use cofferdam_sys::environ;
/// assert!(environ::set("A=B".as_ref(), "".as_ref()).is_err());
/// ```
pub fn set(name: &OsStr, value: &OsStr) -> Result<()> {
    if !is_variable(name, value) {
        return Err(Errno::EINVAL);
    }
    single_threaded()?;
    // SAFETY: there is no other thread that could read or write the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
    Ok(())
}

/// Replaces all variables; nothing is changed when one of them is refused.
///
/// # Errors
/// As [`set`].
///
/// ```
/// use cofferdam_sys::environ;
/// // Run in a process with one thread, this would leave one variable.
/// let _ = environ::replace(&[("PATH".into(), "/bin".into())]);
/// ```
pub fn replace(variables: &[(OsString, OsString)]) -> Result<()> {
    if !variables.iter().all(|(name, value)| is_variable(name, value)) {
        return Err(Errno::EINVAL);
    }
    single_threaded()?;
    for (name, _) in std::env::vars_os() {
        // SAFETY: there is no other thread that could read or write the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
    for (name, value) in variables {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
    Ok(())
}

fn is_variable(name: &OsStr, value: &OsStr) -> bool {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.contains(&0)
}
