//! The bootstrap data: what runc's parent writes into the init pipe before anything else.
//!
//! Called by the stages (decoding), and by programs that start such an init (encoding). Pure: it opens
//! nothing and judges no path. Byte layout: `docs/bootstrap.md`.

mod attribute;
mod decode;
mod encode;
mod error;
mod text;

use std::path::PathBuf;

use cofferdam_sys::clone3::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER,
    CLONE_NEWUTS,
};

pub use attribute::Attribute;
pub use decode::{Header, decode};
pub use encode::encode;
pub use error::MessageError;
pub(crate) use text::lines;

use super::Release;

/// Type of the one message there is.
pub const INIT_MSG: u16 = 62000;
/// Bytes of the netlink header in front of the attributes.
pub const HEADER_LEN: usize = 16;
/// The longest message: every attribute once, each as long as its 16-bit length can say.
pub const MAX_MESSAGE: usize = HEADER_LEN + Attribute::ALL.len() * 65_536;

/// Everything the parent can ask the stages for.
///
/// ```
/// use cofferdam_nsenter::bootstrap::Release;
/// use cofferdam_nsenter::bootstrap::message::{self, Bootstrap, Kind};
/// let asked = Bootstrap { clone_flags: Kind::Network.flag(), ..Bootstrap::default() };
/// let bytes = message::encode(&asked, Release::Current).unwrap();
/// assert_eq!(bytes.len(), 16 + 8 + 8); // header, clone flags, rootless
/// assert_eq!(message::decode(&bytes, Release::Current).unwrap(), asked);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// `CLONE_NEW*` bits of the namespaces to make; see clone(2).
    pub clone_flags: u32,
    /// Namespaces to join, in this order; a user namespace is joined when the others were tried.
    pub namespaces: Vec<NamespacePath>,
    /// The program that writes a user id map which the kernel refuses to us: newuidmap(1).
    pub uid_map_tool: Option<PathBuf>,
    /// Lines of /proc/PID/uid_map; see user_namespaces(7).
    pub uid_map: Vec<IdRange>,
    /// Lines of /proc/PID/gid_map.
    pub gid_map: Vec<IdRange>,
    /// As `uid_map_tool`: newgidmap(1).
    pub gid_map_tool: Option<PathBuf>,
    /// Whether setgroups(2) is wanted inside.
    pub setgroups: bool,
    /// Value of /proc/PID/oom_score_adj, from -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Whether the caller's user id is not 0 (runc's `RootlessEUID`).
    pub rootless: bool,
    /// Lines of /proc/PID/timens_offsets; since runc 1.2.
    pub time_offsets: Vec<TimeOffset>,
    /// Bind mount sources to be opened for a user namespace, empty where none is; runc 1.1 only.
    pub mount_sources: Vec<PathBuf>,
}

/// A namespace to join.
///
/// ```
/// use cofferdam_nsenter::bootstrap::message::{Kind, NamespacePath};
/// let net = NamespacePath { kind: Kind::Network, path: "/proc/1/ns/net".into() };
/// assert_eq!(net.kind.name(), "net");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePath {
    /// What the path must lead to.
    pub kind: Kind,
    /// Where it is; without a comma, which separates the paths in the message.
    pub path: PathBuf,
}

/// The eight kinds of namespaces; see namespaces(7).
///
/// ```
/// use cofferdam_nsenter::bootstrap::message::Kind;
/// assert_eq!(Kind::from_name("mnt"), Some(Kind::Mount));
/// assert_eq!(Kind::ALL.iter().fold(0, |bits, kind| bits | kind.flag()), 0x7e02_0080);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// cgroup_namespaces(7), Linux 4.6.
    Cgroup,
    /// ipc_namespaces(7).
    Ipc,
    /// mount_namespaces(7).
    Mount,
    /// network_namespaces(7).
    Network,
    /// pid_namespaces(7).
    Pid,
    /// time_namespaces(7), Linux 5.6.
    Time,
    /// user_namespaces(7).
    User,
    /// uts_namespaces(7).
    Uts,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Cgroup, Self::Ipc, Self::Mount, Self::Network, Self::Pid, Self::Time, Self::User, Self::Uts];

    /// The name of its link in /proc/PID/ns, by which the message calls it too.
    ///
    /// ```
    /// assert_eq!(cofferdam_nsenter::bootstrap::message::Kind::Uts.name(), "uts");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Ipc => "ipc",
            Self::Mount => "mnt",
            Self::Network => "net",
            Self::Pid => "pid",
            Self::Time => "time",
            Self::User => "user",
            Self::Uts => "uts",
        }
    }

    /// The kind of this name.
    ///
    /// ```
    /// assert!(cofferdam_nsenter::bootstrap::message::Kind::from_name("mount").is_none());
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its `CLONE_NEW*` bit, of those that fit into the message's 32 bits: all.
    ///
    /// ```
    /// assert_eq!(cofferdam_nsenter::bootstrap::message::Kind::Mount.flag(), 0x20000);
    /// ```
    #[must_use]
    pub const fn flag(self) -> u32 {
        let bit = match self {
            Self::Cgroup => CLONE_NEWCGROUP,
            Self::Ipc => CLONE_NEWIPC,
            Self::Mount => CLONE_NEWNS,
            Self::Network => CLONE_NEWNET,
            Self::Pid => CLONE_NEWPID,
            Self::Time => CLONE_NEWTIME,
            Self::User => CLONE_NEWUSER,
            Self::Uts => CLONE_NEWUTS,
        };
        1 << bit.trailing_zeros()
    }
}

/// One line of an id map.
///
/// ```
/// use cofferdam_nsenter::bootstrap::message::IdRange;
/// let line = IdRange { inside: 0, outside: 100_000, count: 65_536 };
/// assert_eq!(line.to_string(), "0 100000 65536");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first id inside.
    pub inside: u32,
    /// The id outside that it stands for.
    pub outside: u32,
    /// How many follow one another.
    pub count: u32,
}

/// One line of /proc/PID/timens_offsets; see time_namespaces(7).
///
/// ```
/// use cofferdam_nsenter::bootstrap::message::{Clock, TimeOffset};
/// let offset = TimeOffset { clock: Clock::Boottime, seconds: -10, nanoseconds: 500 };
/// assert_eq!(offset.to_string(), "boottime -10 500");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOffset {
    /// Which clock.
    pub clock: Clock,
    /// Seconds that are added to it.
    pub seconds: i64,
    /// Nanoseconds that are added, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// The clocks that a time namespace can move.
///
/// ```
/// assert_eq!(cofferdam_nsenter::bootstrap::message::Clock::Monotonic.name(), "monotonic");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// `CLOCK_BOOTTIME`.
    Boottime,
}

impl Clock {
    /// Its name in the kernel's file.
    ///
    /// ```
    /// assert_eq!(cofferdam_nsenter::bootstrap::message::Clock::Boottime.name(), "boottime");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monotonic => "monotonic",
            Self::Boottime => "boottime",
        }
    }
}

/// Bytes up to the next multiple of four, where the next attribute starts.
const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// What attribute 27290 means.
const fn last_attribute(release: Release) -> Attribute {
    match release {
        Release::V1_0 => Attribute::MountSources,
        _ => Attribute::TimeOffsets,
    }
}
