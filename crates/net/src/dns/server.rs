//! The server: sockets inside, a thread for each question, and the filter that it tells.
//!
//! Called by whoever made the allow-list. What it keeps is bounded: so many questions at once, so long.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use cofferdam_sys::Errno;
use cofferdam_sys::clone3::CLONE_NEWNET;
use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::setns::setns;

use super::message::{Asked, Found, Heard, Kind, hear};
use super::upstream::{ask, read_message, write_message};
use super::{Naming, Verdict};
use crate::egress::names;
use crate::{Error, Firewall, NamePattern};

/// Questions that are answered at once; more are not heard, and asked again by whoever asked.
const QUESTIONS: usize = 32;
const CONNECTIONS: usize = 8;
/// What is asked over one connection, and how long it may say nothing.
const PER_CONNECTION: usize = 32;
const SILENCE: Duration = Duration::from_secs(5);
/// The bounds of how long an answer is said to hold, in seconds.
const TTL: (u32, u32) = (5, 3600);
/// How long an address stays reachable at least, and how much longer than was said.
const KEPT: u32 = 300;
const LONGER: u32 = 60;
const STACK: usize = 256 << 10;

/// The sockets that a name server listens at, in a container's namespace.
///
/// ```no_run
/// let namespace = std::fs::File::open("/proc/4242/ns/net")?;
/// let listening = cofferdam_net::Listening::inside(&namespace)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listening {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Listening {
    /// Where containers look for it, on their own loopback device.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

    /// Opens them at port 53; a thread of this crate's own goes there for the moment that it takes. The
    /// loopback device has to be up.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when loopback is down, `EADDRINUSE`, `EPERM` without `CAP_SYS_ADMIN`, `EACCES`
    /// without `CAP_NET_BIND_SERVICE` over the namespace.
    pub fn inside(namespace: &File) -> Result<Self, Error> {
        let there = || {
            setns(namespace.as_raw_fd(), CLONE_NEWNET).map_err(|e| io::Error::from_raw_os_error(e.0))?;
            Self::here()
        };
        let opened = std::thread::scope(|scope| {
            let thread = Builder::new().name("netns".into()).spawn_scoped(scope, there)?;
            thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        });
        opened.map_err(|error| {
            let at = format!("{}:53", Self::ADDRESS);
            let hint = "the loopback device of the container has to be up";
            Error::of("opening the name server", at, "in the container's namespace", error.into())
                .hint_for(Errno::EADDRNOTAVAIL, hint)
        })
    }

    /// As [`Self::inside`], where the calling thread is.
    ///
    /// # Errors
    /// As binding them.
    pub fn here() -> io::Result<Self> {
        let at = SocketAddr::from((Self::ADDRESS, 53));
        Ok(Self { udp: UdpSocket::bind(at)?, tcp: TcpListener::bind(at)? })
    }

    /// Those that somebody else opened: one of datagrams, and one that listens for streams.
    #[must_use]
    pub fn of(udp: OwnedFd, tcp: OwnedFd) -> Self {
        Self { udp: udp.into(), tcp: tcp.into() }
    }

    /// For somebody else's [`Self::of`].
    #[must_use]
    pub fn into_parts(self) -> (OwnedFd, OwnedFd) {
        (self.udp.into(), self.tcp.into())
    }
}

type Told = Box<dyn Fn(&str, &Verdict) + Send + Sync>;

/// A container's name server. It asks from the network namespace of the thread that runs it.
///
/// ```no_run
/// use cofferdam_net::{Firewall, Listening, NameServer, Naming};
/// # let (allowed, namespace) = (vec![], std::fs::File::open("/proc/4242/ns/net")?);
/// let naming = Naming { allowed, upstream: vec!["192.0.2.53:53".parse()?], confined: Some("web".into()) };
/// let server = NameServer::new(naming, Listening::inside(&namespace)?, Firewall::here()?);
/// let running = server.told(|name, verdict| println!("{name}: {verdict:?}")).spawn()?;
/// drop(running); // it ends here
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NameServer {
    shared: Arc<Shared>,
}

struct Shared {
    naming: Naming,
    names: Vec<NamePattern>,
    listening: Listening,
    firewall: Mutex<Firewall>,
    told: Option<Told>,
    questions: AtomicUsize,
    connections: AtomicUsize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("naming", &self.naming).finish_non_exhaustive()
    }
}

impl NameServer {
    /// A server at these sockets; the filter is the one that has the list.
    #[must_use]
    pub fn new(naming: Naming, listening: Listening, firewall: Firewall) -> Self {
        let shared = Shared {
            names: names(&naming.allowed),
            naming,
            listening,
            firewall: Mutex::new(firewall),
            told: None,
            questions: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Calls this with each name that is asked for and what became of it, from any thread.
    #[must_use]
    pub fn told(mut self, told: impl Fn(&str, &Verdict) + Send + Sync + 'static) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.told = Some(Box::new(told));
        }
        self
    }

    /// Answers in this thread until there is something to read at one of these descriptors: a pidfd, the
    /// other side of a pipe.
    ///
    /// # Errors
    /// As poll(2).
    pub fn run(&self, until: &[BorrowedFd<'_>]) -> io::Result<()> {
        let Listening { udp, tcp } = &self.shared.listening;
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let all = [udp.as_fd(), tcp.as_fd()].into_iter().chain(until.iter().copied());
        let waited: Vec<_> =
            all.map(|fd| PollFd { fd: fd.as_raw_fd(), events: POLLIN, revents: 0 }).collect();
        loop {
            let mut fds = waited.clone();
            poll(&mut fds, None).map_err(|e| io::Error::from_raw_os_error(e.0))?;
            let [of_udp, of_tcp, ends @ ..] = fds.as_slice() else { return Ok(()) };
            if ends.iter().any(|fd| fd.revents != 0) {
                return Ok(());
            }
            if of_udp.revents != 0 {
                self.datagram();
            }
            if of_tcp.revents != 0 {
                self.connection();
            }
        }
    }

    /// Answers in a thread of its own until what is returned is dropped.
    ///
    /// # Errors
    /// `EAGAIN` when there can be no more threads, `EMFILE`.
    pub fn spawn(self) -> io::Result<Running> {
        let (ours, its) = UnixStream::pair()?;
        let thread =
            Builder::new().name("names".into()).stack_size(STACK).spawn(move || self.run(&[its.as_fd()]))?;
        Ok(Running { end: Some(ours), thread: Some(thread) })
    }

    fn datagram(&self) {
        let mut bytes = [0; 1500];
        let Ok((length, from)) = self.shared.listening.udp.recv_from(&mut bytes) else { return };
        let question = bytes.get(..length).unwrap_or_default().to_vec();
        let answer = move |shared: &Shared| {
            if let Some(answer) = shared.answer(&question, true) {
                let _ = shared.listening.udp.send_to(&answer, from);
            }
        };
        self.aside(|shared| &shared.questions, QUESTIONS, answer);
    }

    fn connection(&self) {
        let Ok((stream, _)) = self.shared.listening.tcp.accept() else { return };
        let converse = move |shared: &Shared| drop(shared.converse(stream));
        self.aside(|shared| &shared.connections, CONNECTIONS, converse);
    }

    /// Does it in a thread, unless there are too many already.
    fn aside(
        &self,
        count: fn(&Shared) -> &AtomicUsize,
        most: usize,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        if count(&shared).fetch_add(1, Ordering::AcqRel) >= most {
            count(&shared).fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let done = move || {
            work(&shared);
            count(&shared).fetch_sub(1, Ordering::AcqRel);
        };
        if Builder::new().name("name".into()).stack_size(STACK).spawn(done).is_err() {
            count(&self.shared).fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Shared {
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        for _ in 0..PER_CONNECTION {
            let question = read_message(&mut stream)?;
            let Some(answer) = self.answer(&question, false) else { break };
            write_message(&mut stream, &answer)?;
        }
        Ok(())
    }

    fn tell(&self, name: &str, verdict: Verdict) {
        if let Some(told) = &self.told {
            told(name, &verdict);
        }
    }

    fn answer(&self, question: &[u8], datagram: bool) -> Option<Vec<u8>> {
        match hear(question) {
            Heard::Noise => None,
            Heard::Broken(answer) => {
                self.tell("", Verdict::Malformed);
                Some(answer)
            }
            Heard::Question(asked) => self.judged(&asked, datagram),
        }
    }

    fn judged(&self, asked: &Asked, datagram: bool) -> Option<Vec<u8>> {
        let fits = (0..).zip(&self.names).filter(|(_, pattern)| pattern.matches(&asked.name));
        let numbers: Vec<usize> = fits.map(|(number, _)| number).collect();
        if numbers.is_empty() {
            self.tell(&asked.name, Verdict::Refused);
            return asked.missing(true);
        }
        if asked.kind == Kind::Other {
            self.tell(&asked.name, Verdict::Answered(Vec::new()));
            return asked.answer(&[], 0, datagram);
        }
        match ask(&self.naming.upstream, asked) {
            Found::Addresses(all, ttl) => {
                let good: Vec<IpAddr> = all.into_iter().filter(|a| self.naming.takes(*a)).collect();
                if good.is_empty() {
                    self.tell(&asked.name, Verdict::Private);
                    return asked.answer(&[], 0, datagram);
                }
                self.let_through(asked, &numbers, good, ttl.clamp(TTL.0, TTL.1), datagram)
            }
            Found::Nothing => {
                self.tell(&asked.name, Verdict::Answered(Vec::new()));
                asked.answer(&[], 0, datagram)
            }
            Found::Missing => {
                self.tell(&asked.name, Verdict::Missing);
                asked.missing(false)
            }
            Found::Cut | Found::Unwilling | Found::Foreign => {
                self.tell(&asked.name, Verdict::Failed("no server answered".into()));
                asked.failed()
            }
        }
    }

    /// First the filter, then the answer: who has the answer may use it at once.
    fn let_through(
        &self,
        asked: &Asked,
        numbers: &[usize],
        found: Vec<IpAddr>,
        ttl: u32,
        datagram: bool,
    ) -> Option<Vec<u8>> {
        let time = Duration::from_secs(ttl.max(KEPT).saturating_add(LONGER).into());
        let mut firewall = self.firewall.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = firewall.mean(self.naming.confined.as_deref(), numbers, &found, time);
        drop(firewall);
        match meant {
            Ok(()) => {
                let answer = asked.answer(&found, ttl, datagram);
                self.tell(&asked.name, Verdict::Answered(found));
                answer
            }
            Err(error) => {
                self.tell(&asked.name, Verdict::Failed(error.to_string()));
                asked.failed()
            }
        }
    }
}

/// A name server that runs in a thread; it ends when this is dropped.
///
/// ```no_run
/// # fn run(server: cofferdam_net::NameServer) -> std::io::Result<()> {
/// let running: cofferdam_net::Running = server.spawn()?;
/// drop(running);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Running {
    end: Option<UnixStream>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
