//! state.json of libcontainer 2: what is known of a container, with its configuration and namespaces.
//!
//! Called by programs that read or write that form, and by the command `state`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cofferdam::{Container, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::state::start_time;
use crate::{Config, Core, NamespaceType, NetworkState, State, state_file};

/// Every namespace that version 2 knows.
const NAMESPACES: [NamespaceType; 6] = [
    NamespaceType::Mount,
    NamespaceType::Uts,
    NamespaceType::Ipc,
    NamespaceType::User,
    NamespaceType::Pid,
    NamespaceType::Network,
];

/// A container's state, in the form of version 2.
///
/// ```
/// use cofferdam_nsinit::StateV2;
/// let json = br#"{"id":"box","init_process_pid":4711,"init_process_start":"12",
///     "cgroup_paths":{"memory":"/sys/fs/cgroup/memory/box"},
///     "namespace_paths":{"NEWNET":"/proc/4711/ns/net"},"config":{"hostname":"koye"}}"#;
/// let state = StateV2::parse(json)?;
/// assert_eq!(state.namespace_paths["NEWNET"].to_str(), Some("/proc/4711/ns/net"));
/// assert_eq!(state.config()?.hostname, "koye");
/// assert!(StateV2::parse(&json[..60]).is_err());
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateV2 {
    /// The container's id.
    pub id: String,
    /// The first process's number in the PID namespace of whoever started it.
    pub init_process_pid: i32,
    /// When it started: field 22 of /proc/PID/stat. Later runc writes a number, which is read too.
    #[serde(deserialize_with = "text_or_number")]
    pub init_process_start: String,
    /// Its cgroup directories by controller; the empty name is that of version 2.
    #[serde(default, deserialize_with = "nullable")]
    pub cgroup_paths: BTreeMap<String, PathBuf>,
    /// Files of its namespaces by libcontainer's names: where it joined one, that one's.
    #[serde(default, deserialize_with = "nullable")]
    pub namespace_paths: BTreeMap<String, PathBuf>,
    /// Its configuration as it was written, `null` where it is not known; see [`StateV2::config`].
    #[serde(default)]
    pub config: serde_json::Value,
    /// What its standard streams were when it started: the targets of /proc/PID/fd/0 to 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub external_descriptors: Vec<String>,
}

/// Go writes `null` for a map or list that was never made.
fn nullable<'de, T: Default + Deserialize<'de>, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "neither text nor a number")]
    enum Start {
        Number(u64),
        Text(String),
    }
    Ok(match Start::deserialize(from)? {
        Start::Number(number) => number.to_string(),
        Start::Text(text) => text,
    })
}

impl StateV2 {
    /// The state of a container of the core's, with the configuration that it was made from, if that is known.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when it does not run; when its configuration cannot be read.
    ///
    /// ```no_run
    /// # fn f(child: &cofferdam::Child, config: &cofferdam_nsinit::Config) -> cofferdam::Result<()> {
    /// let state = cofferdam_nsinit::StateV2::of(child.container(), Some(config))?;
    /// println!("{}", serde_json::to_string(&state).unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(container: &Container, config: Option<&Config>) -> Result<Self> {
        let written = |e: serde_json::Error| {
            Error::new(ErrorKind::System, "writing the state's configuration").with_detail(e.to_string())
        };
        let config = serde_json::to_value(config.map(Config::to_v2)).map_err(written)?;
        let pid = container.pid().ok_or_else(|| {
            Error::new(ErrorKind::WrongState, "there is no running container")
                .with_object(container.id().to_string())
        })?;
        let linux = container.spec()?.linux.unwrap_or_default();
        let joined = |kind: NamespaceType| {
            let own = linux.namespaces.iter().find(|namespace| namespace.kind == kind.oci());
            own.and_then(|namespace| namespace.path.as_ref())
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        let path = |kind: NamespaceType| {
            let file = kind.name().strip_prefix("NEW").map(str::to_lowercase).unwrap_or_default();
            let file = if kind == NamespaceType::Mount { "mnt" } else { &file };
            joined(kind).unwrap_or_else(|| PathBuf::from(format!("/proc/{pid}/ns/{file}")))
        };
        let stream = |fd: i32| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok();
        Ok(Self {
            id: container.id().to_string(),
            init_process_pid: pid,
            init_process_start: start_time(pid)?,
            cgroup_paths: container.cgroup_paths(),
            namespace_paths: NAMESPACES.iter().map(|&kind| (kind.name().to_owned(), path(kind))).collect(),
            config,
            external_descriptors: (0..3).filter_map(stream).map(|p| p.display().to_string()).collect(),
        })
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or was not written to its end.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        state_file::parse(bytes, |state: &Self| {
            let start = ("init_process_start", state.init_process_start.as_str());
            state_file::judge(("init_process_pid", state.init_process_pid), start)
        })
    }

    /// Reads `state.json` in `dir`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; as [`StateV2::parse`].
    pub fn get(dir: &Path) -> Result<Self> {
        let named = |e: Error| e.with_object(dir.join(state_file::FILE).display().to_string());
        Self::parse(&state_file::read(dir)?).map_err(named)
    }

    /// Writes `state.json` in `dir` with the members of both generations: this one's, and those of `own`, by which
    /// [`crate::namespaces::exec_in`] enters. The file is whole or as it was.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// ```
    /// use cofferdam_nsinit::{State, StateV2};
    /// let dir = std::env::temp_dir().join(format!("nsinit-both-{}", std::process::id()));
    /// std::fs::create_dir_all(&dir).unwrap();
    /// let own = State { init_pid: 4711, init_start_time: "12".into(), ..State::default() };
    /// let start = own.init_start_time.clone();
    /// let state = StateV2 { id: "box".into(), init_process_pid: 4711, init_process_start: start, ..StateV2::default() };
    /// state.save_beside(&own, &dir)?;
    /// assert_eq!((StateV2::get(&dir)?, State::get(&dir)?), (state, own));
    /// # std::fs::remove_dir_all(&dir).unwrap();
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn save_beside(&self, own: &State, dir: &Path) -> Result<()> {
        #[derive(Serialize)]
        struct Both<'a> {
            #[serde(flatten)]
            new: &'a StateV2,
            init_pid: i32,
            init_start_time: &'a str,
            network_state: &'a NetworkState,
            core: Option<&'a Core>,
        }
        let State { init_pid, init_start_time, network_state, core, .. } = own;
        let core = core.as_ref();
        state_file::write(dir, &Both { new: self, init_pid: *init_pid, init_start_time, network_state, core })
    }

    /// Its configuration.
    ///
    /// # Errors
    /// When it is none.
    pub fn config(&self) -> Result<Config> {
        let bytes = serde_json::to_vec(&self.config).map_err(|e| {
            Error::new(ErrorKind::System, "reading the state's configuration").with_detail(e.to_string())
        })?;
        Config::parse(&bytes)
    }

    /// Whether the first process is there: that one, and no later one of its number.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        start_time(self.init_process_pid).is_ok_and(|time| time == self.init_process_start)
    }

    /// Field 22 as a number.
    pub(crate) fn started(&self) -> Result<u64> {
        state_file::started(&self.init_process_start)
    }
}
