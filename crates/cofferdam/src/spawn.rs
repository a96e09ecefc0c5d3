//! Making the child: one clone3 that shares our memory only until the sealed program runs.
//!
//! Called by create, exec and idmap.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_child::frame::{BEFORE_PROGRAM, FAILED, Frame};
use cofferdam_sys::spawn::{Birth, Born};
use cofferdam_sys::{Errno, Fd, socket};

use crate::lower::Lowered;
use crate::{Error, Result, image};

/// A child that has just been made.
#[derive(Debug)]
pub(crate) struct Newborn {
    /// Our end of the control socket. Before `born`: closed first, it lets a waiting child end.
    pub(crate) control: Fd,
    pub(crate) born: Born,
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
    let born = cofferdam_sys::spawn::spawn(&Birth {
        flags: lowered.clone_flags,
        cgroup: cgroup.map(AsRawFd::as_raw_fd),
        program: image::descriptor()?,
        arguments: &[c"cofferdam:[init]", &number(theirs.raw()), &number(program.as_raw_fd())],
        wait_on: lowered.maps_first.then_some(theirs.raw()),
        ids,
        keep: &fds,
        report_on: theirs.raw(),
        report: Frame { kind: FAILED, a: BEFORE_PROGRAM, b: 0, errno: 0 }.encode(),
    });
    Ok(Newborn { control, born: born.map_err(|e| explain(lowered, e))? })
}

fn number(fd: i32) -> CString {
    crate::program::c_string(fd.to_string())
}

fn explain(lowered: &Lowered, errno: Errno) -> Error {
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
