//! clone3(2) and execveat(2) together, safely: a child that shares the caller's memory only until its
//! program runs, and the ownership of that memory.
//!
//! Called by the library, from any thread of any program. Not wrapped: children that go on running the
//! caller's code.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicU32, Ordering};
use std::boxed::Box;
use std::ffi::CString;
use std::vec::Vec;

use crate::clone_exec::{ExecArgs, REPORT, clone_exec};
use crate::{Fd, Result, nr, pidfd, sigprocmask};

/// The child's stack until it executes: a handful of system calls, no more.
const STACK: usize = 32 << 10;
const SIGKILL: i32 = 9;

/// What the child does first, and last before its program.
#[derive(Clone, Debug)]
pub struct Birth<'a> {
    /// `CLONE_NEW*` bits.
    pub flags: u64,
    /// cgroup v2 directory to be born in (Linux 5.7).
    pub cgroup: Option<i32>,
    /// Descriptor of the program.
    pub program: i32,
    /// Its arguments; it gets no environment.
    pub arguments: &'a [&'a CStr],
    /// Socket on which one byte is awaited first, if any.
    pub wait_on: Option<i32>,
    /// Ids to become, in a new user namespace, all of whose capabilities then survive execve(2).
    pub ids: Option<(u32, u32)>,
    /// Descriptors that lose close-on-exec.
    pub keep: &'a [i32],
    /// Socket that gets `report`, its last four bytes the error number, should it fail.
    pub report_on: i32,
    /// See `report_on`.
    pub report: [u8; REPORT],
}

/// A child that may still run on our memory, which it keeps alive.
#[derive(Debug)]
pub struct Born {
    /// Its number in our PID namespace.
    pub pid: i32,
    /// Its descriptor.
    pub pidfd: Fd,
    memory: Memory,
}

#[derive(Debug)]
struct Memory {
    /// 0 once the kernel has taken the child off this memory.
    sharing: Box<AtomicU32>,
    _args: Box<ExecArgs>,
    _stack: Box<[u8]>,
    _keep: Vec<i32>,
    _strings: Vec<CString>,
    _vectors: [Vec<*const c_char>; 2],
}

// SAFETY: the pointers are to heap memory that the other fields own, and only the child follows them.
unsafe impl Send for Memory {}
// SAFETY: as above; nothing is reached through a shared reference.
unsafe impl Sync for Memory {}

/// Makes the child; neither the caller's memory nor its number of threads matter to the cost.
/// <https://man7.org/linux/man-pages/man2/clone.2.html>
///
/// # Errors
/// As clone3(2).
///
/// ```
/// use cofferdam_sys::{open, spawn::*, wait};
/// let program = open::open(c"/bin/true", open::O_PATH).unwrap();
/// let birth = Birth { flags: 0, cgroup: None, program: program.raw(), arguments: &[c"true"], wait_on: None,
///     ids: None, keep: &[], report_on: 2, report: [0; 16] };
/// let born: Born = spawn(&birth).unwrap();
/// let ended = wait::wait_pidfd(born.pidfd.raw(), false, false).unwrap();
/// assert_eq!(ended, Some(wait::Ended::Exited(0)));
/// ```
pub fn spawn(birth: &Birth<'_>) -> Result<Born> {
    let strings: Vec<CString> = birth.arguments.iter().map(|s| CString::from(*s)).collect();
    let argv: Vec<_> = strings.iter().map(|s| s.as_ptr()).chain([core::ptr::null()]).collect();
    let envp = std::vec![core::ptr::null()];
    let keep = birth.keep.to_vec();
    let args = Box::new(ExecArgs {
        program: birth.program,
        wait_on: birth.wait_on.unwrap_or(-1),
        report_on: birth.report_on,
        keep: keep.as_ptr(),
        keep_len: keep.len(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        become_ids: birth.ids,
        report: birth.report,
    });
    let mut stack = std::vec![0u8; STACK].into_boxed_slice();
    let sharing = Box::new(AtomicU32::new(1));
    // A handler of the caller's must not run in the child while it is on our memory.
    let mask = sigprocmask::set(sigprocmask::ALL)?;
    // SAFETY: all of it is owned by the `Memory` made below, which is freed only when `sharing` is 0; all
    // signals are blocked.
    let cloned = unsafe {
        clone_exec(birth.flags, birth.cgroup, &raw mut *stack, &raw const *args, &raw const *sharing)
    };
    let _ = sigprocmask::set(mask);
    let (pid, pidfd) = cloned?;
    let memory = Memory {
        sharing,
        _args: args,
        _stack: stack,
        _keep: keep,
        _strings: strings,
        _vectors: [argv, envp],
    };
    Ok(Born { pid, pidfd, memory })
}

impl Drop for Born {
    /// A child that has not executed yet is ended: it is a few system calls from doing so, or waits for a
    /// word that will not come.
    fn drop(&mut self) {
        const FUTEX_WAIT: u32 = 0;
        if self.memory.sharing.load(Ordering::Acquire) != 0 {
            let _ = pidfd::send_signal(self.pidfd.raw(), SIGKILL);
        }
        while self.memory.sharing.load(Ordering::Acquire) != 0 {
            let word: *const AtomicU32 = &raw const *self.memory.sharing;
            // SAFETY: a futex word that we own, no timeout.
            let _ = unsafe { syscall!(nr::FUTEX, word, FUTEX_WAIT, 1u32, 0usize) };
        }
    }
}
