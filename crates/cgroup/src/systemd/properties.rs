//! `linux.resources` as properties of a unit.
//!
//! Called by [`super::plan`] and for updates. Pure. The document has been judged by then ([`crate::plan()`]),
//! so what cannot be a property is left out here: the cgroup's own files get every value anyway, the
//! properties are what systemd writes again whenever it reloads. As in runc, zero is "not set".

use cofferdam_oci::{BlockIo, Cpu, Memory, Pids, Pointer, Resources};

use super::{Property, Value, number, unified};
use crate::convert;
use crate::plan::Version;

/// cpu.cfs_period_us and the second number of cpu.max, when nothing else is said.
const DEFAULT_PERIOD: u64 = 100_000;

/// Properties so far; a later one of the same name takes an earlier one's place.
#[derive(Debug, Default)]
pub(super) struct Properties(Vec<Property>);

impl Properties {
    pub(super) fn set(&mut self, name: &str, value: Value, pointer: &Pointer) {
        self.set_since(0, name, value, pointer);
    }

    /// A property that systemd has since that version.
    pub(super) fn set_since(&mut self, since: u32, name: &str, value: Value, pointer: &Pointer) {
        self.0.retain(|p| p.name != name);
        self.0.push(Property { name: name.to_owned(), value, pointer: pointer.as_str().to_owned(), since });
    }

    pub(super) fn has(&self, name: &str, value: &Value) -> bool {
        self.0.iter().any(|p| p.name == name && p.value == *value)
    }

    pub(super) fn into_vec(self) -> Vec<Property> {
        self.0
    }
}

/// What an update sets.
pub(crate) fn update(resources: &Resources, version: Version) -> Vec<Property> {
    let mut out = Properties::default();
    limits(&mut out, resources, version, &Pointer::root());
    out.into_vec()
}

/// Everything but devices.
pub(super) fn limits(out: &mut Properties, resources: &Resources, version: Version, base: &Pointer) {
    if let Some(m) = &resources.memory {
        memory(out, m, version, &base.key("memory"));
    }
    if let Some(c) = &resources.cpu {
        cpu(out, c, version, &base.key("cpu"));
    }
    if let Some(p) = &resources.pids {
        pids(out, p, &base.key("pids"));
    }
    if let Some(io) = &resources.block_io {
        block_io(out, io, version, &base.key("blockIO"));
    }
    if version == Version::V2 {
        unified::limits(out, &resources.unified, &base.key("unified"));
    }
}

fn memory(out: &mut Properties, memory: &Memory, version: Version, at: &Pointer) {
    let set = |value: Option<i64>| value.filter(|v| *v != 0);
    if let Some(limit) = set(memory.limit) {
        let name = if version == Version::V2 { "MemoryMax" } else { "MemoryLimit" };
        out.set(name, number::amount(limit), &at.key("limit"));
    }
    if version == Version::V1 {
        return;
    }
    if let Some(low) = set(memory.reservation) {
        out.set("MemoryLow", number::amount(low), &at.key("reservation"));
    }
    let (limit, swap) = (memory.limit.unwrap_or(0), memory.swap.unwrap_or(0));
    if let Ok(Some(only)) = convert::swap_only(limit, swap) {
        let pointer = at.key(if swap == 0 { "limit" } else { "swap" });
        out.set("MemorySwapMax", number::amount(only), &pointer);
    }
}

fn cpu(out: &mut Properties, cpu: &Cpu, version: Version, at: &Pointer) {
    let shares = cpu.shares.filter(|s| *s != 0);
    match (version, shares, cpu.idle) {
        (Version::V2, _, Some(1)) => idle(out, &at.key("idle")),
        (Version::V2, Some(shares), _) => {
            out.set("CPUWeight", Value::U64(convert::shares_to_weight(shares)), &at.key("shares"));
        }
        (Version::V1, Some(shares), _) => out.set("CPUShares", Value::U64(shares), &at.key("shares")),
        _ => {}
    }
    quota(out, cpu.quota.unwrap_or(0), cpu.period.unwrap_or(0), [&at.key("quota"), &at.key("period")]);
    for (list, name, key) in [(&cpu.cpus, "AllowedCPUs", "cpus"), (&cpu.mems, "AllowedMemoryNodes", "mems")] {
        if let Some(bits) = list.as_deref().and_then(number::bits) {
            out.set(name, bits, &at.key(key));
        }
    }
}

/// A weight of zero is how systemd spells `cpu.idle` of 1.
pub(super) fn idle(out: &mut Properties, pointer: &Pointer) {
    out.set_since(252, "CPUWeight", Value::U64(0), pointer);
}

/// Pointers are the quota's and the period's.
pub(super) fn quota(out: &mut Properties, quota: i64, period: u64, at: [&Pointer; 2]) {
    let [of_quota, of_period] = at;
    if period != 0 {
        out.set("CPUQuotaPeriodUSec", Value::U64(period), of_period);
    }
    if quota != 0 || period != 0 {
        let per_second = number::quota_per_second(quota, if period == 0 { DEFAULT_PERIOD } else { period });
        out.set("CPUQuotaPerSecUSec", per_second, if quota == 0 { of_period } else { of_quota });
    }
}

fn pids(out: &mut Properties, pids: &Pids, at: &Pointer) {
    if let Some(limit) = pids.limit {
        out.set("TasksMax", number::tasks(limit), &at.key("limit"));
    }
}

/// Only the weight: limits of devices are kept by the cgroup's files, since systemd names devices by paths.
fn block_io(out: &mut Properties, io: &BlockIo, version: Version, at: &Pointer) {
    let Some(weight) = io.weight.filter(|w| *w != 0) else { return };
    let pointer = at.key("weight");
    match version {
        Version::V1 => out.set("BlockIOWeight", Value::U64(u64::from(weight)), &pointer),
        Version::V2 => out.set("IOWeight", Value::U64(convert::blkio_to_io_weight(weight)), &pointer),
    }
}
