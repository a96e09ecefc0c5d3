//! Stopping and resuming everything in a container.
//!
//! Called by the library for pause and resume, and by [`crate::Cgroup::kill`].

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cofferdam_sys::poll;

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::file;
use crate::limits::NO_CGROUP;

const PATIENCE: Duration = Duration::from_secs(10);

impl Cgroup {
    /// Stops every process of the container, and returns when they have stopped (cgroup v1 freezer, or
    /// cgroup v2, Linux 5.2).
    ///
    /// # Errors
    /// When there is no freezer, or not all have stopped after ten seconds; then they run again.
    pub fn freeze(&self) -> Result<(), Error> {
        let (path, done) = match (self.v1("freezer"), self.v2()) {
            (Some(path), _) => (path, freeze_v1(path)?),
            (None, Some(path)) => (path, freeze_v2(path)?),
            (None, None) => return Err(self.no_freezer()),
        };
        if done {
            return Ok(());
        }
        self.thaw()?;
        Err(Error::new("freezing", path, "not all processes stopped within ten seconds")
            .hint("a process may hang in the kernel (state D in ps)"))
    }

    /// The directory whose freezer that is; CRIU stops processes by it.
    ///
    /// ```
    /// let saved = cofferdam_cgroup::SavedCgroup::from_paths(&[("freezer".into(), "/f/box".into())].into());
    /// assert_eq!(cofferdam_cgroup::Cgroup::load(saved).freezer(), Some("/f/box".as_ref()));
    /// ```
    #[must_use]
    pub fn freezer(&self) -> Option<&Path> {
        self.v1("freezer").or_else(|| self.v2())
    }

    /// Lets them run again.
    ///
    /// # Errors
    /// When there is no freezer.
    pub fn thaw(&self) -> Result<(), Error> {
        let (path, value) = match (self.v1("freezer"), self.v2()) {
            (Some(path), _) => (path.join("freezer.state"), "THAWED"),
            (None, Some(path)) => (path.join("cgroup.freeze"), "0"),
            (None, None) => return Err(self.no_freezer()),
        };
        file::write(&path, value).map_err(|e| Error::io("thawing", &path, &e))
    }

    /// Whether the container itself is frozen, or about to be; one of its ancestors does not count.
    ///
    /// # Errors
    /// When the freezer cannot be read. Without one nothing is frozen.
    pub fn is_frozen(&self) -> Result<bool, Error> {
        let (path, frozen) = match (self.v1("freezer"), self.v2()) {
            (Some(path), _) => (path.join("freezer.self_freezing"), "1"),
            (None, Some(path)) => (path.join("cgroup.freeze"), "1"),
            (None, None) => return Ok(false),
        };
        match file::read(&path) {
            Ok(text) => Ok(text.trim() == frozen),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("reading the freezer", &path, &e)),
        }
    }

    /// Whether it is about to be frozen: asked to, and some process has not stopped yet.
    ///
    /// # Errors
    /// As [`Cgroup::is_frozen`].
    pub fn is_freezing(&self) -> Result<bool, Error> {
        let (path, stopped) = match (self.v1("freezer"), self.v2()) {
            (Some(path), _) => (path.join("freezer.state"), "FROZEN"),
            (None, Some(path)) => (path.join("cgroup.events"), "frozen 1"),
            (None, None) => return Ok(false),
        };
        if !self.is_frozen()? {
            return Ok(false);
        }
        match file::read(&path) {
            Ok(text) => Ok(text.lines().all(|line| line != stopped)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("reading the freezer", &path, &e)),
        }
    }

    fn no_freezer(&self) -> Error {
        let path = self.saved.dirs.first().map_or_else(|| "the container".into(), |d| d.path.clone());
        Error::new("freezing", path, "it has no cgroup with a freezer").hint(NO_CGROUP)
    }
}

/// Processes that appear while it freezes can keep version 1 in FREEZING: the state has to be written
/// again, and now and then taken back, until it holds.
fn freeze_v1(path: &Path) -> Result<bool, Error> {
    let state = path.join("freezer.state");
    let fail = |e: std::io::Error| Error::io("freezing", &state, &e);
    let end = Instant::now() + PATIENCE;
    for round in 1u32.. {
        file::write(&state, "FROZEN").map_err(fail)?;
        if file::read(&state).map_err(fail)?.trim() == "FROZEN" {
            return Ok(true);
        }
        if Instant::now() > end {
            break;
        }
        if round % 50 == 0 {
            file::write(&state, "THAWED").map_err(fail)?;
            sleep(Duration::from_millis(10));
        } else if round % 5 == 0 {
            sleep(Duration::from_micros(100));
        }
    }
    Ok(false)
}

fn freeze_v2(path: &Path) -> Result<bool, Error> {
    let switch = path.join("cgroup.freeze");
    file::write(&switch, "1").map_err(|e| Error::io("freezing", &switch, &e))?;
    let events = path.join("cgroup.events");
    let fail = |e: std::io::Error| Error::io("waiting for the freezer", &events, &e);
    let file = File::open(&events).map_err(fail)?;
    let end = Instant::now() + PATIENCE;
    loop {
        let mut buffer = [0; 256];
        let len = file.read_at(&mut buffer, 0).map_err(fail)?;
        let text = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default());
        if text.lines().any(|line| line == "frozen 1") {
            return Ok(true);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let mut fds = [poll::PollFd { fd: file.as_raw_fd(), events: poll::POLLPRI, revents: 0 }];
        let ms = u64::try_from(left.as_millis()).unwrap_or(0).max(1);
        poll::poll(&mut fds, Some(ms)).map_err(|errno| fail(std::io::Error::from_raw_os_error(errno.0)))?;
    }
}
