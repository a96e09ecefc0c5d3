//! The private copy of the source that a job works on, and the place of its containers' state. Made and removed
//! by `main`. The source is not trusted: links in it are copied, never followed.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use cofferdam::template::Caller;

/// Who runs the steps when the caller is root.
pub(crate) const NOBODY: u32 = 65534;

/// A directory of our own, removed when dropped.
#[derive(Debug)]
pub(crate) struct Workspace {
    dir: PathBuf,
    owner: Option<u32>,
}

impl Workspace {
    /// Copies `source` to a new directory in `scratch`.
    pub(crate) fn copy_of(source: &Path, scratch: &Path) -> Result<Self, String> {
        let scratch = scratch.canonicalize().map_err(|e| format!("{}: {e}", scratch.display()))?;
        let dir = scratch.join(format!("ci-runner-{}", std::process::id()));
        // Fails where somebody else has made it.
        DirBuilder::new().mode(0o700).create(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let owner = (Caller::current().uid == 0).then_some(NOBODY);
        let workspace = Self { dir, owner };
        workspace
            .copy(source, &workspace.work())
            .map_err(|e| format!("copying {}: {e}", source.display()))?;
        Ok(workspace)
    }

    /// The copy.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// Where the containers' state is kept.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Whom the copy belongs to, if it is not the caller.
    pub(crate) fn owner(&self) -> Option<u32> {
        self.owner
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o755).create(to)?;
        for entry in fs::read_dir(from)? {
            let (entry, kind) = (entry.as_ref(), entry.as_ref().map(fs::DirEntry::file_type));
            let Ok(entry) = entry else { continue };
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            match kind {
                Ok(Ok(kind)) if kind.is_dir() => self.copy(&from, &to)?,
                Ok(Ok(kind)) if kind.is_symlink() => symlink(fs::read_link(&from)?, &to)?,
                Ok(Ok(kind)) if kind.is_file() => self.file(&from, &to)?,
                // Sockets, pipes and devices are no source.
                _ => {}
            }
            self.give(&to)?;
        }
        self.give(to)
    }

    fn file(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::copy(from, to)?;
        // No set-user-id bits.
        let mode = fs::metadata(to)?.permissions().mode() & 0o777;
        fs::set_permissions(to, fs::Permissions::from_mode(mode))
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some(owner) if path.symlink_metadata().is_ok() => lchown(path, Some(owner), Some(owner)),
            _ => Ok(()),
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
