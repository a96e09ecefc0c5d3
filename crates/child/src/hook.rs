//! A hook that runs in the container's namespaces: its own process, the container's state on standard
//! input, bounded in time; what it says is kept for the error.

use core::ffi::CStr;

use cofferdam_sys::clone3::{Forked, fork_single_threaded};
use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::wait::Ended;
use cofferdam_sys::{Errno, dirs, memfd_create, open, pidfd, poll, prctl, seccomp, setns, wait};

use crate::context::{Context, Done, Fail};
use crate::exec;
use crate::wire::List;

const SIGKILL: i32 = 9;
const NOT_EXECUTED: i32 = 127;

/// What is run.
pub(crate) struct Program<'a> {
    pub(crate) path: &'a CStr,
    pub(crate) argv: List<'a>,
    pub(crate) env: List<'a>,
    pub(crate) home: bool,
    /// Empty is the container's root.
    pub(crate) directory: &'a CStr,
    /// Standard output and error; -1 is what is kept for the error.
    pub(crate) output: [i32; 2],
    pub(crate) confined: Confined<'a>,
}

/// What a hook that runs a program of the image may not do either.
pub(crate) struct Confined<'a> {
    pub(crate) no_new_privs: bool,
    pub(crate) filter: &'a [u8],
    pub(crate) flags: u32,
}

impl Confined<'_> {
    /// The very last before execve(2), the only call that the filter must allow.
    fn apply(&self) -> cofferdam_sys::Result<()> {
        if self.no_new_privs {
            prctl::set_no_new_privs()?;
        }
        if self.filter.is_empty() { Ok(()) } else { seccomp::set_filter(self.flags, self.filter).map(drop) }
    }
}

pub(crate) fn run(c: &mut Context, program: Program<'_>, timeout: u64) -> Done {
    let said = memfd_create::memfd_create(c"hook", false)?;
    let input = c.state.as_ref().map_or(-1, cofferdam_sys::Fd::raw);
    let root = c.root.as_ref().map_or(-1, cofferdam_sys::Fd::raw);
    let home = if program.home && !c.home.bytes().is_empty() { Some(c.home.c_str()?) } else { None };
    match fork_single_threaded(0)? {
        Forked::Child => {
            let errno = start((input, root, said.raw()), &program, home);
            let _ = open::write(said.raw(), errno.name().as_bytes());
            setns::exit(NOT_EXECUTED);
        }
        Forked::Parent(_, child) => {
            let limit = (timeout > 0).then_some(timeout);
            let mut fds = [PollFd { fd: child.raw(), events: POLLIN, revents: 0 }];
            let in_time = poll::poll(&mut fds, limit)? > 0;
            if !in_time {
                pidfd::send_signal(child.raw(), SIGKILL)?;
            }
            let ended = wait::wait_pidfd(child.raw(), false, false)?;
            judge(c, &said, ended, in_time)
        }
    }
}

fn start((input, root, said): (i32, i32, i32), program: &Program<'_>, home: Option<&CStr>) -> Errno {
    let prepare = || {
        if input >= 0 {
            open::rewind(input)?;
            open::dup_onto(input, 0)?;
        } else {
            // What is there to be read is the container's.
            open::dup_onto(memfd_create::memfd_create(c"nothing", false)?.raw(), 0)?;
        }
        if !program.directory.is_empty() {
            dirs::chdir(program.directory)?;
        } else if root >= 0 {
            dirs::fchdir(root)?;
        }
        let [stdout, stderr] = program.output;
        open::dup_onto(if stdout < 0 { said } else { stdout }, 1)?;
        open::dup_onto(if stderr < 0 { said } else { stderr }, 2)?;
        cofferdam_sys::close_range::close_range(3, u32::MAX, cofferdam_sys::close_range::CLOSE_RANGE_CLOEXEC)
    };
    match prepare() {
        Ok(()) => exec::replace(program.path, program.argv, program.env, home, || program.confined.apply()),
        Err(e) => e,
    }
}

/// `detail` is the exit status, 128 more for a signal.
fn judge(c: &mut Context, said: &cofferdam_sys::Fd, ended: Option<Ended>, in_time: bool) -> Done {
    let status = match ended {
        Some(Ended::Exited(0)) if in_time => return Ok(()),
        Some(Ended::Exited(n)) => n.unsigned_abs(),
        Some(Ended::Killed(n)) => n.unsigned_abs().saturating_add(128),
        None => 255,
    };
    if open::rewind(said.raw()).is_ok() {
        c.text.fill(|buffer| open::read(said.raw(), buffer).unwrap_or(0));
    }
    let errno = if in_time { Errno(0) } else { Errno::ETIMEDOUT };
    Err(Fail { errno, detail: status })
}
