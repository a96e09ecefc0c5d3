//! What a profile means, written down as directly as can be: no tables, no order, no words of 32 bits.

use cofferdam_oci::{Seccomp, SeccompArg, SeccompRule};
use cofferdam_seccomp::{Arch, SeccompData};

use crate::reference::action;

const X32: u32 = 0x4000_0000;

/// The action for a call under a profile whose rules for one call all have the same action.
pub(crate) fn decide(profile: &Seccomp, native: Arch, data: &SeccompData) -> u32 {
    let default = action(&profile.default_action, profile.default_errno_ret);
    let listed = profile.architectures.iter().filter_map(|name| Arch::from_name(name));
    let archs: Vec<Arch> = std::iter::once(native).chain(listed).collect();
    let same_token: Vec<Arch> = archs.into_iter().filter(|arch| arch.token() == data.arch).collect();
    let x32 = data.nr & X32 != 0 && data.nr < 0x8000_0000;
    let arch = match same_token[..] {
        [] => return 0,
        [Arch::X86_64] if data.nr >= X32 => return if data.nr == u32::MAX { default } else { 0 },
        [Arch::X32] if data.nr < X32 => return 0,
        [one] => one,
        _ if x32 => Arch::X32,
        _ => Arch::X86_64,
    };
    let decided =
        profile.syscalls.iter().find(|rule| rule.names.iter().any(|name| matches(rule, name, arch, data)));
    decided.map_or(default, |rule| action(&rule.action, rule.errno_ret))
}

fn matches(rule: &SeccompRule, name: &str, arch: Arch, data: &SeccompData) -> bool {
    if arch.call_number(name) == Some(data.nr) {
        return conditions(&rule.args, |arg| holds(arg, arch, data));
    }
    let (through, number) = behind(name);
    !through.is_empty()
        && arch.call_number(through) == Some(data.nr)
        && multiplexes(arch)
        && word(arch, data.args[0]) == number
        && conditions(&rule.args, |arg| arg.index == 0 || holds(arg, arch, data))
}

/// All of them, or any when two look at the same argument.
fn conditions(args: &[SeccompArg], holds: impl Fn(&SeccompArg) -> bool) -> bool {
    let repeated = args.iter().enumerate().any(|(i, a)| args[..i].iter().any(|b| a.index == b.index));
    if repeated { args.iter().any(holds) } else { args.iter().all(holds) }
}

fn word(arch: Arch, value: u64) -> u64 {
    let narrow =
        matches!(arch, Arch::X32 | Arch::Mips64n32 | Arch::Mipsel64n32) || arch.token() < 0x8000_0000;
    if narrow { value & 0xffff_ffff } else { value }
}

fn holds(arg: &SeccompArg, arch: Arch, data: &SeccompData) -> bool {
    let is = word(arch, data.args[usize::try_from(arg.index).unwrap()]);
    let value = word(arch, arg.value);
    match arg.op.as_str() {
        "SCMP_CMP_EQ" => is == value,
        "SCMP_CMP_NE" => is != value,
        "SCMP_CMP_LT" => is < value,
        "SCMP_CMP_LE" => is <= value,
        "SCMP_CMP_GT" => is > value,
        "SCMP_CMP_GE" => is >= value,
        _ => is & value == word(arch, arg.value_two) & value,
    }
}

fn multiplexes(arch: Arch) -> bool {
    arch.call_number("socketcall").is_some() && arch != Arch::Parisc && arch != Arch::Arm
}

/// socketcall(2) and ipc(2): the call in front, and the number there. Empty for other calls.
pub(crate) fn behind(name: &str) -> (&'static str, u64) {
    const SOCKET: &[&str] = &[
        "socket",
        "bind",
        "connect",
        "listen",
        "accept",
        "getsockname",
        "getpeername",
        "socketpair",
        "send",
        "recv",
        "sendto",
        "recvfrom",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "sendmsg",
        "recvmsg",
        "accept4",
        "recvmmsg",
        "sendmmsg",
    ];
    const IPC: &[(&str, u64)] = &[
        ("semop", 1),
        ("semget", 2),
        ("semctl", 3),
        ("semtimedop", 4),
        ("msgsnd", 11),
        ("msgrcv", 12),
        ("msgget", 13),
        ("msgctl", 14),
        ("shmat", 21),
        ("shmdt", 22),
        ("shmget", 23),
        ("shmctl", 24),
    ];
    if let Some(index) = SOCKET.iter().position(|known| *known == name) {
        return ("socketcall", u64::try_from(index).unwrap() + 1);
    }
    IPC.iter().find(|(known, _)| *known == name).map_or(("", 0), |(_, number)| ("ipc", *number))
}

/// Whether libseccomp (2.5.4) may misread the profile: several rules for a call, one of which has a range or an
/// inequality. Where paths of its program meet, it takes the word that one of them has loaded for the word it
/// wants to compare.
pub(crate) fn confuses_libseccomp(profile: &Seccomp) -> bool {
    let call = |rule: &'_ SeccompRule| match behind(&rule.names[0]).0 {
        "" => rule.names[0].clone(),
        front => front.to_owned(),
    };
    let plain = |rule: &SeccompRule| rule.args.iter().all(|arg| arg.op.ends_with("_EQ"));
    let repeated = |rule: &SeccompRule| rule.args.len() > 1;
    let calls: Vec<(String, bool, bool)> =
        profile.syscalls.iter().map(|rule| (call(rule), plain(rule), repeated(rule))).collect();
    calls.iter().enumerate().any(|(i, (name, plain, repeated))| {
        !plain && (*repeated || calls.iter().enumerate().any(|(j, other)| i != j && other.0 == *name))
    })
}
