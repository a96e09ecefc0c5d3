//! Where a container's configuration and state are found.
//!
//! nsinit v1 had one container a directory, with container.json and state.json in it; v2 had names, each with a
//! directory of its own below a root. Either is found by the same command line.

use cofferdam::{Container, ErrorKind};
use cofferdam_nsinit::{Config, State, StateV2};
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::config;
use super::setting::Setting;
use crate::context::container_id;
use crate::failure::Failure;

const STATE: &str = "state.json";
/// The name of a container that was given none.
const NAME: &str = "nsinit";

/// Which container.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Name of the container [default: the one of this directory, else nsinit]
    #[arg(long, value_name = "NAME")]
    pub(super) id: Option<String>,
}

/// A data directory, and how it came to be that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The caller's own.
    Data(PathBuf),
    /// That of a name; it is there while its container is.
    Named(PathBuf),
}

impl Place {
    /// Where `exec` starts or enters a container. `other`: a configuration is named, so that the one of this
    /// directory is not meant.
    pub(super) fn to_start(setting: &Setting, which: &Which, other: bool) -> Result<Self, Failure> {
        Self::find(setting, which, |here| !other && here.join(config::FILE).exists())
    }

    /// Where a running container is found.
    pub(super) fn of_running(setting: &Setting, which: &Which) -> Result<Self, Failure> {
        let is_here = |here: &Path| here.join(STATE).exists() || here.join(config::FILE).exists();
        let place = Self::find(setting, which, is_here)?;
        match place.config().filter(|file| file.exists()) {
            Some(file) => place.outside(setting, &config::read(&file, &setting.log)?.root_fs),
            None => Ok(place),
        }
    }

    fn find(setting: &Setting, which: &Which, is_here: impl FnOnce(&Path) -> bool) -> Result<Self, Failure> {
        if which.id.is_none() && setting.root.is_none() {
            if let Some(dir) = &setting.data_path {
                return Ok(Self::Data(dir.clone()));
            }
            if is_here(Path::new(".")) {
                return Ok(Self::Data(PathBuf::from(".")));
            }
        }
        let id = container_id(which.id.as_deref().unwrap_or(NAME))?;
        Ok(Self::Named(setting.root()?.join(id.as_str())))
    }

    pub(super) fn dir(&self) -> &Path {
        match self {
            Self::Data(dir) | Self::Named(dir) => dir,
        }
    }

    /// The place of a container with this root file system: what lies inside of it would be the container's to
    /// write, and a state must not be. It then goes to where the states of names are, under the directory's own
    /// number.
    pub(super) fn outside(self, setting: &Setting, root_fs: &str) -> Result<Self, Failure> {
        let Self::Data(dir) = &self else { return Ok(self) };
        let root = if root_fs.is_empty() { Path::new(".") } else { Path::new(root_fs) };
        match (dir.canonicalize(), root.canonicalize()) {
            (Ok(data), Ok(root)) if data.starts_with(&root) => {
                let data = data.metadata();
                let data =
                    data.map_err(|error| Failure::io(format_args!("finding {}", dir.display()), &error))?;
                Ok(Self::Named(setting.root()?.join(format!("at-{:x}-{:x}", data.dev(), data.ino()))))
            }
            _ => Ok(self),
        }
    }

    /// The configuration that lies there.
    pub(super) fn config(&self) -> Option<PathBuf> {
        match self {
            Self::Data(dir) => Some(dir.join(config::FILE)),
            Self::Named(_) => None,
        }
    }

    /// Makes the directory of a name.
    pub(super) fn make(&self) -> Result<(), Failure> {
        match self {
            Self::Data(_) => Ok(()),
            Self::Named(dir) => DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(|error| Failure::io(format_args!("making {}", dir.display()), &error)),
        }
    }

    /// Removes the directory of a name, if nothing is in it.
    pub(super) fn unmake(&self) {
        if let Self::Named(dir) = self {
            // A container of that name that another one has started meanwhile keeps it.
            let _ = std::fs::remove_dir(dir);
        }
    }

    /// A container with a name that runs, and the configuration that it was started with.
    pub(super) fn kept(&self) -> Result<Option<(State, Config)>, Failure> {
        let Self::Named(dir) = self else { return Ok(None) };
        let Some(state) = self.state()?.filter(State::is_alive) else { return Ok(None) };
        match StateV2::get(dir) {
            Ok(kept) => Ok(Some((state, kept.config()?))),
            // It has only just begun to run.
            Err(_) => Ok(None),
        }
    }

    /// Writes down what a container with a name is, in the form of v2, with what v1 had beside it.
    pub(super) fn keep(&self, container: &Container, config: &Config) -> Result<(), Failure> {
        let Self::Named(dir) = self else { return Ok(()) };
        let id = dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        match StateV2::of(container, Some(config)) {
            Ok(state) => Ok(StateV2 { id, ..state }.save_beside(&State::get(dir)?, dir)?),
            // It has ended already.
            Err(error) if error.kind() == ErrorKind::WrongState => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The state, if there is one, whether or not its process is.
    pub(super) fn state(&self) -> Result<Option<State>, Failure> {
        match State::get(self.dir()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => Ok(Some(other?)),
        }
    }

    /// The state of a container that runs.
    pub(super) fn running(&self) -> Result<State, Failure> {
        let dir = self.dir().display();
        match self.state()? {
            Some(state) if state.is_alive() => Ok(state),
            Some(state) if state.init_pid == 0 => Err(Failure::new(format!(
                "the container in {dir} is being made, or who made it was killed (hint: exec cleans up)"
            ))),
            Some(state) => Err(Failure::new(format!(
                "container does not exist: the one in {dir} has ended, its first process {} is gone \
                 (hint: what was left goes with the next exec there)",
                state.init_pid
            ))),
            None => {
                Err(Failure::new(format!("container does not exist: there is no running container in {dir}")))
            }
        }
    }
}

/// The container that a command is about, by the process that is named or by its place.
pub(super) fn container(setting: &Setting, which: &Which) -> Result<Container, Failure> {
    Ok(running(setting, which)?.container()?)
}

/// The state of the container that a command is about.
pub(super) fn running(setting: &Setting, which: &Which) -> Result<State, Failure> {
    match setting.nspid {
        Some(pid) => of_process(setting, pid),
        None => Place::of_running(setting, which)?.running(),
    }
}

/// The state of the container whose first process this is, wherever it was started.
pub(super) fn of_process(setting: &Setting, pid: i32) -> Result<State, Failure> {
    let found = setting.store.list()?.into_iter().find(|container| container.pid() == Some(pid));
    match found {
        Some(container) => Ok(State::of(&container)?),
        None => Err(Failure::new(format!(
            "no container has process {pid} for its first (hint: `cofferdam list` shows them)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;

    fn setting(root: Option<&str>, data: Option<&str>) -> Setting {
        Setting {
            log: Log::to_stderr(),
            store: cofferdam::Store::new("/run/nowhere"),
            root: root.map(PathBuf::from),
            data_path: data.map(PathBuf::from),
            criu: None,
            nspid: None,
            console: None,
        }
    }

    #[test]
    fn a_name_goes_before_the_data_path_and_that_before_this_directory() {
        let which = |id: Option<&str>| Which { id: id.map(str::to_owned) };
        let find = |s: &Setting, id, here: bool| Place::find(s, &which(id), |_| here).unwrap();
        let named = setting(Some("/r"), Some("/d"));
        assert_eq!(find(&named, None, true), Place::Named("/r/nsinit".into()));
        assert_eq!(find(&named, Some("box"), true), Place::Named("/r/box".into()));
        let data = setting(None, Some("/d"));
        assert_eq!(find(&data, None, true), Place::Data("/d".into()));
        assert_eq!(find(&setting(None, None), None, true), Place::Data(".".into()));
        assert!(Place::find(&named, &which(Some("../x")), |_| false).is_err());
    }
}
