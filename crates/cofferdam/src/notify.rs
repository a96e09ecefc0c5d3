//! Telling the service manager that the container is ready, see sd_notify(3) and sd_notify_barrier(3).
//!
//! The container gets a socket of its own, in a directory of the state that is bound read-only inside.
//! Only `READY=` goes on: with the other words a container could steer the service that it is in.

use std::fs::{self, DirBuilder};
use std::io::{ErrorKind as Io, PipeReader};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use cofferdam_sys::poll::{POLLIN, PollFd, poll};

use crate::container::Container;
use crate::{Error, Result, pid, sockets};

/// The directory's and the socket's names.
const DIRECTORY: &str = "notify";
const SOCKET: &str = "notify.sock";

/// How long the service manager may take to read what it was sent, in milliseconds.
const BARRIER_MS: u64 = 30_000;

/// The container's notify socket, and the service manager's that it stands for.
///
/// ```no_run
/// # fn f(container: &cofferdam::Container) -> cofferdam::Result<()> {
/// let notify = container.notify("/run/systemd/notify".as_ref())?;
/// container.start()?;
/// if let Some(notify) = notify {
///     notify.wait(container)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    host: PathBuf,
}

/// The directory that is bound inside.
pub(crate) fn directory(state: &Path) -> PathBuf {
    state.join(DIRECTORY)
}

/// Makes that directory. The container's user must reach the socket.
pub(crate) fn prepare(state: &Path) -> Result<()> {
    let dir = directory(state);
    let made = DirBuilder::new().mode(0o755).create(&dir);
    made.map_err(|e| Error::io("making the directory of the notify socket", &dir, &e))?;
    mode(&dir, 0o755)
}

fn mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|e| Error::io("changing the mode of", path, &e))
}

impl Notify {
    /// Makes the socket in the directory that [`prepare`] made.
    pub(crate) fn bind(state: &Path, host: &Path) -> Result<Self> {
        let path = directory(state).join(SOCKET);
        let socket = sockets::datagram(&path, "making the notify socket")?;
        mode(&path, 0o777)?;
        let nonblocking = socket.set_nonblocking(true);
        nonblocking.map_err(|e| Error::io("making the notify socket", &path, &e))?;
        Ok(Self { socket, host: host.to_owned() })
    }

    /// Passes on what has come, and never waits; whether the container said that it is ready. `main` is
    /// the process that the service manager is to watch from then on.
    ///
    /// # Errors
    /// When the service manager's socket does not take it.
    pub fn forward(&self, main: i32) -> Result<bool> {
        let mut ready = false;
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(n) => ready |= self.pass(buffer.get(..n).unwrap_or_default(), main)?,
                Err(e) if e.kind() == Io::Interrupted => {}
                Err(e) if e.kind() == Io::WouldBlock => return Ok(ready),
                Err(e) => return Err(Error::io("reading the notify socket", "", &e)),
            }
        }
    }

    fn pass(&self, message: &[u8], main: i32) -> Result<bool> {
        let Some(line) = message.split(|b| *b == b'\n').find(|line| line.starts_with(b"READY=")) else {
            return Ok(false);
        };
        let socket = self.connect()?;
        for text in [[line, b"\n"].concat(), format!("MAINPID={main}\n").into_bytes()] {
            socket.send(&text).map_err(|e| self.failed(&e))?;
        }
        Ok(true)
    }

    fn connect(&self) -> Result<UnixDatagram> {
        let socket = UnixDatagram::unbound().map_err(|e| self.failed(&e))?;
        let connected = match self.host.as_os_str().as_encoded_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name).and_then(|a| socket.connect_addr(&a)),
            None => socket.connect(&self.host),
        };
        connected.map_err(|e| self.failed(&e))?;
        Ok(socket)
    }

    fn failed(&self, e: &std::io::Error) -> Error {
        Error::io("notifying the service manager at", &self.host, e)
            .with_hint("NOTIFY_SOCKET names its socket")
    }

    /// Waits until the container is ready or has ended, and until the service manager has read it: it
    /// only believes a process that is still there.
    ///
    /// # Errors
    /// As [`Notify::forward`].
    pub fn wait(&self, container: &Container) -> Result<()> {
        let Some(process) = pid::open(container.saved.pid, container.saved.start_time) else {
            return Ok(());
        };
        loop {
            let mut fds = [self.as_fd(), process.as_fd()].map(|fd| PollFd {
                fd: fd.as_raw_fd(),
                events: POLLIN,
                revents: 0,
            });
            poll(&mut fds, None).map_err(|e| Error::system("waiting for the container", e))?;
            if self.forward(container.saved.pid)? {
                return self.barrier();
            }
            if fds.last().is_some_and(|f| f.revents != 0) {
                return Ok(());
            }
        }
    }

    /// The service manager closes what it is sent once it has read everything before; an old one does not.
    fn barrier(&self) -> Result<()> {
        let read = self.send_barrier()?;
        let mut fds = [PollFd { fd: read.as_raw_fd(), events: POLLIN, revents: 0 }];
        poll(&mut fds, Some(BARRIER_MS))
            .map(drop)
            .map_err(|e| Error::system("waiting for the service manager", e))
    }

    fn send_barrier(&self) -> Result<PipeReader> {
        let (read, write) = std::io::pipe().map_err(|e| self.failed(&e))?;
        let socket = self.connect()?;
        cofferdam_sys::socket::send(socket.as_raw_fd(), b"BARRIER=1", &[write.as_raw_fd()])
            .map_err(|e| self.failed(&std::io::Error::from_raw_os_error(e.0)))?;
        Ok(read)
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Container {
    /// Makes the socket on which the container will say that it is ready, before [`Container::start`];
    /// `None` when it was created without a notify socket. `host` is the service manager's socket.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn notify(&self, host: &Path) -> Result<Option<Notify>> {
        let state = self.dir();
        if !directory(&state).is_dir() {
            return Ok(None);
        }
        // One that a failed start left.
        let _ = fs::remove_file(directory(&state).join(SOCKET));
        Notify::bind(&state, host).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_of(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("cofferdam-notify-{name}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn ready_goes_on_with_the_main_process_and_nothing_else_does() {
        let dir = directory_of("forward");
        let host = UnixDatagram::bind(dir.join("host")).unwrap();
        host.set_nonblocking(true).unwrap();
        prepare(&dir).unwrap();
        let notify = Notify::bind(&dir, &dir.join("host")).unwrap();
        let inside = UnixDatagram::unbound().unwrap();
        inside.connect(directory(&dir).join(SOCKET)).unwrap();
        inside.send(b"MAINPID=1\nSTOPPING=1").unwrap();
        assert!(!notify.forward(7).unwrap());
        inside.send(b"STATUS=up\nREADY=1\nMAINPID=1").unwrap();
        assert!(notify.forward(7).unwrap());
        let mut buffer = [0; 64];
        let mut next = || host.recv(&mut buffer).map(|n| buffer[..n].to_vec());
        assert_eq!(next().unwrap(), b"READY=1\n");
        assert_eq!(next().unwrap(), b"MAINPID=7\n");
        assert_eq!(next().unwrap_err().kind(), Io::WouldBlock);
        fs::remove_dir_all(&dir).unwrap();
    }
}
