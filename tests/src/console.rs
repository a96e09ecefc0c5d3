//! Terminals: the socket on which a runtime hands over a container's terminal, and a terminal for the runtime
//! itself.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

/// The listening end of a console socket.
#[derive(Debug)]
pub struct ConsoleSocket {
    listener: UnixListener,
    /// Path for `--console-socket`.
    pub path: PathBuf,
}

impl ConsoleSocket {
    /// Listens in this directory.
    pub fn new(dir: &Path) -> Self {
        let path = dir.join("console.sock");
        Self { listener: UnixListener::bind(&path).expect("socket"), path }
    }

    /// The path as text.
    pub fn arg(&self) -> &str {
        self.path.to_str().expect("a path of ASCII")
    }

    /// Receives the terminal that a finished `create` or `exec` has sent, and the name it came with.
    #[track_caller]
    pub fn receive(&self) -> (Pty, String) {
        self.listener.set_nonblocking(true).expect("socket");
        let (stream, _) = self.listener.accept().expect("the runtime connected to the console socket");
        let mut name = [0; 256];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message =
            recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut name)], &mut control, RecvFlags::CMSG_CLOEXEC);
        let length = message.expect("a message on the console socket").bytes;
        let fds = control.drain().filter_map(|m| match m {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let fds: Vec<OwnedFd> = fds.flatten().collect();
        assert_eq!(fds.len(), 1, "one descriptor on the console socket");
        let master = fds.into_iter().next().map(File::from).expect("a descriptor");
        (Pty::of(master), String::from_utf8_lossy(&name[..length]).into_owned())
    }
}

/// The outer end of a terminal. A thread reads it from the first [`Pty::read_until`] on.
#[derive(Debug)]
pub struct Pty {
    master: File,
    seen: OnceLock<Arc<Mutex<Vec<u8>>>>,
}

impl Pty {
    fn of(master: File) -> Self {
        Self { master, seen: OnceLock::new() }
    }

    /// A new terminal, and the inner end for a command's standard streams.
    pub fn new() -> (Self, [Stdio; 3]) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("terminal");
        let name = ptsname(&master, Vec::new()).expect("name of the terminal").into_string().expect("ASCII");
        let inner = File::options().read(true).write(true).open(name).expect("terminal");
        let end = || Stdio::from(inner.try_clone().expect("descriptor"));
        (Self::of(File::from(master)), [end(), end(), end()])
    }

    /// The terminal's size: rows and columns.
    pub fn size(&self) -> (u16, u16) {
        let Winsize { ws_row, ws_col, .. } = tcgetwinsize(&self.master).expect("size");
        (ws_row, ws_col)
    }

    /// Gives the terminal another size: rows and columns.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("size");
    }

    /// The path of the inner end.
    pub fn path(&self) -> String {
        ptsname(&self.master, Vec::new()).expect("name of the terminal").into_string().expect("ASCII")
    }

    /// Types into the terminal.
    pub fn write(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("terminal");
    }

    /// Waits until this text has come, and gives all that came so far.
    #[track_caller]
    pub fn read_until(&self, text: &str) -> String {
        let seen = self.seen.get_or_init(|| self.reader());
        let all = || String::from_utf8_lossy(&seen.lock().expect("buffer")).into_owned();
        crate::wait_until(&format!("{text:?} on the terminal"), || all().contains(text));
        all()
    }

    fn reader(&self) -> Arc<Mutex<Vec<u8>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut master, ours) = (self.master.try_clone().expect("descriptor"), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = master.read(&mut buffer) {
                ours.lock().expect("buffer").extend_from_slice(&buffer[..n]);
            }
        });
        seen
    }
}
