//! Exec: a container from its beginning to its end.

use std::path::Path;

use cofferdam::{Child, Command, Container, ContainerId, ExitStatus, Result};

use super::claim::Claim;
use super::command::{CreateCommand, SetupCommand};
use super::io::Io;
use super::network::initialize_networking;
use super::relabel;
use crate::{Config, Core, NamespaceType, NetworkState, PidFile, State, lower};

/// What is added to a signal's number when a program ended by it. libcontainer's `EXIT_SIGNAL_OFFSET`.
pub const EXIT_SIGNAL_OFFSET: i32 = 128;

/// libcontainer's `Exec`: runs a program in a new container, waits for it and gives its status, or
/// [`EXIT_SIGNAL_OFFSET`] and the signal that ended it. Nothing is left of the container then.
///
/// The order: what a killed Exec has left in this data directory is removed; `state.json` says where the
/// container will be; it is made, and is in its cgroups before anything of its own runs; its networks are
/// made; `state.json` and the pid file are complete; `setup` is called if there is a user namespace; the program
/// runs; `started` is called; the program ends. The calling thread is the container's parent: when it ends,
/// so does the container. Of several that begin at once in one data directory one makes the container, and the
/// others wait until its program runs, to be told so.
///
/// # Errors
/// [`cofferdam::ErrorKind::AlreadyExists`] when a container of this data directory runs; what `create` and `setup` say;
/// the step that failed; [`cofferdam::ErrorKind::Payload`] when the program cannot be executed. Nothing is left either.
///
/// ```no_run
/// # fn f(config: &cofferdam_nsinit::Config) -> cofferdam::Result<()> {
/// use cofferdam_nsinit::namespaces::{EXIT_SIGNAL_OFFSET, Io, default_create_command, default_setup_command, exec};
/// let (args, data) = (["sleep".to_owned(), "60".to_owned()], "/var/lib/box".as_ref());
/// let (create, setup) = (&default_create_command, &default_setup_command);
/// let status = exec(config, Io::inherit(), data, &args, create, setup, |child| {
///     let _ = child.kill();
/// })?;
/// assert_eq!(status, EXIT_SIGNAL_OFFSET + 9);
/// # Ok(())
/// # }
/// ```
pub fn exec(
    config: &Config,
    io: Io,
    data_path: &Path,
    args: &[String],
    create: &CreateCommand<'_>,
    setup: &SetupCommand<'_>,
    started: impl FnOnce(&mut Child),
) -> Result<i32> {
    let claim = Claim::take(config, data_path)?;
    let mut command = create(config, io.console, data_path, args)?;
    relabel::sources(config)?;
    io.of_command(&mut command);
    let core = named(&mut command);
    let saved = Saved::begin(data_path, &State { core: Some(core), ..State::default() })?;
    let mut child = command.kill_on_drop(true).create().map_err(|e| lower::told_in(config, e))?;
    let network_state = networks(config, &child)?;
    saved.complete(&State { network_state, ..State::of(child.container())? })?;
    if config.namespaces.contains(NamespaceType::User) {
        setup(config, data_path, child.container())?;
    }
    child.start()?;
    drop(claim);
    started(&mut child);
    let status = child.wait()?;
    drop(saved);
    Ok(code(status))
}

/// Where the core will keep the container. It is written down before there is one, so its id must be known.
fn named(command: &mut Command) -> Core {
    let store = command.get_store().cloned().unwrap_or_default().root().to_owned();
    let id = command.get_id().cloned().unwrap_or_else(ContainerId::unique);
    let core = Core { store, id: id.to_string() };
    command.id(id);
    core
}

/// The core has made what the command's network document says; a command of a caller's own may have none.
fn networks(config: &Config, child: &Child) -> Result<NetworkState> {
    if child.container().network_interfaces().is_empty() {
        let mut state = NetworkState::default();
        initialize_networking(config, child.pid(), &mut state)?;
        return Ok(state);
    }
    Ok(made_networks(child.container()))
}

/// What the core has made.
pub(super) fn made_networks(container: &Container) -> NetworkState {
    let mut state = NetworkState::default();
    if let Some(veth) = container.network_interfaces().iter().find(|one| !one.host_name.is_empty()) {
        state.veth_host.clone_from(&veth.host_name);
        state.veth_child.clone_from(&veth.name);
    }
    state
}

/// As libcontainer gives it.
pub(super) fn code(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Signal(signal) => EXIT_SIGNAL_OFFSET.saturating_add(signal),
        other => other.shell_code(),
    }
}

/// The state file and the pid file; they go when this goes.
pub(super) struct Saved<'a>(&'a Path);

impl<'a> Saved<'a> {
    /// Before anything is made.
    pub(super) fn begin(data_path: &'a Path, state: &State) -> Result<Self> {
        state.save(data_path).map(|()| Self(data_path))
    }

    /// Once there is a process.
    pub(super) fn complete(&self, state: &State) -> Result<()> {
        let pid = PidFile { pid: state.init_pid, started: state.init_start_time.clone() };
        pid.write(self.0)?;
        state.save(self.0)
    }
}

impl Drop for Saved<'_> {
    fn drop(&mut self) {
        let _ = PidFile::delete(self.0);
        let _ = State::delete(self.0);
    }
}
