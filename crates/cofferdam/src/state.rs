//! The state file: what must be known of a container after the process that made it has gone.
//!
//! Written whole, by one function, atomically; the status is never in it, it is computed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cofferdam_cgroup::SavedCgroup;
use serde::{Deserialize, Serialize};

use crate::program::LateSteps;
use crate::{Error, ErrorKind, Result};

/// File names in a container's state directory.
pub(crate) const STATE: &str = "state.json";
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const START: &str = "start.sock";

/// The format's number: another one is not read.
const VERSION: u32 = 1;

/// What is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saved {
    pub(crate) version: u32,
    pub(crate) oci_version: String,
    pub(crate) id: String,
    /// The first process; 0 while it has not been made, and then the container is only half-made.
    pub(crate) pid: i32,
    /// Field 22 of /proc/PID/stat: with it a pid that was used again is not mistaken.
    pub(crate) start_time: u64,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: PathBuf,
    /// RFC 3339, with nanoseconds.
    pub(crate) created: String,
    pub(crate) owner: u32,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) cgroup: SavedCgroup,
    /// Whether the container has a PID namespace of its own: its end is the end of all its processes.
    pub(crate) own_pid_namespace: bool,
    /// Whether it waits for the process that prepared it, instead of anybody's `start`.
    #[serde(default)]
    pub(crate) prepared: bool,
    /// Whether it is being restored: the process is CRIU then, and everything in its cgroups is its work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restoring: bool,
    /// Whether there are hooks to run after start or at the end: without, the configuration need not be
    /// read for them.
    pub(crate) late_hooks: bool,
    /// What the process does once it is started, to say which of it failed.
    #[serde(default)]
    pub(crate) late: LateSteps,
    /// Its network, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<crate::network::SavedNetwork>,
    /// Directories of resctrl that go with the container.
    #[serde(default)]
    pub(crate) resctrl: Vec<PathBuf>,
    /// Whether `--preserve-fds`-like, `exec` may find a keyring of the container's own.
    #[serde(default)]
    pub(crate) no_new_keyring: bool,
}

impl Saved {
    pub(crate) fn new(id: &str, bundle: &Path, rootfs: PathBuf, cgroup: SavedCgroup) -> Self {
        Self {
            version: VERSION,
            oci_version: cofferdam_oci::SPEC_VERSION.to_owned(),
            id: id.to_owned(),
            pid: 0,
            start_time: 0,
            bundle: bundle.to_owned(),
            rootfs,
            created: crate::clock::timestamp(),
            owner: 0,
            annotations: BTreeMap::new(),
            cgroup,
            own_pid_namespace: false,
            prepared: false,
            restoring: false,
            late_hooks: true,
            late: LateSteps::default(),
            network: None,
            resctrl: Vec::new(),
            no_new_keyring: false,
        }
    }

    /// Writes the file beside itself and renames it: it is whole or as it was.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let (new, path) = (dir.join("state.json.new"), dir.join(STATE));
        let bytes = serde_json::to_vec(self).map_err(|e| corrupt(&path, &e))?;
        write_file(&new, &bytes).map_err(|e| Error::io("writing the state", &new, &e))?;
        replace(&new, &path).map_err(|e| Error::io("writing the state", &path, &e))
    }

    /// Reads it; whatever stands there, the answer is a state or an error.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(STATE);
        let bytes = crate::bundle::read_bounded(&path, "reading the state")?;
        Self::parse(&bytes, &path)
    }

    /// Reads it from bytes that came from `path`.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let saved: Self = serde_json::from_slice(bytes).map_err(|e| corrupt(path, &e))?;
        if saved.version != VERSION {
            return Err(Error::new(ErrorKind::System, "reading the state")
                .with_object(path.display().to_string())
                .with_detail(format!("format {}, this program reads {VERSION}", saved.version)));
        }
        Ok(saved)
    }
}

/// Puts `new` in the place of `path`. Not by renaming it over the old one where that can be avoided: ext4
/// then writes the new one out at once, and pays again when it is removed, a millisecond each.
fn replace(new: &Path, path: &Path) -> std::io::Result<()> {
    match cofferdam_sys::dirs::exchange(&crate::program::c_path(new), &crate::program::c_path(path)) {
        Ok(()) => fs::remove_file(new),
        Err(_) => fs::rename(new, path),
    }
}

/// Writes a file that nobody else may write, whatever the caller's umask is.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644).open(path)?.write_all(bytes)
}

fn corrupt(path: &Path, e: &serde_json::Error) -> Error {
    Error::new(ErrorKind::System, "reading the state")
        .with_object(path.display().to_string())
        .with_detail(e.to_string())
        .with_hint("delete --force removes what is left of the container")
}
