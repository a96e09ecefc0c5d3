//! Two worlds, two types: a path on the host and a path inside the container.
//!
//! Made by this crate from text of the document; used by the lowering. There is no conversion from one
//! to the other here, and none may be added: it is the child that resolves an [`InPath`], beneath the
//! root's descriptor.

use std::path::{Path, PathBuf};

/// An absolute path on the host.
///
/// ```
/// assert!(cofferdam_plan::HostPath::new("a\0b", "/".as_ref()).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPath(PathBuf);

impl HostPath {
    /// `path`, taken from `base` unless absolute; `None` when it holds a NUL byte.
    ///
    /// ```
    /// use cofferdam_plan::HostPath;
    /// let p = HostPath::new("rootfs", "/bundle".as_ref()).unwrap();
    /// assert_eq!(p.as_path().to_str(), Some("/bundle/rootfs"));
    /// ```
    #[must_use]
    pub fn new(path: impl AsRef<Path>, base: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let joined = base.join(path);
        (!joined.as_os_str().as_bytes().contains(&0)).then_some(Self(joined))
    }

    /// The path.
    ///
    /// ```
    /// let p = cofferdam_plan::HostPath::new("/dev/null", "/".as_ref()).unwrap();
    /// assert!(p.as_path().is_absolute());
    /// ```
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// An absolute path inside the container, without `.`, `..` or repeated slashes (a `..` at the root
/// stays at the root, as it does for the kernel), and without NUL bytes.
///
/// ```
/// assert_eq!(cofferdam_plan::InPath::new("//dev/./pts/").unwrap().as_str(), "/dev/pts");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InPath(String);

impl InPath {
    /// The container's root directory.
    ///
    /// ```
    /// assert_eq!(cofferdam_plan::InPath::root().as_str(), "/");
    /// ```
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Cleans `path`; relative paths start at `/`. `None` when it holds a NUL byte.
    ///
    /// ```
    /// use cofferdam_plan::InPath;
    /// assert_eq!(InPath::new("../a//./b/..").unwrap().as_str(), "/a");
    /// assert!(InPath::new("a\0").is_none());
    /// ```
    #[must_use]
    pub fn new(path: &str) -> Option<Self> {
        if path.contains('\0') {
            return None;
        }
        let mut clean = String::with_capacity(path.len().saturating_add(1));
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
                name => {
                    clean.push('/');
                    clean.push_str(name);
                }
            }
        }
        if clean.is_empty() {
            clean.push('/');
        }
        Some(Self(clean))
    }

    /// The path, starting with `/`.
    ///
    /// ```
    /// let p = cofferdam_plan::InPath::new("etc/").unwrap();
    /// assert_eq!(p.as_str(), "/etc");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
