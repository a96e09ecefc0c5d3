//! rt_sigprocmask(2), for the calling thread, and rt_sigaction(2), as far as actions that return to nobody go.

use crate::{Result, nr, setns};

/// Every signal.
pub const ALL: u64 = u64::MAX;

/// Sets the signal mask and gives the old one, one bit per signal, signal 1 lowest.
/// <https://man7.org/linux/man-pages/man2/sigprocmask.2.html>
///
/// # Errors
/// None.
///
/// ```
/// let old = cofferdam_sys::sigprocmask::set(cofferdam_sys::sigprocmask::ALL).unwrap();
/// cofferdam_sys::sigprocmask::set(old).unwrap();
/// ```
pub fn set(mask: u64) -> Result<u64> {
    const SIG_SETMASK: u32 = 2;
    let mut old = 0u64;
    // SAFETY: both masks have the eight bytes that are announced.
    unsafe { syscall!(nr::RT_SIGPROCMASK, SIG_SETMASK, &raw const mask, &raw mut old, 8usize) }?;
    Ok(old)
}

/// Gives signals their default action, one bit per signal, signal 1 lowest.
/// <https://man7.org/linux/man-pages/man2/sigaction.2.html>
///
/// ```
/// use cofferdam_sys::{clone3::*, setns, sigprocmask, wait};
/// const SIGPIPE: i32 = 13; // Rust programs ignore it
/// // SAFETY: the copy only makes system calls, which take no lock.
/// match unsafe { fork(0) }.unwrap() {
///     Forked::Child => {
///         sigprocmask::default_actions(1 << (SIGPIPE - 1));
///         let _ = setns::kill(std::process::id().try_into().unwrap(), SIGPIPE);
///         setns::exit(0)
///     }
///     Forked::Parent(_, child) => {
///         let ended = wait::wait_pidfd(child.raw(), false, false).unwrap();
///         assert_eq!(ended, Some(wait::Ended::Killed(SIGPIPE)));
///     }
/// }
/// ```
pub fn default_actions(signals: u64) {
    const SIG_DFL: usize = 0;
    set_actions(signals, SIG_DFL);
}

/// Has signals ignored, one bit per signal, signal 1 lowest. <https://man7.org/linux/man-pages/man2/sigaction.2.html>
///
/// ```
/// cofferdam_sys::sigprocmask::ignore(1 << (13 - 1)); // SIGPIPE, as Rust programs do
/// ```
#[cfg(feature = "std")]
pub fn ignore(signals: u64) {
    const SIG_IGN: usize = 1;
    set_actions(signals, SIG_IGN);
}

/// Has signals end the process, one bit per signal, signal 1 lowest, also where it is the first of its PID
/// namespace, for which a signal without a handler is none. Its status is then 128 and the signal's number; an
/// execve(2) gives the signals their default action back. <https://man7.org/linux/man-pages/man2/sigaction.2.html>
///
/// ```
/// use cofferdam_sys::{clone3::*, setns, sigprocmask, wait};
/// const SIGTERM: i32 = 15;
/// // SAFETY: the copy only makes system calls, which take no lock.
/// match unsafe { fork(0) }.unwrap() {
///     Forked::Child => {
///         sigprocmask::end_by(1 << (SIGTERM - 1));
///         let _ = setns::kill(std::process::id().try_into().unwrap(), SIGTERM);
///         setns::exit(0)
///     }
///     Forked::Parent(_, child) => {
///         let ended = wait::wait_pidfd(child.raw(), false, false).unwrap();
///         assert_eq!(ended, Some(wait::Ended::Exited(128 + SIGTERM)));
///     }
/// }
/// ```
pub fn end_by(signals: u64) {
    /// struct sigaction of the kernel; where it knows no restorer, its place is the mask's.
    #[repr(C)]
    struct Action {
        handler: extern "C" fn(i32) -> !,
        flags: usize,
        restorer: usize,
        mask: u64,
    }
    // x86-64 does not call a handler without a restorer, which one that never returns does not need.
    const SA_RESTORER: usize = if cfg!(target_arch = "x86_64") { 0x0400_0000 } else { 0 };
    extern "C" fn end(signal: i32) -> ! {
        setns::exit(signal.saturating_add(128))
    }
    let action = Action { handler: end, flags: SA_RESTORER, restorer: 0, mask: 0 };
    for signal in numbers(signals) {
        // SAFETY: the kernel reads the action and writes no old one; the handler makes one system call, and the code
        // that it interrupts is never gone on with.
        let _ = unsafe { syscall!(nr::RT_SIGACTION, signal, &raw const action, 0usize, 8usize) };
    }
}

fn numbers(signals: u64) -> impl Iterator<Item = u32> {
    (1..=64u32).filter(move |n| signals >> n.saturating_sub(1) & 1 == 1)
}

fn set_actions(signals: u64, action: usize) {
    // No flags, no restorer, no mask: struct sigaction of the kernel is four words at most.
    let action = [action, 0, 0, 0];
    for signal in numbers(signals) {
        // SAFETY: the kernel reads the action and writes no old one. KILL and STOP are refused.
        let _ = unsafe { syscall!(nr::RT_SIGACTION, signal, action.as_ptr(), 0usize, 8usize) };
    }
}
