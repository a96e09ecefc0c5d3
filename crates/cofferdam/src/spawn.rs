//! Making the child: one clone3 that shares our memory only until the sealed program runs.
//!
//! Called by create and exec. This is the library's only unsafe code: its room is the child's entry.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_child::frame::{BEFORE_PROGRAM, FAILED, Frame};
use cofferdam_sys::clone3::{ExecArgs, clone_exec};
use cofferdam_sys::{Fd, sigprocmask, socket};

use crate::lower::Lowered;
use crate::{Error, Result, image};

/// The child's stack until it executes: a handful of system calls, no more.
const STACK: usize = 32 << 10;

/// A child that may still run on our memory.
#[derive(Debug)]
pub(crate) struct Newborn {
    /// Our end of the control socket.
    pub(crate) control: Fd,
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// What the child may still be reading, until it has said hello or its end of the socket closed.
    borrowed: Option<Borrowed>,
}

#[derive(Debug)]
struct Borrowed {
    _stack: Box<[u8]>,
    _args: Box<ExecArgs>,
    _keep: Vec<i32>,
    _strings: [CString; 3],
    _argv: Box<[*const c_char; 4]>,
    _envp: Box<[*const c_char; 1]>,
}

// SAFETY: the pointers are to the heap memory that the other fields own; nobody but the kernel and the
// child follows them.
unsafe impl Send for Borrowed {}
// SAFETY: as above; there is no access through a shared reference.
unsafe impl Sync for Borrowed {}

impl Newborn {
    /// The child's own program runs, or the child has ended: its memory is ours again.
    pub(crate) fn released(&mut self) {
        self.borrowed = None;
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(borrowed) = self.borrowed.take() {
            // The child has not said hello. Closing our end would let it end by itself; until it has,
            // its memory must stay. It is a few system calls from there.
            let _ = cofferdam_sys::pidfd::send_signal(self.pidfd.as_raw_fd(), 9);
            if cofferdam_sys::wait::wait_pidfd(self.pidfd.as_raw_fd(), false, true).is_err() {
                std::mem::forget(borrowed);
            }
        }
    }
}

/// Clones. `keep` are the descriptors that `lowered.program` names; `cgroup` is the v2 directory that
/// the child is born into; `ids` are those to become before executing, in a new user namespace.
pub(crate) fn spawn(
    lowered: &Lowered,
    keep: &[i32],
    cgroup: Option<&OwnedFd>,
    ids: Option<(u32, u32)>,
) -> Result<Newborn> {
    let program = image::sealed(c"cofferdam-program", lowered.program.bytes(), false)?;
    let (control, theirs) = socket::pair().map_err(|e| Error::system("making the control socket", e))?;
    let mut fds = vec![theirs.raw(), program.as_raw_fd()];
    fds.extend_from_slice(keep);
    let strings = [c"cofferdam:[init]".to_owned(), number(theirs.raw()), number(program.as_raw_fd())];
    let argv = Box::new([strings[0].as_ptr(), strings[1].as_ptr(), strings[2].as_ptr(), std::ptr::null()]);
    let envp = Box::new([std::ptr::null()]);
    let args = Box::new(ExecArgs {
        program: image::descriptor()?,
        wait_on: if lowered.maps_first { theirs.raw() } else { -1 },
        report_on: theirs.raw(),
        keep: fds.as_ptr(),
        keep_len: fds.len(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        become_ids: ids,
        report: Frame { kind: FAILED, a: BEFORE_PROGRAM, b: 0, errno: 0 }.encode(),
    });
    let mut stack = vec![0u8; STACK].into_boxed_slice();
    let cloned = clone(lowered.clone_flags, cgroup, &mut stack, &args);
    drop(theirs);
    let (pid, pidfd) = cloned.map_err(|e| explain(lowered, e))?;
    let borrowed =
        Borrowed { _stack: stack, _args: args, _keep: fds, _strings: strings, _argv: argv, _envp: envp };
    Ok(Newborn { control, pid, pidfd: pidfd.into(), borrowed: Some(borrowed) })
}

fn clone(
    flags: u64,
    cgroup: Option<&OwnedFd>,
    stack: &mut [u8],
    args: &ExecArgs,
) -> cofferdam_sys::Result<(i32, Fd)> {
    // A handler of the caller's must not run in the child while it is on our memory.
    let mask = sigprocmask::set(sigprocmask::ALL)?;
    // SAFETY: `spawn` keeps stack and arguments in the Newborn, which gives them up only when the child
    // has executed or ended; all signals are blocked.
    let cloned = unsafe { clone_exec(flags, cgroup.map(AsRawFd::as_raw_fd), stack, args) };
    let _ = sigprocmask::set(mask);
    cloned
}

fn number(fd: i32) -> CString {
    crate::program::c_string(fd.to_string())
}

fn explain(lowered: &Lowered, errno: cofferdam_sys::Errno) -> Error {
    use cofferdam_sys::Errno;
    let error = Error::system("making the container's process", errno);
    let error = if lowered.clone_flags != 0 {
        error.with_pointer(&cofferdam_oci::Pointer::new("/linux/namespaces"))
    } else {
        error
    };
    match errno {
        Errno::ENOSPC | Errno::EUSERS => {
            error.with_hint("a limit in /proc/sys/user/max_*_namespaces is reached")
        }
        Errno::EPERM => {
            error.with_hint("user namespaces may be switched off (kernel.unprivileged_userns_clone)")
        }
        Errno::EAGAIN => error.with_hint("a limit of processes is reached (pids.max, RLIMIT_NPROC)"),
        Errno::EBUSY | Errno::EOPNOTSUPP => {
            error.with_hint("the cgroup cannot take processes (domain invalid?)")
        }
        _ => error,
    }
}
