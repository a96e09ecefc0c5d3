//! The two small languages: what the child says to the parent, and what the parent says to the child.
//!
//! One message of a `SOCK_SEQPACKET` socket is one frame. No text is formatted: the child sends numbers
//! (and at most the kernel's or a hook's own words), the parent renders them.

/// The child's program runs: its parent's memory is no longer shared.
pub const HELLO: u32 = 1;
/// Operation `a` failed with `errno`; `b` says more for some operations. Text may follow.
pub const FAILED: u32 = 2;
/// The child stands at meeting point `a` and waits.
pub const REACHED: u32 = 3;
/// A terminal's master comes with this frame.
pub const TERMINAL: u32 = 4;
/// The child made its successor, whose number is `a` and whose pidfd comes with this frame, and ends.
pub const SUCCESSOR: u32 = 5;
/// The listener's descriptor has number `a` in the child.
pub const LISTENER: u32 = 6;

/// A program that was received (`Op::Obey`) has run to its end; `a` is how many operations it had.
pub const DONE: u32 = 7;
/// As [`FAILED`], of an operation of a program that was received; the next may come.
pub const DENIED: u32 = 9;
/// A descriptor that an operation was asked for comes with this frame.
pub const DESCRIPTOR: u32 = 8;

/// First byte of a message to a process that obeys (`Op::Obey`): the program is the rest of it. The
/// descriptors that come along are the program's.
pub const INLINE: u8 = b'p';
/// The same: the program is the content of a sealed file, the first descriptor that comes along. The others
/// are the program's.
pub const SEALED: u8 = b'P';
/// Most bytes of an [`INLINE`] message.
pub const MESSAGE: usize = 4096;

/// Size of a frame without text, in bytes.
pub const HEADER: usize = 16;
/// Most text, in bytes.
pub const TEXT: usize = 496;
/// `a` of [`FAILED`] before the first operation: the program could not be executed.
pub const BEFORE_PROGRAM: u32 = u32::MAX;
/// `a` of [`FAILED`] when the program cannot be read.
pub const CORRUPT: u32 = u32::MAX - 1;

/// What the child says.
///
/// ```
/// use cofferdam_child::frame::*;
/// let f = Frame { kind: FAILED, a: 7, b: 0, errno: 2 };
/// assert_eq!(Frame::decode(&f.encode()), Some(f));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One of the constants above.
    pub kind: u32,
    /// See there.
    pub a: u32,
    /// See there.
    pub b: u32,
    /// Error number.
    pub errno: i32,
}

impl Frame {
    /// As bytes; the error number comes last, where the first stage overwrites it.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER] {
        let ([k0, k1, k2, k3], [a0, a1, a2, a3]) = (self.kind.to_ne_bytes(), self.a.to_ne_bytes());
        let ([b0, b1, b2, b3], [e0, e1, e2, e3]) = (self.b.to_ne_bytes(), self.errno.to_ne_bytes());
        [k0, k1, k2, k3, a0, a1, a2, a3, b0, b1, b2, b3, e0, e1, e2, e3]
    }

    /// From bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied();
        Some(Self {
            kind: u32::from_ne_bytes(word(0)?),
            a: u32::from_ne_bytes(word(4)?),
            b: u32::from_ne_bytes(word(8)?),
            errno: i32::from_ne_bytes(word(12)?),
        })
    }

    /// As two numbers: what a process that parks (`Op::Park`) says by the arguments of its call.
    #[must_use]
    pub fn words(self) -> [u64; 2] {
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        [pair(self.kind, self.a), pair(self.b, self.errno.cast_unsigned())]
    }

    /// From two numbers; nothing was said when they are 0.
    ///
    /// ```
    /// use cofferdam_child::frame::*;
    /// let f = Frame { kind: DENIED, a: 7, b: 1, errno: -2 };
    /// assert_eq!((Frame::from_words(f.words()), Frame::from_words([0; 2])), (Some(f), None));
    /// ```
    #[must_use]
    pub fn from_words([first, second]: [u64; 2]) -> Option<Self> {
        let low = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
        let (kind, a, b) = (low(first >> 32), low(first), low(second >> 32));
        (kind != 0).then_some(Self { kind, a, b, errno: low(second).cast_signed() })
    }
}

/// Where parent and child meet. The parent answers a meeting with one byte, the point's number, and
/// perhaps a descriptor (the container's state, for hooks).
///
/// ```
/// use cofferdam_child::frame::Point;
/// assert_eq!(Point::Maps.number(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Point {
    /// The user namespace's id maps are written.
    Maps = 1,
    /// The process is in its cgroups.
    Cgroup = 2,
    /// Namespaces and mounts are made: the runtime's hooks run, network devices move in.
    Hooks = 3,
    /// The container is made; the parent has written that down.
    Ready = 4,
    /// The user's program may run.
    Start = 5,
    /// The seccomp agent has the listener.
    Listener = 6,
}

impl Point {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }
}
