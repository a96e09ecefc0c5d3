//! Unix sockets: sending descriptors to engines, and finding sockets whose paths are too long for them.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Longest path that fits a socket's address.
const LONGEST: usize = 107;

/// A path by which the socket is found, and what must stay open meanwhile.
fn short(path: &Path) -> std::io::Result<(PathBuf, Option<File>)> {
    match (path.as_os_str().len() > LONGEST, path.parent(), path.file_name()) {
        (true, Some(parent), Some(name)) => {
            let dir = File::open(parent)?;
            Ok((Path::new(&format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name), Some(dir)))
        }
        _ => Ok((path.to_owned(), None)),
    }
}

pub(crate) fn connect(path: &Path, step: &'static str) -> Result<UnixStream> {
    let connected = short(path).and_then(|(path, _dir)| UnixStream::connect(path));
    connected.map_err(|e| Error::io(step, path, &e))
}

pub(crate) fn listen(path: &Path, step: &'static str) -> Result<UnixListener> {
    let bind = |(path, _dir): (PathBuf, Option<File>)| {
        let listener = UnixListener::bind(&path)?;
        // Whatever the caller's umask is: who may write to it may connect.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    let bound = short(path).and_then(bind);
    bound.map_err(|e| Error::io(step, path, &e))
}

/// A socket at `path` to which datagrams are sent.
pub(crate) fn datagram(path: &Path, step: &'static str) -> Result<UnixDatagram> {
    let bound = short(path).and_then(|(path, _dir)| UnixDatagram::bind(path));
    bound.map_err(|e| Error::io(step, path, &e))
}

/// Sends a descriptor and a few bytes to whoever listens at `path`.
pub(crate) fn send(path: &Path, bytes: &[u8], fd: &OwnedFd, step: &'static str) -> Result<()> {
    let stream = connect(path, step)?;
    cofferdam_sys::socket::send(stream.as_raw_fd(), bytes, &[fd.as_raw_fd()])
        .map_err(|e| Error::system(step, e).with_object(path.display().to_string()))
}
