//! state.json of either generation.
//!
//! Called by what reads data directories that somebody else may have written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cofferdam::{Error, Result};

use crate::stats::Measurement;
use crate::{State, StateV2, state_file};

/// A state, whichever generation wrote it.
///
/// ```
/// use cofferdam_nsinit::AnyState;
/// let old = AnyState::parse(br#"{"init_pid":7,"init_start_time":"12"}"#)?;
/// assert!(matches!(old, AnyState::V1(_)) && old.pid() == 7);
/// let new = AnyState::parse(br#"{"id":"box","init_process_pid":7,"init_process_start":"12"}"#)?;
/// assert!(matches!(new, AnyState::V2(_)));
/// let error = AnyState::parse(br#"{"pid":7}"#).unwrap_err().to_string();
/// assert!(error.contains("neither init_pid nor init_process_pid"), "{error}");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyState {
    /// v1.4's.
    V1(Box<State>),
    /// Version 2's.
    V2(Box<StateV2>),
}

/// What tells the generations apart.
#[derive(serde::Deserialize)]
struct Which {
    init_pid: Option<serde::de::IgnoredAny>,
    init_process_pid: Option<serde::de::IgnoredAny>,
}

impl AnyState {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or was not written to its end.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let which: Which = state_file::parse(bytes, |which: &Which| {
            let none = which.init_pid.is_none() && which.init_process_pid.is_none();
            none.then(|| "it has neither init_pid nor init_process_pid".to_owned())
        })?;
        match which.init_process_pid {
            Some(_) => StateV2::parse(bytes).map(Box::new).map(Self::V2),
            None => State::parse(bytes).map(Box::new).map(Self::V1),
        }
    }

    /// Reads `state.json` in `dir`.
    ///
    /// # Errors
    /// [`cofferdam::ErrorKind::NotFound`] when there is none; as [`AnyState::parse`].
    pub fn get(dir: &Path) -> Result<Self> {
        let named = |e: Error| e.with_object(dir.join(state_file::FILE).display().to_string());
        Self::parse(&state_file::read(dir)?).map_err(named)
    }

    /// The first process's number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        match self {
            Self::V1(state) => state.init_pid,
            Self::V2(state) => state.init_process_pid,
        }
    }

    /// Whether that process is there, and no later one of its number.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self {
            Self::V1(state) => state.is_alive(),
            Self::V2(state) => state.is_alive(),
        }
    }

    /// Its cgroup directories by controller.
    #[must_use]
    pub fn cgroup_paths(&self) -> &BTreeMap<String, PathBuf> {
        match self {
            Self::V1(state) => &state.cgroup_paths,
            Self::V2(state) => &state.cgroup_paths,
        }
    }

    /// Measures the container.
    ///
    /// # Errors
    /// As [`Measurement::of`].
    pub fn measure(&self) -> Result<Measurement> {
        match self {
            Self::V1(state) => Measurement::of_state(state),
            Self::V2(state) => Measurement::of_state_v2(state),
        }
    }
}
