//! A conversation with systemd: a socket, calls, their answers and signals, all before a deadline.
//!
//! Called by `manager`. What can be said without an answer is said at once: the whole authentication, then the
//! greeting of a bus together with the first call. Not all in one: systemd's own socket leaves a short call
//! that it has read with the authentication until more comes. No thread, no executor, and nothing is kept
//! between two conversations.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cofferdam_sys::Errno;

use super::address::Address;
use super::wire::{self, Call, ERROR, FIXED, Message, REPLY, SIGNAL};
use super::{Manager, Value, address};
use crate::error::Error;

const SYSTEMD: Call<'static> = Call {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "",
};
const BUS: Call<'static> = Call {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "",
};
/// Signals of a bus come to who asks for them.
const ENDED: &str = "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
                     interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
/// The kernel tells who we are: we name nobody, so it also holds in a user namespace, where our number for
/// ourselves is not systemd's.
const AUTHENTICATION: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
/// Lines that answer it: to AUTH and to DATA.
const LINES: usize = 2;

/// Whom we speak with, and until when.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    shown: PathBuf,
    deadline: Instant,
    patience: Duration,
    serial: u32,
    /// Not sent yet.
    outgoing: Vec<u8>,
    /// Received, and not understood yet.
    incoming: Vec<u8>,
    /// Lines of the authentication that are still to come, and whether one said OK.
    lines: usize,
    accepted: bool,
    /// Jobs that ended and how: unit, job, result.
    pub(super) ended: Vec<(String, String, String)>,
}

/// An answer that is not what was wanted.
#[derive(Debug)]
pub(super) enum Refused {
    /// systemd's own words: an error's name and text.
    Said(String, String),
    /// The conversation broke down.
    Broken(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Bus {
    /// Connects to the first that listens, and says who we are; the answer is read before the first call.
    pub(super) fn connect(manager: Manager, patience: Duration) -> Result<Self, Error> {
        let deadline = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
        let mut failed = None;
        for address in address::of(manager) {
            let millis = u64::try_from(left(deadline).as_millis()).unwrap_or(u64::MAX).max(1);
            match cofferdam_sys::connect::stream(&address.socket, millis) {
                Ok(fd) => {
                    let stream = UnixStream::from(OwnedFd::from(fd));
                    return Self::begin(stream, &address, deadline, patience);
                }
                Err(errno) => {
                    let error = std::io::Error::from_raw_os_error(errno.0);
                    failed.get_or_insert_with(|| {
                        Error::io("connecting to systemd at", address.shown(), &error)
                    });
                }
            }
        }
        Err(not_there(failed, manager))
    }

    fn begin(
        stream: UnixStream,
        address: &Address,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Self, Error> {
        let mut bus = Self {
            stream,
            shown: address.shown(),
            deadline,
            patience,
            serial: 0,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            lines: LINES,
            accepted: false,
            ended: Vec::new(),
        };
        bus.stream.write_all(AUTHENTICATION).map_err(|e| bus.broken("speaking to systemd at", &e))?;
        if address.bus {
            bus.say(&Call { member: "Hello", ..BUS }, &[])?;
            bus.say(&Call { member: "AddMatch", ..BUS }, &[Value::text(ENDED)])?;
        }
        Ok(bus)
    }

    /// Calls a method of systemd's manager; the number is what [`Bus::answer`] takes.
    pub(super) fn call(&mut self, member: &str, body: &[Value]) -> Result<u32, Error> {
        let serial = self.say(&Call { member, ..SYSTEMD }, body)?;
        self.flush()?;
        Ok(serial)
    }

    /// Asks for a property of the manager's.
    pub(super) fn ask(&mut self, property: &str) -> Result<u32, Error> {
        let call = Call { interface: "org.freedesktop.DBus.Properties", member: "Get", ..SYSTEMD };
        let serial = self.say(&call, &[Value::text(SYSTEMD.interface), Value::text(property)])?;
        self.flush()?;
        Ok(serial)
    }

    fn say(&mut self, call: &Call<'_>, body: &[Value]) -> Result<u32, Error> {
        self.serial = self.serial.saturating_add(1);
        let bytes = wire::encode(call, self.serial, body)
            .map_err(|e| self.error("asking systemd at", e.to_string()).detail(call.member.to_owned()))?;
        self.outgoing.extend(bytes);
        Ok(self.serial)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.be_known()?;
        let bytes = std::mem::take(&mut self.outgoing);
        self.stream.write_all(&bytes).map_err(|e| self.broken("speaking to systemd at", &e))
    }

    /// Waits for the answer to a call.
    pub(super) fn answer(&mut self, serial: u32) -> Result<Vec<Value>, Refused> {
        loop {
            let message = self.next()?;
            match message {
                Message { kind: REPLY, answers, body, .. } if answers == Some(serial) => return Ok(body),
                Message { kind: ERROR, answers: Some(other), error, body, .. } => {
                    let words = match body.into_iter().next() {
                        Some(Value::Text(words)) => words,
                        _ => String::new(),
                    };
                    // An earlier one is the bus's greeting, without which nothing else is answered.
                    if other <= serial {
                        return Err(Refused::Said(error, words));
                    }
                }
                _ => {}
            }
        }
    }

    /// Waits until a job of the unit has ended, and tells how.
    pub(super) fn job(&mut self, job: &str) -> Result<String, Error> {
        loop {
            if let Some((_, _, result)) = self.ended.iter().find(|(_, ended, _)| ended == job) {
                return Ok(result.clone());
            }
            self.next()?;
        }
    }

    /// Reads the answers to the authentication.
    fn be_known(&mut self) -> Result<(), Error> {
        while self.lines > 0 {
            match self.incoming.iter().position(|b| *b == b'\n') {
                Some(end) => self.line(end)?,
                None => self.receive()?,
            }
        }
        Ok(())
    }

    /// The next message; the end of a job is noted on the way.
    fn next(&mut self) -> Result<Message, Error> {
        loop {
            let whole = match self.incoming.first_chunk::<FIXED>() {
                Some(start) => wire::length(start).ok_or_else(|| self.nonsense())?,
                None => usize::MAX,
            };
            if self.incoming.len() < whole {
                self.receive()?;
                continue;
            }
            let rest = self.incoming.split_off(whole);
            let bytes = std::mem::replace(&mut self.incoming, rest);
            let message = wire::decode(bytes).ok_or_else(|| self.nonsense())?;
            self.note(&message);
            return Ok(message);
        }
    }

    fn note(&mut self, message: &Message) {
        if message.kind != SIGNAL || message.member != "JobRemoved" {
            return;
        }
        if let [_, Value::Path(job), Value::Text(unit), Value::Text(result)] = message.body.as_slice() {
            self.ended.push((unit.clone(), job.clone(), result.clone()));
        }
    }

    fn line(&mut self, end: usize) -> Result<(), Error> {
        let rest = self.incoming.split_off(end.saturating_add(1));
        let line = std::mem::replace(&mut self.incoming, rest);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.lines = self.lines.saturating_sub(1);
        self.accepted |= line.starts_with("OK");
        if line.starts_with("REJECTED") || self.lines == 0 && !self.accepted {
            return Err(self.error("being known to systemd at", format!("it says {line:?}")));
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Error> {
        let mut bytes = [0; 4096];
        loop {
            let left = left(self.deadline);
            if left.is_zero() {
                return Err(self.late());
            }
            self.stream
                .set_read_timeout(Some(left))
                .map_err(|e| self.broken("listening to systemd at", &e))?;
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    let what = "it closed the connection".to_owned();
                    return Err(self.error("listening to systemd at", what));
                }
                Ok(n) => {
                    self.incoming.extend(bytes.iter().take(n));
                    return Ok(());
                }
                Err(e) if e.kind() == ErrorKind::Interrupted || e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(self.broken("listening to systemd at", &e)),
            }
        }
    }

    fn late(&self) -> Error {
        let what = format!("no answer within {} seconds", self.patience.as_secs_f64());
        self.error("waiting for systemd at", what).hint(
            "systemd may be overloaded or stuck: see systemctl status and the journal; SYSTEMD_BUS_TIMEOUT=SECONDS \
             waits longer, and cgroups without systemd need no --systemd-cgroup",
        )
    }

    fn broken(&self, step: &str, error: &std::io::Error) -> Error {
        if error.kind() == ErrorKind::WouldBlock { self.late() } else { Error::io(step, &self.shown, error) }
    }

    fn error(&self, step: &str, what: String) -> Error {
        Error::new(step, &self.shown, what)
    }

    fn nonsense(&self) -> Error {
        self.error("listening to systemd at", "what it says is not D-Bus".to_owned())
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn not_there(failed: Option<Error>, manager: Manager) -> Error {
    let error = failed.unwrap_or_else(|| {
        let what = "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR says where it is, and this user has no directory \
                    in /run/user";
        Error::new("looking for systemd's", "user manager", what)
    });
    if error.errno == Some(Errno::EAGAIN.0) {
        return error.hint("it accepts nobody: systemd, or the bus, may be overloaded or stuck");
    }
    error.hint(match manager {
        Manager::System => {
            "--systemd-cgroup needs systemd as the host's init; leave it out to have cgroups made directly (podman: \
             --cgroup-manager=cgroupfs)"
        }
        Manager::User => {
            "--systemd-cgroup needs the user's systemd: log in through a session that starts one (loginctl \
             enable-linger, package dbus-user-session), or leave it out"
        }
    })
}
