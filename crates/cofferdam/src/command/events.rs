//! What happens to a container, one after the other: it ran out of memory, used this much, ended.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use cofferdam_cgroup::{Oom, OomWatch, Stats};
use cofferdam_sys::poll::{POLLIN, POLLPRI, PollFd, poll};

use super::child::Child;
use crate::{Container, Error, ErrorKind, Result, pid};

/// Something that happened to a container.
///
/// ```no_run
/// use std::time::Duration;
/// use cofferdam::{Command, Event};
/// let child = Command::new("make").spawn()?;
/// for event in child.events(Some(Duration::from_secs(1)))? {
///     match event? {
///         Event::Oom => println!("it was out of memory"),
///         Event::Stats(stats) => println!("{:?} ns of CPU", stats.cpu),
///         Event::Exit => println!("it has ended"),
///         _ => {}
///     }
/// }
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The kernel killed processes for lack of memory; several at once may be told as one.
    Oom,
    /// What it uses, at the interval that was asked for.
    Stats(Box<Stats>),
    /// Its first process has ended. Nothing comes after this.
    Exit,
}

/// The events of a container, from [`Container::events`]: an iterator whose `next` waits. It holds no lock
/// and may be used on another thread than the container.
///
/// ```no_run
/// use cofferdam::{Command, Event, Events};
/// let mut child = Command::new("make").spawn()?;
/// let events: Events = child.events(None)?;
/// let watcher = std::thread::spawn(|| events.filter(|e| matches!(e, Ok(Event::Oom))).count());
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Events {
    container: Container,
    /// None when it had ended before.
    pub(super) process: Option<OwnedFd>,
    pub(super) memory: Option<OomWatch>,
    every: Option<Duration>,
    next: Option<Instant>,
    pub(super) ended: bool,
    #[cfg(feature = "tokio")]
    pub(super) waiting: super::event_stream::Waiting,
}

impl Child {
    /// Tells what happens to the container until its first process ends; with `every`, also what it uses,
    /// as often as that. Nothing is reaped: that is [`Child::wait`]'s, on this or another thread.
    ///
    /// # Errors
    /// As [`Container::events`].
    pub fn events(&self, every: Option<Duration>) -> Result<Events> {
        self.container().events(every)
    }
}

impl Container {
    /// As [`Child::events`], for a container that anybody may have started.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an interval of 0; when its memory cgroup cannot be watched. Without
    /// one there is no [`Event::Oom`].
    ///
    /// ```no_run
    /// # fn f(container: &cofferdam::Container) -> cofferdam::Result<()> {
    /// let ended = container.events(None)?.all(|event| event.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self, every: Option<Duration>) -> Result<Events> {
        if every.is_some_and(|every| every.is_zero()) {
            return Err(Error::new(ErrorKind::Configuration, "the interval of events must be more than 0"));
        }
        let process = pid::open(self.saved.pid, self.saved.start_time);
        let cgroup = self.cgroup();
        let memory = match &process {
            Some(_) if cgroup.has_memory() => Some(cgroup.oom_watch()?),
            _ => None,
        };
        let next = every.map(|_| Instant::now());
        Ok(Events {
            container: self.clone(),
            process,
            memory,
            every,
            next,
            ended: false,
            #[cfg(feature = "tokio")]
            waiting: super::event_stream::Waiting::default(),
        })
    }
}

impl Events {
    /// What there is to tell now.
    pub(super) fn look(&mut self) -> Result<Option<Event>> {
        if self.ended {
            return Ok(None);
        }
        // First of all: what is found afterwards happened before the end.
        let exited = match &self.process {
            Some(process) => {
                let mut fds = [PollFd { fd: process.as_raw_fd(), events: POLLIN, revents: 0 }];
                poll(&mut fds, Some(0)).map_err(|e| Error::system("waiting for events", e))? > 0
            }
            None => true,
        };
        if let Some(memory) = &mut self.memory {
            match memory.wait(Duration::ZERO)? {
                Oom::Killed => return Ok(Some(Event::Oom)),
                Oom::Nothing => {}
                Oom::Gone => self.memory = None,
            }
        }
        if exited {
            self.ended = true;
            return Ok(Some(Event::Exit));
        }
        let now = Instant::now();
        match (self.next, self.every) {
            (Some(next), Some(every)) if next <= now => {
                // Whoever asks late is not told several times.
                self.next = Some((next + every).max(now));
                self.container.stats().map(|stats| Some(Event::Stats(Box::new(stats))))
            }
            _ => Ok(None),
        }
    }

    /// How long there may be nothing to tell although no descriptor says anything.
    pub(super) fn pause(&self) -> Option<Duration> {
        let until = self.next.map(|next| next.saturating_duration_since(Instant::now()));
        let asked = self.memory.as_ref().and_then(OomWatch::ask_every);
        [until, asked].into_iter().flatten().min()
    }

    /// Waits until there may be something to tell.
    fn rest(&self) -> Result<()> {
        let number = |fd: Option<i32>| fd.unwrap_or(-1);
        let memory = self.memory.as_ref().filter(|m| m.ask_every().is_none()).map(|m| m.as_fd().as_raw_fd());
        let mut fds = [
            PollFd { fd: number(self.process.as_ref().map(AsRawFd::as_raw_fd)), events: POLLIN, revents: 0 },
            PollFd { fd: number(memory), events: POLLPRI, revents: 0 },
        ];
        let ms = self.pause().map(|p| u64::try_from(p.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
        poll(&mut fds, ms).map(drop).map_err(|e| Error::system("waiting for events", e))
    }
}

impl Iterator for Events {
    type Item = Result<Event>;

    /// Waits for the next event. After an error it may be asked again.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.look() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {
                    if let Err(e) = self.rest() {
                        return Some(Err(e));
                    }
                }
                Err(e) => return Some(Err(e)),
            }
        }
        None
    }
}
