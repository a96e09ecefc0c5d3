//! Watching a command of the host's: every call of it and of all its descendants.
//!
//! Called by the command `learn`. The command is started under a filter that notifies of everything. Its own process
//! installs it, by being this program first; the listener is then taken out of that process with pidfd_getfd(2), so
//! that not even the handing over has to be allowed.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use cofferdam_notify::{Answer, Listener, Request};
use cofferdam_sys::{Errno, pidfd, prctl, seccomp};

use super::Counts;
use crate::failure::{Failure, Outcome};

/// The hidden command by which this program is started again.
const AGAIN: &str = "under-watch";
/// `ret SECCOMP_RET_USER_NOTIF`.
const NOTIFY_OF_ALL: [u8; 8] = [0x06, 0, 0, 0, 0, 0, 0xc0, 0x7f];
const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;
const SIGKILL: u32 = 9;
/// What the kernel calls a listener in /proc/PID/fd.
const LISTENER: &str = "anon_inode:seccomp notify";
/// Why every call may go on.
pub(super) const NOTHING_IS_DECIDED: &str = "calls are only counted; nothing is decided by what was seen";

/// What the watched process does before it becomes the command. Only returns when that fails.
pub(crate) fn under_watch(words: &[OsString]) -> Outcome {
    let [program, args @ ..] = words else { return Err(Failure::new("no command")) };
    // The learner's end would leave the command without anybody who answers.
    prctl::set_pdeathsig(SIGKILL).map_err(|e| failed("asking to end with the learner", e))?;
    let listener = install().map_err(|e| failed("installing the filter that notifies of everything", e))?;
    // Everything from here on waits until the learner has taken its copy.
    let error = Command::new(program).args(args).exec();
    drop(listener);
    Err(Failure { code: 127, ..Failure::io(format_args!("executing {}", program.display()), &error) })
}

fn install() -> Result<Option<cofferdam_sys::Fd>, Errno> {
    // A call that is being answered is not made twice because of a signal (Linux 5.19).
    let killable = seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV;
    let flags =
        if seccomp::knows_flags(killable) { killable } else { seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER };
    match seccomp::set_filter(flags, &NOTIFY_OF_ALL) {
        // An ordinary user gives up rights by execve(2) for it.
        Err(Errno::EACCES) => {
            prctl::set_no_new_privs()?;
            seccomp::set_filter(flags, &NOTIFY_OF_ALL)
        }
        other => other,
    }
}

/// Runs a command and counts its calls until it and all its descendants have ended.
pub(crate) fn command(words: &[OsString]) -> Result<(Counts, ExitStatus), Failure> {
    let [name, args @ ..] = words else { return Err(Failure::new("no command")) };
    let program = find(name)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(AGAIN)
        .arg("--")
        .arg(&program)
        .args(args)
        .spawn()
        .map_err(|e| Failure::io("starting this program again", &e))?;
    let counted = take(&mut child).and_then(|listener| {
        let listener = Listener::new(listener).map_err(|e| Failure::new(e.to_string()))?;
        std::thread::scope(|scope| {
            // Reaped at once: until then a kernel before 6.11 keeps its filter, and with it the listener.
            let waiter = scope.spawn(|| child.wait());
            let counted = count(&listener);
            if counted.is_err() {
                drop(listener);
            }
            let status = waiter.join().map_err(|_| Failure::new("waiting for the command"))?;
            Ok((counted?, status.map_err(|e| Failure::io("waiting for the command", &e))?))
        })
    });
    let (watched, status) = counted.inspect_err(|_| {
        let _ = child.kill();
        let _ = child.wait();
    })?;
    match watched {
        Watched { began: true, counts } => Ok((counts, status)),
        Watched { began: false, .. } => {
            Err(Failure::new(format!("{} was not executed; nothing was learned", program.display())))
        }
    }
}

/// The program as the shell would find it: execve(2) is tried once only.
fn find(name: &OsString) -> Result<PathBuf, Failure> {
    let executable = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let path = Path::new(name);
    if path.components().count() > 1 || path.is_absolute() {
        return Ok(path.to_owned());
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&places).map(|dir| dir.join(path)).find(|path| executable(path));
    found.ok_or_else(|| Failure::new(format!("{}: no such program in PATH", path.display())))
}

/// The listener, once the child has made it.
fn take(child: &mut Child) -> Result<OwnedFd, Failure> {
    let pid = child.id();
    let process = i32::try_from(pid)
        .map_err(|_| Errno::ESRCH)
        .and_then(pidfd::open)
        .map_err(|e| failed("watching the command", e))?;
    loop {
        let numbers = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut listeners = numbers
            .filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == LISTENER));
        if let Some(number) = listeners.next().and_then(|fd| fd.file_name().to_str()?.parse().ok()) {
            return pidfd::getfd(process.raw(), number)
                .map(OwnedFd::from)
                .map_err(|e| failed("taking the listener out of the watched process", e));
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Failure::new(format!("the command was not started: {status}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What was counted, and whether the command was executed at all.
pub(super) struct Watched {
    pub(super) counts: Counts,
    pub(super) began: bool,
}

/// Lets everything go on and counts it from the execve(2) on that made the process the workload.
fn count(listener: &Listener) -> Result<Watched, Failure> {
    let mut state = Stage::Before;
    let mut counts = Counts::default();
    while let Some(request) = listener.next().map_err(|e| Failure::new(e.to_string()))? {
        if state == Stage::Executing {
            state = if is_this_program(&request) { Stage::Before } else { Stage::Began };
            if state == Stage::Before {
                counts = Counts::default();
            }
        }
        if state == Stage::Before && matches!(request.name(), Some("execve")) {
            state = Stage::Executing;
        }
        if state != Stage::Before {
            counts.add(request.arch(), request.number(), request.args());
        }
        // Nobody waits any more who was killed meanwhile.
        let _ = request.answer(Answer::proceed(NOTHING_IS_DECIDED));
    }
    Ok(Watched { counts, began: state == Stage::Began })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    /// The first call after an execve(2) shows whether it succeeded.
    Executing,
    Began,
}

fn is_this_program(request: &Request) -> bool {
    let line = request.tid().ok().and_then(|tid| std::fs::read(format!("/proc/{tid}/cmdline")).ok());
    line.is_some_and(|line| line.split(|byte| *byte == 0).nth(1) == Some(AGAIN.as_bytes()))
}

fn failed(doing: &str, errno: Errno) -> Failure {
    Failure::new(format!("{doing}: {errno}"))
}
