//! Runc's form of what was measured.
//!
//! Called by [`crate::Cgroup::stats`]. Pure.

use super::{Blkio, Cpu, CpuUsage, Hugetlb, Memory, MemoryEntry, Pids, Stats};
use crate::plan::Version;
use crate::usage::{self, Counter, Usage};

impl From<Usage> for Stats {
    fn from(usage: Usage) -> Self {
        let Usage { cpu, cpuset, memory, tasks, io, hugetlb } = usage;
        let entry = |c: Counter| Hugetlb { usage: n(c.used), max: n(c.peak), failcnt: n(c.refused) };
        Self {
            cpu: cpu.into(),
            cpuset: cpuset.unwrap_or_default(),
            memory: memory.into(),
            pids: Pids {
                current: n(tasks.current.or(tasks.processes)),
                limit: n(tasks.limit),
                failcnt: n(tasks.refused),
            },
            blkio: io.into(),
            hugetlb: hugetlb.unwrap_or_default().into_iter().map(|(size, c)| (size, entry(c))).collect(),
            ..Self::default()
        }
    }
}

/// Runc has no other word for what is not known.
fn n(value: Option<u64>) -> u64 {
    value.unwrap_or(0)
}

impl From<usage::Cpu> for Cpu {
    fn from(cpu: usage::Cpu) -> Self {
        let usage = CpuUsage {
            total: n(cpu.total),
            percpu: cpu.by_cpu.unwrap_or_default(),
            percpu_kernel: cpu.by_cpu_kernel.unwrap_or_default(),
            percpu_user: cpu.by_cpu_user.unwrap_or_default(),
            kernel: n(cpu.kernel),
            user: n(cpu.user),
        };
        Self { usage, throttling: cpu.throttling.unwrap_or_default(), psi: cpu.pressure }
    }
}

impl From<usage::Memory> for Memory {
    fn from(memory: usage::Memory) -> Self {
        let entry = |c: Counter| MemoryEntry {
            limit: n(c.limit),
            usage: n(c.used),
            max: n(c.peak),
            failcnt: n(c.refused),
        };
        let mut out = Self {
            cache: n(memory.cache),
            usage: entry(memory.usage),
            swap: entry(memory.with_swap),
            kernel: entry(memory.kernel),
            kernel_tcp: entry(memory.kernel_tcp),
            raw: memory.stat.unwrap_or_default(),
            psi: memory.pressure,
        };
        if memory.version == Some(Version::V2) {
            // As runc: no refusals, no kernel memory; without swap, the sum is the memory.
            (out.usage.failcnt, out.kernel) = (0, MemoryEntry::default());
            if memory.swap.is_none() {
                out.swap = MemoryEntry { limit: out.usage.limit, usage: out.usage.usage, max: 0, failcnt: 0 };
            }
        }
        out
    }
}

impl From<usage::Io> for Blkio {
    fn from(io: usage::Io) -> Self {
        Self {
            io_service_bytes_recursive: io.bytes.unwrap_or_default(),
            io_serviced_recursive: io.operations.unwrap_or_default(),
            io_queued_recursive: io.queued.unwrap_or_default(),
            io_service_time_recursive: io.service_time.unwrap_or_default(),
            io_wait_time_recursive: io.wait_time.unwrap_or_default(),
            io_merged_recursive: io.merged.unwrap_or_default(),
            io_time_recursive: io.time.unwrap_or_default(),
            sectors_recursive: io.sectors.unwrap_or_default(),
            psi: io.pressure,
        }
    }
}
