//! The directory in which is kept what containers share: leases of addresses, and marks of bridges.
//!
//! Used by `pool` and `apply`. Its own lock (flock(2)) guards every change, so any number of processes may
//! use it; it is made when it is needed and removed when it is empty.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use cofferdam_sys::Errno;

use crate::Error;
use crate::socket::Refusal;

/// A directory that may not be there yet.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

/// The lock of a directory. When this is dropped, it ends, and the directory goes if nothing is in it: who waits
/// for the lock makes it anew.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.path);
    }
}

impl Directory {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Waits for the lock; the directory is made when it is not there.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        loop {
            let file = match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
                    made.map_err(|error| broken("making directory", &self.path, &error))?;
                    continue;
                }
                other => other.map_err(|error| broken("opening", &self.path, &error))?,
            };
            file.lock().map_err(|error| broken("locking", &self.path, &error))?;
            // Whoever held the lock may have removed it.
            if self.is(&file) {
                return Ok(Lock { _file: file, path: self.path.clone() });
            }
        }
    }

    fn is(&self, open: &File) -> bool {
        match (std::fs::symlink_metadata(&self.path), open.metadata()) {
            (Ok(now), Ok(then)) => (now.dev(), now.ino()) == (then.dev(), then.ino()),
            _ => false,
        }
    }
}

/// A failure to keep the record.
pub(crate) fn broken(step: &'static str, path: &Path, error: &io::Error) -> Error {
    let refusal = Refusal {
        errno: error.raw_os_error().unwrap_or(Errno::EIO.0),
        said: error.raw_os_error().is_none().then(|| error.to_string()),
    };
    Error::of(step, path.display().to_string(), "keeping record of the network", refusal)
}

/// Removes a file; one that is not there is removed.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(broken("removing", path, &error)),
        _ => Ok(()),
    }
}
