//! Where state is kept: one directory per container below a root, owned by whoever holds its lock.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use cofferdam_sys::Errno;

use crate::container::Container;
use crate::state::{CONFIG, STATE, Saved};
use crate::{ContainerId, Error, ErrorKind, Result};

/// Where everybody may make directories.
const ANYBODYS: &str = "/tmp";

/// The place of all containers' state (`--root`).
///
/// ```
/// let store = cofferdam::Store::new("/run/nowhere");
/// assert!(store.list().unwrap().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Default for Store {
    /// The store at [`Store::default_root`], which is also the command line's.
    fn default() -> Self {
        Self::new(Self::default_root())
    }
}

impl Store {
    /// A store at `root`, which is made with the first container.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `/run/cofferdam` for root; for others `$XDG_RUNTIME_DIR/cofferdam` or, without a session, a
    /// directory of the user's own in /tmp.
    ///
    /// ```
    /// assert!(cofferdam::Store::default_root().is_absolute());
    /// ```
    #[must_use]
    pub fn default_root() -> PathBuf {
        let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        match (own, uid()) {
            (None, 0) => PathBuf::from("/run/cofferdam"),
            (Some(_), 0) if !crate::facts::in_user_namespace() => PathBuf::from("/run/cofferdam"),
            (Some(dir), _) => PathBuf::from(dir).join("cofferdam"),
            (None, uid) => PathBuf::from(format!("/tmp/cofferdam-{uid}")),
        }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The container of that id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; otherwise why its state is unreadable.
    pub fn load(&self, id: &ContainerId) -> Result<Container> {
        let dir = self.dir(id);
        if !dir.is_dir() {
            return Err(not_found(id));
        }
        Ok(Container::from_saved(self.clone(), id.clone(), Saved::read(&dir)?))
    }

    /// All containers whose state can be read, by id.
    ///
    /// # Errors
    /// When the directory cannot be read; one that is missing is empty.
    pub fn list(&self) -> Result<Vec<Container>> {
        // One that vanishes meanwhile, or is only half-made, is not there.
        Ok(self.ids()?.iter().filter_map(|id| self.load(id).ok()).collect())
    }

    /// The ids of all containers, in order: also of those whose state is damaged.
    ///
    /// # Errors
    /// As [`Store::list`].
    ///
    /// ```
    /// assert!(cofferdam::Store::new("/run/nowhere").ids().unwrap().is_empty());
    /// ```
    pub fn ids(&self) -> Result<Vec<ContainerId>> {
        let entries = match fs::read_dir(&self.root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| Error::io("listing containers in", &self.root, &e))?,
        };
        let ids = entries.flatten().filter_map(|e| ContainerId::new(e.file_name().to_str()?).ok());
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        Ok(ids)
    }

    pub(crate) fn dir(&self, id: &ContainerId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Makes the directory of a new container. What a killed `create` of that id left is removed first.
    pub(crate) fn claim(&self, id: &ContainerId) -> Result<Claim> {
        let dir = self.dir(id);
        self.check_anybodys()?;
        for _ in 0..2 {
            match DirBuilder::new().mode(0o711).create(&dir) {
                Ok(()) => return Claim::lock(dir, id),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.make_root()?,
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => self.clear(id, &dir)?,
                Err(e) => return Err(Error::io("making the state directory", &dir, &e)),
            }
        }
        DirBuilder::new()
            .mode(0o711)
            .create(&dir)
            .map_err(|e| Error::io("making the state directory", &dir, &e))?;
        Claim::lock(dir, id)
    }

    fn make_root(&self) -> Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.root);
        made.map_err(|e| Error::io("making the state directory", &self.root, &e))?;
        self.check_root()
    }

    /// Looks at a root that somebody else could have made, and that is there.
    pub(crate) fn check_anybodys(&self) -> Result<()> {
        if self.root.starts_with(ANYBODYS) && self.root.is_dir() { self.check_root() } else { Ok(()) }
    }

    /// In /tmp anybody may have made the directory first: it must be ours, and closed to others.
    fn check_root(&self) -> Result<()> {
        if !self.root.starts_with(ANYBODYS) {
            return Ok(());
        }
        let failed = |e: &std::io::Error| Error::io("looking at the state directory", &self.root, e);
        let meta = fs::symlink_metadata(&self.root).map_err(|e| failed(&e))?;
        if !meta.is_dir() || meta.uid() != uid() || meta.mode() & 0o022 != 0 {
            return Err(Error::new(ErrorKind::Host, "the state directory belongs to somebody else:")
                .with_object(self.root.display().to_string())
                .with_hint("name another one with --root"));
        }
        Ok(())
    }

    /// Removes a half-made container; a whole one, or one that is being made, is an error.
    fn clear(&self, id: &ContainerId, dir: &Path) -> Result<()> {
        let lock = match try_lock(dir) {
            Err(e) if e.errno() == Some(Errno::ENOENT.0) => return Ok(()),
            other => other?.ok_or_else(|| exists(id))?,
        };
        if !is_still(dir, &lock) {
            return Ok(());
        }
        match Saved::read(dir) {
            Ok(saved) if saved.pid != 0 && !saved.restoring => Err(exists(id)),
            Ok(saved) => Container::from_saved(self.clone(), id.clone(), saved).remove_all().map(drop),
            // Nothing had been made yet when this little had been written.
            Err(_) if !has_state(dir) => remove_dir(dir),
            // Damaged: what it owns is not known, and somebody may want to look at it.
            Err(_) => Err(exists(id).with_hint("its state is damaged: delete --force removes what is left")),
        }
    }

    /// Ends and removes a container by force, also one that is half-made or whose state is damaged; gives
    /// what [`Container::delete`] gives.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; what could not be removed.
    ///
    /// ```
    /// let store = cofferdam::Store::new("/run/nowhere");
    /// let id = cofferdam::ContainerId::new("nobody").unwrap();
    /// assert_eq!(store.remove(&id).unwrap_err().kind(), cofferdam::ErrorKind::NotFound);
    /// ```
    pub fn remove(&self, id: &ContainerId) -> Result<Vec<Error>> {
        let dir = self.dir(id);
        let _lock = lock(&dir, id)?;
        match Saved::read(&dir) {
            Ok(saved) => Container::from_saved(self.clone(), id.clone(), saved).remove_all(),
            Err(_) if !has_state(&dir) => remove_dir(&dir).map(|()| Vec::new()),
            Err(_) => crate::salvage::remove(self, id).map(|()| Vec::new()),
        }
    }
}

/// A container's directory and its lock. Dropping it removes the directory unless it is kept.
#[derive(Debug)]
pub(crate) struct Claim {
    dir: PathBuf,
    _lock: File,
    keep: Cell<bool>,
}

impl Claim {
    /// Of two that make the same container at the same time, one gets it: the other finds the directory
    /// locked, made anew or filled.
    fn lock(dir: PathBuf, id: &ContainerId) -> Result<Self> {
        match try_lock(&dir)? {
            Some(lock) if is_still(&dir, &lock) && !has_state(&dir) => {
                Ok(Self { dir, _lock: lock, keep: Cell::new(false) })
            }
            _ => Err(exists(id)),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn keep(&self) {
        self.keep.set(true);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.keep.get() {
            let _ = remove_dir(&self.dir);
        }
    }
}

/// Waits for the lock of a container's directory.
pub(crate) fn lock(dir: &Path, id: &ContainerId) -> Result<File> {
    let file = match File::open(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(not_found(id)),
        other => other.map_err(|e| Error::io("opening the state directory", dir, &e))?,
    };
    file.lock().map_err(|e| Error::io("locking the state directory", dir, &e))?;
    // Who held the lock may have removed the container, and another one may have its name by now.
    if is_still(dir, &file) { Ok(file) } else { Err(not_found(id)) }
}

/// Whether the directory at `dir` is the one that is open.
fn is_still(dir: &Path, open: &File) -> bool {
    match (fs::symlink_metadata(dir), open.metadata()) {
        (Ok(now), Ok(then)) => (now.dev(), now.ino()) == (then.dev(), then.ino()),
        _ => false,
    }
}

/// Whether the state was ever written: before that, nothing else was made.
fn has_state(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(STATE)).is_ok()
}

fn exists(id: &ContainerId) -> Error {
    Error::new(ErrorKind::AlreadyExists, "container with given ID already exists:").with_object(id.as_str())
}

fn try_lock(dir: &Path) -> Result<Option<File>> {
    let file = File::open(dir).map_err(|e| Error::io("opening the state directory", dir, &e))?;
    Ok(file.try_lock().is_ok().then_some(file))
}

pub(crate) fn remove_dir(dir: &Path) -> Result<()> {
    // What is always in it goes without looking.
    for name in [STATE, CONFIG] {
        let _ = fs::remove_file(dir.join(name));
    }
    if fs::remove_dir(dir).is_ok() {
        return Ok(());
    }
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("removing the state directory", dir, &e))
        }
        _ => Ok(()),
    }
}

pub(crate) fn not_found(id: &ContainerId) -> Error {
    Error::new(ErrorKind::NotFound, "container does not exist:").with_object(id.as_str())
}

/// Our effective user id: /proc/self is ours.
fn uid() -> u32 {
    fs::metadata("/proc/self").map_or(0, |m| m.uid())
}
