//! The profile of what was counted: an allow-list and nothing else.
//!
//! Called by the command `learn`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cofferdam_oci::{Seccomp, SeccompArg, SeccompRule};
use cofferdam_seccomp::Arch;

use super::count::{Counts, Narrowed, narrowed};

const EPERM: u32 = 1;
const INT: u64 = 0xffff_ffff;

/// What a runtime itself calls between installing the filter and executing the program: found by taking one call
/// after another out of its profile, with `noNewPrivileges` and without. A program in Go also needs what its own
/// runtime may call at any moment.
const RUNTIMES: [(&str, &str); 3] = [
    ("cofferdam", "capset execve mmap prctl"),
    (
        "runc",
        "capget capset chdir close epoll_ctl epoll_pwait execve faccessat faccessat2 fcntl fdatasync fstat fstatfs \
         futex getcwd getdents64 getpid getppid gettid madvise mmap munmap nanosleep newfstatat openat prctl read \
         rt_sigaction rt_sigprocmask rt_sigreturn sched_yield setgid setgroups setuid sigaltstack tgkill write",
    ),
    ("crun", "capset execve prctl rt_sigaction rt_sigprocmask setresgid setresuid write"),
];

/// The smallest profile that allows what was counted, and what these runtimes need besides.
pub(crate) fn profile(counts: &Counts, native: Arch, runtimes: &[String]) -> Seccomp {
    let needs = RUNTIMES.iter().filter(|(name, _)| runtimes.iter().any(|wanted| wanted == name));
    let mut plain: BTreeSet<&str> = needs.flat_map(|(_, calls)| calls.split_whitespace()).collect();
    plain.extend(&counts.unseen);
    let mut narrow: BTreeMap<&str, Vec<SeccompArg>> = BTreeMap::new();
    let mut archs = BTreeSet::new();
    for (arch, number, count) in counts.all() {
        let Some(name) = arch.call_name(number) else { continue };
        archs.insert(arch.name());
        match (narrowed(name, arch), &count.values) {
            (Some(Narrowed::Values), Some(values)) => {
                let rules = values.iter().map(|value| masked(INT, *value));
                narrow.entry(name).or_default().extend(rules);
            }
            (Some(Narrowed::Bits(mask)), _) if mask & !count.bits != 0 => {
                narrow.entry(name).or_default().push(masked(mask & !count.bits, 0));
            }
            _ => {
                plain.insert(name);
            }
        }
    }
    archs.insert(native.name());
    let allow = |names: Vec<String>, args: Vec<SeccompArg>| SeccompRule {
        names,
        action: "SCMP_ACT_ALLOW".to_owned(),
        errno_ret: None,
        args,
    };
    let mut syscalls = vec![allow(plain.iter().map(ToString::to_string).collect(), Vec::new())];
    syscalls.retain(|rule| !rule.names.is_empty());
    for (name, mut args) in narrow.into_iter().filter(|(name, _)| !plain.contains(name)) {
        args.dedup();
        syscalls.extend(args.into_iter().map(|arg| allow(vec![name.to_owned()], vec![arg])));
    }
    Seccomp {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        default_errno_ret: Some(EPERM),
        architectures: archs.into_iter().map(str::to_owned).collect(),
        syscalls,
        ..Seccomp::default()
    }
}

/// The first argument, cut to `mask`, is `value`.
fn masked(mask: u64, value: u64) -> SeccompArg {
    SeccompArg { index: 0, value: mask, value_two: value, op: "SCMP_CMP_MASKED_EQ".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_oci::Pointer;
    use cofferdam_seccomp::{SeccompData, compile, interpret};

    const ALLOW: u32 = 0x7fff_0000;

    fn counted(calls: &[(&str, u64)]) -> Counts {
        let mut counts = Counts::default();
        for (name, first) in calls {
            let number = Arch::X86_64.call_number(name).unwrap();
            counts.add(Some(Arch::X86_64), number, [*first, 0, 0, 0, 0, 0]);
        }
        counts
    }

    #[test]
    fn the_profile_allows_what_was_called_and_nothing_else() {
        let called = [("read", 0), ("socket", 2), ("socket", 10), ("clone", 0x11), ("personality", 8)];
        let profile = profile(&counted(&called), Arch::X86_64, &[]);
        let filter = compile(&profile, &Pointer::root(), Arch::X86_64).unwrap();
        let answer = |name: &str, first| {
            let number = Arch::X86_64.call_number(name).unwrap();
            interpret::run(&filter, &SeccompData::new(Arch::X86_64, number, [first, 0, 0, 0, 0, 0]))
        };
        for (name, first) in called {
            assert_eq!(answer(name, first), ALLOW, "{name} {first}");
        }
        let not_called =
            [("write", 0), ("socket", 16), ("clone", 0x1000_0000), ("personality", 0), ("socketpair", 1)];
        for (name, first) in not_called {
            assert_ne!(answer(name, first), ALLOW, "{name} {first}");
        }
    }

    #[test]
    fn namespaces_that_were_made_stay_allowed_and_others_do_not() {
        let profile = profile(&counted(&[("clone", 0x1000_0011)]), Arch::X86_64, &[]);
        assert_eq!(profile.syscalls[0].args, [masked(0x6e02_0000, 0)]);
    }

    #[test]
    fn what_a_runtime_needs_is_added_when_it_is_named() {
        let names = |runtimes: &[&str]| {
            let runtimes: Vec<String> = runtimes.iter().map(ToString::to_string).collect();
            profile(&counted(&[("read", 0)]), Arch::X86_64, &runtimes).syscalls[0].names.clone()
        };
        assert_eq!(names(&[]), ["read"]);
        assert_eq!(names(&["cofferdam"]), ["capset", "execve", "mmap", "prctl", "read"]);
    }

    #[test]
    fn other_abis_are_named() {
        let mut counts = counted(&[("read", 0)]);
        counts.add(Some(Arch::X86), 3, [0; 6]);
        let profile = profile(&counts, Arch::X86_64, &[]);
        assert_eq!(profile.architectures, ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]);
        assert_eq!(profile.syscalls.len(), 1);
    }
}
