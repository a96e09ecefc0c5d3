//! `resources.memory`: the memory controller.
//!
//! Called by [`super::Limits`]. Zero is "not set" for every limit, as in runc and the Docker API.

use cofferdam_oci::{Memory, Pointer};

use super::{Limits, Target};
use crate::convert;

pub(super) fn limits(out: &mut Limits<'_>, memory: &Memory) {
    let at = out.base.key("memory");
    if memory.kernel.is_some() {
        out.ignore(&at.key("kernel"), "the kernel no longer limits it apart from memory (Linux 5.11)");
    }
    if memory.use_hierarchy.is_some() {
        out.ignore(&at.key("useHierarchy"), "memory is always accounted hierarchically (Linux 5.11)");
    }
    let limit = amount(out, memory.limit, &at.key("limit"));
    let swap = amount(out, memory.swap, &at.key("swap"));
    let reservation = amount(out, memory.reservation, &at.key("reservation"));
    let first = [(limit, "limit"), (swap, "swap"), (reservation, "reservation")];
    let mut asked: Vec<&str> = first.iter().filter(|(value, _)| *value != 0).map(|(_, name)| *name).collect();
    asked.extend(memory.kernel_tcp.filter(|tcp| *tcp != 0).map(|_| "kernelTCP"));
    asked.extend(memory.swappiness.map(|_| "swappiness"));
    asked.extend(memory.disable_oom_killer.filter(|off| *off || out.update).map(|_| "disableOOMKiller"));
    let Some(asked) = asked.first() else { return };
    let Some(target) = out.target("memory", Some("memory"), &at.key(asked)) else { return };
    if target.v2 {
        v2(out, target, &at, memory, [limit, swap, reservation]);
    } else {
        v1(out, target, &at, memory, [limit, swap, reservation]);
    }
}

/// -1 is unlimited; other negative numbers mean nothing.
fn amount(out: &mut Limits<'_>, value: Option<i64>, pointer: &Pointer) -> i64 {
    let value = value.unwrap_or(0);
    if value < -1 {
        out.reject(pointer, format!("{value} is neither a number of bytes nor -1 for unlimited"));
    }
    value
}

fn v1(
    out: &mut Limits<'_>,
    target: Target,
    at: &Pointer,
    memory: &Memory,
    [limit, swap, reservation]: [i64; 3],
) {
    if swap > 0 && limit > swap {
        out.reject(
            &at.key("swap"),
            format!("memory and swap together ({swap}) cannot be less than the limit ({limit})"),
        );
    }
    if swap > 0 && limit == 0 && !out.update {
        out.reject(&at.key("swap"), "a limit of memory and swap together needs memory.limit beside it");
    }
    // The kernel holds limit <= memsw at every moment, so which of them has to go first depends on what
    // is there: the limit is tried first, and again after memsw if it was refused.
    if limit != 0 {
        out.put(target.dir, "memory.limit_in_bytes", limit, &at.key("limit")).again = true;
    }
    // Unlimited memory without a word about swap means both.
    if swap != 0 {
        let write = out.put(target.dir, "memory.memsw.limit_in_bytes", swap, &at.key("swap"));
        // Without swap accounting "unlimited" is what there is.
        write.may_lack = swap == -1;
    } else if limit == -1 {
        out.put(target.dir, "memory.memsw.limit_in_bytes", -1, &at.key("limit")).may_lack = true;
    }
    if reservation != 0 {
        out.put(target.dir, "memory.soft_limit_in_bytes", reservation, &at.key("reservation"));
    }
    if let Some(tcp) = memory.kernel_tcp.filter(|tcp| *tcp != 0) {
        out.put(target.dir, "memory.kmem.tcp.limit_in_bytes", tcp, &at.key("kernelTCP"));
    }
    if let Some(off) = memory.disable_oom_killer.filter(|off| *off || out.update) {
        out.put(target.dir, "memory.oom_control", u8::from(off), &at.key("disableOOMKiller"));
    }
    match memory.swappiness {
        Some(value @ 0..=100) => {
            out.put(target.dir, "memory.swappiness", value, &at.key("swappiness"));
        }
        Some(value) => out.reject(&at.key("swappiness"), format!("{value} is not between 0 and 100")),
        None => {}
    }
}

fn v2(
    out: &mut Limits<'_>,
    target: Target,
    at: &Pointer,
    memory: &Memory,
    [limit, swap, reservation]: [i64; 3],
) {
    if memory.disable_oom_killer == Some(true) {
        out.v1_only(&at.key("disableOOMKiller"));
    }
    if memory.kernel_tcp.is_some_and(|tcp| tcp != 0) {
        out.v1_only(&at.key("kernelTCP"));
    }
    if memory.swappiness.is_some() {
        out.v1_only(&at.key("swappiness"));
    }
    let before = out.writes.len();
    match convert::swap_only(limit, swap) {
        Err(why) => out.reject(&at.key("swap"), why),
        Ok(None) => {}
        Ok(Some(only)) => {
            let pointer = at.key(if swap == 0 { "limit" } else { "swap" });
            // Without swap there is nothing to limit: unlimited and none are both true already.
            out.put(target.dir, "memory.swap.max", amount_v2(only), &pointer).may_lack = only <= 0;
        }
    }
    if limit != 0 {
        out.put(target.dir, "memory.max", amount_v2(limit), &at.key("limit"));
    }
    if memory.check_before_update == Some(true) {
        // Version 1 refuses a limit below what is in use; version 2 would call the OOM killer.
        let asked = [limit, swap].into_iter().filter_map(|v| u64::try_from(v).ok()).filter(|v| *v > 0).min();
        if let (Some(least), Some(write)) = (asked, out.writes.get_mut(before)) {
            write.above = Some(("memory.current".into(), least));
        }
    }
    if reservation != 0 {
        out.put(target.dir, "memory.low", amount_v2(reservation), &at.key("reservation"));
    }
}

fn amount_v2(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}
