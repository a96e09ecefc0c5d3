//! The directories of images and logs, and the one file in them that is ours: `descriptors.json`, in runc's format.

use std::fs::{DirBuilder, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::options::CriuOptions;
use crate::{Error, ErrorKind, Result};

/// What standard input, output and error were: strings as readlink(2) of /proc/PID/fd/N gives them.
const DESCRIPTORS: &str = "descriptors.json";

/// The directories, open as long as CRIU may look for them below /proc.
#[derive(Debug)]
pub(super) struct Images {
    path: PathBuf,
    images: OwnedFd,
    work: Option<(PathBuf, OwnedFd)>,
}

impl Images {
    /// Makes what is missing, for a dump. Never those above it.
    pub(super) fn make(options: &CriuOptions) -> Result<Self> {
        make(&options.images)?;
        Self::open(options)
    }

    /// Opens them; a work directory is made where it is missing.
    pub(super) fn open(options: &CriuOptions) -> Result<Self> {
        if options.images.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "no directory of images was given"));
        }
        let path = real(&options.images)?;
        let images = directory(&path, "opening the directory of images")?;
        let work = options.work.as_deref().filter(|work| !work.as_os_str().is_empty()).map(|work| {
            make(work)?;
            let path = real(work)?;
            let fd = directory(&path, "opening the work directory")?;
            Ok::<_, Error>((path, fd))
        });
        Ok(Self { path, images, work: work.transpose()? })
    }

    /// The directory itself, and that of the work where it is another one.
    pub(super) fn fds(&self) -> Vec<i32> {
        std::iter::once(&self.images)
            .chain(self.work.iter().map(|(_, fd)| fd))
            .map(AsRawFd::as_raw_fd)
            .collect()
    }

    /// They by name, without links.
    pub(super) fn paths(&self) -> Vec<&Path> {
        std::iter::once(&self.path)
            .chain(self.work.iter().map(|(path, _)| path))
            .map(PathBuf::as_path)
            .collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where CRIU's log of that name will be. One of an earlier time would tell causes that are none.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        let path = self.work.as_ref().map_or(&self.path, |(path, _)| path).join(name);
        let _ = std::fs::remove_file(&path);
        path
    }

    /// A parent is named from the images, and must be there: without it CRIU would dump everything, and restore nothing.
    pub(super) fn check_parent(&self, parent: &Path) -> Result<()> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Configuration, "invalid parent of the images:")
                .with_object(parent.display().to_string())
                .with_detail(what)
        };
        if parent.is_absolute() {
            return Err(wrong("it must be relative, and starts at the directory of images"));
        }
        match std::fs::metadata(self.path.join(parent)) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(wrong("not a directory")),
            Err(e) => {
                let error = wrong("it starts at the directory of images");
                Err(match e.raw_os_error() {
                    Some(errno) => error.with_errno(errno),
                    None => error,
                })
            }
        }
    }

    /// Writes what standard input, output and error are.
    pub(super) fn write_descriptors(&self, names: &[String]) -> Result<()> {
        let path = self.path.join(DESCRIPTORS);
        let bytes = serde_json::to_vec(names).unwrap_or_default();
        crate::state::write_file(&path, &bytes).map_err(|e| Error::io("writing", &path, &e))
    }

    /// Reads it; images that others made without it have no pipes to give back.
    pub(super) fn descriptors(&self) -> Result<Vec<String>> {
        let path = self.path.join(DESCRIPTORS);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = crate::bundle::read_bounded(&path, "reading")?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(ErrorKind::Configuration, "reading")
                .with_object(path.display().to_string())
                .with_detail(e.to_string())
        })
    }
}

fn make(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("making the directory", path, &e))
        }
        _ => Ok(()),
    }
}

fn real(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|e| Error::io("finding the directory", path, &e))
}

fn directory(path: &Path, doing: &'static str) -> Result<OwnedFd> {
    let failed = |e: &std::io::Error| Error::io(doing, path, e);
    let file = File::open(path).map_err(|e| failed(&e))?;
    let found = file.metadata().map_err(|e| failed(&e))?;
    if !found.is_dir() {
        return Err(failed(&std::io::Error::from_raw_os_error(cofferdam_sys::Errno::ENOTDIR.0)));
    }
    Ok(file.into())
}
