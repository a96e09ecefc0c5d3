//! Hooks that run in the runtime's namespaces.

use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use cofferdam_oci::State;
use cofferdam_plan::HookPlan;
use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::{memfd_create, pidfd};

use crate::{Error, ErrorKind, Result};

/// The container's state as a file, for standard input.
pub(crate) fn state_file(state: &State) -> Result<std::fs::File> {
    let fd = memfd_create::memfd_create(c"state", false)
        .map_err(|e| Error::system("writing the state for hooks", e))?;
    let mut file = std::fs::File::from(OwnedFd::from(fd));
    let bytes = serde_json::to_vec(state).unwrap_or_default();
    file.write_all(&bytes)
        .and_then(|()| file.rewind())
        .map_err(|e| Error::io("writing the state for hooks", "", &e))?;
    Ok(file)
}

/// Runs hooks one after the other whatever they say: what failed is told at the end.
pub(crate) fn run_all(
    hooks: &[HookPlan],
    kind: &'static str,
    state: &State,
    dir: &std::path::Path,
) -> Vec<Error> {
    hooks.iter().filter_map(|hook| one(hook, kind, state, dir).err()).collect()
}

/// Runs hooks one after the other; the first failure ends it.
pub(crate) fn run(
    hooks: &[HookPlan],
    kind: &'static str,
    state: &State,
    dir: &std::path::Path,
) -> Result<()> {
    hooks.iter().try_for_each(|hook| one(hook, kind, state, dir))
}

fn one(hook: &HookPlan, kind: &'static str, state: &State, dir: &std::path::Path) -> Result<()> {
    let error = || {
        Error::new(ErrorKind::Payload, format!("running {kind} hook"))
            .with_object(&hook.path)
            .with_pointer(&hook.pointer)
    };
    let failed = |detail: String| error().with_detail(detail);
    let said = memfd_create::memfd_create(c"hook", false).map_err(|e| failed(e.to_string()))?;
    let said = std::fs::File::from(OwnedFd::from(said));
    let copy = || said.try_clone().map(Stdio::from).map_err(|e| failed(e.to_string()));
    let mut command = Command::new(&hook.path);
    command.arg0(hook.args.first().unwrap_or(&hook.path)).args(hook.args.iter().skip(1)).env_clear();
    command.envs(hook.env.iter().filter_map(|e| e.split_once('='))).current_dir(dir);
    command.stdin(state_file(state)?).stdout(copy()?).stderr(copy()?);
    let mut child = command.spawn().map_err(|e| match e.raw_os_error() {
        Some(errno) => error().with_errno(errno),
        None => failed(e.to_string()),
    })?;
    let (status, in_time) = wait(&mut child, hook.timeout_ms).map_err(|e| failed(e.to_string()))?;
    if status.success() && in_time {
        return Ok(());
    }
    Err(failed(describe(status, in_time, said)))
}

fn wait(child: &mut Child, timeout: Option<u64>) -> std::io::Result<(ExitStatus, bool)> {
    let mut in_time = true;
    if timeout.is_some() {
        let pid = i32::try_from(child.id()).unwrap_or_default();
        let errno = |e: cofferdam_sys::Errno| std::io::Error::from_raw_os_error(e.0);
        let fd = pidfd::open(pid).map_err(errno)?;
        let mut fds = [PollFd { fd: fd.raw(), events: POLLIN, revents: 0 }];
        in_time = poll(&mut fds, timeout).map_err(errno)? > 0;
        if !in_time {
            child.kill()?;
        }
    }
    Ok((child.wait()?, in_time))
}

fn describe(status: ExitStatus, in_time: bool, mut said: std::fs::File) -> String {
    use std::io::Read;
    let how = match (in_time, status.code(), status.signal()) {
        (false, ..) => "killed at its timeout".to_owned(),
        (_, Some(code), _) => format!("exit status {code}"),
        (_, _, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    };
    let mut text = Vec::new();
    let read = said.rewind().and_then(|()| said.take(4096).read_to_end(&mut text));
    match (read, String::from_utf8_lossy(&text).trim()) {
        (Ok(_), words) if !words.is_empty() => format!("{how}: {words}"),
        _ => how,
    }
}
