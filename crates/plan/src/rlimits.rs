//! `process.rlimits`.
//!
//! Called for create and exec alike. See getrlimit(2).

use cofferdam_oci::{Pointer, Rlimit};

use crate::RlimitPlan;
use crate::findings::Findings;

/// Names by number, as in `asm-generic/resource.h`: x86, arm, riscv, powerpc, s390 and loongarch use it.
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

/// The number of a resource, from its name.
///
/// ```
/// assert_eq!(cofferdam_plan::rlimit_number("RLIMIT_NOFILE"), Some(7));
/// ```
#[must_use]
pub fn rlimit_number(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).and_then(|n| u32::try_from(n).ok())
}

/// Judges all limits.
pub(crate) fn decide(at: &Pointer, limits: &[Rlimit], findings: &mut Findings) -> Vec<RlimitPlan> {
    let list = at.key("rlimits");
    let mut result: Vec<RlimitPlan> = Vec::new();
    for (i, limit) in limits.iter().enumerate() {
        let at = list.index(i);
        let Some(resource) = rlimit_number(&limit.kind) else {
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
