//! `process.scheduler`, `process.ioPriority`, `process.execCPUAffinity` and `linux.personality`.
//!
//! Called for create and exec alike. See sched_setattr(2), ioprio_set(2), sched_setaffinity(2),
//! personality(2).

use cofferdam_oci::{ExecCpuAffinity, IoPriority, Personality, Pointer, Scheduler};

use crate::findings::Findings;
use crate::id_list;
use crate::{AffinityPlan, SchedulerPlan};

/// `SCHED_ISO` is reserved by the kernel, never implemented; the specification has it all the same.
const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

/// Judges the scheduler.
pub(crate) fn scheduler(at: &Pointer, asked: &Scheduler, findings: &mut Findings) -> Option<SchedulerPlan> {
    let at = at.key("scheduler");
    let Some(&(_, policy)) = POLICIES.iter().find(|(name, _)| *name == asked.policy) else {
        findings.reject(at.key("policy"), format!("{:?} is no scheduling policy", asked.policy));
        return None;
    };
    let mut flags = 0;
    for (i, flag) in asked.flags.iter().enumerate() {
        match FLAGS.iter().find(|(name, _)| name == flag) {
            Some((_, bit)) => flags |= bit,
            None => findings.reject(at.key("flags").index(i), format!("{flag:?} is no scheduling flag")),
        }
    }
    let nice = asked.nice.unwrap_or_default();
    if !(-20..=19).contains(&nice) {
        findings.reject(at.key("nice"), format!("{nice} is not between -20 and 19"));
    }
    let realtime = matches!(asked.policy.as_str(), "SCHED_FIFO" | "SCHED_RR");
    let priority = asked.priority.unwrap_or_default();
    if realtime && !(1..=99).contains(&priority) {
        findings.reject(at.key("priority"), format!("{priority} is not between 1 and 99"));
    } else if !realtime && priority != 0 {
        findings.reject(at.key("priority"), format!("{} has none", asked.policy));
    }
    match asked.policy.as_str() {
        "SCHED_ISO" => {
            findings.lacks(at.key("policy"), "no kernel has SCHED_ISO yet: its number is reserved")
        }
        "SCHED_DEADLINE" => deadline(&at, asked, findings),
        _ => {}
    }
    for (key, value) in [("runtime", asked.runtime), ("deadline", asked.deadline), ("period", asked.period)] {
        if asked.policy != "SCHED_DEADLINE" && value.is_some_and(|v| v != 0) {
            findings.reject(at.key(key), format!("{} has none", asked.policy));
        }
    }
    Some(SchedulerPlan {
        policy,
        flags,
        nice,
        priority: u32::try_from(priority).unwrap_or_default(),
        runtime: asked.runtime.unwrap_or_default(),
        deadline: asked.deadline.unwrap_or_default(),
        period: asked.period.unwrap_or_default(),
    })
}

/// `__checkparam_dl` of the kernel: a microsecond at least, and runtime ≤ deadline ≤ period.
fn deadline(at: &Pointer, asked: &Scheduler, findings: &mut Findings) {
    let (runtime, deadline) = (asked.runtime.unwrap_or_default(), asked.deadline.unwrap_or_default());
    let period = asked.period.filter(|period| *period != 0).unwrap_or(deadline);
    if runtime < 1024 {
        findings.reject(at.key("runtime"), format!("{runtime} is less than 1024 nanoseconds"));
    }
    if runtime > deadline {
        findings.reject(at.key("deadline"), format!("{deadline} is less than the runtime {runtime}"));
    }
    if deadline > period {
        findings.reject(at.key("period"), format!("{period} is less than the deadline {deadline}"));
    }
}

/// Judges the I/O priority: `IOPRIO_PRIO_VALUE`.
pub(crate) fn io_priority(at: &Pointer, asked: &IoPriority, findings: &mut Findings) -> Option<u32> {
    let at = at.key("ioPriority");
    let class = match asked.class.as_str() {
        "IOPRIO_CLASS_RT" => Some(1_u32),
        "IOPRIO_CLASS_BE" => Some(2),
        "IOPRIO_CLASS_IDLE" => Some(3),
        other => {
            findings.reject(at.key("class"), format!("{other:?} is no class of I/O priorities"));
            None
        }
    };
    let priority = u32::try_from(asked.priority).ok().filter(|p| *p <= 7);
    if priority.is_none() {
        findings.reject(at.key("priority"), format!("{} is not between 0 and 7", asked.priority));
    }
    Some((class? << 13) | priority?)
}

/// Judges the CPU lists.
pub(crate) fn affinity(at: &Pointer, asked: &ExecCpuAffinity, findings: &mut Findings) -> AffinityPlan {
    let at = at.key("execCPUAffinity");
    let mut mask = |key: &str, list: &Option<String>| {
        let list = list.as_deref().filter(|list| !list.is_empty())?;
        id_list::parse(list).map_err(|why| findings.reject(at.key(key), why)).ok()
    };
    AffinityPlan { initial: mask("initial", &asked.initial), last: mask("final", &asked.last) }
}

/// Judges the execution domain.
pub(crate) fn personality(asked: &Personality, findings: &mut Findings) -> Option<u32> {
    let at = Pointer::new("/linux/personality");
    if !asked.flags.is_empty() {
        findings.reject(at.key("flags").index(0), "no flag is defined by the specification");
    }
    match asked.domain.as_str() {
        "LINUX" => Some(0),
        "LINUX32" => Some(8),
        other => {
            let message = format!("{other:?} is no execution domain; there are LINUX and LINUX32");
            findings.reject(at.key("domain"), message);
            None
        }
    }
}
