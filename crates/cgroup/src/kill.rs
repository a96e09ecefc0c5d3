//! Who is in a container's cgroups, and signals for all of them.
//!
//! Called by the library for kill, delete and ps.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cofferdam_sys::{Errno, pidfd};

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::file;
use crate::plan::Version;

const SIGKILL: i32 = 9;
const PATIENCE: Duration = Duration::from_secs(10);

impl Cgroup {
    /// The container's processes as the caller's pid namespace numbers them; with `recursive`, those in
    /// cgroups that it made inside too. A cgroup that is gone has none.
    ///
    /// # Errors
    /// When `cgroup.procs` cannot be read.
    pub fn pids(&self, recursive: bool) -> Result<Vec<u32>, Error> {
        let Some(path) = self.v1("devices").or_else(|| self.any()) else { return Ok(Vec::new()) };
        let pids = if recursive { pids_below(path) } else { pids_in(path) };
        pids.map_err(|e| Error::io("reading the processes of", path, &e))
    }

    /// Sends a signal to every process of the container, also to those in cgroups inside of it.
    ///
    /// `SIGKILL` uses `cgroup.kill` where there is a version 2 tree (Linux 5.14), which misses none;
    /// otherwise all are stopped first, so that none can fork away, and it is repeated until none is
    /// left. Every other signal is sent once to each.
    ///
    /// # Errors
    /// When the processes cannot be read or a signal cannot be sent; after `SIGKILL` also when some are
    /// still there ten seconds later.
    pub fn kill(&self, signal: i32) -> Result<(), Error> {
        if signal == SIGKILL && self.kill_v2()? && self.saved.dirs.iter().all(|d| d.version == Version::V2) {
            return Ok(());
        }
        if signal != SIGKILL {
            return self.each(signal).map(drop);
        }
        let end = Instant::now() + PATIENCE;
        let mut delay = Duration::from_micros(200);
        loop {
            if self.pids(true)?.is_empty() {
                return Ok(());
            }
            // Without a freezer the repetition has to do.
            let frozen = self.freeze().is_ok();
            let sent = self.each(signal);
            if frozen {
                // A frozen process of version 1 does not even die.
                self.thaw()?;
            }
            sent?;
            if Instant::now() > end {
                let path = self.any().map(Path::to_path_buf).unwrap_or_default();
                return Err(Error::new(
                    "killing the processes of",
                    path,
                    "some are still there after ten seconds",
                ));
            }
            sleep(delay);
            delay = (delay * 2).min(Duration::from_millis(50));
        }
    }

    /// Whether the kernel did it.
    fn kill_v2(&self) -> Result<bool, Error> {
        let Some(path) = self.v2() else { return Ok(false) };
        let path = path.join("cgroup.kill");
        match file::write(&path, "1") {
            Ok(()) => Ok(true),
            // Absent before Linux 5.14 and when the cgroup is gone; refused in a threaded one.
            Err(e) if file::is(&e, Errno::ENOENT) || file::is(&e, Errno::EOPNOTSUPP) => Ok(false),
            Err(e) => Err(Error::io("killing the processes of", &path, &e)),
        }
    }

    /// A number may have been given to another process since it was read: only what is still listed after
    /// its descriptor was opened gets the signal.
    fn each(&self, signal: i32) -> Result<usize, Error> {
        let mut open = Vec::new();
        for pid in self.pids(true)? {
            let Ok(number) = i32::try_from(pid) else { continue };
            match pidfd::open(number) {
                Ok(fd) => open.push((pid, fd)),
                Err(Errno::ESRCH) => {}
                Err(e) => return Err(refused(pid, e)),
            }
        }
        let still = self.pids(true)?;
        for (pid, fd) in open.iter().filter(|(pid, _)| still.contains(pid)) {
            match pidfd::send_signal(fd.raw(), signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(e) => return Err(refused(*pid, e)),
            }
        }
        Ok(still.len())
    }

    fn any(&self) -> Option<&Path> {
        let controllers =
            self.saved.dirs.iter().find(|d| d.version == Version::V1 && !d.controllers.is_empty());
        controllers.or_else(|| self.saved.dirs.first()).map(|d| d.path.as_path())
    }
}

fn refused(pid: u32, errno: Errno) -> Error {
    Error::io("sending a signal to", format!("process {pid}"), &io::Error::from_raw_os_error(errno.0))
}

fn pids_in(path: &Path) -> io::Result<Vec<u32>> {
    let text = match file::read(&path.join("cgroup.procs")) {
        // A threaded cgroup has threads only.
        Err(e) if file::is(&e, Errno::EOPNOTSUPP) => file::read(&path.join("cgroup.threads")),
        other => other,
    };
    match text {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(e) if file::is(&e, Errno::ENOENT) || file::is(&e, Errno::ENODEV) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Of a cgroup and everything below it.
pub(crate) fn pids_below(path: &Path) -> io::Result<Vec<u32>> {
    let mut pids = pids_in(path)?;
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if file::is(&e, Errno::ENOENT) => return Ok(pids),
        Err(e) => return Err(e),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(pids_below(&entry.path())?);
        }
    }
    Ok(pids)
}
