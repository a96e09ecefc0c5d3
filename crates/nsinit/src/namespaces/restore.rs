//! Restore: a container out of the files of a checkpoint, to its end.
//!
//! Called by `nsinit restore`. CRIU makes the processes, the core the container around them; here is what a data
//! directory keeps of it, as for Exec.

use std::path::Path;

use cofferdam::checkpoint::RestoreOptions;
use cofferdam::{Container, ContainerId, Process, Result, Store, TerminalMode};

use super::claim::Claim;
use super::command::bundle;
use super::exec::{Saved, made_networks};
use crate::{Config, Core, State, lower};

/// libcontainer's `Restore`: makes a container of the configuration out of the files of a checkpoint, and calls
/// `stay` with its first process. When that returns, whatever is left of the container is killed, and nothing of it stays.
///
/// The configuration is the one that the container was started with; its program is not started again, and commands
/// beside mounts are not run. With `tty` the process gets a terminal of its own.
///
/// # Errors
/// [`cofferdam::ErrorKind::AlreadyExists`] when a container of this data directory runs; all that is wrong with the
/// configuration; why CRIU failed. Nothing is left then.
///
/// ```no_run
/// # fn f(config: &cofferdam_nsinit::Config) -> cofferdam::Result<()> {
/// use cofferdam::{Store, checkpoint::RestoreOptions};
/// use cofferdam_nsinit::namespaces::restore;
/// let images = RestoreOptions::new("/var/lib/images/box");
/// let ended = restore(config, &Store::default(), "/var/lib/box".as_ref(), &images, |process| process.wait())?;
/// println!("{}", ended?);
/// # Ok(())
/// # }
/// ```
pub fn restore<T>(
    config: &Config,
    store: &Store,
    data_path: &Path,
    images: &RestoreOptions,
    stay: impl FnOnce(&Process) -> T,
) -> Result<T> {
    let claim = Claim::take(config, data_path)?;
    // It is judged, and not run.
    let args = if config.args.is_empty() { &["restored".to_owned()][..] } else { &config.args };
    let (mut bundle, mut options) = bundle(config, data_path, args, false)?;
    if let Some(process) = &mut bundle.spec.process {
        process.terminal = config.tty;
    }
    options.terminal = TerminalMode::Own;
    let id = ContainerId::unique();
    let core = Core { store: store.root().to_owned(), id: id.to_string() };
    let saved = Saved::begin(data_path, &State { core: Some(core), ..State::default() })?;
    let (container, process) =
        Container::restore(store, &id, &bundle, options, images).map_err(|e| lower::told_in(config, e))?;
    let state = State::of(&container);
    let told =
        state.and_then(|state| saved.complete(&State { network_state: made_networks(&container), ..state }));
    drop(claim);
    let outcome = told.map(|()| stay(&process));
    // It does not outlive who restored it.
    let deleted = container.delete(true);
    drop(saved);
    outcome.and_then(|outcome| deleted.map(|_| outcome))
}
