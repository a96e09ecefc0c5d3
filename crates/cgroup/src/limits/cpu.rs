//! `resources.cpu`: the cpu and cpuset controllers.
//!
//! Called by [`super::Limits`]. Zero is "not set" for shares, quota and periods, as in runc.

use cofferdam_oci::{Cpu, Pointer};

use super::{Limits, Target};
use crate::convert;

/// cpu.cfs_period_us and the second number of cpu.max, when nothing else is said.
const DEFAULT_PERIOD: u64 = 100_000;

pub(super) fn limits(out: &mut Limits<'_>, cpu: &Cpu) {
    let at = out.base.key("cpu");
    time(out, cpu, &at);
    for (name, value) in [("cpus", &cpu.cpus), ("mems", &cpu.mems)] {
        let Some(list) = value.as_deref().filter(|l| !l.is_empty()) else { continue };
        let pointer = at.key(name);
        if !convert::is_list(list) {
            out.reject(&pointer, format!("{list:?} is not a list such as 0-3,7"));
        }
        if let Some(target) = out.target("cpuset", Some("cpuset"), &pointer) {
            out.put(target.dir, &format!("cpuset.{name}"), list, &pointer);
        }
    }
}

fn time(out: &mut Limits<'_>, cpu: &Cpu, at: &Pointer) {
    let set = |value: Option<u64>| value.filter(|v| *v != 0);
    let quota = cpu.quota.filter(|q| *q != 0);
    let real_time = [
        ("realtimePeriod", set(cpu.realtime_period).map(|v| v.to_string())),
        ("realtimeRuntime", cpu.realtime_runtime.filter(|v| *v != 0).map(|v| v.to_string())),
    ];
    let asked = [
        ("shares", set(cpu.shares).is_some()),
        ("quota", quota.is_some()),
        ("period", set(cpu.period).is_some()),
        ("burst", cpu.burst.is_some()),
        ("idle", cpu.idle.is_some()),
        ("realtimePeriod", real_time[0].1.is_some()),
        ("realtimeRuntime", real_time[1].1.is_some()),
    ];
    let Some((name, _)) = asked.iter().find(|(_, set)| *set) else { return };
    let Some(target) = out.target("cpu", Some("cpu"), &at.key(name)) else { return };
    if let (Some(burst), Some(quota)) = (cpu.burst, quota.and_then(|q| u64::try_from(q).ok()))
        && burst > quota
    {
        out.reject(&at.key("burst"), format!("{burst} is more than the quota of {quota}"));
    }
    if cpu.idle.is_some_and(|idle| !(0..=1).contains(&idle)) {
        out.reject(&at.key("idle"), "it is 0 or 1");
    }
    shares(out, cpu, at, target);
    if target.v2 {
        for (name, value) in &real_time {
            if value.is_some() {
                out.v1_only(&at.key(name));
            }
        }
        bandwidth_v2(out, cpu, at, target, quota);
    } else {
        bandwidth_v1(out, cpu, at, target, quota);
        for ((name, value), file) in real_time.into_iter().zip(["cpu.rt_period_us", "cpu.rt_runtime_us"]) {
            if let Some(value) = value {
                out.put(target.dir, file, value, &at.key(name)).again = true;
            }
        }
    }
    if let Some(idle) = cpu.idle {
        out.put(target.dir, "cpu.idle", idle, &at.key("idle"));
    }
}

fn shares(out: &mut Limits<'_>, cpu: &Cpu, at: &Pointer, target: Target) {
    let Some(shares) = cpu.shares.filter(|s| *s != 0) else { return };
    let pointer = at.key("shares");
    if target.v2 {
        out.put(target.dir, "cpu.weight", convert::shares_to_weight(shares), &pointer).again = true;
    } else if (2..=262_144).contains(&shares) {
        // An idle group refuses shares until idle is taken back.
        out.put(target.dir, "cpu.shares", shares, &pointer).again = true;
    } else {
        // The kernel would take another number without a word.
        out.reject(&pointer, format!("{shares} is not between 2 and 262144"));
    }
}

/// Period, burst and quota bound each other and what the parent allows: whichever is refused is tried
/// again after the others.
fn bandwidth_v1(out: &mut Limits<'_>, cpu: &Cpu, at: &Pointer, target: Target, quota: Option<i64>) {
    if let Some(period) = cpu.period.filter(|p| *p != 0) {
        out.put(target.dir, "cpu.cfs_period_us", period, &at.key("period")).again = true;
    }
    if let Some(burst) = cpu.burst {
        let write = out.put(target.dir, "cpu.cfs_burst_us", burst, &at.key("burst"));
        (write.again, write.may_lack) = (true, true);
    }
    if let Some(quota) = quota {
        out.put(target.dir, "cpu.cfs_quota_us", quota, &at.key("quota")).again = true;
    }
}

fn bandwidth_v2(out: &mut Limits<'_>, cpu: &Cpu, at: &Pointer, target: Target, quota: Option<i64>) {
    let period = cpu.period.filter(|p| *p != 0);
    if let Some(burst) = cpu.burst {
        out.put(target.dir, "cpu.max.burst", burst, &at.key("burst")).again = true;
    }
    if quota.is_none() && period.is_none() {
        return;
    }
    let amount = match quota {
        Some(quota) if quota > 0 => quota.to_string(),
        _ => "max".into(),
    };
    let pointer = at.key(if quota.is_some() { "quota" } else { "period" });
    out.put(target.dir, "cpu.max", format!("{amount} {}", period.unwrap_or(DEFAULT_PERIOD)), &pointer)
        .again = true;
}
