//! Removing cgroups.
//!
//! Called by [`crate::Cgroup`]. What is gone already is fine; what a container made inside goes first,
//! children before parents. It may not kill: a cgroup with processes stays.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cofferdam_sys::Errno;

use crate::cgroup::{Cgroup, SavedCgroup};
use crate::error::Error;
use crate::file;
use crate::orphan;
use crate::systemd;

/// For all directories of a container together.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

impl Cgroup {
    /// Removes the directories, whatever is below them, and the parents that were made for them, or for
    /// containers that have ended, unless somebody else uses those by now: then they go with the last container.
    ///
    /// Processes that were just killed may hold a cgroup for a moment: it is tried for about two seconds.
    ///
    /// Where systemd made them, it is told, and the unit's name is free when this returns.
    ///
    /// # Errors
    /// `EBUSY` when there are still processes. The other directories are removed all the same.
    pub fn delete(&self) -> Result<(), Error> {
        all(&self.saved)?;
        self.undo.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// As [`Cgroup::delete`], but leaves a unit of systemd's to itself: for one that may be somebody else's.
    ///
    /// # Errors
    /// As [`Cgroup::delete`].
    pub fn delete_directories(&self) -> Result<(), Error> {
        directories(&self.saved)
    }
}

pub(crate) fn all(saved: &SavedCgroup) -> Result<(), Error> {
    directories(saved)?;
    // Last, when the unit is empty: systemd has nobody to end then, and may have noticed already.
    saved.unit.as_ref().map_or(Ok(()), systemd::stop)
}

fn directories(saved: &SavedCgroup) -> Result<(), Error> {
    let mut first = Ok(());
    let end = Instant::now() + PATIENCE;
    for dir in &saved.dirs {
        let removed = tree(&dir.path, end).map_err(|e| explain(&dir.path, &e));
        if first.is_ok() {
            first = removed;
        }
    }
    for parent in saved.parents.iter().rev() {
        orphan::remove_or_leave(parent, saved.mode);
    }
    for dir in &saved.dirs {
        orphan::remove_what_was_left(dir, saved.mode);
    }
    first
}

/// Also true for a path that the kernel cannot look up: a read-only mount says EROFS even then.
fn gone(path: &Path, error: &io::Error) -> bool {
    file::is(error, Errno::ENOENT) || file::is(error, Errno::EROFS) && !path.exists()
}

pub(crate) fn tree(path: &Path, end: Instant) -> io::Result<()> {
    let mut delay = Duration::from_micros(100);
    loop {
        let error = match std::fs::remove_dir(path) {
            Ok(()) => return Ok(()),
            Err(e) if gone(path, &e) => return Ok(()),
            Err(e) => e,
        };
        if !file::is(&error, Errno::EBUSY) {
            return Err(error);
        }
        children(path, end)?;
        if Instant::now() > end {
            return Err(error);
        }
        sleep(delay);
        delay = (delay * 2).min(Duration::from_millis(100));
    }
}

fn children(path: &Path, end: Instant) -> io::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if gone(path, &e) => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            tree(&entry.path(), end)?;
        }
    }
    Ok(())
}

fn explain(path: &Path, error: &io::Error) -> Error {
    let out = Error::io("removing the cgroup", path, error);
    if !file::is(error, Errno::EBUSY) {
        return out;
    }
    let pids = crate::kill::pids_below(path).unwrap_or_default();
    let shown: Vec<String> = pids.iter().take(5).map(ToString::to_string).collect();
    let more = if pids.len() > shown.len() { " and more" } else { "" };
    if shown.is_empty() {
        out
    } else {
        out.detail(format!("processes are still in it: {}{more}", shown.join(", ")))
    }
}
