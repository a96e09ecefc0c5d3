//! state.json: what is known of a running container, beside its configuration in the data directory.
//!
//! Written and removed by Exec, read by ExecIn and SetupContainer. The fields are libcontainer's; `core` says
//! where the core keeps its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cofferdam::{Container, ContainerId, Error, ErrorKind, Result, Store};
use serde::{Deserialize, Serialize};

use crate::state_file::{self, FILE};

/// A running container's state.
///
/// ```
/// use cofferdam_nsinit::{NetworkState, State};
/// let dir = std::env::temp_dir().join(format!("nsinit-state-{}", std::process::id()));
/// std::fs::create_dir_all(&dir).unwrap();
/// let network_state = NetworkState { ns_path: "/run/netns/blue".into(), ..NetworkState::default() };
/// let state = State { init_pid: 4711, init_start_time: "12".into(), network_state, ..State::default() };
/// state.save(&dir)?;
/// assert_eq!(State::get(&dir)?, state);
/// State::delete(&dir)?;
/// # std::fs::remove_dir(&dir).unwrap();
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The first process's number in the PID namespace of whoever started it; 0 while the container is made.
    pub init_pid: i32,
    /// When it started: field 22 of /proc/PID/stat.
    pub init_start_time: String,
    /// What the container's networks are.
    pub network_state: NetworkState,
    /// Its cgroup directories by controller; the empty name is that of version 2.
    pub cgroup_paths: BTreeMap<String, PathBuf>,
    /// Where the core keeps it; absent for a process that Exec did not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<Core>,
}

/// A container's place in the core.
///
/// ```
/// let core = cofferdam_nsinit::Core { store: "/run/cofferdam".into(), id: "box".into() };
/// assert_eq!(serde_json::to_string(&core).unwrap(), r#"{"store":"/run/cofferdam","id":"box"}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// The store's directory.
    pub store: PathBuf,
    /// The container's id in it.
    pub id: String,
}

/// What InitializeNetworking has made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkState {
    /// The host's end of a veth pair.
    pub veth_host: String,
    /// The container's end.
    pub veth_child: String,
    /// The network namespace that is joined.
    pub ns_path: String,
}

impl State {
    /// The state of a container that has a process, whoever started it; of its networks nothing is known.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when it has none.
    ///
    /// ```no_run
    /// use cofferdam::{ContainerId, Store};
    /// let container = Store::default().load(&ContainerId::new("box")?)?;
    /// println!("{}", cofferdam_nsinit::State::of(&container)?.init_pid);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn of(container: &Container) -> Result<Self> {
        let pid = container.pid().ok_or_else(|| {
            Error::new(ErrorKind::WrongState, "the container has no process:")
                .with_object(container.id().as_str())
        })?;
        Ok(Self {
            init_pid: pid,
            init_start_time: start_time(pid)?,
            cgroup_paths: container.cgroup_paths(),
            core: Some(Core { store: container.store().root().to_owned(), id: container.id().to_string() }),
            ..Self::default()
        })
    }

    /// Writes `state.json` in `dir`: it is whole or as it was. libcontainer's `SaveState`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        state_file::write(dir, self)
    }

    /// Reads it. libcontainer's `GetState`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; when it is not a state.
    pub fn get(dir: &Path) -> Result<Self> {
        let named = |e: Error| e.with_object(dir.join(FILE).display().to_string());
        Self::parse(&state_file::read(dir)?).map_err(named)
    }

    /// Reads one from what was written.
    ///
    /// # Errors
    /// When it is none, or was not written to its end.
    ///
    /// ```
    /// let error = cofferdam_nsinit::State::parse(br#"{"init_pid":4711,"init_st"#).unwrap_err();
    /// assert!(error.hint().unwrap().contains("stopped in the middle"), "{error}");
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        state_file::parse(bytes, |state: &Self| {
            if state.init_pid == 0 && state.core.is_some() {
                // Written before there is a process: it says where the container is being made.
                return None;
            }
            state_file::judge(("init_pid", state.init_pid), ("init_start_time", &state.init_start_time))
        })
    }

    /// Removes it. libcontainer's `DeleteState`.
    ///
    /// # Errors
    /// When there is none, or it cannot be removed.
    pub fn delete(dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        fs::remove_file(&path).map_err(|e| Error::io("removing the state", &path, &e))
    }

    /// Whether the first process is there: that one, and no later one of its number.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        start_time(self.init_pid).is_ok_and(|time| time == self.init_start_time)
    }

    /// Field 22 as a number.
    pub(crate) fn started(&self) -> Result<u64> {
        state_file::started(&self.init_start_time)
    }

    /// The container in the core: what pauses, counts and watches it.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when it has ended, or was not started by Exec.
    ///
    /// ```no_run
    /// let state = cofferdam_nsinit::State::get("/var/lib/box".as_ref())?;
    /// state.container()?.pause()?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn container(&self) -> Result<Container> {
        let core = self.core.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::WrongState, "entering process")
                .with_object(self.init_pid.to_string())
                .with_hint("it was not started by Exec; cofferdam_nsenter enters any process")
        })?;
        let container = Store::new(&core.store).load(&ContainerId::new(&core.id)?)?;
        if self.is_alive() && container.pid() == Some(self.init_pid) {
            return Ok(container);
        }
        Err(Error::new(ErrorKind::WrongState, "the container's first process has ended:")
            .with_object(self.init_pid.to_string()))
    }
}

/// Field 22 of /proc/PID/stat, counted from the last `)`: the name before it may hold anything. A process that
/// has ended and was not waited for has none.
pub(crate) fn start_time(pid: i32) -> Result<String> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|e| Error::io("reading", &path, &e))?;
    let mut fields = text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ended = matches!(fields.next(), None | Some("Z" | "X" | "x"));
    let start = fields.nth(18).filter(|_| !ended).map(str::to_owned);
    start.ok_or_else(|| {
        Error::new(ErrorKind::WrongState, "the process has ended:").with_object(pid.to_string())
    })
}
