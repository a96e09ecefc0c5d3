//! Exec: a container from its beginning to its end.

use std::path::Path;

use cofferdam::{Child, Error, ErrorKind, ExitStatus, Result};
use cofferdam_oci::Pointer;

use super::command::{CreateCommand, SetupCommand};
use super::io::Io;
use super::network::initialize_networking;
use crate::state::start_time;
use crate::{Config, Core, NamespaceType, NetworkState, State, lower};

/// What is added to a signal's number when a program ended by it. libcontainer's `EXIT_SIGNAL_OFFSET`.
pub const EXIT_SIGNAL_OFFSET: i32 = 128;

/// libcontainer's `Exec`: runs a program in a new container, waits for it and gives its status, or
/// [`EXIT_SIGNAL_OFFSET`] and the signal that ended it. Nothing is left of the container then.
///
/// The order: the container is made and is in its cgroups before anything of its own runs; its networks are
/// made; `state.json` is written to `data_path`; `setup` is called if there is a user namespace; the program
/// runs; `started` is called; the program ends. The calling thread is the container's parent: when it ends,
/// so does the container.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when a container of this data directory runs; what `create` and `setup` say;
/// the step that failed; [`ErrorKind::Payload`] when the program cannot be executed. Nothing is left either.
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
    check(config, data_path)?;
    let mut command = create(config, io.console, data_path, args)?;
    io.of_command(&mut command);
    let mut child = command.kill_on_drop(true).create().map_err(|e| lower::told_in(config, e))?;
    let network_state = networks(config, &child)?;
    let saved = Saved::save(data_path, &state(&child, network_state)?)?;
    if config.namespaces.contains(NamespaceType::User) {
        setup(config, data_path, child.container())?;
    }
    child.start()?;
    started(&mut child);
    let status = child.wait()?;
    drop(saved);
    Ok(code(status))
}

/// The core has made what the command's network document says; a command of a caller's own may have none.
fn networks(config: &Config, child: &Child) -> Result<NetworkState> {
    let mut state = NetworkState::default();
    let made = child.container().network_interfaces();
    if made.is_empty() {
        initialize_networking(config, child.pid(), &mut state)?;
    } else if let Some(veth) = made.iter().find(|one| !one.host_name.is_empty()) {
        state.veth_host.clone_from(&veth.host_name);
        state.veth_child.clone_from(&veth.name);
    }
    Ok(state)
}

/// As libcontainer gives it.
pub(super) fn code(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Signal(signal) => EXIT_SIGNAL_OFFSET.saturating_add(signal),
        other => other.shell_code(),
    }
}

fn state(child: &Child, network_state: NetworkState) -> Result<State> {
    let container = child.container();
    let core = Core { store: container.store().root().to_owned(), id: container.id().to_string() };
    Ok(State {
        init_pid: child.pid(),
        init_start_time: start_time(child.pid())?,
        network_state,
        cgroup_paths: container.cgroup_paths(),
        core: Some(core),
    })
}

/// One container a data directory; and one that the container cannot write to, or it could say what ExecIn
/// enters.
fn check(config: &Config, data_path: &Path) -> Result<()> {
    if State::get(data_path).is_ok_and(|state| state.is_alive()) {
        return Err(Error::new(ErrorKind::AlreadyExists, "a container runs already in")
            .with_object(data_path.display().to_string()));
    }
    let failed = |e: std::io::Error| Error::io("finding the data directory", data_path, &e);
    let data = data_path.canonicalize().map_err(failed)?;
    let inside = Path::new(&config.root_fs).canonicalize().is_ok_and(|root| data.starts_with(root));
    if inside {
        return Err(Error::new(ErrorKind::Configuration, "keeping the state in")
            .with_object(data.display().to_string())
            .with_detail("the container can write to it")
            .with_pointer(&Pointer::new("/root_fs"))
            .with_hint("use a directory outside of the root filesystem"));
    }
    Ok(())
}

/// The state file; it goes when this goes.
struct Saved<'a>(&'a Path);

impl<'a> Saved<'a> {
    fn save(data_path: &'a Path, state: &State) -> Result<Self> {
        state.save(data_path).map(|()| Self(data_path))
    }
}

impl Drop for Saved<'_> {
    fn drop(&mut self) {
        let _ = State::delete(self.0);
    }
}
