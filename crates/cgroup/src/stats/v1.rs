//! Version 1's counters.
//!
//! Called by [`crate::Cgroup::stats`], one function per controller.

use std::collections::BTreeMap;

use super::read::{Reader, number, page_sizes};
use super::{Blkio, BlkioEntry, Cpu, CpuUsage, Cpuset, Hugetlb, Memory, MemoryEntry};
use crate::error::Error;

/// cpuacct.stat counts in USER_HZ, which is 100 on every machine that is supported.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

pub(super) fn cpu(dir: &Reader<'_>, out: &mut Cpu) -> Result<(), Error> {
    let stat = dir.keyed("cpu.stat")?;
    let get = |key: &str| stat.get(key).copied().unwrap_or(0);
    out.throttling.periods = get("nr_periods");
    out.throttling.throttled_periods = get("nr_throttled");
    out.throttling.throttled_time = get("throttled_time");
    Ok(())
}

pub(super) fn cpuacct(dir: &Reader<'_>, out: &mut CpuUsage) -> Result<(), Error> {
    out.total = dir.number_or_zero("cpuacct.usage")?;
    let stat = dir.keyed("cpuacct.stat")?;
    let ticks = |key: &str| stat.get(key).copied().unwrap_or(0).saturating_mul(NANOSECONDS_PER_TICK);
    (out.user, out.kernel) = (ticks("user"), ticks("system"));
    out.percpu =
        dir.text("cpuacct.usage_percpu")?.unwrap_or_default().split_whitespace().map(number).collect();
    // "cpu user system", then a line for each.
    for line in dir.text("cpuacct.usage_all")?.unwrap_or_default().lines().skip(1) {
        let mut words = line.split_whitespace().skip(1).map(number);
        if let (Some(user), Some(kernel)) = (words.next(), words.next()) {
            out.percpu_user.push(user);
            out.percpu_kernel.push(kernel);
        }
    }
    Ok(())
}

pub(super) fn cpuset(dir: &Reader<'_>, out: &mut Cpuset) -> Result<(), Error> {
    let flag = |name: &str| dir.number_or_zero(&format!("cpuset.{name}"));
    out.cpus = list(&dir.text("cpuset.cpus")?.unwrap_or_default());
    out.mems = list(&dir.text("cpuset.mems")?.unwrap_or_default());
    out.cpu_exclusive = flag("cpu_exclusive")?;
    out.mem_hardwall = flag("mem_hardwall")?;
    out.mem_exclusive = flag("mem_exclusive")?;
    out.memory_migrate = flag("memory_migrate")?;
    out.memory_spread_page = flag("memory_spread_page")?;
    out.memory_spread_slab = flag("memory_spread_slab")?;
    out.memory_pressure = flag("memory_pressure")?;
    out.sched_load_balance = flag("sched_load_balance")?;
    let level = dir.text("cpuset.sched_relax_domain_level")?;
    out.sched_relax_domain_level = level.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Ok(())
}

/// `0-2,7` is 0, 1, 2, 7.
fn list(text: &str) -> Vec<u16> {
    let mut out = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            out.extend(first..=last);
        }
    }
    out
}

pub(super) fn memory(dir: &Reader<'_>, out: &mut Memory) -> Result<(), Error> {
    out.raw = dir.keyed("memory.stat")?;
    out.cache = out.raw.get("cache").copied().unwrap_or(0);
    out.usage = entry(dir, "memory")?;
    out.swap = entry(dir, "memory.memsw")?;
    out.kernel = entry(dir, "memory.kmem")?;
    out.kernel_tcp = entry(dir, "memory.kmem.tcp")?;
    Ok(())
}

fn entry(dir: &Reader<'_>, prefix: &str) -> Result<MemoryEntry, Error> {
    let get = |name: &str| dir.number_or_zero(&format!("{prefix}.{name}"));
    Ok(MemoryEntry {
        limit: get("limit_in_bytes")?,
        usage: get("usage_in_bytes")?,
        max: get("max_usage_in_bytes")?,
        failcnt: get("failcnt")?,
    })
}

pub(super) fn blkio(dir: &Reader<'_>, out: &mut Blkio) -> Result<(), Error> {
    // BFQ's and CFQ's own counters where they count something, else those of the throttling layer.
    let first = |names: &[&str]| -> Result<Vec<BlkioEntry>, Error> {
        for name in names {
            let entries = entries(&dir.text(&format!("blkio.{name}"))?.unwrap_or_default());
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Ok(Vec::new())
    };
    let both = |name: &str| first(&[&format!("bfq.{name}"), name]);
    let counted = |name: &str| {
        let short = name.trim_end_matches("_recursive");
        first(&[&format!("bfq.{name}"), name, &format!("throttle.{name}"), &format!("throttle.{short}")])
    };
    out.io_service_bytes_recursive = counted("io_service_bytes_recursive")?;
    out.io_serviced_recursive = counted("io_serviced_recursive")?;
    out.io_queued_recursive = both("io_queued_recursive")?;
    out.io_service_time_recursive = both("io_service_time_recursive")?;
    out.io_wait_time_recursive = both("io_wait_time_recursive")?;
    out.io_merged_recursive = both("io_merged_recursive")?;
    out.io_time_recursive = both("time_recursive")?;
    out.sectors_recursive = both("sectors_recursive")?;
    Ok(())
}

/// `8:0 Read 124` or `8:0 124`; the last line is a total without a device.
fn entries(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let (op, value) = match (words.next()?, words.next()) {
            (op, Some(value)) => (op, value),
            (value, None) => ("", value),
        };
        Some(BlkioEntry { major: number(major), minor: number(minor), op: op.into(), value: number(value) })
    };
    text.lines().filter_map(entry).collect()
}

pub(super) fn hugetlb(dir: &Reader<'_>, out: &mut BTreeMap<String, Hugetlb>) -> Result<(), Error> {
    for size in page_sizes() {
        // What is reserved, where the kernel counts it.
        for prefix in [format!("hugetlb.{size}.rsvd"), format!("hugetlb.{size}")] {
            let Some(usage) = dir.number(&format!("{prefix}.usage_in_bytes"))? else { continue };
            let max = dir.number_or_zero(&format!("{prefix}.max_usage_in_bytes"))?;
            let failcnt = dir.number_or_zero(&format!("{prefix}.failcnt"))?;
            out.insert(size, Hugetlb { usage, max, failcnt });
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_spelled_out() {
        assert_eq!(list("0-2,7\n"), [0, 1, 2, 7]);
        assert!(list("\n").is_empty());
    }

    #[test]
    fn block_counters_are_read_with_and_without_an_operation() {
        let read = entries("8:0 Read 124\n8:16 7\nTotal 131\n");
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].op.as_str(), read[0].value), ("Read", 124));
        assert_eq!((read[1].minor, read[1].op.as_str(), read[1].value), (16, "", 7));
    }
}
