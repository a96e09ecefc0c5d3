//! The parent's side of the conversation: frames in, words out, failures rendered.
//!
//! Called by create, exec and start. It may not act on what it hears.

use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_child::frame::{
    BEFORE_PROGRAM, CORRUPT, DENIED, DESCRIPTOR, DONE, FAILED, Frame, HEADER, HELLO, INLINE, LISTENER,
    MESSAGE, Point, REACHED, SEALED, SUCCESSOR, TERMINAL, TEXT,
};
use cofferdam_sys::{Errno, socket};

use crate::program::{LateSteps, Step};
use crate::{Error, ErrorKind, Result};

/// What the child says.
#[derive(Debug)]
pub(crate) enum Event {
    /// Its program runs.
    Hello,
    /// An operation failed.
    Failed(Failure),
    /// It stands at a meeting point.
    Reached(u32),
    /// The terminal's master.
    Terminal(OwnedFd),
    /// Its successor's pidfd, and its number in the namespace that the child itself is in.
    Successor(OwnedFd, i32),
    /// The number of the listener in the child.
    Listener(i32),
    /// A program that it was sent has run to its end.
    Done,
    /// An operation of a program that it was sent failed.
    Denied(Failure),
    /// A descriptor that an operation was asked for.
    Descriptor(OwnedFd),
    /// Its end of the socket is closed: it executed the program, or ended.
    Gone,
}

/// A failed operation.
#[derive(Debug)]
pub(crate) struct Failure {
    index: u32,
    detail: u32,
    errno: Errno,
    text: String,
}

/// Waits for the next word.
pub(crate) fn hear(control: i32) -> Result<Event> {
    let mut buffer = [0u8; HEADER + TEXT];
    let (n, fds) = loop {
        match socket::recv(control, &mut buffer) {
            // The child has gone and left a word of ours unheard; its own words come after this.
            Err(Errno::ECONNRESET) => {}
            other => break other.map_err(|e| Error::system("waiting for the container's process", e))?,
        }
    };
    let bytes = buffer.get(..n).unwrap_or_default();
    let fd = || fds.into_iter().flatten().next().map(OwnedFd::from).ok_or_else(garbled);
    if n == 0 {
        return Ok(Event::Gone);
    }
    let frame = Frame::decode(bytes).ok_or_else(garbled)?;
    match frame.kind {
        HELLO => Ok(Event::Hello),
        REACHED => Ok(Event::Reached(frame.a)),
        TERMINAL => fd().map(Event::Terminal),
        SUCCESSOR => Ok(Event::Successor(fd()?, i32::try_from(frame.a).map_err(|_| garbled())?)),
        LISTENER => i32::try_from(frame.a).map(Event::Listener).map_err(|_| garbled()),
        DONE => Ok(Event::Done),
        DESCRIPTOR => fd().map(Event::Descriptor),
        FAILED => Ok(Event::Failed(Failure::new(frame, bytes))),
        DENIED => Ok(Event::Denied(Failure::new(frame, bytes))),
        _ => Err(garbled()),
    }
}

impl Event {
    /// What a frame says that comes without text and descriptor.
    pub(crate) fn of(frame: Frame) -> Result<Self> {
        match frame.kind {
            DONE => Ok(Self::Done),
            DENIED => Ok(Self::Denied(Failure::here(frame))),
            _ => Err(garbled()),
        }
    }
}

fn garbled() -> Error {
    Error::new(ErrorKind::System, "understanding the container's process")
}

/// Says `point`, with a descriptor if there is one.
pub(crate) fn say(control: i32, point: Point, fd: Option<i32>) -> Result<()> {
    socket::send(control, &[point as u8], fd.as_slice())
        .map_err(|e| Error::system("answering the container's process", e))
}

/// Sends a program to a child that obeys, with the descriptors that it names by their order.
pub(crate) fn tell(control: i32, program: &[u8], fds: &[i32]) -> Result<()> {
    let failed = |e| Error::system("sending a program", e);
    if program.len() < MESSAGE {
        let message = [&[INLINE], program].concat();
        return socket::send(control, &message, fds).map_err(failed);
    }
    let file = crate::image::sealed(c"cofferdam-program", program, false)?;
    let all: Vec<i32> = std::iter::once(file.as_raw_fd()).chain(fds.iter().copied()).collect();
    socket::send(control, &[SEALED], &all).map_err(failed)
}

/// Says that cgroups may be joined: these `tasks` files are theirs.
pub(crate) fn say_cgroup(control: i32, tasks: &[OwnedFd]) -> Result<()> {
    let fds: Vec<i32> = tasks.iter().map(AsRawFd::as_raw_fd).collect();
    if fds.len() > socket::MAX_FDS {
        return Err(Error::new(ErrorKind::Host, "joining cgroups").with_detail(format!(
            "{} hierarchies, at most {} are supported",
            fds.len(),
            socket::MAX_FDS
        )));
    }
    socket::send(control, &[Point::Cgroup as u8], &fds)
        .map_err(|e| Error::system("answering the container's process", e))
}

impl Failure {
    fn new(frame: Frame, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes.get(HEADER..).unwrap_or_default()).trim().to_owned();
        Self { index: frame.a, detail: frame.b, errno: Errno(frame.errno), text }
    }

    /// Of operations that ran in the calling process.
    pub(crate) fn here(frame: Frame) -> Self {
        Self::new(frame, &[])
    }

    /// The failed step, as an error.
    pub(crate) fn render(self, steps: &[Step]) -> Error {
        self.render_from(0, steps)
    }

    /// The same at `start`.
    pub(crate) fn render_late(self, late: &LateSteps) -> Error {
        self.render_from(late.first, &late.steps)
    }

    fn render_from(self, first: usize, steps: &[Step]) -> Error {
        let index = usize::try_from(self.index).ok().and_then(|i| i.checked_sub(first));
        match index.and_then(|i| steps.get(i)) {
            Some(step) => self.of_step(step),
            None if self.index == BEFORE_PROGRAM => Error::system("executing the child program", self.errno)
                .with_hint("the host may forbid executing memory files (sysctl vm.memfd_noexec)"),
            None if self.index == CORRUPT => Error::system("reading the child's program", self.errno),
            None => garbled(),
        }
    }

    fn of_step(self, step: &Step) -> Error {
        match step.op.as_ref() {
            "Find" | "Exec" => return self.of_program(step),
            "Hook" => return self.of_hook(step),
            _ => {}
        }
        let error = Error::system(step.doing.as_ref(), self.errno).with_pointer(&step.pointer);
        let error = if step.object.is_empty() { error } else { error.with_object(&step.object) };
        let error = if self.text.is_empty() { error } else { error.with_detail(kernel_words(&self.text)) };
        match hint(&step.op, self.errno) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// In the words that engines look for.
    fn of_program(self, step: &Step) -> Error {
        const NOT_IN_PATH: u32 = 1;
        let quoted = match step.op.as_ref() {
            "Exec" => format!("exec {}", step.object),
            _ => format!("exec: {:?}", step.object),
        };
        let error = Error::new(ErrorKind::Payload, quoted).with_pointer(&step.pointer);
        if step.op == "Find" && self.detail == NOT_IN_PATH && self.errno == Errno::ENOENT {
            return Error::new(
                ErrorKind::Payload,
                format!("exec: {:?}: executable file not found in $PATH", step.object),
            )
            .with_pointer(&step.pointer);
        }
        let error = match (step.op.as_ref(), self.errno) {
            ("Find", Errno::ENOENT) => {
                Error::new(ErrorKind::Payload, format!("exec: {:?}: stat {}", step.object, step.object))
                    .with_pointer(&step.pointer)
            }
            ("Exec", Errno::ENOENT) => error.with_hint("the program's interpreter or loader may be missing"),
            ("Exec", Errno::ENOEXEC) => {
                error.with_hint("the program may be for another architecture, or a script without #!")
            }
            _ => error,
        };
        error.with_errno(self.errno.0)
    }

    fn of_hook(self, step: &Step) -> Error {
        // By the container's seccomp filter (SIGSYS).
        const BAD_SYSTEM_CALL: u32 = 128 + 31;
        let error = Error::new(ErrorKind::Payload, format!("error {}", step.doing))
            .with_object(&step.object)
            .with_pointer(&step.pointer);
        let how = match (self.errno, self.detail) {
            (Errno::ETIMEDOUT, _) => "killed at its timeout".to_owned(),
            (Errno(0), BAD_SYSTEM_CALL) => "killed by signal 31: bad system call".to_owned(),
            (Errno(0), n) if n > 128 => format!("killed by signal {}", n.saturating_sub(128)),
            (Errno(0), n) => format!("exit status {n}"),
            (errno, _) => errno.to_string(),
        };
        error.with_detail(if self.text.is_empty() { how } else { format!("{how}: {}", self.text) })
    }
}

/// The kernel's words about a mount without the letter of their severity.
fn kernel_words(text: &str) -> &str {
    ["e ", "w ", "i "].iter().find_map(|letter| text.strip_prefix(letter)).unwrap_or(text)
}

/// What to do about failures whose cause is known.
fn hint(op: &str, errno: Errno) -> Option<&'static str> {
    Some(match (op, errno) {
        ("OpenRoot", Errno::ENOENT) => "the directory of root.path does not exist",
        ("Mount" | "MountLegacy", Errno::E2BIG) => "at most 256 file systems can become read-only last",
        ("Unshare", Errno::ENOSPC | Errno::EUSERS) => "a limit in /proc/sys/user/max_*_namespaces is reached",
        ("Pivot", Errno::EINVAL) => "the host's root may be a ramdisk: try --no-pivot",
        ("Mount", Errno::ENODEV) => "the kernel does not know this type of file system",
        ("Mount", Errno::ENOTDIR) => "it must be mounted on ordinary directory, not through a symbolic link",
        ("Mount" | "Bind", Errno::EROFS) => "the mount point is missing and the root filesystem is read-only",
        ("Bind" | "Mount" | "MountLegacy", Errno::EXDEV) => {
            "links of the root filesystem lead it into /proc, where nothing may be mounted"
        }
        ("Bind", Errno::EINVAL) => {
            "a directory is bound onto a directory, and what is not a directory onto a file; in a user namespace, with all that is mounted below"
        }
        ("Chdir", Errno::EXDEV) => "the working directory lies outside the container",
        ("Node", Errno::EPERM) => {
            "a user namespace or a cgroup above lets nobody make or open it, as podman's cgroup of a pod does with --cgroup-manager cgroupfs on cgroup v2"
        }
        ("Scheduler", Errno::EPERM) => {
            "process scheduler can't be used together with AllowedCPUs (SCHED_DEADLINE needs every CPU)"
        }
        ("Rlimit", Errno::EPERM) => "raising a hard limit needs CAP_SYS_RESOURCE",
        ("OpenProc", Errno::ENODEV) => "what is mounted on /proc is not a procfs",
        ("SetAttr", Errno::EINVAL) => "nothing is mounted there",
        _ => return None,
    })
}
