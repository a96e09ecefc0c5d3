//! A container of the shim's: the library's, its first process, and those that were started in it.
//!
//! Called by `service`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cofferdam::{Container, Result};

use crate::checkpoint::Restoring;
use crate::failure::wrong_state;
use crate::process::Entry;

/// One container.
#[derive(Debug)]
pub(crate) struct Task {
    /// Its id.
    pub(crate) id: String,
    /// Its bundle.
    pub(crate) bundle: PathBuf,
    /// How the library knows it; of one that is to be restored, once it has been.
    pub(crate) container: OnceLock<Container>,
    /// What it is to be restored from.
    pub(crate) restoring: Mutex<Option<Restoring>>,
    /// Its first process.
    pub(crate) init: Arc<Entry>,
    /// The others, by their ids.
    pub(crate) execs: Mutex<BTreeMap<String, Arc<Entry>>>,
    /// Whether all its processes end with the first one.
    pub(crate) own_pid_namespace: bool,
    /// Whether the shim has mounted its root filesystem.
    pub(crate) mounted: bool,
    /// User and group that own its streams.
    pub(crate) owner: Option<(u32, u32)>,
    /// Whether it is frozen.
    pub(crate) paused: AtomicBool,
}

impl Task {
    /// The processes that were started in it.
    pub(crate) fn execs(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.execs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the library knows it.
    pub(crate) fn container(&self) -> Result<&Container> {
        self.container.get().ok_or_else(|| wrong_state("the container has not been restored yet"))
    }
}
