//! The socket to which container runtimes send the listeners of their containers (`listenerPath` of the OCI
//! runtime specification, `config-linux.md`, containerProcessState).
//!
//! Called by agents. Whoever may connect to the socket is a runtime, or says so: a peer may send anything, slowly
//! or not at all, and costs no more than its place in a bounded number of conversations.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_oci::ContainerProcessState;
use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::{Errno, poll, socket};

use crate::stop::Stop;
use crate::{Error, Limits, Listener, Registry, Result, Service};

/// The name by which the specification calls the descriptor.
const SECCOMP_FD: &str = "seccompFd";
/// Most conversations at once; the next waits until one has ended.
const CONVERSATIONS: usize = 64;
/// Most bytes of a state.
const LARGEST: usize = 1 << 20;
/// Most descriptors of a state.
const DESCRIPTORS: usize = socket::MAX_FDS;

/// A container that a runtime handed over.
///
/// ```no_run
/// # fn f(container: cofferdam_notify::runtime::Container) {
/// println!("{} of {}: {:?}", container.state.pid, container.state.state.id, container.state.metadata);
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Container {
    /// What the runtime says of it.
    pub state: ContainerProcessState,
    /// Where its requests come.
    pub listener: Listener,
    /// Process and user of the runtime.
    pub runtime: (i32, u32),
}

/// The socket.
///
/// ```no_run
/// use cofferdam_notify::runtime::Server;
/// let server = Server::bind("/run/example/seccomp.sock")?;
/// loop {
///     match server.next() {
///         Ok(Some(container)) => println!("{}", container.state.state.id),
///         Ok(None) => break,
///         // One peer's fault; the others are served.
///         Err(e) => eprintln!("{e}"),
///     }
/// }
/// # Ok::<(), cofferdam_notify::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    socket: UnixListener,
    /// Removed in the end, if it is still this file.
    path: Option<(PathBuf, (u64, u64))>,
    patience: Duration,
    stop: Stop,
    open: Mutex<VecDeque<Conversation>>,
}

/// A peer that has not said everything yet.
#[derive(Debug)]
struct Conversation {
    peer: UnixStream,
    until: Instant,
    said: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Server {
    /// Listens at a path, to which only the caller's user (and root) may connect. A socket there that nobody
    /// listens on is replaced.
    ///
    /// # Errors
    /// [`Error::System`] when somebody listens there, or it cannot be made.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        const DOING: &str = "making the agent's socket";
        let path = path.as_ref();
        let failed = |e: std::io::Error| Error::io(DOING, &e);
        let abandoned = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
            && UnixStream::connect(path).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused);
        if abandoned {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let socket = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let made = std::fs::symlink_metadata(path).map_err(failed)?;
        let mut server = Self::of(socket)?;
        server.path = Some((path.to_owned(), (made.dev(), made.ino())));
        Ok(server)
    }

    /// Takes a socket that listens already, from a service manager for example.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn of(socket: UnixListener) -> Result<Self> {
        socket.set_nonblocking(true).map_err(|e| Error::io("preparing the agent's socket", &e))?;
        let patience = Duration::from_secs(10);
        Ok(Self { socket, path: None, patience, stop: Stop::new()?, open: Mutex::default() })
    }

    /// How long a peer may take to say everything: 10 seconds unless something else is said.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Answers containers' requests until [`Server::stop`], each container's by threads of its own and with the
    /// registry that `registry` gives for it. What fails is told to `failed`, and ends nothing but one conversation.
    ///
    /// # Errors
    /// [`Error::System`] when the socket itself fails.
    ///
    /// ```no_run
    /// use cofferdam_notify::{Answer, Errno, Registry, runtime::Server};
    /// let refuse = |_: &_| Registry::new().otherwise(|_| Ok(Answer::Errno(Errno::EPERM)));
    /// Server::bind("/run/example/seccomp.sock")?.serve(refuse, |e| eprintln!("{e}"))?;
    /// # Ok::<(), cofferdam_notify::Error>(())
    /// ```
    pub fn serve(
        &self,
        mut registry: impl FnMut(&Container) -> Registry,
        mut failed: impl FnMut(Error),
    ) -> Result<()> {
        // The socket may fail for a while, for want of descriptors say.
        const TRIES: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(100);
        let (mut services, mut tries) = (Vec::new(), 0u32);
        loop {
            let container = match self.next() {
                Ok(Some(container)) => container,
                Ok(None) => return Ok(()),
                Err(e @ Error::System { .. }) if tries >= TRIES => return Err(e),
                Err(e) => {
                    if matches!(e, Error::System { .. }) {
                        tries = tries.saturating_add(1);
                        std::thread::sleep(PAUSE);
                    }
                    failed(e);
                    continue;
                }
            };
            tries = 0;
            services.retain(|service: &Service| !service.has_ended());
            let registry = Arc::new(registry(&container));
            match Service::start(container.listener, registry, Limits::default()) {
                Ok(service) => services.push(service),
                Err(e) => failed(e),
            }
        }
    }

    /// Waits for the next container; `None` after [`Server::stop`].
    ///
    /// # Errors
    /// [`Error::Message`] when a peer sent what is no container's state, no listener, or nothing in time, which
    /// ends nothing but its conversation; [`Error::System`] when the socket itself fails.
    #[allow(clippy::should_implement_trait, reason = "a peer's failure ends nothing")]
    pub fn next(&self) -> Result<Option<Container>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(ready) = self.wait(&open)? else { return Ok(None) };
            let (accepts, speaks) = ready.split_first().map_or((false, &[][..]), |(a, s)| (*a, s));
            let now = Instant::now();
            for at in (0..open.len()).rev() {
                let heard = match speaks.get(at) {
                    Some(true) => open.get_mut(at).map_or(Ok(false), Conversation::hear),
                    _ if open.get(at).is_some_and(|c| c.until <= now) => Err(late()),
                    _ => Ok(false),
                };
                match heard {
                    Ok(false) => {}
                    Ok(true) => {
                        if let Some(done) = open.remove(at) {
                            return done.end().map(Some);
                        }
                    }
                    Err(e) => {
                        open.remove(at);
                        return Err(e);
                    }
                }
            }
            if accepts {
                self.accept(&mut open)?;
            }
        }
    }

    /// Ends waiting, now and later.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Waits, and says of the socket and of each conversation whether there is something; `None` when stopped.
    fn wait(&self, open: &VecDeque<Conversation>) -> Result<Option<Vec<bool>>> {
        let entry = |fd| PollFd { fd, events: POLLIN, revents: 0 };
        // A negative number is passed over: nobody else is let in meanwhile.
        let socket = if open.len() < CONVERSATIONS { self.socket.as_raw_fd() } else { -1 };
        let mut fds = vec![entry(self.stop.raw()), entry(socket)];
        fds.extend(open.iter().map(|c| entry(c.peer.as_raw_fd())));
        let now = Instant::now();
        let left = open.iter().map(|c| c.until.saturating_duration_since(now)).min();
        let millis = left.map(|d| u64::try_from(d.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
        poll::poll(&mut fds, millis)
            .map_err(|errno| Error::System { doing: "waiting for a runtime", errno })?;
        let mut ready = fds.iter().map(|fd| fd.revents != 0);
        if ready.next() == Some(true) { Ok(None) } else { Ok(Some(ready.collect())) }
    }

    fn accept(&self, open: &mut VecDeque<Conversation>) -> Result<()> {
        match self.socket.accept() {
            Ok((peer, _)) => {
                peer.set_nonblocking(true).map_err(|e| Error::io("accepting a runtime", &e))?;
                let until = Instant::now().checked_add(self.patience).ok_or_else(late)?;
                open.push_back(Conversation { peer, until, said: Vec::new(), descriptors: Vec::new() });
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(e) if e.kind() == ErrorKind::ConnectionAborted => Ok(()),
            Err(e) => {
                // Out of descriptors, or of memory: the peer stays where it is, and asking again at once would
                // only burn time.
                std::thread::sleep(Duration::from_millis(10));
                Err(Error::io("accepting a runtime", &e))
            }
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((path, made)) = &self.path
            && std::fs::symlink_metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == *made)
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Conversation {
    /// Takes what there is; whether that is all. Runtimes send one message and close; what follows a whole
    /// document is not waited for.
    fn hear(&mut self) -> Result<bool> {
        let mut buffer = [0; 16 << 10];
        let (n, descriptors) = match socket::recv(self.peer.as_raw_fd(), &mut buffer) {
            Ok(heard) => heard,
            Err(Errno::EAGAIN) => return Ok(false),
            Err(e) => return Err(Error::Message(format!("it cannot be received: {e}"))),
        };
        // Those beyond are closed at once.
        let room = DESCRIPTORS.saturating_sub(self.descriptors.len());
        self.descriptors.extend(descriptors.into_iter().flatten().take(room).map(OwnedFd::from));
        self.said.extend_from_slice(buffer.get(..n).unwrap_or_default());
        if self.said.len() > LARGEST {
            return Err(Error::Message(format!("it is longer than {LARGEST} bytes")));
        }
        // Only what ends as a document does is worth a try.
        let whole = || self.said.trim_ascii_end().ends_with(b"}") && self.parse().is_ok();
        Ok(n == 0 || whole())
    }

    fn parse(&self) -> serde_json::Result<ContainerProcessState> {
        serde_json::from_slice(&self.said)
    }

    /// What was said. Descriptors but the one that is meant are closed.
    fn end(self) -> Result<Container> {
        let malformed = |e| Error::Message(format!("no container's state: {e}"));
        let state = self.parse().map_err(malformed)?;
        let (sent, named) = (self.descriptors.len(), state.fds.len());
        if sent != named {
            return Err(Error::Message(format!("{sent} descriptors came, and {named} are named")));
        }
        let at = state.fds.iter().position(|name| name == SECCOMP_FD);
        let fd = at.and_then(|at| self.descriptors.into_iter().nth(at));
        let fd = fd.ok_or_else(|| Error::Message(format!("no descriptor is called {SECCOMP_FD}")))?;
        let (pid, uid, _) = socket::peer(self.peer.as_raw_fd()).unwrap_or((0, u32::MAX, u32::MAX));
        let no_listener = |e| Error::Message(format!("{SECCOMP_FD} is no listener: {e}"));
        Ok(Container { state, listener: Listener::new(fd).map_err(no_listener)?, runtime: (pid, uid) })
    }
}

fn late() -> Error {
    Error::Message("nothing whole in time".to_owned())
}
