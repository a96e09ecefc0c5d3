//! What a container uses, as far as its host counts it: what is not counted is absent.
//!
//! Called by [`Cgroup::stats`](crate::Cgroup::stats), which makes runc's form of it, and by other forms above.
//! Every form is made of this one. Units are bytes, nanoseconds and plain numbers on both versions.

mod read;
mod v1;
mod v2;

use std::collections::BTreeMap;

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::plan::Version;
use crate::stats::{BlkioEntry, Cpuset, Psi, Throttling};
use read::Reader;

/// Everything that is measured.
///
/// ```no_run
/// # fn f(cgroup: &cofferdam_cgroup::Cgroup) -> Result<(), cofferdam_cgroup::Error> {
/// let usage: cofferdam_cgroup::usage::Usage = cgroup.usage()?;
/// match usage.memory.usage.peak {
///     Some(bytes) => println!("at most {bytes} bytes"),
///     None => println!("this kernel does not keep the peak"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time.
    pub cpu: Cpu,
    /// Processors and memory nodes (version 1).
    pub cpuset: Option<Cpuset>,
    /// Memory.
    pub memory: Memory,
    /// Tasks.
    pub tasks: Tasks,
    /// Block devices.
    pub io: Io,
    /// Huge pages by size, such as `2MB`; absent without the controller.
    pub hugetlb: Option<BTreeMap<String, Counter>>,
}

/// Processor time, in nanoseconds.
///
/// ```
/// assert_eq!(cofferdam_cgroup::usage::Cpu::default().total, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cpu {
    /// In all: `cpuacct.usage`, or `usage_usec` of `cpu.stat`.
    pub total: Option<u64>,
    /// In the kernel: `system` of `cpuacct.stat`, or `system_usec` of `cpu.stat`.
    pub kernel: Option<u64>,
    /// In programs: `user` of `cpuacct.stat`, or `user_usec` of `cpu.stat`.
    pub user: Option<u64>,
    /// By processor: `cpuacct.usage_percpu`; version 2 does not tell.
    pub by_cpu: Option<Vec<u64>>,
    /// In the kernel, by processor: `cpuacct.usage_all` (Linux 4.9); version 2 does not tell.
    pub by_cpu_kernel: Option<Vec<u64>>,
    /// In programs, by processor, as before.
    pub by_cpu_user: Option<Vec<u64>>,
    /// What the quota did: `cpu.stat`; on version 2 only with the controller.
    pub throttling: Option<Throttling>,
    /// Pressure: `cpu.pressure` (version 2, Linux 4.20).
    pub pressure: Option<Psi>,
}

/// Memory, in bytes.
///
/// ```
/// assert!(cofferdam_cgroup::usage::Memory::default().stat.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Whose files these are; absent without the controller.
    pub version: Option<Version>,
    /// `memory.stat` as it is; its keys are the version's.
    pub stat: Option<BTreeMap<String, u64>>,
    /// Page cache: `cache` of `memory.stat`, or `file`.
    pub cache: Option<u64>,
    /// Swap alone: `swap` of `memory.stat`, or `memory.swap.current`.
    pub swap: Option<u64>,
    /// Memory: `memory.*_in_bytes` and `memory.failcnt`; or `memory.current`, `memory.max`, `memory.peak` (Linux
    /// 5.19) and `max` of `memory.events.local`.
    pub usage: Counter,
    /// Memory and swap together: `memory.memsw.*`, or the sums; without peak and refusals then.
    pub with_swap: Counter,
    /// Kernel memory: `memory.kmem.*`, or `kernel` of `memory.stat` (Linux 5.18) alone.
    pub kernel: Counter,
    /// Kernel memory for TCP: `memory.kmem.tcp.*` (version 1).
    pub kernel_tcp: Counter,
    /// Pressure: `memory.pressure` (version 2, Linux 4.20).
    pub pressure: Option<Psi>,
}

/// One thing that is counted, in bytes.
///
/// ```
/// use cofferdam_cgroup::usage::Counter;
/// let unlimited = Counter { limit: Some(u64::MAX), ..Counter::default() };
/// assert_eq!(unlimited.bound(), None);
/// assert_eq!(Counter { limit: Some(4096), ..Counter::default() }.bound(), Some(4096));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// How much is used.
    pub used: Option<u64>,
    /// How much was used at most.
    pub peak: Option<u64>,
    /// How much may be used, as the file says it; see [`Counter::bound`].
    pub limit: Option<u64>,
    /// How often the limit was met.
    pub refused: Option<u64>,
}

impl Counter {
    /// The limit, unless it is one that means none: `max`, or version 1's largest number of whole pages.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        /// Version 1's number depends on the size of pages; no machine has this much memory.
        const NONE: u64 = 1 << 62;
        self.limit.filter(|limit| *limit < NONE)
    }
}

/// Processes and threads.
///
/// ```
/// assert_eq!(cofferdam_cgroup::usage::Tasks::default().limit, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// How many there are: `pids.current`.
    pub current: Option<u64>,
    /// Without the controller, how many processes there are: the lines of `cgroup.procs`.
    pub processes: Option<u64>,
    /// How many there may be: `pids.max`; absent when that is no limit.
    pub limit: Option<u64>,
    /// How often one more was refused: `max` of `pids.events`.
    pub refused: Option<u64>,
}

/// Block devices. Version 1 has the counters of BFQ (`blkio.bfq.*`), of CFQ (`blkio.*`, before Linux 5.0) or of
/// throttling (`blkio.throttle.*`, the first two only), in this order; version 2 has `io.stat` for the first two.
///
/// ```
/// assert!(cofferdam_cgroup::usage::Io::default().bytes.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Io {
    /// Bytes: `io_service_bytes`, or `rbytes` and `wbytes`.
    pub bytes: Option<Vec<BlkioEntry>>,
    /// Operations: `io_serviced`, or `rios` and `wios`.
    pub operations: Option<Vec<BlkioEntry>>,
    /// Operations that wait: `io_queued`.
    pub queued: Option<Vec<BlkioEntry>>,
    /// Nanoseconds that operations took: `io_service_time`.
    pub service_time: Option<Vec<BlkioEntry>>,
    /// Nanoseconds that operations waited: `io_wait_time`.
    pub wait_time: Option<Vec<BlkioEntry>>,
    /// Operations that became part of others: `io_merged`.
    pub merged: Option<Vec<BlkioEntry>>,
    /// Milliseconds of the device: `time`.
    pub time: Option<Vec<BlkioEntry>>,
    /// Sectors of 512 bytes: `sectors`.
    pub sectors: Option<Vec<BlkioEntry>>,
    /// Pressure: `io.pressure` (version 2, Linux 4.20).
    pub pressure: Option<Psi>,
}

impl Cgroup {
    /// Measures the container. What this host does not count is absent.
    ///
    /// # Errors
    /// When a file is there but cannot be read.
    pub fn usage(&self) -> Result<Usage, Error> {
        let mut usage = Usage::default();
        let v1 = |name: &str| self.v1(name).map(Reader);
        v1("cpu").map_or(Ok(()), |r| v1::cpu(&r, &mut usage.cpu))?;
        v1("cpuacct").map_or(Ok(()), |r| v1::cpuacct(&r, &mut usage.cpu))?;
        usage.cpuset = v1("cpuset").map(|r| v1::cpuset(&r)).transpose()?;
        v1("memory").map_or(Ok(()), |r| v1::memory(&r, &mut usage.memory))?;
        v1("blkio").map_or(Ok(()), |r| v1::blkio(&r, &mut usage.io))?;
        usage.hugetlb = v1("hugetlb").map(|r| v1::hugetlb(&r)).transpose()?.flatten();
        v1("pids").map_or(Ok(()), |r| read::tasks(&r, &mut usage.tasks))?;
        let Some(v2) = self.v2().map(Reader) else { return Ok(usage) };
        // In a hybrid tree version 2 counts only what version 1 does not.
        let left = |name: &str| self.v1(name).is_none();
        if left("cpuacct") {
            v2::cpu(&v2, &mut usage.cpu)?;
        }
        if left("memory") {
            v2::memory(&v2, &mut usage.memory)?;
        }
        if left("blkio") {
            v2::io(&v2, &mut usage.io)?;
        }
        if left("hugetlb") {
            usage.hugetlb = v2::hugetlb(&v2)?;
        }
        if left("pids") {
            read::tasks(&v2, &mut usage.tasks)?;
        }
        Ok(usage)
    }
}
