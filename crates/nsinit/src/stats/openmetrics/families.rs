//! The families: a row each, with its name, its meaning and where its numbers are.
//!
//! Names are cAdvisor's where it has the same thing in the same unit, so that existing dashboards find it; the
//! encoder appends unit and `_total`.

use std::time::Duration;

use cofferdam_cgroup::usage::Counter;
use cofferdam_cgroup::{BlkioEntry, NetworkInterface, Psi, PsiLine, Throttling};
use prometheus_client::registry::Unit;

use crate::stats::Measurement;

/// A family of metrics.
pub(super) struct Family {
    /// Without unit and `_total`.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) help: &'static str,
    pub(super) unit: Option<Unit>,
    /// Whether it only grows; else it is a gauge.
    pub(super) counter: bool,
    pub(super) samples: fn(&Measurement) -> Vec<Sample>,
}

/// One number of a container.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// What tells it from others of the container.
    pub(super) label: Option<(&'static str, String)>,
    pub(super) value: Value,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Number(u64),
    Seconds(f64),
}

const fn counter(name: &'static str, help: &'static str, unit: Option<Unit>, samples: Samples) -> Family {
    Family { name, help, unit, counter: true, samples }
}

const fn gauge(name: &'static str, help: &'static str, unit: Option<Unit>, samples: Samples) -> Family {
    Family { name, help, unit, counter: false, samples }
}

type Samples = fn(&Measurement) -> Vec<Sample>;

const SECONDS: Option<Unit> = Some(Unit::Seconds);
const BYTES: Option<Unit> = Some(Unit::Bytes);

#[rustfmt::skip] // a table
pub(super) const FAMILIES: &[Family] = &[
    counter("container_cpu_usage", "Processor time used", SECONDS, |m| nanoseconds(m.usage.cpu.total)),
    counter("container_cpu_user", "Processor time used in programs", SECONDS, |m| nanoseconds(m.usage.cpu.user)),
    counter("container_cpu_system", "Processor time used in the kernel", SECONDS, |m| nanoseconds(m.usage.cpu.kernel)),
    counter("container_cpu_cfs_periods", "Periods in which it ran under a quota", None, |m| number(throttling(m).map(|t| t.periods))),
    counter("container_cpu_cfs_throttled_periods", "Periods in which the quota stopped it", None, |m| number(throttling(m).map(|t| t.throttled_periods))),
    counter("container_cpu_cfs_throttled", "Time for which the quota stopped it", SECONDS, |m| nanoseconds(throttling(m).map(|t| t.throttled_time))),
    gauge("container_memory_usage", "Memory in use, page cache included", BYTES, |m| number(m.usage.memory.usage.used)),
    gauge("container_memory_max_usage", "Most memory that was in use", BYTES, |m| number(m.usage.memory.usage.peak)),
    gauge("container_memory_working_set", "Memory in use without page cache that was not touched lately", BYTES, |m| number(working_set(m))),
    gauge("container_memory_cache", "Page cache", BYTES, |m| number(m.usage.memory.cache)),
    gauge("container_memory_rss", "Memory of programs that no file stands behind", BYTES, |m| number(stat(m, "rss").or_else(|| stat(m, "anon")))),
    gauge("container_memory_swap", "Swap in use", BYTES, |m| number(m.usage.memory.swap)),
    gauge("container_memory_kernel_usage", "Memory of the kernel's for it", BYTES, |m| number(m.usage.memory.kernel.used)),
    gauge("container_spec_memory_limit", "Most memory that may be in use", BYTES, |m| number(m.usage.memory.usage.bound())),
    counter("container_memory_failcnt", "How often the memory limit was met", None, |m| number(m.usage.memory.usage.refused)),
    gauge("container_threads", "Processes and threads", None, |m| number(m.usage.tasks.current)),
    gauge("container_threads_max", "Most processes and threads that may be", None, |m| number(m.usage.tasks.limit)),
    counter("container_threads_refused", "How often one more was refused", None, |m| number(m.usage.tasks.refused)),
    counter("container_fs_reads", "Bytes read from block devices", BYTES, |m| devices(m.usage.io.bytes.as_deref(), "Read")),
    counter("container_fs_writes", "Bytes written to block devices", BYTES, |m| devices(m.usage.io.bytes.as_deref(), "Write")),
    counter("container_fs_reads", "Reads from block devices", None, |m| devices(m.usage.io.operations.as_deref(), "Read")),
    counter("container_fs_writes", "Writes to block devices", None, |m| devices(m.usage.io.operations.as_deref(), "Write")),
    gauge("container_hugetlb_usage", "Huge pages in use or reserved", BYTES, |m| pages(m, |c| c.used)),
    gauge("container_hugetlb_max_usage", "Most huge pages that were in use or reserved", BYTES, |m| pages(m, |c| c.peak)),
    counter("container_hugetlb_failcnt", "How often the limit of huge pages was met", None, |m| pages(m, |c| c.refused)),
    counter("container_network_receive", "Bytes that the container received", BYTES, |m| interfaces(m, |i| i.rx_bytes)),
    counter("container_network_receive_packets", "Packets that the container received", None, |m| interfaces(m, |i| i.rx_packets)),
    counter("container_network_receive_errors", "Packets that the container received with errors", None, |m| interfaces(m, |i| i.rx_errors)),
    counter("container_network_receive_packets_dropped", "Packets for the container that were thrown away", None, |m| interfaces(m, |i| i.rx_dropped)),
    counter("container_network_transmit", "Bytes that the container sent", BYTES, |m| interfaces(m, |i| i.tx_bytes)),
    counter("container_network_transmit_packets", "Packets that the container sent", None, |m| interfaces(m, |i| i.tx_packets)),
    counter("container_network_transmit_errors", "Packets of the container that could not be sent", None, |m| interfaces(m, |i| i.tx_errors)),
    counter("container_network_transmit_packets_dropped", "Packets of the container that were thrown away", None, |m| interfaces(m, |i| i.tx_dropped)),
    counter("container_pressure_cpu_waiting", "Time in which some task waited for a processor", SECONDS, |m| waited(m.usage.cpu.pressure, |p| p.some)),
    counter("container_pressure_cpu_stalled", "Time in which all tasks waited for a processor", SECONDS, |m| waited(m.usage.cpu.pressure, |p| p.full)),
    counter("container_pressure_memory_waiting", "Time in which some task waited for memory", SECONDS, |m| waited(m.usage.memory.pressure, |p| p.some)),
    counter("container_pressure_memory_stalled", "Time in which all tasks waited for memory", SECONDS, |m| waited(m.usage.memory.pressure, |p| p.full)),
    counter("container_pressure_io_waiting", "Time in which some task waited for a block device", SECONDS, |m| waited(m.usage.io.pressure, |p| p.some)),
    counter("container_pressure_io_stalled", "Time in which all tasks waited for a block device", SECONDS, |m| waited(m.usage.io.pressure, |p| p.full)),
];

fn samples(value: Option<Value>) -> Vec<Sample> {
    value.into_iter().map(|value| Sample { label: None, value }).collect()
}

fn number(value: Option<u64>) -> Vec<Sample> {
    samples(value.map(Value::Number))
}

fn nanoseconds(value: Option<u64>) -> Vec<Sample> {
    samples(value.map(|n| Value::Seconds(Duration::from_nanos(n).as_secs_f64())))
}

fn waited(pressure: Option<Psi>, line: fn(Psi) -> PsiLine) -> Vec<Sample> {
    let seconds = |psi| Value::Seconds(Duration::from_micros(line(psi).total).as_secs_f64());
    samples(pressure.map(seconds))
}

fn throttling(m: &Measurement) -> Option<&Throttling> {
    m.usage.cpu.throttling.as_ref()
}

fn stat(m: &Measurement, key: &str) -> Option<u64> {
    m.usage.memory.stat.as_ref()?.get(key).copied()
}

/// As kubelet has it: what is in use without inactive files, those of cgroups below included.
fn working_set(m: &Measurement) -> Option<u64> {
    let inactive = stat(m, "total_inactive_file").or_else(|| stat(m, "inactive_file"))?;
    Some(m.usage.memory.usage.used?.saturating_sub(inactive))
}

fn devices(entries: Option<&[BlkioEntry]>, op: &str) -> Vec<Sample> {
    let of_op = entries.unwrap_or_default().iter().filter(|entry| entry.op == op);
    let sample = |e: &BlkioEntry| Sample {
        label: Some(("device", format!("{}:{}", e.major, e.minor))),
        value: Value::Number(e.value),
    };
    of_op.map(sample).collect()
}

fn pages(m: &Measurement, of: fn(&Counter) -> Option<u64>) -> Vec<Sample> {
    let sample = |(size, counter): (&String, &Counter)| {
        let value = Value::Number(of(counter)?);
        Some(Sample { label: Some(("pagesize", size.clone())), value })
    };
    m.usage.hugetlb.iter().flatten().filter_map(sample).collect()
}

fn interfaces(m: &Measurement, of: fn(&NetworkInterface) -> u64) -> Vec<Sample> {
    let sample = |i: &NetworkInterface| Sample {
        label: Some(("interface", i.name.clone())),
        value: Value::Number(of(i)),
    };
    m.interfaces.iter().flatten().map(sample).collect()
}
