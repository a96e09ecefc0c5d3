//! waitid(2) on a pidfd (Linux 5.4) and wait4(2).

use crate::{Errno, Result, nr};

const P_ALL: u32 = 0;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By _exit(2), with this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// From a status word, as wait4(2) gives it. <https://man7.org/linux/man-pages/man2/wait.2.html>
    ///
    /// ```
    /// use cofferdam_sys::wait::Ended;
    /// assert_eq!((Ended::from_status(0x700), Ended::from_status(0x89)), (Ended::Exited(7), Ended::Killed(9)));
    /// ```
    #[must_use]
    pub const fn from_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Self::Exited(status >> 8 & 0xff),
            signal => Self::Killed(signal),
        }
    }
}

/// Waits for a child to end, and reaps it unless `keep`; `None` when `now` and it has not ended yet.
/// <https://man7.org/linux/man-pages/man2/waitid.2.html>
///
/// # Errors
/// `ECHILD` when it is no child of ours or already reaped.
///
/// ```
/// use cofferdam_sys::{pidfd, wait::*};
/// let child = std::process::Command::new("false").spawn().unwrap();
/// let process = pidfd::open(child.id().try_into().unwrap()).unwrap();
/// assert_eq!(wait_pidfd(process.raw(), false, false), Ok(Some(Ended::Exited(1))));
/// ```
pub fn wait_pidfd(pidfd: i32, now: bool, keep: bool) -> Result<Option<Ended>> {
    const P_PIDFD: u32 = 3;
    waitid(P_PIDFD, pidfd, now, keep).map(|e| e.map(|(_, ended)| ended))
}

/// Reaps any child that has ended, without waiting; gives its id.
/// <https://man7.org/linux/man-pages/man2/waitid.2.html>
///
/// # Errors
/// `ECHILD` when there are none.
///
/// ```no_run
/// use cofferdam_sys::wait::*;
/// while let Ok(Some((pid, ended))) = reap_any() {
///     println!("{pid} has ended: {ended:?}");
/// }
/// ```
pub fn reap_any() -> Result<Option<(i32, Ended)>> {
    waitid(P_ALL, 0, true, false)
}

/// Gives the id of any child that has ended, without reaping it or waiting.
/// <https://man7.org/linux/man-pages/man2/waitid.2.html>
///
/// # Errors
/// `ECHILD` when there are none.
///
/// ```no_run
/// use cofferdam_sys::wait::*;
/// while let Ok(Some((pid, _))) = peek_any() {
///     reap(pid)?;
/// }
/// # Ok::<(), cofferdam_sys::Errno>(())
/// ```
pub fn peek_any() -> Result<Option<(i32, Ended)>> {
    waitid(P_ALL, 0, true, true)
}

/// Reaps this child, if it has ended. <https://man7.org/linux/man-pages/man2/waitid.2.html>
///
/// # Errors
/// `ECHILD` when it is no child of ours or already reaped.
///
/// ```
/// use cofferdam_sys::wait::*;
/// let child = std::process::Command::new("false").spawn().unwrap();
/// let pid = child.id().try_into().unwrap();
/// let ended = loop {
///     match reap(pid).unwrap() {
///         Some(ended) => break ended,
///         None => std::thread::yield_now(),
///     }
/// };
/// assert_eq!(ended, Ended::Exited(1));
/// ```
pub fn reap(pid: i32) -> Result<Option<Ended>> {
    const P_PID: u32 = 1;
    waitid(P_PID, pid, true, false).map(|e| e.map(|(_, ended)| ended))
}

fn waitid(kind: u32, id: i32, now: bool, keep: bool) -> Result<Option<(i32, Ended)>> {
    const WNOHANG: u32 = 1;
    const WEXITED: u32 = 4;
    const WNOWAIT: u32 = 0x0100_0000;
    const CLD_EXITED: i32 = 1;
    let mut info = [0i32; 32];
    let options = WEXITED | if now { WNOHANG } else { 0 } | if keep { WNOWAIT } else { 0 };
    loop {
        // SAFETY: siginfo_t has 128 bytes; no rusage is asked for.
        match unsafe { syscall!(nr::WAITID, kind, id, info.as_mut_ptr(), options, 0usize) } {
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
            Ok(_) => break,
        }
    }
    // si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
    let [signo, _, code, _, pid, _, status, ..] = info;
    if signo == 0 {
        return Ok(None);
    }
    Ok(Some((pid, if code == CLD_EXITED { Ended::Exited(status) } else { Ended::Killed(status) })))
}
