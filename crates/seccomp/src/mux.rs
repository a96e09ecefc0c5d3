//! The calls behind socketcall(2) and ipc(2).
//!
//! Used by `check` and `lower`. Some ABIs make socket and System V IPC calls through one call that takes the
//! wanted one as its first argument; a filter sees that number in `args[0]` and, of the rest, only a pointer.
//! So a rule for `socket` also becomes a rule for `socketcall` with argument 0 equal to `SYS_SOCKET`; the rule's
//! own condition on argument 0 is lost there, and those on others compare what they find. This is libseccomp's
//! reading, kept as it is: profiles were written against it.

/// Which call stands in front of another, and the other's number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Multiplexed {
    /// `linux/net.h`, `SYS_*`.
    Socket(u32),
    /// `linux/ipc.h`; the version in the upper half of the argument is taken to be 0.
    Ipc(u32),
}

impl Multiplexed {
    /// The call that stands in front.
    pub(crate) const fn through(self) -> &'static str {
        match self {
            Self::Socket(_) => "socketcall",
            Self::Ipc(_) => "ipc",
        }
    }

    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Socket(number) | Self::Ipc(number) => number,
        }
    }
}

/// How `name` is reached on an ABI that multiplexes.
pub(crate) fn multiplexed(name: &str) -> Option<Multiplexed> {
    use Multiplexed::{Ipc, Socket};
    Some(match name {
        "socket" => Socket(1),
        "bind" => Socket(2),
        "connect" => Socket(3),
        "listen" => Socket(4),
        "accept" => Socket(5),
        "getsockname" => Socket(6),
        "getpeername" => Socket(7),
        "socketpair" => Socket(8),
        "send" => Socket(9),
        "recv" => Socket(10),
        "sendto" => Socket(11),
        "recvfrom" => Socket(12),
        "shutdown" => Socket(13),
        "setsockopt" => Socket(14),
        "getsockopt" => Socket(15),
        "sendmsg" => Socket(16),
        "recvmsg" => Socket(17),
        "accept4" => Socket(18),
        "recvmmsg" => Socket(19),
        "sendmmsg" => Socket(20),
        "semop" => Ipc(1),
        "semget" => Ipc(2),
        "semctl" => Ipc(3),
        "semtimedop" => Ipc(4),
        "msgsnd" => Ipc(11),
        "msgrcv" => Ipc(12),
        "msgget" => Ipc(13),
        "msgctl" => Ipc(14),
        "shmat" => Ipc(21),
        "shmdt" => Ipc(22),
        "shmget" => Ipc(23),
        "shmctl" => Ipc(24),
        _ => return None,
    })
}
