//! Noticing that the kernel killed for lack of memory.
//!
//! Called by the library for `events`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cofferdam_sys::{Errno, poll};

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::file;
use crate::plan::Version;

/// How often version 1 is asked; it can only tell by an eventfd(2).
const INTERVAL: Duration = Duration::from_millis(100);

/// What [`OomWatch::wait`] saw.
///
/// ```
/// assert_ne!(cofferdam_cgroup::Oom::Killed, cofferdam_cgroup::Oom::Nothing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oom {
    /// The container ran out of memory since the last call.
    Killed,
    /// The time is over.
    Nothing,
    /// The cgroup has been removed.
    Gone,
}

/// Watches a container's memory cgroup.
///
/// ```no_run
/// # fn f(cgroup: &cofferdam_cgroup::Cgroup) -> Result<(), cofferdam_cgroup::Error> {
/// use std::time::Duration;
/// let mut watch = cgroup.oom_watch()?;
/// while watch.wait(Duration::from_secs(1))? != cofferdam_cgroup::Oom::Gone {}
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OomWatch {
    file: File,
    path: PathBuf,
    version: Version,
    seen: (u64, u64),
}

impl Cgroup {
    /// Starts to watch; what happened before is not reported.
    ///
    /// # Errors
    /// When there is no memory cgroup.
    pub fn oom_watch(&self) -> Result<OomWatch, Error> {
        let Some(dir) = self.dir_with("memory", "memory") else {
            return Err(Error::new(
                "watching the memory of",
                PathBuf::new(),
                "the container has no memory cgroup",
            ));
        };
        let name = if dir.version == Version::V1 { "memory.oom_control" } else { "memory.events" };
        let path = dir.path.join(name);
        let file = File::open(&path).map_err(|e| Error::io("watching", &path, &e))?;
        let mut watch = OomWatch { file, path, version: dir.version, seen: (0, 0) };
        watch.seen = watch.counters().map_err(|e| Error::io("reading", &watch.path, &e))?;
        Ok(watch)
    }

    /// Whether it has a memory cgroup, which [`Cgroup::oom_watch`] needs.
    #[must_use]
    pub fn has_memory(&self) -> bool {
        self.dir_with("memory", "memory").is_some()
    }

    /// How many processes the kernel has killed for lack of memory; 0 without a memory cgroup.
    ///
    /// # Errors
    /// When the counter cannot be read.
    pub fn oom_kills(&self) -> Result<u64, Error> {
        match self.dir_with("memory", "memory") {
            Some(_) => Ok(self.oom_watch()?.seen.0),
            None => Ok(0),
        }
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl OomWatch {
    /// Waits at most that long.
    ///
    /// # Errors
    /// When the cgroup's file cannot be read for another reason than that it is gone.
    pub fn wait(&mut self, timeout: Duration) -> Result<Oom, Error> {
        let end = Instant::now() + timeout;
        loop {
            match self.counters() {
                // On version 1 with the killer off, being out of memory is what there is to tell.
                Ok((kills, stuck)) => {
                    let news = kills > self.seen.0 || stuck > self.seen.1;
                    self.seen = (kills, stuck);
                    if news {
                        return Ok(Oom::Killed);
                    }
                }
                Err(e) if file::is(&e, Errno::ENODEV) || file::is(&e, Errno::ENOENT) => return Ok(Oom::Gone),
                Err(e) => return Err(Error::io("reading", &self.path, &e)),
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Oom::Nothing);
            }
            self.pause(left).map_err(|e| Error::io("waiting for", &self.path, &e))?;
        }
    }

    /// How often [`OomWatch::wait`] must be called, where the kernel does not tell by itself; `None` when
    /// poll(2) of the descriptor does, with `POLLPRI`.
    #[must_use]
    pub fn ask_every(&self) -> Option<Duration> {
        (self.version == Version::V1).then_some(INTERVAL)
    }

    fn pause(&self, left: Duration) -> io::Result<()> {
        if self.version == Version::V1 {
            sleep(left.min(INTERVAL));
            return Ok(());
        }
        let mut fds = [poll::PollFd { fd: self.file.as_raw_fd(), events: poll::POLLPRI, revents: 0 }];
        let ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        poll::poll(&mut fds, Some(ms)).map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
        Ok(())
    }

    /// Kills, and whether tasks wait for memory.
    fn counters(&self) -> io::Result<(u64, u64)> {
        let mut buffer = [0; 1024];
        let len = self.file.read_at(&mut buffer, 0)?;
        let text = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default());
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(k, _)| *k == key)
                .and_then(|(_, v)| v.parse().ok())
        };
        Ok((value("oom_kill").unwrap_or(0), value("under_oom").unwrap_or(0)))
    }
}
