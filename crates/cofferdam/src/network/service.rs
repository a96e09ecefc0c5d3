//! Who finds out what the names in a container's allow-list mean: a thread of the caller's, or a program that
//! outlives it.
//!
//! Called by `wires`, and, in that program, by its `main`. The program is started before it is noted but does
//! nothing until it is told to, so that nobody is left behind who is not known.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use cofferdam_net::{
    Allow, Firewall, Listening, NameServer, Naming, NetworkPlan, Resolver, Running, Verdict,
};
use cofferdam_sys::clone3::{CLONE_NEWNET, CLONE_NEWUSER};
use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::{Errno, Fd, capset, close_range, pidfd, prctl, setns, setuid, socket, wait};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result, pid};

/// The longest message to the program, in bytes.
const LONGEST: usize = 128 << 10;
const STARTING: &str = "starting the name service";
const READY: &[u8] = b"ready";
const CAP_NET_ADMIN: u32 = 12;
const LAST_CAP: u32 = 63;
const NOBODY: u32 = 65534;
/// How much is written about names, in bytes.
const LOGGED: usize = 1 << 20;

/// Who answers a container's questions for names, where its network document has an allow-list with names.
///
/// ```
/// let mut options = cofferdam::CreateOptions::default();
/// options.name_service = cofferdam::NameService::Program("/proc/self/exe".into(), vec!["names".into()]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameService {
    /// A thread of the caller's process. It ends with the [`crate::Process`], or when that is dropped; then
    /// the container's names are found no more, and what was found stays reachable for a while.
    #[default]
    Thread,
    /// This program with these arguments, which has to call [`name_service`] before anything else. It ends
    /// with the container, whatever becomes of the caller, and is removed by
    /// [`crate::Container::delete`] at the latest.
    Program(PathBuf, Vec<OsString>),
}

/// The program as the state file knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedService {
    pub(super) pid: i32,
    pub(super) start_time: u64,
}

/// What the program is told: with the sockets that it listens at, a pidfd, and perhaps the filter's socket; or
/// with a user and a network namespace.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// To answer.
    Serve { naming: Naming, log: PathBuf },
    /// To go there, hold this list there, and give back the sockets.
    Hold(Vec<Allow>),
}

/// A service that answers, or that waits for being told.
#[derive(Debug)]
pub(crate) enum Service {
    Thread(Running),
    Program(Waiting),
}

/// A program that was started and knows nothing yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    ours: Fd,
    told: Told,
    fds: Vec<OwnedFd>,
}

/// What names are found out by, and for whom.
pub(crate) struct Wanted<'a> {
    pub(crate) plan: &'a NetworkPlan,
    pub(crate) filter: &'a str,
    pub(crate) namespace: &'a File,
    pub(crate) pid: i32,
    /// The container's directory.
    pub(crate) state: &'a Path,
}

fn naming(plan: &NetworkPlan, filter: &str) -> Naming {
    Naming {
        allowed: plan.outward.egress.clone().unwrap_or_default(),
        upstream: servers(&plan.dns).into_iter().map(|ip| SocketAddr::new(ip, 53)).collect(),
        confined: Some(filter.to_owned()),
    }
}

impl Wanted<'_> {
    /// Starts it, if there are names.
    pub(crate) fn start(&self, how: &NameService) -> Result<Option<(Service, Option<SavedService>)>> {
        let naming = naming(self.plan, self.filter);
        if !naming.is_needed() {
            return Ok(None);
        }
        let listening = Listening::inside(self.namespace)?;
        match how {
            NameService::Thread => {
                let server = NameServer::new(naming, listening, Firewall::here()?);
                let running = server.spawn().map_err(|e| Error::io(STARTING, "", &e))?;
                Ok(Some((Service::Thread(running), None)))
            }
            NameService::Program(program, args) => {
                let init = pidfd::open(self.pid).map_err(|e| Error::system(STARTING, e))?;
                let (udp, tcp) = listening.into_parts();
                let told = Told::Serve { naming, log: self.state.join("names.log") };
                let (waiting, saved) = Waiting::spawn(program, args, told, vec![udp, tcp, init.into()])?;
                Ok(Some((Service::Program(waiting), Some(saved))))
            }
        }
    }
}

fn spawn(program: &Path, args: &[OsString], its: OwnedFd) -> Result<SavedService> {
    let failed = |e| Error::io(STARTING, program, &e);
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir("/");
    command.stdin(its).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).unwrap_or_default();
    Ok(SavedService { pid, start_time: pid::stat(pid).map_or(0, |stat| stat.start_time) })
}

/// The sockets of a namespace that only its owner's own may go to.
pub(super) struct Inside {
    fds: Vec<OwnedFd>,
}

/// Holds the allow-list inside of a user's own namespace, if there is one; gives sockets there when names have
/// to be found.
pub(super) fn hold_inside(
    plan: &NetworkPlan,
    pid: i32,
    namespace: &File,
    how: &NameService,
) -> Result<Option<Inside>> {
    let Some(allowed) = &plan.outward.egress else { return Ok(None) };
    let NameService::Program(program, args) = how else {
        return Err(Error::new(ErrorKind::Configuration, "holding the allow-list of a user's network")
            .with_detail("it takes a process that goes into the user namespace")
            .with_hint("set the option name_service to a program"));
    };
    let path = format!("/proc/{pid}/ns/user");
    let user = File::open(&path).map_err(|e| Error::io("opening namespace", &path, &e))?;
    let network = namespace.try_clone().map_err(|e| Error::io("opening namespace", &path, &e))?;
    let told = Told::Hold(allowed.clone());
    let (waiting, saved) = Waiting::spawn(program, args, told, vec![user.into(), network.into()])?;
    let fds = waiting.tell();
    // It has nothing more to do, and is not to be anybody's zombie.
    end(&saved)?;
    let fds = fds?;
    let needed = Naming { allowed: allowed.clone(), ..Naming::default() }.is_needed();
    Ok(needed.then_some(Inside { fds }))
}

impl Inside {
    /// Starts the service for names behind these sockets.
    pub(super) fn start(
        self,
        plan: &NetworkPlan,
        pid: i32,
        state: &Path,
        how: &NameService,
    ) -> Result<(Service, SavedService)> {
        let NameService::Program(program, args) = how else {
            return Err(Error::new(ErrorKind::Configuration, STARTING).with_detail("it is no program"));
        };
        let naming = Naming { confined: None, ..naming(plan, "") };
        let init = pidfd::open(pid).map_err(|e| Error::system(STARTING, e))?;
        let mut fds = self.fds;
        fds.insert(2.min(fds.len()), init.into());
        let told = Told::Serve { naming, log: state.join("names.log") };
        let (waiting, saved) = Waiting::spawn(program, args, told, fds)?;
        Ok((Service::Program(waiting), saved))
    }
}

impl Waiting {
    fn spawn(
        program: &Path,
        args: &[OsString],
        told: Told,
        fds: Vec<OwnedFd>,
    ) -> Result<(Self, SavedService)> {
        let (ours, its) = socket::pair().map_err(|e| Error::system(STARTING, e))?;
        let saved = spawn(program, args, its.into())?;
        Ok((Self { ours, told, fds }, saved))
    }

    /// Tells it what to do, now that it is noted.
    pub(crate) fn go(self) -> Result<()> {
        self.tell().map(drop)
    }

    /// Gives what it sends back.
    fn tell(self) -> Result<Vec<OwnedFd>> {
        let failed = |e| Error::system(STARTING, e);
        let message = serde_json::to_vec(&self.told).unwrap_or_default();
        if message.len() > LONGEST {
            let error = Error::new(ErrorKind::Configuration, STARTING);
            return Err(error.with_detail("the allow-list is too long"));
        }
        let fds: Vec<i32> = self.fds.iter().map(AsRawFd::as_raw_fd).collect();
        socket::send(self.ours.raw(), &message, &fds).map_err(failed)?;
        let mut answer = vec![0; 4096];
        let (length, fds) = socket::recv(self.ours.raw(), &mut answer).map_err(failed)?;
        match answer.get(..length).unwrap_or_default() {
            READY => Ok(fds.into_iter().flatten().map(OwnedFd::from).collect()),
            [] => Err(Error::new(ErrorKind::System, STARTING).with_detail("it ended before it was ready")),
            said => Err(Error::new(ErrorKind::System, STARTING).with_detail(String::from_utf8_lossy(said))),
        }
    }
}

/// Ends a program and waits for its end; one that has ended is no failure.
pub(crate) fn end(saved: &SavedService) -> Result<()> {
    const SIGKILL: i32 = 9;
    const LIMIT_MS: u64 = 5000;
    let Some(process) = pid::open(saved.pid, saved.start_time) else { return Ok(()) };
    let fd = process.as_raw_fd();
    let _ = pidfd::send_signal(fd, SIGKILL);
    let mut fds = [PollFd { fd, events: POLLIN, revents: 0 }];
    let ended = poll(&mut fds, Some(LIMIT_MS)).map_err(|e| Error::system("ending the name service", e))?;
    // ECHILD: whoever started it reaps it.
    let _ = wait::wait_pidfd(fd, true, false);
    match ended {
        0 => Err(Error::new(ErrorKind::System, "ending the name service").with_detail("it does not end")),
        _ => Ok(()),
    }
}

/// The servers that a container's own would be: those of the document, or the host's own, which are asked
/// from the host.
fn servers(said: &Resolver) -> Vec<IpAddr> {
    if !said.nameservers.is_empty() {
        return said.nameservers.clone();
    }
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = Resolver::parse(&host).nameservers;
    // As the C library does.
    if servers.is_empty() { vec![IpAddr::from([127, 0, 0, 1])] } else { servers }
}

/// What a program does that [`NameService::Program`] names: it answers one container's questions until that
/// container ends. Its standard input is the socket over which it is told what to do.
///
/// It closes all other descriptors, becomes nobody (65534) where it was root, keeps no capability but
/// `CAP_NET_ADMIN`, and can gain none. It has to be called before there is another thread.
///
/// # Errors
/// When it was started by somebody else, or could not become what it is to be.
pub fn name_service() -> Result<()> {
    let system = |e| Error::system("serving names", e);
    close_range::close_range(3, u32::MAX, 0).map_err(system)?;
    let _ = setns::setsid();
    let mut message = vec![0; LONGEST];
    let (length, fds) = socket::recv(0, &mut message).map_err(system)?;
    let mut fds: Vec<OwnedFd> = fds.into_iter().flatten().map(OwnedFd::from).collect();
    if length == 0 {
        // Whoever started it has gone.
        return Ok(());
    }
    let told = serde_json::from_slice(message.get(..length).unwrap_or_default()).map_err(|e| {
        Error::new(ErrorKind::System, "reading what the name service is to do").with_detail(e.to_string())
    })?;
    match told {
        Told::Hold(allowed) => {
            let held = hold(&allowed, &fds);
            let answer =
                held.as_ref().map_or_else(|error| error.to_string().into_bytes(), |_| READY.to_vec());
            let sockets = held.unwrap_or_default();
            let numbers: Vec<i32> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
            socket::send(0, &answer, &numbers).map_err(system)
        }
        Told::Serve { naming, log } => {
            let init = (fds.len() > 2).then(|| fds.remove(2)).ok_or_else(|| system(Errno::EBADF))?;
            let prepared = prepare(naming, &log, fds);
            let answer =
                prepared.as_ref().map_or_else(|error| error.to_string().into_bytes(), |_| READY.to_vec());
            socket::send(0, &answer, &[]).map_err(system)?;
            let _ = close_range::close_range(0, 0, 0);
            prepared?.run(&[init.as_fd()]).map_err(|e| Error::io("serving names", "", &e))
        }
    }
}

/// Goes into the namespaces and holds the list there; gives the sockets for datagrams, streams and the filter.
fn hold(allowed: &[Allow], namespaces: &[OwnedFd]) -> Result<Vec<OwnedFd>> {
    let system = |e| Error::system("joining the container's namespaces", e);
    for (namespace, kind) in namespaces.iter().zip([CLONE_NEWUSER, CLONE_NEWNET]) {
        setns::setns(namespace.as_raw_fd(), kind).map_err(system)?;
    }
    let mut firewall = Firewall::here()?;
    firewall.allow_only(allowed)?;
    let needed = Naming { allowed: allowed.to_vec(), ..Naming::default() }.is_needed();
    if !needed {
        return Ok(Vec::new());
    }
    let listening = Listening::here().map_err(|e| Error::io("opening the name server", "127.0.0.11", &e))?;
    let (udp, tcp) = listening.into_parts();
    Ok(vec![udp, tcp, firewall.into_socket()?])
}

/// The sockets are those for datagrams and streams, and the filter's where that is another namespace's.
fn prepare(naming: Naming, log: &Path, sockets: Vec<OwnedFd>) -> Result<NameServer> {
    let mut sockets = sockets.into_iter();
    let (Some(udp), Some(tcp)) = (sockets.next(), sockets.next()) else {
        return Err(Error::system("serving names", Errno::EBADF));
    };
    let open = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
    let log = Mutex::new((open.map_err(|e| Error::io("opening", log, &e))?, 0_usize));
    let firewall = sockets.next().map_or_else(Firewall::here, |socket| Ok(Firewall::of(socket)))?;
    give_up_rights().map_err(|e| Error::system("giving up rights", e))?;
    let server = NameServer::new(naming, Listening::of(udp, tcp), firewall);
    Ok(server.told(move |name, verdict| note(&log, name, verdict)))
}

/// A line about a name, as long as there is room.
fn note(log: &Mutex<(File, usize)>, name: &str, verdict: &Verdict) {
    let line = serde_json::json!({ "time": crate::timestamp(), "name": name, "verdict": verdict });
    let line = format!("{line}\n");
    let Ok(mut log) = log.lock() else { return };
    log.1 = log.1.saturating_add(line.len());
    if log.1 <= LOGGED {
        let _ = log.0.write_all(line.as_bytes());
    }
}

/// What is left is the right to change packet filters.
fn give_up_rights() -> cofferdam_sys::Result<()> {
    let keep = 1_u64 << CAP_NET_ADMIN;
    prctl::set_no_new_privs()?;
    let _ = prctl::clear_ambient();
    for capability in (0..=LAST_CAP).filter(|n| *n != CAP_NET_ADMIN) {
        // EINVAL: the kernel has no more. EPERM: the caller has no right to drop any.
        if prctl::drop_bounding(capability).is_err() {
            break;
        }
    }
    if crate::template::Caller::current().uid == 0 {
        prctl::set_keepcaps(true)?;
        setuid::setgroups(&[])?;
        setuid::setresgid(NOBODY)?;
        setuid::setresuid(NOBODY)?;
    }
    let (permitted, ..) = capset::capget()?;
    capset::capset(permitted & keep, permitted & keep, 0)?;
    prctl::set_dumpable(false)
}
