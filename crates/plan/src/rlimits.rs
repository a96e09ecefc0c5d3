//! `process.rlimits`.
//!
//! Called for create and exec alike. See getrlimit(2).

use cofferdam_oci::{Pointer, Rlimit};
use cofferdam_seccomp::Arch;

use crate::RlimitPlan;
use crate::findings::Findings;

/// Names by number, as in `asm-generic/resource.h`.
const NAMES: [&str; 16] = [
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_DATA",
    "RLIMIT_STACK",
    "RLIMIT_CORE",
    "RLIMIT_RSS",
    "RLIMIT_NPROC",
    "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",
    "RLIMIT_AS",
    "RLIMIT_LOCKS",
    "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
];

/// What differs on MIPS, as in its `asm/resource.h`; no other architecture with seccomp differs.
const MIPS: [(&str, u32); 5] =
    [("RLIMIT_NOFILE", 5), ("RLIMIT_AS", 6), ("RLIMIT_RSS", 7), ("RLIMIT_NPROC", 8), ("RLIMIT_MEMLOCK", 9)];

/// Names of resource limits, by number on every architecture but MIPS.
///
/// ```
/// assert_eq!(cofferdam_plan::known_rlimits()[7], "RLIMIT_NOFILE");
/// ```
#[must_use]
pub fn known_rlimits() -> &'static [&'static str] {
    &NAMES
}

/// The number of a resource on an architecture, from its name.
///
/// ```
/// use cofferdam_seccomp::Arch;
/// assert_eq!(cofferdam_plan::rlimit_number("RLIMIT_NOFILE", Arch::X86_64), Some(7));
/// assert_eq!(cofferdam_plan::rlimit_number("RLIMIT_NOFILE", Arch::Mips64), Some(5));
/// ```
#[must_use]
pub fn rlimit_number(name: &str, arch: Arch) -> Option<u32> {
    use Arch::{Mips, Mips64, Mips64n32, Mipsel, Mipsel64, Mipsel64n32};
    let mips = matches!(arch, Mips | Mips64 | Mips64n32 | Mipsel | Mipsel64 | Mipsel64n32);
    if let Some((_, number)) = MIPS.iter().find(|(known, _)| mips && *known == name) {
        return Some(*number);
    }
    NAMES.iter().position(|known| *known == name).and_then(|n| u32::try_from(n).ok())
}

/// Judges all limits.
pub(crate) fn decide(
    at: &Pointer,
    limits: &[Rlimit],
    arch: Arch,
    findings: &mut Findings,
) -> Vec<RlimitPlan> {
    let list = at.key("rlimits");
    let mut result: Vec<RlimitPlan> = Vec::new();
    for (i, limit) in limits.iter().enumerate() {
        let at = list.index(i);
        let Some(resource) = rlimit_number(&limit.kind, arch) else {
            findings.reject(at.key("type"), format!("{:?} is no resource limit", limit.kind));
            continue;
        };
        if result.iter().any(|r| r.resource == resource) {
            findings.reject(at.key("type"), format!("a second {}", limit.kind));
        }
        if limit.soft > limit.hard {
            findings
                .reject(at.key("soft"), format!("{} is more than the hard limit {}", limit.soft, limit.hard));
        }
        result.push(RlimitPlan { pointer: at, resource, soft: limit.soft, hard: limit.hard });
    }
    result
}
