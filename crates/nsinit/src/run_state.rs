//! What a container is at, in libcontainer's words: computed each time, kept nowhere.
//!
//! Called by programs and commands that ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cofferdam::{Container, ErrorKind, Result, Status};
use cofferdam_cgroup::{Cgroup, SavedCgroup};

use crate::{AnyState, State};

/// The file that version 2 leaves beside the state when a container was checkpointed.
const CHECKPOINT: &str = "checkpoint";

/// libcontainer's `RunState`, and version 2's `Status`.
///
/// ```
/// use cofferdam_nsinit::RunState;
/// assert_eq!(RunState::Paused.to_string(), "paused");
/// // The two generations count differently.
/// assert_eq!((RunState::Destroyed.number(), RunState::Destroyed.number_v2()), (Some(4), 5));
/// assert_eq!(RunState::Checkpointed.number(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Its first process is there, also before it executes its program.
    Running,
    /// It was asked to stop, and some process has not yet.
    Pausing,
    /// All its processes are frozen.
    Paused,
    /// It does not run, and its processes are on a disk (version 2).
    Checkpointed,
    /// There is no such container any more.
    Destroyed,
}

impl RunState {
    /// What a container of the core's is at.
    ///
    /// # Errors
    /// When its cgroup cannot be asked.
    ///
    /// ```no_run
    /// # fn f(child: &cofferdam::Child) -> cofferdam::Result<()> {
    /// child.pause()?;
    /// assert_eq!(cofferdam_nsinit::RunState::of(child.container())?, cofferdam_nsinit::RunState::Paused);
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(container: &Container) -> Result<Self> {
        match container.status()? {
            Status::Stopped | Status::Creating => Ok(Self::Destroyed),
            Status::Paused => frozen(&container.cgroup_paths()),
            _ => Ok(Self::Running),
        }
    }

    /// What the container of a state is at.
    ///
    /// # Errors
    /// As [`RunState::of`].
    ///
    /// ```
    /// use cofferdam_nsinit::{RunState, State};
    /// let gone = State { init_pid: 1, init_start_time: "1".into(), ..State::default() };
    /// assert_eq!(RunState::of_state(&gone)?, RunState::Destroyed);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn of_state(state: &State) -> Result<Self> {
        if state.is_alive() { frozen(&state.cgroup_paths) } else { Ok(Self::Destroyed) }
    }

    /// What the container of a data directory is at, whichever generation wrote it.
    ///
    /// # Errors
    /// As [`RunState::of`]; when its state cannot be read.
    ///
    /// ```
    /// use cofferdam_nsinit::RunState;
    /// assert_eq!(RunState::in_dir("/nowhere".as_ref())?, RunState::Destroyed);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn in_dir(dir: &Path) -> Result<Self> {
        if dir.join(CHECKPOINT).exists() {
            return Ok(Self::Checkpointed);
        }
        match AnyState::get(dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Self::Destroyed),
            Err(e) => Err(e),
            Ok(state) if state.is_alive() => frozen(state.cgroup_paths()),
            Ok(_) => Ok(Self::Destroyed),
        }
    }

    /// v1.4's number.
    #[must_use]
    pub const fn number(self) -> Option<u8> {
        match self {
            Self::Running => Some(1),
            Self::Pausing => Some(2),
            Self::Paused => Some(3),
            Self::Destroyed => Some(4),
            Self::Checkpointed => None,
        }
    }

    /// Version 2's number.
    #[must_use]
    pub const fn number_v2(self) -> u8 {
        match self {
            Self::Running => 1,
            Self::Pausing => 2,
            Self::Paused => 3,
            Self::Checkpointed => 4,
            Self::Destroyed => 5,
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Checkpointed => "checkpointed",
            Self::Destroyed => "destroyed",
        })
    }
}

/// What a container that is alive is at.
fn frozen(paths: &BTreeMap<String, PathBuf>) -> Result<RunState> {
    let cgroup = Cgroup::load(SavedCgroup::from_paths(paths));
    Ok(match (cgroup.is_frozen()?, cgroup.is_freezing()?) {
        (false, _) => RunState::Running,
        (true, true) => RunState::Pausing,
        (true, false) => RunState::Paused,
    })
}
