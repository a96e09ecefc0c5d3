//! Which of a target's handles are entered: a set of its namespaces, its root, its working directory.
//!
//! Used by everybody here. Plain data.

use std::ops::BitOr;

use cofferdam_sys::clone3;

/// A set of handles.
///
/// ```
/// use cofferdam_nsenter::Set;
/// let set = Set::NET | Set::MNT;
/// assert!(set.contains(Set::NET) && !Set::ALL.without(Set::NET).contains(Set::NET));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(u16);

impl Set {
    /// The mount namespace.
    pub const MNT: Self = Self(1);
    /// The network namespace.
    pub const NET: Self = Self(1 << 1);
    /// The PID namespace.
    pub const PID: Self = Self(1 << 2);
    /// The IPC namespace.
    pub const IPC: Self = Self(1 << 3);
    /// The UTS namespace.
    pub const UTS: Self = Self(1 << 4);
    /// The user namespace.
    pub const USER: Self = Self(1 << 5);
    /// The cgroup namespace.
    pub const CGROUP: Self = Self(1 << 6);
    /// The time namespace.
    pub const TIME: Self = Self(1 << 7);
    /// The root directory.
    pub const ROOT: Self = Self(1 << 8);
    /// The working directory.
    pub const CWD: Self = Self(1 << 9);
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// All eight namespaces.
    pub const NAMESPACES: Self = Self(0xff);
    /// What paths depend on: mount namespace, root and working directory, and the user namespace, which says
    /// whose files are whose.
    pub const FILES: Self = Self(1 | 1 << 5 | 1 << 8 | 1 << 9);
    /// Everything.
    pub const ALL: Self = Self(0x3ff);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same but for `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Set {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A kind of namespace: its handle, its name below `/proc/PID/ns`, its bit for setns(2).
pub(crate) type Kind = (Set, &'static str, u64);

/// The eight, in the order in which they are joined. Names and addresses first, which nothing depends on;
/// mounts after the network, so that a sysfs or procfs is seen as it is; processes last, because that takes
/// effect only with the next process. The user namespace has no place here: see `join`.
pub(crate) const KINDS: [Kind; 8] = [
    (Set::CGROUP, "cgroup", clone3::CLONE_NEWCGROUP),
    (Set::IPC, "ipc", clone3::CLONE_NEWIPC),
    (Set::UTS, "uts", clone3::CLONE_NEWUTS),
    (Set::NET, "net", clone3::CLONE_NEWNET),
    (Set::TIME, "time", clone3::CLONE_NEWTIME),
    (Set::MNT, "mnt", clone3::CLONE_NEWNS),
    (Set::PID, "pid", clone3::CLONE_NEWPID),
    (Set::USER, "user", clone3::CLONE_NEWUSER),
];
