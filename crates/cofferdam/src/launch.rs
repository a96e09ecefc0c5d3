//! The child program for other purposes than a container: made, given programs, heard, ended.
//!
//! Called by crates above this one that need a process which joins namespaces or waits for wishes. It says
//! nothing of what the operations are; it may not leave a process behind.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use cofferdam_child::op::Op;
use cofferdam_oci::Pointer;
use cofferdam_sys::poll::{POLLIN, PollFd};
use cofferdam_sys::{pidfd, poll, wait};

use crate::lower::Lowered;
use crate::parked::{self, Parking};
use crate::program::Program;
use crate::spawn::{self, Newborn};
use crate::talk::{self, Event};
use crate::{Error, ErrorKind, ExitStatus, Result, pid};

pub use crate::in_place::in_place;
pub use crate::network::site as network_site;

const SIGKILL: i32 = 9;
/// How long a process may take to end that has closed its socket.
const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// Operations for a child, and for each how its failure reads.
///
/// ```
/// use cofferdam::launch::Operations;
/// use cofferdam_child::op::Op;
/// let mut operations = Operations::default();
/// operations.push("setting the umask", "0022", Op::Umask { mask: 0o022 });
/// assert!(!operations.bytes().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Operations(Program);

impl Operations {
    /// Appends one: what it does, as an error would begin ("making the directory"), and to what.
    pub fn push(&mut self, doing: &'static str, object: impl Into<String>, op: Op<'_>) {
        self.0.step(doing, object, &Pointer::root(), op);
    }

    /// Appends all of another's.
    ///
    /// ```
    /// use cofferdam::launch::Operations;
    /// use cofferdam_child::op::Op;
    /// let (mut all, mut more) = (Operations::default(), Operations::default());
    /// more.push("setting the umask", "0022", Op::Umask { mask: 0o022 });
    /// all.append(&more);
    /// assert_eq!(all.bytes(), more.bytes());
    /// ```
    pub fn append(&mut self, other: &Self) {
        self.0.append(&other.0);
    }

    /// Has the child share a processor with who waits for it, where the kernel can (Linux 6.6): to be pushed
    /// before [`Op::Obey`], for a child that is asked often, and executes nothing.
    ///
    /// ```
    /// use cofferdam::launch::Operations;
    /// use cofferdam_child::op::Op;
    /// let mut operations = Operations::default();
    /// operations.park();
    /// operations.push("waiting for programs", "", Op::Obey {});
    /// ```
    pub fn park(&mut self) {
        self.push("having its calls held up", "", Op::Park { filter: &parked::filter() });
    }

    /// Encoded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Runs them in the calling process. Descriptors that they name are its own.
    ///
    /// # Errors
    /// The first that failed; those before it have been done.
    ///
    /// ```
    /// use cofferdam::launch::Operations;
    /// use cofferdam_child::op::Op;
    /// let mut operations = Operations::default();
    /// operations.push("opening /proc", "", Op::OpenProc {});
    /// operations.push("joining the namespace", "-1", Op::Setns { fd: -1, flags: 0 });
    /// let error = operations.run_here().unwrap_err();
    /// assert_eq!(error.to_string(), "joining the namespace -1: bad file descriptor (EBADF)");
    /// ```
    pub fn run_here(&self) -> Result<()> {
        cofferdam_child::run_here(-1, self.bytes())
            .map_err(|frame| talk::Failure::here(frame).render(self.0.steps()))
    }
}

/// What a child says.
#[derive(Debug)]
pub enum Said {
    /// The program that it was sent has run to its end.
    Done,
    /// An operation of that program failed; the child waits for the next.
    Failed(Error),
    /// An operation of its first program failed; it ends.
    NotReady(Error),
    /// A descriptor that it was asked for.
    Descriptor(OwnedFd),
    /// Nothing until the deadline.
    Nothing,
    /// It has ended, and how, where that can be known (another part of the process may have reaped it).
    Ended(Option<ExitStatus>),
}

/// A process that runs operations. It ends when this value is dropped, and when the process that made it
/// ends, at the latest when it waits for the next program.
///
/// ```no_run
/// use cofferdam::launch::{Child, Operations, Said};
/// use cofferdam_child::op::Op;
/// let mut first = Operations::default();
/// first.push("waiting for programs", "", Op::Obey {});
/// let mut child = Child::spawn(first, &[])?;
/// let mut wish = Operations::default();
/// wish.push("making the directory", "/tmp/example", Op::HereDirectory { path: c"/tmp/example", mode: 0o755 });
/// child.tell(&wish, &[])?;
/// assert!(matches!(child.hear(&wish, None)?, Said::Done));
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    /// Keeps the memory that the first process may still run on.
    newborn: Newborn,
    first: Lowered,
    pid: i32,
    pidfd: OwnedFd,
    /// Whether a process is awaited that carries on.
    successor: bool,
    /// Whether a listener is awaited, and the listener.
    parks: bool,
    parking: Option<Parking>,
    /// How many programs it was sent before there was one.
    told: u32,
    /// What was said and not asked for yet.
    heard: VecDeque<Said>,
    reaped: bool,
}

impl Child {
    /// Makes one. `keep` are the descriptors that the operations name; they have the same numbers in the
    /// child.
    ///
    /// # Errors
    /// When the process cannot be made.
    pub fn spawn(operations: Operations, keep: &[i32]) -> Result<Self> {
        let first = Lowered { program: operations.0, clone_flags: 0, maps_first: false, successor: false };
        let newborn = spawn::spawn(&first, keep, None, None)?;
        let pidfd = pidfd::duplicate(newborn.born.pidfd.raw());
        let pidfd = pidfd.map_err(|e| Error::system("keeping the process", e))?.into();
        let has = |name: &str| first.program.steps().iter().any(|step| step.op == name);
        let (successor, parks, pid) = (has("Successor"), has("Park"), newborn.born.pid);
        let (parking, told, heard, reaped) = (None, 0, VecDeque::new(), false);
        Ok(Self { newborn, first, pid, pidfd, successor, parks, parking, told, heard, reaped })
    }

    /// Sends a program to a child that obeys ([`Op::Obey`]), with the descriptors that it names by their
    /// order; at most thirty.
    ///
    /// # Errors
    /// `EPIPE` when the child has ended, `EINVAL` for too many descriptors.
    pub fn tell(&mut self, operations: &Operations, fds: &[i32]) -> Result<()> {
        talk::tell(self.control(), operations.bytes(), fds)?;
        self.told = self.told.wrapping_add(1);
        self.parking.as_mut().map_or(Ok(()), Parking::go_on)
    }

    /// Waits until the child says something, at most until `deadline`; `told` is the program that it was
    /// sent last.
    ///
    /// # Errors
    /// When the conversation breaks down.
    pub fn hear(&mut self, told: &Operations, deadline: Option<Instant>) -> Result<Said> {
        loop {
            // The one that carries on may speak before the first process has told of it.
            if !self.successor
                && let Some(said) = self.heard.pop_front()
            {
                return Ok(said);
            }
            // Before, the word that it is another's is on the socket, or comes there.
            if self.parking.is_some() && !self.successor {
                if !self.watch(told, deadline)? {
                    return Ok(Said::Nothing);
                }
                continue;
            }
            if !readable(self.control(), deadline)? {
                return Ok(Said::Nothing);
            }
            self.listen(told)?;
        }
    }

    /// As reading its socket, of one that parks.
    fn watch(&mut self, told: &Operations, deadline: Option<Instant>) -> Result<bool> {
        let Some(parking) = &mut self.parking else { return Ok(true) };
        match parking.wait(deadline)? {
            parked::Event::Nothing => return Ok(false),
            // Its last words are to be read.
            parked::Event::Gone => self.parking = None,
            parked::Event::Parked(sent, frame) => {
                for _ in 0..sent {
                    self.listen(told)?;
                }
                if let Some(frame) = frame {
                    self.understand(Event::of(frame)?, told)?;
                }
            }
        }
        Ok(true)
    }

    /// Takes the next word.
    fn listen(&mut self, told: &Operations) -> Result<()> {
        self.understand(talk::hear(self.control())?, told)
    }

    fn understand(&mut self, word: Event, told: &Operations) -> Result<()> {
        let said = match word {
            Event::Hello => return Ok(()),
            Event::Successor(pidfd, _) => {
                self.succeed(pidfd);
                return Ok(());
            }
            Event::Done => Said::Done,
            Event::Failed(failure) => Said::NotReady(failure.render(self.first.program.steps())),
            Event::Denied(failure) => Said::Failed(failure.render(told.0.steps())),
            Event::Descriptor(fd) if self.parks => {
                self.parks = false;
                self.parking = Parking::new(fd, self.told);
                return Ok(());
            }
            Event::Descriptor(fd) => Said::Descriptor(fd),
            Event::Gone => {
                // There will be no successor.
                self.successor = false;
                Said::Ended(self.wait())
            }
            Event::Reached(_) | Event::Terminal(_) | Event::Listener(_) => {
                return Err(Error::new(ErrorKind::System, "understanding the child"));
            }
        };
        self.heard.push_back(said);
        Ok(())
    }

    /// The first process has made way for the one that carries on.
    fn succeed(&mut self, pidfd: OwnedFd) {
        // Reaped by another part of this process, it has ended as well.
        let _ = wait::wait_pidfd(self.pidfd.as_raw_fd(), false, false);
        self.pid = pid::of_pidfd(pidfd.as_raw_fd()).unwrap_or(0);
        self.pidfd = pidfd;
        self.successor = false;
    }

    /// How it ended, once it has closed its socket; one that stays all the same is ended.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now().checked_add(LAST_MOMENTS);
        if !readable(self.pidfd.as_raw_fd(), deadline).unwrap_or_default() {
            let _ = pidfd::send_signal(self.pidfd.as_raw_fd(), SIGKILL);
        }
        let ended = wait::wait_pidfd(self.pidfd.as_raw_fd(), false, false).ok().flatten();
        self.reaped = true;
        ended.or_else(|| self.told_by_the_kernel()).map(ExitStatus::from)
    }

    /// How one ended that somebody else reaps, being nobody's child: the zombie says so until it is reaped, and
    /// the pidfd from then on (Linux 6.15).
    fn told_by_the_kernel(&self) -> Option<wait::Ended> {
        let fd = self.pidfd.as_raw_fd();
        let zombie = pid::zombie_status(self.pid).map(wait::Ended::from_status);
        // While it can be signalled its number is nobody else's.
        let own = pidfd::send_signal(fd, 0).is_ok();
        zombie.filter(|_| own).or_else(|| pid::reaped_status(fd))
    }

    /// Ends it, and says how it ended: by a signal that is ours, unless it was faster.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        // Killed now, the first process could not tell of the one that carries on.
        let deadline = Instant::now().checked_add(LAST_MOMENTS);
        while self.successor && readable(self.control(), deadline).unwrap_or_default() {
            if self.listen(&Operations::default()).is_err() {
                break;
            }
        }
        let _ = pidfd::send_signal(self.pidfd.as_raw_fd(), SIGKILL);
        self.wait()
    }

    /// Its number in the caller's PID namespace.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// The caller's end of the control socket.
    #[must_use]
    pub const fn control(&self) -> i32 {
        self.newborn.control.raw()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.kill();
        }
    }
}

/// Whether there is something to read before the deadline.
fn readable(fd: i32, deadline: Option<Instant>) -> Result<bool> {
    let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
    let millis = left.map(|d| u64::try_from(d.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
    let mut fds = [PollFd { fd, events: POLLIN, revents: 0 }];
    poll::poll(&mut fds, millis).map(|n| n > 0).map_err(|e| Error::system("waiting for the child", e))
}
