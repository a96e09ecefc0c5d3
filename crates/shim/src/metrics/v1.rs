//! Metrics of cgroup version 1: units are bytes and nanoseconds, as the library's.

use std::collections::BTreeMap;

use cofferdam::cgroup::BlkioEntry;
use cofferdam::cgroup::usage::{Counter, Cpu, Io, Memory, Usage};
use containerd_shim_protos::cgroups::metrics::{
    BlkIOEntry, BlkIOStat, CPUStat, CPUUsage, HugetlbStat, MemoryEntry, MemoryStat, Metrics, PidsStat,
    Throttle,
};
use containerd_shim_protos::protobuf::MessageField;

pub(super) fn metrics(usage: &Usage) -> Metrics {
    let pids = PidsStat {
        current: usage.tasks.current.or(usage.tasks.processes).unwrap_or_default(),
        limit: usage.tasks.limit.unwrap_or_default(),
        ..Default::default()
    };
    let hugetlb = usage.hugetlb.iter().flatten().map(|(size, counter)| HugetlbStat {
        usage: counter.used.unwrap_or_default(),
        max: counter.peak.unwrap_or_default(),
        failcnt: counter.refused.unwrap_or_default(),
        pagesize: size.clone(),
        ..Default::default()
    });
    Metrics {
        hugetlb: hugetlb.collect(),
        pids: MessageField::some(pids),
        cpu: MessageField::some(cpu(&usage.cpu)),
        memory: MessageField::some(memory(&usage.memory)),
        blkio: MessageField::some(blkio(&usage.io)),
        ..Default::default()
    }
}

fn cpu(cpu: &Cpu) -> CPUStat {
    let throttling = cpu.throttling.as_ref().map(|t| Throttle {
        periods: t.periods,
        throttled_periods: t.throttled_periods,
        throttled_time: t.throttled_time,
        ..Default::default()
    });
    let usage = CPUUsage {
        total: cpu.total.unwrap_or_default(),
        kernel: cpu.kernel.unwrap_or_default(),
        user: cpu.user.unwrap_or_default(),
        per_cpu: cpu.by_cpu.clone().unwrap_or_default(),
        ..Default::default()
    };
    CPUStat { usage: MessageField::some(usage), throttling: throttling.into(), ..Default::default() }
}

fn memory(memory: &Memory) -> MemoryStat {
    let none = BTreeMap::new();
    let stat = memory.stat.as_ref().unwrap_or(&none);
    let of = |key: &str| stat.get(key).copied().unwrap_or_default();
    MemoryStat {
        cache: of("cache"),
        rss: of("rss"),
        rss_huge: of("rss_huge"),
        mapped_file: of("mapped_file"),
        dirty: of("dirty"),
        writeback: of("writeback"),
        pg_pg_in: of("pgpgin"),
        pg_pg_out: of("pgpgout"),
        pg_fault: of("pgfault"),
        pg_maj_fault: of("pgmajfault"),
        inactive_anon: of("inactive_anon"),
        active_anon: of("active_anon"),
        inactive_file: of("inactive_file"),
        active_file: of("active_file"),
        unevictable: of("unevictable"),
        hierarchical_memory_limit: of("hierarchical_memory_limit"),
        hierarchical_swap_limit: of("hierarchical_memsw_limit"),
        total_cache: of("total_cache"),
        total_rss: of("total_rss"),
        total_rss_huge: of("total_rss_huge"),
        total_mapped_file: of("total_mapped_file"),
        total_dirty: of("total_dirty"),
        total_writeback: of("total_writeback"),
        total_pg_pg_in: of("total_pgpgin"),
        total_pg_pg_out: of("total_pgpgout"),
        total_pg_fault: of("total_pgfault"),
        total_pg_maj_fault: of("total_pgmajfault"),
        total_inactive_anon: of("total_inactive_anon"),
        total_active_anon: of("total_active_anon"),
        total_inactive_file: of("total_inactive_file"),
        total_active_file: of("total_active_file"),
        total_unevictable: of("total_unevictable"),
        usage: entry(&memory.usage),
        swap: entry(&memory.with_swap),
        kernel: entry(&memory.kernel),
        kernel_tcp: entry(&memory.kernel_tcp),
        ..Default::default()
    }
}

fn entry(counter: &Counter) -> MessageField<MemoryEntry> {
    MessageField::some(MemoryEntry {
        limit: counter.limit.unwrap_or_default(),
        usage: counter.used.unwrap_or_default(),
        max: counter.peak.unwrap_or_default(),
        failcnt: counter.refused.unwrap_or_default(),
        ..Default::default()
    })
}

fn blkio(io: &Io) -> BlkIOStat {
    BlkIOStat {
        io_service_bytes_recursive: entries(io.bytes.as_deref()),
        io_serviced_recursive: entries(io.operations.as_deref()),
        io_queued_recursive: entries(io.queued.as_deref()),
        io_service_time_recursive: entries(io.service_time.as_deref()),
        io_wait_time_recursive: entries(io.wait_time.as_deref()),
        io_merged_recursive: entries(io.merged.as_deref()),
        io_time_recursive: entries(io.time.as_deref()),
        sectors_recursive: entries(io.sectors.as_deref()),
        ..Default::default()
    }
}

fn entries(entries: Option<&[BlkioEntry]>) -> Vec<BlkIOEntry> {
    let entry = |entry: &BlkioEntry| BlkIOEntry {
        op: entry.op.clone(),
        device: crate::metrics::device(entry.major, entry.minor),
        major: entry.major,
        minor: entry.minor,
        value: entry.value,
        ..Default::default()
    };
    entries.unwrap_or_default().iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_there_and_what_is_not_is_zero() {
        let mut usage = Usage::default();
        usage.memory.usage = Counter { used: Some(7), limit: Some(9), ..Counter::default() };
        usage.memory.stat = Some([("total_rss".to_owned(), 5)].into());
        usage.cpu.total = Some(3);
        let metrics = metrics(&usage);
        assert_eq!(
            (metrics.memory.usage.usage, metrics.memory.usage.limit, metrics.memory.total_rss),
            (7, 9, 5)
        );
        assert_eq!(
            (metrics.cpu.usage.total, metrics.pids.current, metrics.cpu.throttling.periods),
            (3, 0, 0)
        );
    }
}
