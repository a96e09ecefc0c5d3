//! Version 1's counters.
//!
//! Called by [`crate::Cgroup::usage`], one function per controller.

use std::collections::BTreeMap;

use super::read::{Reader, number};
use super::{Counter, Cpu, Io, Memory};
use crate::error::Error;
use crate::plan::Version;
use crate::stats::{BlkioEntry, Cpuset, Throttling};

/// cpuacct.stat counts in USER_HZ, which is 100 on every machine that is supported.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

pub(super) fn cpu(dir: &Reader<'_>, out: &mut Cpu) -> Result<(), Error> {
    let Some(stat) = dir.keyed("cpu.stat")? else { return Ok(()) };
    let get = |key: &str| stat.get(key).copied().unwrap_or(0);
    out.throttling = Some(Throttling {
        periods: get("nr_periods"),
        throttled_periods: get("nr_throttled"),
        throttled_time: get("throttled_time"),
    });
    Ok(())
}

pub(super) fn cpuacct(dir: &Reader<'_>, out: &mut Cpu) -> Result<(), Error> {
    out.total = dir.number("cpuacct.usage")?;
    let stat = dir.keyed("cpuacct.stat")?.unwrap_or_default();
    let ticks = |key: &str| stat.get(key).map(|ticks| ticks.saturating_mul(NANOSECONDS_PER_TICK));
    (out.user, out.kernel) = (ticks("user"), ticks("system"));
    let numbers = |text: String| text.split_whitespace().map(number).collect();
    out.by_cpu = dir.text("cpuacct.usage_percpu")?.map(numbers);
    if let Some(all) = dir.text("cpuacct.usage_all")? {
        // "cpu user system", then a line for each.
        let line = |line: &str| {
            let mut words = line.split_whitespace().skip(1).map(number);
            Some((words.next()?, words.next()?))
        };
        let (user, kernel) = all.lines().skip(1).filter_map(line).unzip();
        (out.by_cpu_user, out.by_cpu_kernel) = (Some(user), Some(kernel));
    }
    Ok(())
}

pub(super) fn cpuset(dir: &Reader<'_>) -> Result<Cpuset, Error> {
    let flag = |name: &str| Ok(dir.number(&format!("cpuset.{name}"))?.unwrap_or(0));
    let level = dir.text("cpuset.sched_relax_domain_level")?;
    Ok(Cpuset {
        cpus: list(&dir.text("cpuset.cpus")?.unwrap_or_default()),
        mems: list(&dir.text("cpuset.mems")?.unwrap_or_default()),
        cpu_exclusive: flag("cpu_exclusive")?,
        mem_hardwall: flag("mem_hardwall")?,
        mem_exclusive: flag("mem_exclusive")?,
        memory_migrate: flag("memory_migrate")?,
        memory_spread_page: flag("memory_spread_page")?,
        memory_spread_slab: flag("memory_spread_slab")?,
        memory_pressure: flag("memory_pressure")?,
        sched_load_balance: flag("sched_load_balance")?,
        sched_relax_domain_level: level.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
    })
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
    out.stat = dir.keyed("memory.stat")?;
    let stat = |key: &str| out.stat.as_ref().and_then(|stat| stat.get(key).copied());
    (out.cache, out.swap) = (stat("cache"), stat("swap"));
    out.usage = counter(dir, "memory")?;
    out.with_swap = counter(dir, "memory.memsw")?;
    out.kernel = counter(dir, "memory.kmem")?;
    out.kernel_tcp = counter(dir, "memory.kmem.tcp")?;
    out.version = Some(Version::V1);
    Ok(())
}

fn counter(dir: &Reader<'_>, prefix: &str) -> Result<Counter, Error> {
    let get = |name: &str| dir.number(&format!("{prefix}.{name}"));
    Ok(Counter {
        used: get("usage_in_bytes")?,
        peak: get("max_usage_in_bytes")?,
        limit: get("limit_in_bytes")?,
        refused: get("failcnt")?,
    })
}

pub(super) fn blkio(dir: &Reader<'_>, out: &mut Io) -> Result<(), Error> {
    // The first that counts something; else whether any is there.
    let first = |names: &[&str]| -> Result<Option<Vec<BlkioEntry>>, Error> {
        let mut found = None;
        for name in names {
            let Some(text) = dir.text(&format!("blkio.{name}"))? else { continue };
            let counted = entries(&text);
            if !counted.is_empty() {
                return Ok(Some(counted));
            }
            found = Some(counted);
        }
        Ok(found)
    };
    let both = |name: &str| first(&[&format!("bfq.{name}"), name]);
    let counted = |name: &str| {
        let short = name.trim_end_matches("_recursive");
        first(&[&format!("bfq.{name}"), name, &format!("throttle.{name}"), &format!("throttle.{short}")])
    };
    out.bytes = counted("io_service_bytes_recursive")?;
    out.operations = counted("io_serviced_recursive")?;
    out.queued = both("io_queued_recursive")?;
    out.service_time = both("io_service_time_recursive")?;
    out.wait_time = both("io_wait_time_recursive")?;
    out.merged = both("io_merged_recursive")?;
    out.time = both("time_recursive")?;
    out.sectors = both("sectors_recursive")?;
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

pub(super) fn hugetlb(dir: &Reader<'_>) -> Result<Option<BTreeMap<String, Counter>>, Error> {
    let mut sizes = BTreeMap::new();
    for size in dir.page_sizes() {
        // What is reserved, where the kernel counts it.
        let mut found = counter(dir, &format!("hugetlb.{size}.rsvd"))?;
        if found.used.is_none() {
            found = counter(dir, &format!("hugetlb.{size}"))?;
        }
        sizes.insert(size, found);
    }
    Ok((!sizes.is_empty()).then_some(sizes))
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
