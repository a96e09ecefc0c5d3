//! A bundle: a directory with a `config.json`, or a configuration from elsewhere.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cofferdam_oci::{MAX_DOCUMENT, Pointer, Spec, parse_spec};

use crate::{Error, ErrorKind, Result};

/// A bundle of the runtime-spec (`bundle.md`).
///
/// ```
/// let bundle = cofferdam::Bundle::from_spec("/", cofferdam::template::spec(false));
/// assert_eq!(bundle.spec.oci_version, "1.3.0");
/// ```
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its directory, absolute.
    pub dir: PathBuf,
    /// Its configuration.
    pub spec: Spec,
}

impl Bundle {
    /// Reads `config.json` in `dir`.
    ///
    /// # Errors
    /// When there is none, or it is too long, not JSON, or not a configuration.
    ///
    /// ```
    /// assert!(cofferdam::Bundle::open("/nowhere").is_err());
    /// ```
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = std::path::absolute(dir.as_ref())
            .map_err(|e| Error::io("finding the bundle", dir.as_ref(), &e))?;
        let path = dir.join("config.json");
        let mut spec = parse_spec(&read_bounded(&path, "reading the configuration")?).map_err(|e| {
            Error::new(ErrorKind::Configuration, "reading the configuration")
                .with_object(path.display().to_string())
                .with_detail(e.message)
                .with_pointer(&e.pointer)
        })?;
        cofferdam_plan::adopt_seccomp_receiver(&mut spec);
        Ok(Self { dir, spec })
    }

    /// A configuration that stands in no file; relative paths in it start from `dir`.
    #[must_use]
    pub fn from_spec(dir: impl Into<PathBuf>, spec: Spec) -> Self {
        Self { dir: dir.into(), spec }
    }

    /// The root filesystem's directory.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join(self.spec.root.as_ref().map_or("", |r| r.path.as_str()))
    }
}

/// Reads a file that somebody else wrote: at most [`MAX_DOCUMENT`] bytes, and only a regular one.
pub(crate) fn read_bounded(path: &Path, step: &str) -> Result<Vec<u8>> {
    let failed = |e: &std::io::Error| {
        let error = Error::io(step, path, e);
        if e.kind() == std::io::ErrorKind::NotFound { error.with_pointer(&Pointer::root()) } else { error }
    };
    // A fifo would keep us waiting for somebody to write to it.
    let nonblock = i32::try_from(cofferdam_sys::open::O_NONBLOCK).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblock).open(path).map_err(|e| failed(&e))?;
    if !file.metadata().map_err(|e| failed(&e))?.is_file() {
        return Err(Error::new(ErrorKind::Configuration, step)
            .with_object(path.display().to_string())
            .with_detail("not a regular file"));
    }
    let mut bytes = Vec::with_capacity(16 << 10);
    let limit = u64::try_from(MAX_DOCUMENT).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    if bytes.len() > MAX_DOCUMENT {
        return Err(Error::new(ErrorKind::Configuration, step)
            .with_object(path.display().to_string())
            .with_detail(format!("longer than {MAX_DOCUMENT} bytes")));
    }
    Ok(bytes)
}
