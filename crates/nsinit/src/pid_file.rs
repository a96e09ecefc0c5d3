//! The pid file: a process's number and when it started, so that whoever gets the number later is not taken
//! for it.
//!
//! Written and removed by Exec beside the state; read by whoever wants to know whether a container runs.

use std::fs;
use std::path::Path;

use cofferdam::{Error, ErrorKind, Result};

use crate::state::start_time;

/// The file's name in the data directory.
const FILE: &str = "pid";

/// A process by its number and its start, as the file `pid` of a data directory has it: both in one line, with
/// a space between.
///
/// ```
/// use cofferdam_nsinit::PidFile;
/// let dir = std::env::temp_dir().join(format!("nsinit-pid-{}", std::process::id()));
/// std::fs::create_dir_all(&dir).unwrap();
/// let own = PidFile::of(std::process::id().cast_signed())?;
/// own.write(&dir)?;
/// assert_eq!(PidFile::read(&dir)?, own);
/// assert!(own.is_alive());
/// assert!(!PidFile { started: "1".into(), ..own }.is_alive(), "another process of that number");
/// PidFile::delete(&dir)?;
/// # std::fs::remove_dir(&dir).unwrap();
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PidFile {
    /// The process's number in the PID namespace of whoever wrote it.
    pub pid: i32,
    /// When it started, in clock ticks after the machine did: field 22 of /proc/PID/stat, see proc(5).
    pub started: String,
}

impl PidFile {
    /// A process that is there.
    ///
    /// # Errors
    /// When it is not.
    pub fn of(pid: i32) -> Result<Self> {
        Ok(Self { pid, started: start_time(pid)? })
    }

    /// Writes the file `pid` in `dir`: it is whole or as it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let (new, path) = (dir.join("pid.new"), dir.join(FILE));
        let line = format!("{} {}\n", self.pid, self.started);
        fs::write(&new, line)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|e| Error::io("writing the pid file", &path, &e))
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; when it is not a number and a start.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "there is no pid file in")
                .with_object(dir.display().to_string()),
            _ => Error::io("reading the pid file", &path, &e),
        })?;
        let mut words = text.split_ascii_whitespace();
        let (pid, started, rest) = (words.next(), words.next(), words.next());
        match (pid.and_then(|pid| pid.parse().ok()), started, rest) {
            (Some(pid), Some(started), None) => Ok(Self { pid, started: started.to_owned() }),
            _ => Err(Error::new(ErrorKind::System, "reading the pid file")
                .with_object(path.display().to_string())
                .with_detail("it is not a process's number and start")),
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// When there is none, or it cannot be removed.
    pub fn delete(dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        fs::remove_file(&path).map_err(|e| Error::io("removing the pid file", &path, &e))
    }

    /// Whether the process is there: that one, and no later one of its number.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        start_time(self.pid).is_ok_and(|time| time == self.started)
    }
}
