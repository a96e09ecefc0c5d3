//! Hooks that run in the runtime's namespaces.

use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use cofferdam_oci::{Pointer, State};
use cofferdam_plan::HookPlan;
use cofferdam_sys::memfd_create;

use crate::helper::Helper;
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

/// What running a hook is called.
pub(crate) fn doing(kind: &str, index: usize) -> String {
    format!("running {kind} hook #{index}:")
}

/// Runs hooks one after the other whatever they say: what failed is told at the end.
pub(crate) fn run_all(hooks: &[HookPlan], kind: &'static str, state: &State, dir: &Path) -> Vec<Error> {
    let each = hooks.iter().enumerate();
    each.filter_map(|(index, hook)| one(hook, &doing(kind, index), state, dir).err()).collect()
}

/// Runs hooks one after the other; the first failure ends it.
pub(crate) fn run(hooks: &[HookPlan], kind: &'static str, state: &State, dir: &Path) -> Result<()> {
    let mut each = hooks.iter().enumerate();
    each.try_for_each(|(index, hook)| one(hook, &doing(kind, index), state, dir))
}

/// The file that the output of hooks is added to. It is made for the runtime's user alone: hooks may say anything.
/// `stream` is stdout or stderr.
pub(crate) fn open_output(path: &Path, stream: &str) -> Result<std::fs::File> {
    let mut options = std::fs::File::options();
    let file = options.create(true).append(true).mode(0o600).open(path);
    file.map_err(|e| {
        let asked = Pointer::new("/annotations").key(&format!("run.oci.hooks.{stream}"));
        Error::io("opening the file for the output of hooks", path, &e).with_pointer(&asked)
    })
}

fn one(hook: &HookPlan, doing: &str, state: &State, dir: &Path) -> Result<()> {
    let error = || {
        Error::new(ErrorKind::Payload, format!("error {doing}"))
            .with_object(&hook.path)
            .with_pointer(&hook.pointer)
    };
    let timeout = hook.timeout_ms;
    let failed = |detail: String| error().with_detail(detail);
    let said = memfd_create::memfd_create(c"hook", false).map_err(|e| failed(e.to_string()))?;
    let said = std::fs::File::from(OwnedFd::from(said));
    let output = |path: &Option<PathBuf>, stream| match path {
        Some(path) => open_output(path, stream).map(Stdio::from),
        None => said.try_clone().map(Stdio::from).map_err(|e| failed(e.to_string())),
    };
    let [stdout, stderr] = &hook.output;
    let mut command = Command::new(&hook.path);
    command.arg0(hook.args.first().unwrap_or(&hook.path)).args(hook.args.iter().skip(1)).env_clear();
    command.envs(hook.env.iter().filter_map(|e| e.split_once('='))).current_dir(dir);
    command.stdin(state_file(state)?).stdout(output(stdout, "stdout")?).stderr(output(stderr, "stderr")?);
    let mut hook = Helper::start(&mut command).map_err(|e| match e.raw_os_error() {
        Some(errno) => error().with_errno(errno),
        None => failed(e.to_string()),
    })?;
    let (status, in_time) = wait(&mut hook, timeout).map_err(|e| failed(e.to_string()))?;
    if status.success() && in_time {
        return Ok(());
    }
    Err(failed(describe(status, in_time, said)))
}

fn wait(hook: &mut Helper, timeout: Option<u64>) -> std::io::Result<(ExitStatus, bool)> {
    let in_time = match timeout {
        Some(limit_ms) => hook.ends_within(limit_ms)?,
        None => true,
    };
    if !in_time {
        hook.child.kill()?;
    }
    Ok((hook.wait()?, in_time))
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
