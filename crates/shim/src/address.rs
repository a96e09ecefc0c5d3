//! Where the shim of a group listens: the same place for whoever asks with the same group.
//!
//! Called by `start` and `delete`. The name is a hash, as a path of a socket has at most 107 bytes.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind as Io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use cofferdam::{Error, Result};
use sha2::{Digest, Sha256};

/// The directory that containerd's shims share.
const SOCKETS: &str = "/run/containerd/s";

/// What [`claim`] found.
#[derive(Debug)]
pub(crate) enum Place {
    /// Nobody listened; now this does.
    Ours(UnixListener),
    /// The group's shim is there.
    Theirs,
}

/// The socket of a group, of a namespace, of a containerd.
pub(crate) fn path(containerd: &str, namespace: &str, group: &str) -> PathBuf {
    let hash = Sha256::digest(format!("cofferdam\0{containerd}\0{namespace}\0{group}"));
    let mut name = String::with_capacity(64);
    for byte in hash {
        let _ = write!(name, "{byte:02x}");
    }
    Path::new(SOCKETS).join(name)
}

/// As containerd wants to be told.
pub(crate) fn url(path: &Path) -> String {
    format!("unix://{}", path.display())
}

/// Listens there, unless somebody does. Of two that find a socket that nobody answers on, one removes it.
pub(crate) fn claim(path: &Path) -> Result<Place> {
    let failed = |e: &std::io::Error| Error::io("listening on", path, e);
    let directory = path.parent().unwrap_or_else(|| Path::new(SOCKETS));
    DirBuilder::new().recursive(true).mode(0o711).create(directory).map_err(|e| failed(&e))?;
    let lock = File::open(directory).map_err(|e| failed(&e))?;
    lock.lock().map_err(|e| failed(&e))?;
    match UnixListener::bind(path) {
        Err(e) if e.kind() == Io::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Ok(Place::Theirs);
            }
            fs::remove_file(path).map_err(|e| failed(&e))?;
            UnixListener::bind(path).map(Place::Ours)
        }
        other => other.map(Place::Ours),
    }
    .map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_namespaces_of_containerds_are_told_apart_and_fit_into_a_socket() {
        let one = path("/run/containerd/containerd.sock", "k8s.io", "pod");
        assert_eq!(one, path("/run/containerd/containerd.sock", "k8s.io", "pod"));
        assert_ne!(one, path("/run/containerd/containerd.sock", "moby", "pod"));
        assert_ne!(one, path("/run/other.sock", "k8s.io", "pod"));
        assert!(one.as_os_str().len() < 108);
    }

    #[test]
    fn a_socket_that_nobody_answers_on_is_taken_and_one_that_is_answered_is_not() {
        let dir = std::env::temp_dir().join(format!("cofferdam-shim-address-{}", std::process::id()));
        let socket = dir.join("s");
        let first = claim(&socket).unwrap();
        assert!(matches!(claim(&socket).unwrap(), Place::Theirs));
        drop(first);
        assert!(matches!(claim(&socket).unwrap(), Place::Ours(_)));
        fs::remove_dir_all(dir).unwrap();
    }
}
