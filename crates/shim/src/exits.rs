//! Ends: the thread that is told when processes end, reaps them, and everything that would be left to the shim.
//!
//! Called by `serve`, whose last act it is, and spoken to by requests. Each process is watched by its pidfd. Beside
//! them the shim, as a subreaper, gets processes whose parents have gone, and the children of programs that it
//! started to help: these are reaped without a word, but not while something that may be waiting for them is at work.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, TryLockError};

use cofferdam::{Error, Result};
use cofferdam_sys::wait;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};

use crate::oom::Watched as Memory;
use crate::process::Entry;
use crate::service::Service;

/// When a process that somebody was at is looked at again, at the latest.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// What is told to the thread.
#[derive(Debug)]
pub(crate) enum Word {
    /// A process is to be watched.
    Process(Arc<Entry>, OwnedFd, i32),
    /// The memory of a container is.
    Memory(Memory),
    /// There is nothing left to do.
    Leave,
}

/// How the thread is spoken to.
#[derive(Debug)]
pub(crate) struct Exits {
    words: Sender<Word>,
    bell: UnixStream,
    at_work: AtomicUsize,
}

/// Something is at work that may have children to wait for.
#[derive(Debug)]
pub(crate) struct AtWork<'a>(&'a Exits);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::AcqRel);
        self.0.ring();
    }
}

impl Exits {
    /// Says it.
    pub(crate) fn tell(&self, word: Word) {
        // Who listens ends last.
        let _ = self.words.send(word);
        self.ring();
    }

    /// No child is taken away until this is dropped.
    pub(crate) fn at_work(&self) -> AtWork<'_> {
        self.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(self)
    }

    /// A full bell has been rung.
    fn ring(&self) {
        let _ = (&self.bell).write(&[0]);
    }
}

/// The thread's own.
#[derive(Debug)]
pub(crate) struct Watch {
    words: Receiver<Word>,
    bell: UnixStream,
    processes: Vec<Watched>,
    memory: Vec<Memory>,
    told_to_leave: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Watched {
    entry: Arc<Entry>,
    pidfd: OwnedFd,
    pid: i32,
    /// Somebody is at it: it is looked at again when they have finished.
    busy: bool,
}

/// Makes both sides; children and signals ring the bell from now on.
pub(crate) fn prepare() -> Result<(Arc<Exits>, Watch)> {
    let failed = |e: &std::io::Error| Error::io("watching", "children", e);
    let (words, heard) = channel();
    let (bell, rung) = UnixStream::pair().map_err(|e| failed(&e))?;
    bell.set_nonblocking(true).and_then(|()| rung.set_nonblocking(true)).map_err(|e| failed(&e))?;
    let told_to_leave = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&told_to_leave)).map_err(|e| failed(&e))?;
    }
    for signal in [SIGCHLD, SIGTERM, SIGINT] {
        let ringer = bell.try_clone().map_err(|e| failed(&e))?;
        signal_hook::low_level::pipe::register(signal, ringer).map_err(|e| failed(&e))?;
    }
    let exits = Arc::new(Exits { words, bell, at_work: AtomicUsize::new(0) });
    let watch = Watch { words: heard, bell: rung, processes: Vec::new(), memory: Vec::new(), told_to_leave };
    Ok((exits, watch))
}

impl Watch {
    /// Watches until the shim is to end.
    pub(crate) fn run(mut self, service: &Service) -> Result<()> {
        loop {
            let rung = self.until_something(service)?;
            if rung {
                while matches!((&self.bell).read(&mut [0; 64]), Ok(64)) {}
                self.processes.iter_mut().for_each(|watched| watched.busy = false);
                if !self.hear() || self.told_to_leave.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.reap_others(service);
            }
        }
    }

    /// Waits, and deals with what has ended or run out of memory; says whether the bell was rung.
    fn until_something(&mut self, service: &Service) -> Result<bool> {
        let ready: Vec<bool> = {
            let processes = self.processes.iter().filter(|watched| !watched.busy);
            let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
            fds.extend(processes.map(|watched| PollFd::new(&watched.pidfd, PollFlags::IN)));
            fds.extend(self.memory.iter().map(|m| PollFd::from_borrowed_fd(m.as_fd(), m.flags())));
            // Whoever is at a process rings no bell when they only look, or send a signal.
            let again = self.processes.iter().any(|watched| watched.busy).then_some(&AGAIN);
            let seen = match poll(&mut fds, again) {
                Err(rustix::io::Errno::INTR) => return Ok(false),
                other => other.map_err(|e| Error::io("waiting for", "children", &e.into()))?,
            };
            if seen == 0 {
                drop(fds);
                self.processes.iter_mut().for_each(|watched| watched.busy = false);
                return Ok(false);
            }
            fds.iter().map(|fd| !fd.revents().is_empty()).collect()
        };
        let mut ready = ready.into_iter();
        let rung = ready.next().unwrap_or(false);
        self.processes.retain_mut(|watched| {
            watched.busy || !ready.next().unwrap_or(false) || !watched.has_ended(service)
        });
        self.memory.retain_mut(|memory| !ready.next().unwrap_or(false) || memory.look(service));
        Ok(rung)
    }

    /// Takes what was said; false is the end.
    fn hear(&mut self) -> bool {
        while let Ok(word) = self.words.try_recv() {
            match word {
                Word::Process(entry, pidfd, pid) => {
                    self.processes.push(Watched { entry, pidfd, pid, busy: false });
                }
                Word::Memory(memory) => self.memory.push(memory),
                Word::Leave => return false,
            }
        }
        true
    }

    /// Reaps children that nobody waits for.
    fn reap_others(&mut self, service: &Service) {
        while let Ok(Some((pid, _))) = wait::peek_any() {
            // What is made by who is at work is told before they have finished: first this, then the words.
            let others_may_wait = service.exits.at_work.load(Ordering::Acquire) > 0;
            self.hear();
            if let Some(at) = self.processes.iter().position(|watched| watched.pid == pid) {
                if self.processes.get_mut(at).is_some_and(|watched| watched.has_ended(service)) {
                    self.processes.remove(at);
                    continue;
                }
                return;
            }
            if others_may_wait {
                return;
            }
            let _ = wait::reap(pid);
        }
    }
}

impl Watched {
    /// Deals with its end, if it has ended and nobody is at it.
    fn has_ended(&mut self, service: &Service) -> bool {
        let now = match self.entry.try_now() {
            Ok(now) => now,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.busy = true;
                return false;
            }
        };
        service.reap(&self.entry, now)
    }
}
