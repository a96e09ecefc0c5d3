//! ExecIn: another process in a container that runs.

use std::path::PathBuf;

use cofferdam::{Child, Error, Exec, Result};

use super::exec::code;
use super::io::Io;
use crate::{Config, ExecUser, State, lower};

/// libcontainer's `ExecIn`: runs a program in a container that [`super::exec`] has started, waits for it and
/// gives its status as `exec` does.
///
/// The process is in the container's cgroups and namespaces; user, environment, capabilities and limits are
/// those of `config`, which need not be the container's own.
///
/// # Errors
/// [`cofferdam::ErrorKind::WrongState`] when the container has ended, or was not started by `exec`; all that
/// is wrong with the process; the step that failed; [`cofferdam::ErrorKind::Payload`] when the program cannot
/// be executed.
///
/// ```no_run
/// # fn f(config: &cofferdam_nsinit::Config) -> cofferdam::Result<()> {
/// use cofferdam_nsinit::{State, namespaces::{Io, exec_in}};
/// let state = State::get("/var/lib/box".as_ref())?;
/// let status = exec_in(config, &state, &["ps".to_owned()], Io::inherit(), |child| {
///     println!("process {}", child.pid());
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn exec_in(
    config: &Config,
    state: &State,
    args: &[String],
    io: Io,
    started: impl FnOnce(&mut Child),
) -> Result<i32> {
    let container = state.container()?;
    let root = PathBuf::from(format!("/proc/{}/root", state.init_pid));
    let user = ExecUser::of(config, 0, &root)?;
    let mut process = lower::process(config, &user, args).map_err(Error::rejected)?;
    process.terminal = false;
    let mut exec = Exec::from(process);
    io.of_exec(&mut exec);
    let mut child = exec.spawn_in(&container)?;
    started(&mut child);
    child.wait().map(code)
}
