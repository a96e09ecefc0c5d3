//! What the operations hand to one another: descriptors, and the failure's own words.
//!
//! Owned by the loop. Nothing here is configuration.

use core::cell::Cell;

use cofferdam_sys::{Errno, Fd, Result, open, socket};

use crate::frame::{Frame, HEADER, Point, TEXT};
use crate::here_as::Itself;

/// A failed operation: the kernel's answer, and a number that says more for some operations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fail {
    pub(crate) errno: Errno,
    pub(crate) detail: u32,
}

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Self {
        Self { errno, detail: 0 }
    }
}

pub(crate) type Done = core::result::Result<(), Fail>;

/// A bounded piece of text or a path.
#[derive(Debug)]
pub(crate) struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Buffer<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends; `ENAMETOOLONG` when it does not fit with a terminating null.
    pub(crate) fn push(&mut self, more: &[u8]) -> Result<()> {
        let end = self.len.checked_add(more.len()).ok_or(Errno::ENAMETOOLONG)?;
        if end >= N {
            return Err(Errno::ENAMETOOLONG);
        }
        self.bytes.get_mut(self.len..end).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(more);
        self.len = end;
        Ok(())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// As a null-terminated string; nothing is ever pushed that holds a null.
    pub(crate) fn c_str(&mut self) -> Result<&core::ffi::CStr> {
        *self.bytes.get_mut(self.len).ok_or(Errno::ENAMETOOLONG)? = 0;
        let with_nul = self.bytes.get(..=self.len).unwrap_or_default();
        core::ffi::CStr::from_bytes_with_nul(with_nul).map_err(|_| Errno::EINVAL)
    }

    /// Fills it by reading, and gives how much was read.
    pub(crate) fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> usize) {
        self.len = read(&mut self.bytes).min(N);
    }
}

/// A path, as long as the kernel allows.
pub(crate) type Path = Buffer<4096>;

/// The most mounts that are held.
const HELD: usize = 256;

#[derive(Debug)]
pub(crate) struct Context {
    /// Socket to whoever waits for us: the parent, later perhaps `start`.
    pub(crate) control: i32,
    pub(crate) proc: Option<Fd>,
    pub(crate) root: Option<Fd>,
    pub(crate) terminal: Option<Fd>,
    /// The container's state, for hooks.
    pub(crate) state: Option<Fd>,
    /// The tmpfs that holds the layers of a root in memory.
    pub(crate) memory: Option<Fd>,
    /// Where the last node, link or mount point was made: the next is likely to be made there too. Whatever
    /// else happens to the tree ends this.
    pub(crate) directory: Option<(Path, Fd)>,
    /// The host's /dev/null, verified.
    pub(crate) null: Option<Fd>,
    /// The empty read-only tmpfs over the first masked directory: the others' are copies of it.
    pub(crate) empty: Option<Fd>,
    /// Mounts that become read-only last, in the order in which they were made.
    pub(crate) held: [Option<Fd>; HELD],
    pub(crate) found: Path,
    pub(crate) home: Path,
    pub(crate) in_cwd: bool,
    pub(crate) text: Buffer<TEXT>,
    /// What the process is when it is no other ([`crate::op::Op::HereAs`]).
    pub(crate) itself: Option<Itself>,
    /// What came along with the program that is being obeyed.
    pub(crate) received: [Option<Fd>; socket::MAX_FDS],
    /// Whether the other side holds us up between programs ([`crate::op::Op::Park`]).
    pub(crate) parks: bool,
    /// How many frames were sent since the other side last knew.
    pub(crate) sent: Cell<u32>,
    /// How many programs came.
    pub(crate) heard: u32,
}

impl Context {
    pub(crate) const fn new(control: i32) -> Self {
        Self {
            control,
            proc: None,
            root: None,
            terminal: None,
            state: None,
            memory: None,
            directory: None,
            null: None,
            empty: None,
            held: [const { None }; HELD],
            found: Buffer::new(),
            home: Buffer::new(),
            in_cwd: false,
            text: Buffer::new(),
            itself: None,
            received: [const { None }; socket::MAX_FDS],
            parks: false,
            sent: Cell::new(0),
            heard: 0,
        }
    }

    /// Whether the process is another at the moment.
    pub(crate) fn is_another(&self) -> bool {
        self.itself.as_ref().is_some_and(Itself::is_acting)
    }

    pub(crate) fn root(&self) -> Result<i32> {
        self.root.as_ref().map(Fd::raw).ok_or(Errno::EBADF)
    }

    /// Whether `above` is where the last one was made.
    pub(crate) fn is_directory(&self, above: &Path) -> bool {
        self.directory.as_ref().is_some_and(|(known, _)| known.bytes() == above.bytes())
    }

    pub(crate) fn directory(&self) -> Result<i32> {
        self.directory.as_ref().map(|(_, fd)| fd.raw()).ok_or(Errno::EBADF)
    }

    /// Sends a frame, with the collected text if there is any.
    pub(crate) fn say(&self, frame: Frame, fds: &[i32]) -> Result<()> {
        let mut message: Buffer<{ HEADER + TEXT + 1 }> = Buffer::new();
        message.push(&frame.encode())?;
        message.push(self.text.bytes())?;
        self.sent.set(self.sent.get().saturating_add(1));
        socket::send(self.control, message.bytes(), fds)
    }

    /// Waits for the other side to say `point`; a descriptor that comes along is the container's state.
    pub(crate) fn hear(&mut self, point: Point) -> Result<()> {
        if let Some(fd) = self.hear_with(point)?.into_iter().flatten().next() {
            self.state = Some(fd);
        }
        Ok(())
    }

    /// As [`Context::hear`], giving the descriptors that come along.
    pub(crate) fn hear_with(&self, point: Point) -> Result<[Option<Fd>; socket::MAX_FDS]> {
        let mut word = [0u8; 1];
        let (n, fds) = socket::recv(self.control, &mut word)?;
        if n == 0 {
            return Err(Errno::EPIPE);
        }
        if word == [point as u8] { Ok(fds) } else { Err(Errno::EPROTO) }
    }

    /// As [`Context::hear`], where the operation carries the point's number.
    pub(crate) fn hear_number(&mut self, point: u32) -> Result<()> {
        use Point::{Cgroup, Hooks, Listener, Maps, Ready, Start};
        let known = [Maps, Cgroup, Hooks, Ready, Start, Listener].into_iter().find(|p| p.number() == point);
        self.hear(known.ok_or(Errno::EPROTO)?)
    }

    /// The host's /dev/null; it must be what it seems (CVE-2025-31133).
    pub(crate) fn null(&mut self) -> Result<i32> {
        if self.null.is_none() {
            let fd = open::open(c"/dev/null", open::O_PATH | open::O_NOFOLLOW)?;
            let stat = cofferdam_sys::stat::stat(fd.raw())?;
            let character = stat.mode & cofferdam_sys::mknodat::S_IFMT == cofferdam_sys::mknodat::S_IFCHR;
            if !character || (stat.rdev_major, stat.rdev_minor) != (1, 3) {
                return Err(Errno::ENODEV);
            }
            self.null = Some(fd);
        }
        self.null.as_ref().map(Fd::raw).ok_or(Errno::EBADF)
    }
}
