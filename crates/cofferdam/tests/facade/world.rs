//! A store of a test's own, which must be empty at its end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam::{Command, Store};

/// A store that is removed, with all containers in it, however the test ends.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) dir: PathBuf,
}

impl World {
    /// A store of a test's own; `None`, saying why, where containers cannot be made.
    pub(crate) fn new() -> Option<Self> {
        if cofferdam::template::Caller::current().uid != 0 {
            eprintln!("SKIPPED: only root can make these containers");
            return None;
        }
        Some(Self::of_anybody())
    }

    /// The same for whoever calls.
    pub(crate) fn of_anybody() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("cofferdam-facade-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self { store: Store::new(dir.join("state")), dir }
    }

    /// A shell script in a sandbox.
    pub(crate) fn sh(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).store(self.store.clone());
        command
    }

    /// No container is left.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        assert_eq!(self.store.ids().unwrap(), [], "containers are left");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for id in self.store.ids().unwrap_or_default() {
            let _ = self.store.remove(&id);
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
