//! What is kept open of callers between their calls.
//!
//! Kept by a listener, for the few of its threads that called last; asked by [`crate::Caller`]. Nothing that was
//! *learned* of a caller is kept: ids, capabilities, namespaces, root and working directory are looked at anew at
//! each call, since it may have changed every one of them.
//!
//! The descriptors are of a thread and not of its number: the kernel's object behind them (`struct pid`) is never
//! given to another. That they are the caller's is proved at each call: a thread that can still be read through
//! them has that number, the caller has it from its request until [`Request::validate`] (which comes after), and no
//! two have it at once.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cofferdam_sys::{Errno, Fd, open, pidfd, stat};

use crate::Request;

/// How many threads' are kept for one listener, three descriptors each.
const MOST: usize = 4;

/// Of one thread.
#[derive(Debug)]
pub(crate) struct Handles {
    tid: i32,
    /// Its directory below /proc.
    pub(crate) proc: OwnedFd,
    status: OwnedFd,
    pub(crate) pidfd: OwnedFd,
    /// The pidfd is of the thread itself.
    pub(crate) of_thread: bool,
}

/// Those that are kept; the one that was needed last comes last.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Arc<Handles>>>);

impl Kept {
    /// Those of a caller, and its status. It may have gone, and another may have its number: the request is to be
    /// asked for afterwards.
    pub(crate) fn of(&self, tid: i32) -> cofferdam_sys::Result<(Arc<Handles>, Vec<u8>)> {
        let known = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().position(|known| known.tid == tid).map(|at| kept.remove(at))
        };
        if let Some(known) = known
            && let Ok(status) = contents(&known.status)
        {
            return Ok((known, status));
        }
        Handles::open(tid).map(|(new, status)| (Arc::new(new), status))
    }

    /// Keeps those of a caller that still waited.
    pub(crate) fn keep(&self, handles: &Arc<Handles>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|known| known.tid != handles.tid);
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Arc::clone(handles));
    }
}

impl Handles {
    fn open(tid: i32) -> cofferdam_sys::Result<(Self, Vec<u8>)> {
        let proc: OwnedFd = directory(tid)?.into();
        let status: OwnedFd = handle(&proc, "status", open::O_RDONLY)?.into();
        let text = contents(&status)?;
        let (pidfd, of_thread) = match pidfd::open_thread(tid) {
            Ok(fd) => (fd, true),
            // Before Linux 6.9 there are pidfds of processes only.
            Err(Errno::EINVAL) => {
                let pid = process(&text).ok_or(Errno::EBADMSG)?;
                (pidfd::open(pid)?, tid == pid)
            }
            Err(e) => return Err(e),
        };
        Ok((Self { tid, proc, status, pidfd: pidfd.into(), of_thread }, text))
    }
}

/// The thread group in a status.
fn process(status: &[u8]) -> Option<i32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

fn directory(tid: i32) -> cofferdam_sys::Result<Fd> {
    static PROC: OnceLock<Fd> = OnceLock::new();
    let proc = match PROC.get() {
        Some(proc) => proc,
        None => {
            let proc = open::open(c"/proc", open::O_PATH | open::O_DIRECTORY)?;
            if stat::filesystem(proc.raw())? != stat::PROC_SUPER_MAGIC {
                return Err(Errno::ENODEV);
            }
            PROC.get_or_init(|| proc)
        }
    };
    let name = CString::new(tid.to_string()).map_err(|_| Errno::EINVAL)?;
    open::openat2(proc.raw(), &name, open::O_PATH | open::O_DIRECTORY, 0, 0)
}

/// Opens below its directory, through the magic links that are there.
pub(crate) fn handle(proc: &OwnedFd, file: &str, flags: u64) -> cofferdam_sys::Result<Fd> {
    let name = CString::new(file).map_err(|_| Errno::EINVAL)?;
    open::openat2(proc.as_raw_fd(), &name, flags, 0, 0)
}

/// Reads a file below its directory.
pub(crate) fn read(proc: &OwnedFd, file: &str) -> cofferdam_sys::Result<String> {
    let fd: OwnedFd = handle(proc, file, open::O_RDONLY)?.into();
    contents(&fd).map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// What a file of /proc says now, one that the kernel writes out at once, at a read from the beginning: what is left
/// of that comes at the next reads, if there is any, whatever has changed by then. Who reads has it to itself.
fn contents(fd: &OwnedFd) -> cofferdam_sys::Result<Vec<u8>> {
    const ROOM: usize = 8192;
    let mut text = Vec::new();
    loop {
        let had = text.len();
        text.resize(had.saturating_add(ROOM), 0);
        let n = open::read_at(fd.as_raw_fd(), text.get_mut(had..).unwrap_or_default(), had as u64)?;
        text.truncate(had.saturating_add(n));
        if n < ROOM {
            return Ok(text);
        }
    }
}

impl Request {
    pub(crate) fn handles(&self, tid: i32) -> cofferdam_sys::Result<(Arc<Handles>, Vec<u8>)> {
        self.listener().callers.of(tid)
    }
}
