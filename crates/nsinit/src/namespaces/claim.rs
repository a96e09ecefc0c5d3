//! A data directory, taken for one container.
//!
//! Called by Exec before anything is made. It removes what an Exec that was killed has left, and refuses a
//! directory whose container runs, or that its container could write to.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cofferdam::{ContainerId, Error, ErrorKind, Result, Store};
use cofferdam_oci::Pointer;

use crate::{Config, Core, PidFile, State};

/// The directory's lock: nobody else starts a container here meanwhile.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: File,
}

impl Claim {
    pub(super) fn take(config: &Config, data_path: &Path) -> Result<Self> {
        outside(config, data_path)?;
        let lock = lock(data_path)?;
        match State::get(data_path) {
            Ok(state) if state.is_alive() => return Err(runs(data_path, state.init_pid)),
            Ok(state) => {
                clear(&state)?;
                State::delete(data_path)?;
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e.with_hint("what it says of a container is lost; remove it if none runs")),
        }
        match PidFile::read(data_path) {
            Ok(process) if process.is_alive() => return Err(runs(data_path, process.pid)),
            Ok(_) => PidFile::delete(data_path)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e.with_hint("remove it if no container runs in this directory")),
        }
        Ok(Self { _lock: lock })
    }
}

fn runs(data_path: &Path, pid: i32) -> Error {
    Error::new(ErrorKind::AlreadyExists, "a container runs already in")
        .with_object(data_path.display().to_string())
        .with_detail(format!("its first process is {pid}"))
}

/// The container must not be able to say what ExecIn enters.
fn outside(config: &Config, data_path: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::io("finding the data directory", data_path, &e);
    let data = data_path.canonicalize().map_err(failed)?;
    let inside = Path::new(&config.root_fs).canonicalize().is_ok_and(|root| data.starts_with(root));
    if inside {
        return Err(Error::new(ErrorKind::Configuration, "keeping the state in")
            .with_object(data.display().to_string())
            .with_detail("the container can write to it")
            .with_pointer(&config.place(&Pointer::new("/root_fs")))
            .with_hint("use a directory outside of the root filesystem"));
    }
    Ok(())
}

/// Waits for whoever is starting a container here.
fn lock(data_path: &Path) -> Result<File> {
    let dir = File::open(data_path).map_err(|e| Error::io("opening the data directory", data_path, &e))?;
    dir.lock().map_err(|e| Error::io("locking the data directory", data_path, &e))?;
    let (now, then) = (fs::metadata(data_path), dir.metadata());
    match (now, then) {
        (Ok(now), Ok(then)) if (now.dev(), now.ino()) == (then.dev(), then.ino()) => Ok(dir),
        _ => Err(Error::new(ErrorKind::NotFound, "the data directory has been removed:")
            .with_object(data_path.display().to_string())),
    }
}

/// What is left of a container: its process if that waits to be started, cgroups, networks, the core's state.
fn clear(state: &State) -> Result<()> {
    let Some(Core { store, id }) = &state.core else { return Ok(()) };
    let (store, id) = (Store::new(store), ContainerId::new(id)?);
    // Another one may have the id by now; it has another process.
    let other = state.init_pid != 0
        && store.load(&id).is_ok_and(|it| it.pid().is_some_and(|pid| pid != state.init_pid));
    if other {
        return Ok(());
    }
    match store.remove(&id) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
