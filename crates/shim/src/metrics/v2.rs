//! Metrics of cgroup version 2: times are microseconds, memory is split as `memory.stat` is.

use std::collections::BTreeMap;
use std::fs;

use cofferdam::Container;
use cofferdam::cgroup::Psi;
use cofferdam::cgroup::usage::{Cpu, Io, Memory, Usage};
use containerd_shim_protos::cgroups_v2::metrics::{
    CPUStat, HugeTlbStat, IOEntry, IOStat, MemoryEvents, MemoryStat, Metrics, PSIData, PSIStats, PidsStat,
};
use containerd_shim_protos::protobuf::MessageField;

type Fields = BTreeMap<String, u64>;

pub(super) fn metrics(usage: &Usage, events: Option<Fields>, swap: Option<u64>) -> Metrics {
    let pids = PidsStat {
        current: usage.tasks.current.or(usage.tasks.processes).unwrap_or_default(),
        limit: usage.tasks.limit.unwrap_or_default(),
        ..Default::default()
    };
    let hugetlb = usage.hugetlb.iter().flatten().map(|(size, counter)| HugeTlbStat {
        current: counter.used.unwrap_or_default(),
        max: counter.limit.unwrap_or_default(),
        failcnt: counter.refused.unwrap_or_default(),
        pagesize: size.clone(),
        ..Default::default()
    });
    let events = events.map(|events| {
        let of = |key: &str| events.get(key).copied().unwrap_or_default();
        MemoryEvents {
            low: of("low"),
            high: of("high"),
            max: of("max"),
            oom: of("oom"),
            oom_kill: of("oom_kill"),
            oom_group_kill: of("oom_group_kill"),
            ..Default::default()
        }
    });
    Metrics {
        hugetlb: hugetlb.collect(),
        pids: MessageField::some(pids),
        cpu: MessageField::some(cpu(&usage.cpu)),
        memory: MessageField::some(memory(&usage.memory, swap)),
        io: MessageField::some(io(&usage.io)),
        memory_events: events.into(),
        ..Default::default()
    }
}

/// What happened to its memory, and how much swap it may use.
pub(super) fn memory_files(container: &Container) -> (Option<Fields>, Option<u64>) {
    let paths = container.cgroup_paths();
    let Some(directory) = paths.get("") else { return (None, None) };
    let events = fs::read_to_string(directory.join("memory.events")).ok().map(|text| {
        let fields = text.lines().filter_map(|line| line.split_once(' '));
        fields.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect()
    });
    let swap = fs::read_to_string(directory.join("memory.swap.max")).ok();
    let swap = swap.map(|text| text.trim().parse().unwrap_or(u64::MAX));
    (events, swap)
}

fn cpu(cpu: &Cpu) -> CPUStat {
    let micro = |nanoseconds: Option<u64>| nanoseconds.unwrap_or_default() / 1000;
    let throttling = cpu.throttling.as_ref();
    CPUStat {
        usage_usec: micro(cpu.total),
        user_usec: micro(cpu.user),
        system_usec: micro(cpu.kernel),
        nr_periods: throttling.map_or(0, |t| t.periods),
        nr_throttled: throttling.map_or(0, |t| t.throttled_periods),
        throttled_usec: micro(throttling.map(|t| t.throttled_time)),
        psi: psi(cpu.pressure.as_ref()),
        ..Default::default()
    }
}

fn memory(memory: &Memory, swap_limit: Option<u64>) -> MemoryStat {
    let none = BTreeMap::new();
    let stat = memory.stat.as_ref().unwrap_or(&none);
    let of = |key: &str| stat.get(key).copied().unwrap_or_default();
    MemoryStat {
        anon: of("anon"),
        file: of("file"),
        kernel_stack: of("kernel_stack"),
        slab: of("slab"),
        sock: of("sock"),
        shmem: of("shmem"),
        file_mapped: of("file_mapped"),
        file_dirty: of("file_dirty"),
        file_writeback: of("file_writeback"),
        anon_thp: of("anon_thp"),
        inactive_anon: of("inactive_anon"),
        active_anon: of("active_anon"),
        inactive_file: of("inactive_file"),
        active_file: of("active_file"),
        unevictable: of("unevictable"),
        slab_reclaimable: of("slab_reclaimable"),
        slab_unreclaimable: of("slab_unreclaimable"),
        pgfault: of("pgfault"),
        pgmajfault: of("pgmajfault"),
        workingset_refault: of("workingset_refault"),
        workingset_activate: of("workingset_activate"),
        workingset_nodereclaim: of("workingset_nodereclaim"),
        pgrefill: of("pgrefill"),
        pgscan: of("pgscan"),
        pgsteal: of("pgsteal"),
        pgactivate: of("pgactivate"),
        pgdeactivate: of("pgdeactivate"),
        pglazyfree: of("pglazyfree"),
        pglazyfreed: of("pglazyfreed"),
        thp_fault_alloc: of("thp_fault_alloc"),
        thp_collapse_alloc: of("thp_collapse_alloc"),
        usage: memory.usage.used.unwrap_or_default(),
        usage_limit: memory.usage.limit.unwrap_or_default(),
        max_usage: memory.usage.peak.unwrap_or_default(),
        swap_usage: memory.swap.unwrap_or_default(),
        swap_limit: swap_limit.unwrap_or_default(),
        psi: psi(memory.pressure.as_ref()),
        ..Default::default()
    }
}

fn io(io: &Io) -> IOStat {
    let mut devices: BTreeMap<(u64, u64), IOEntry> = BTreeMap::new();
    let operations = io.operations.iter().flatten().map(|entry| (entry, true));
    for (entry, counts) in io.bytes.iter().flatten().map(|entry| (entry, false)).chain(operations) {
        let device = devices.entry((entry.major, entry.minor)).or_insert_with(|| IOEntry {
            major: entry.major,
            minor: entry.minor,
            ..Default::default()
        });
        match (entry.op.to_ascii_lowercase().as_str(), counts) {
            ("read", false) => device.rbytes = entry.value,
            ("write", false) => device.wbytes = entry.value,
            ("read", true) => device.rios = entry.value,
            ("write", true) => device.wios = entry.value,
            _ => {}
        }
    }
    IOStat { usage: devices.into_values().collect(), psi: psi(io.pressure.as_ref()), ..Default::default() }
}

fn psi(psi: Option<&Psi>) -> MessageField<PSIStats> {
    let line = |line: &cofferdam::cgroup::PsiLine| {
        MessageField::some(PSIData {
            avg10: line.avg10,
            avg60: line.avg60,
            avg300: line.avg300,
            total: line.total,
            ..Default::default()
        })
    };
    psi.map(|psi| PSIStats { some: line(&psi.some), full: line(&psi.full), ..Default::default() }).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam::cgroup::BlkioEntry;

    #[test]
    fn times_become_microseconds_and_devices_one_line_each() {
        let mut usage = Usage::default();
        usage.cpu.total = Some(5_000);
        let entry = |op: &str, value| BlkioEntry { major: 8, minor: 0, op: op.to_owned(), value };
        usage.io.bytes = Some(vec![entry("Read", 1), entry("Write", 2)]);
        usage.io.operations = Some(vec![entry("Read", 3)]);
        let events = Some([("oom_kill".to_owned(), 4)].into());
        let metrics = metrics(&usage, events, Some(u64::MAX));
        let device = metrics.io.usage.first().unwrap();
        assert_eq!((device.rbytes, device.wbytes, device.rios, device.wios), (1, 2, 3, 0));
        assert_eq!(
            (metrics.cpu.usage_usec, metrics.io.usage.len(), metrics.memory_events.oom_kill),
            (5, 1, 4)
        );
        assert_eq!(metrics.memory.swap_limit, u64::MAX);
    }
}
