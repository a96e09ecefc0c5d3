//! The older form: the namespaces of a process, by its number (docker/libcontainer 2.x, first runc).
//!
//! Called by `run` for `_LIBCONTAINER_INITPID`. With an init pipe, the child's number is written to it and
//! the first process ends; without one (before February 2015) the first process stays and ends as its child.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cofferdam_sys::clone3::{CLONE_PARENT, Forked, fork_single_threaded};
use cofferdam_sys::wait::{Ended, wait_pidfd};
use cofferdam_sys::{Errno, Fd, open, pidfd, setns, setuid, stat, tty};

use super::environment::{CONSOLE_PATH, INIT_PID, Target};
use super::init::write_all;
use super::log::Log;
use super::sync::{Line, Word};
use super::{Error, Init, Release, Result, Stage};

/// In this order; the user namespace last, as its owner's rights are given up with it.
const ORDER: [&str; 6] = ["ipc", "uts", "net", "pid", "mnt", "user"];

pub(super) fn start(log: &Log, target: &Target) -> Result<Init> {
    let console = target.console.as_deref().map(open_console).transpose()?;
    let namespaces = open_namespaces(target.pid)?;
    for (name, namespace) in &namespaces {
        log.debug(format_args!("join {name} namespace of {}", target.pid));
        setns::setns(namespace.raw(), 0)
            .map_err(|errno| failed("joining the namespace", name, target.pid, errno))?;
    }
    let user = namespaces.iter().any(|(name, _)| *name == "user");
    drop(namespaces);
    let parent = if target.init_pipe.is_some() { CLONE_PARENT } else { 0 };
    let (to_inside, from_outside) = Line::pair()?;
    let forked = fork_single_threaded(parent).map_err(|errno| {
        Error::new("making the process inside", "by fork")
            .errno(errno)
            .hint("bootstrap::run must come first in main, before any thread")
    })?;
    match forked {
        Forked::Parent(pid, pidfd) => {
            drop(from_outside);
            outside(target.init_pipe, to_inside, pid, &pidfd)
        }
        Forked::Child => match start_inside(to_inside, from_outside, console, user) {
            Ok(()) => Ok(Init::by_pid(log, target.init_pipe, target.kind)),
            Err(error) => {
                log.fatal(&error.at(Stage::Init));
                setns::exit(1)
            }
        },
    }
}

fn failed(step: &'static str, name: &str, pid: i32, errno: Errno) -> Error {
    Error::new(step, format!("/proc/{pid}/ns/{name}")).errno(errno).asked_by(INIT_PID)
}

/// Before joining: the path is the caller's.
fn open_console(path: &Path) -> Result<Fd> {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    open::open(&name, open::O_RDWR | open::O_NOCTTY).map_err(|errno| {
        let error = Error::new("opening the console", path.display().to_string());
        error.errno(errno).asked_by(CONSOLE_PATH)
    })
}

/// Those that differ from ours, all opened before any is joined: /proc may not be the same afterwards.
fn open_namespaces(pid: i32) -> Result<Vec<(&'static str, Fd)>> {
    let directory = CString::new(format!("/proc/{pid}/ns")).unwrap_or_default();
    let directory = open::open(&directory, open::O_RDONLY | open::O_DIRECTORY)
        .map_err(|errno| failed("opening the namespaces", "", pid, errno))?;
    let mut all = Vec::new();
    for name in ORDER {
        let link = CString::new(name).unwrap_or_default();
        match open::openat2(directory.raw(), &link, open::O_RDONLY, 0, 0) {
            Ok(namespace) if ours(name, &namespace) => {}
            Ok(namespace) => all.push((name, namespace)),
            // A kernel without this kind has no link; that of a process that has ended leads nowhere.
            Err(Errno::ENOENT) if !Path::new(&format!("/proc/self/ns/{name}")).exists() => {}
            Err(errno) => return Err(failed("opening the namespace", name, pid, errno)),
        }
    }
    Ok(all)
}

/// Joining one's own user namespace is refused, and joining any other of one's own does nothing.
fn ours(name: &str, namespace: &Fd) -> bool {
    let path = CString::new(format!("/proc/self/ns/{name}")).unwrap_or_default();
    let both = open::open(&path, open::O_RDONLY).and_then(|own| same(&own, namespace));
    both.unwrap_or(false)
}

fn same(a: &Fd, b: &Fd) -> std::result::Result<bool, Errno> {
    // All namespaces are inodes of one filesystem.
    Ok(stat::stat(a.raw())?.ino == stat::stat(b.raw())?.ino)
}

/// Nothing of the program may reach the init pipe before the pid has.
fn start_inside(outer: Line, mut line: Line, console: Option<Fd>, user: bool) -> Result<()> {
    drop(outer);
    line.expect(Word::Go)?;
    inside(console, user)
}

fn inside(console: Option<Fd>, user: bool) -> Result<()> {
    let wrong = |what: &'static str| move |errno: Errno| Error::new("becoming init", what).errno(errno);
    setns::setsid().map_err(wrong("a session of its own"))?;
    if user {
        setuid::setresgid(0).map_err(wrong("group 0"))?;
        setuid::setresuid(0).map_err(wrong("user 0"))?;
    }
    let Some(console) = console else { return Ok(()) };
    tty::make_controlling(console.raw())
        .map_err(|e| wrong("the console's session leader")(e).asked_by(CONSOLE_PATH))?;
    (0..=2)
        .try_for_each(|number| open::dup_onto(console.raw(), number))
        .map_err(|e| wrong("the console on 0, 1 and 2")(e).asked_by(CONSOLE_PATH))?;
    if console.raw() <= 2 {
        let _ = console.into_raw();
    }
    Ok(())
}

/// The process that was started: reports and ends, or waits and ends alike.
fn outside<T>(pipe: Option<i32>, mut line: Line, pid: i32, child: &Fd) -> Result<T> {
    let report = Release::Libcontainer.pids(0, pid);
    let reported = pipe.map_or(Ok(()), |pipe| write_all(pipe, report.as_bytes()));
    let failed = |errno| Error::new("reporting the pid over", "the init pipe").errno(errno);
    if let Err(error) = reported.map_err(failed).and_then(|()| line.send(Word::Go)) {
        let _ = pidfd::send_signal(child.raw(), SIGKILL);
        return Err(error);
    }
    match pipe {
        Some(_) => setns::exit(0),
        None => end_as(child),
    }
}

/// With the child's status, or by its signal.
fn end_as(child: &Fd) -> ! {
    match wait_pidfd(child.raw(), false, false) {
        Ok(Some(Ended::Exited(status))) => setns::exit(status),
        Ok(Some(Ended::Killed(signal))) => {
            let _ = setns::kill(std::process::id().cast_signed(), signal);
            // A signal that does not end us.
            setns::exit(1)
        }
        _ => setns::exit(1),
    }
}

const SIGKILL: i32 = 9;
