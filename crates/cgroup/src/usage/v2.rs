//! Version 2's counters, in version 1's units.
//!
//! Called by [`crate::Cgroup::usage`], one function per controller.

use std::collections::BTreeMap;

use super::read::{Reader, number};
use super::{Counter, Cpu, Io, Memory};
use crate::error::Error;
use crate::plan::Version;
use crate::stats::{BlkioEntry, Psi, PsiLine, Throttling};

pub(super) fn cpu(dir: &Reader<'_>, out: &mut Cpu) -> Result<(), Error> {
    let stat = dir.keyed("cpu.stat")?.unwrap_or_default();
    let count = |key: &str| stat.get(key).copied();
    let nanoseconds = |key: &str| count(key).map(|microseconds| microseconds.saturating_mul(1000));
    out.total = nanoseconds("usage_usec");
    out.user = nanoseconds("user_usec");
    out.kernel = nanoseconds("system_usec");
    // In a hybrid tree it is version 1 that has the controller.
    if let Some(periods) = count("nr_periods") {
        out.throttling = Some(Throttling {
            periods,
            throttled_periods: count("nr_throttled").unwrap_or(0),
            throttled_time: nanoseconds("throttled_usec").unwrap_or(0),
        });
    }
    out.pressure = pressure(dir, "cpu.pressure")?;
    Ok(())
}

pub(super) fn memory(dir: &Reader<'_>, out: &mut Memory) -> Result<(), Error> {
    out.pressure = pressure(dir, "memory.pressure")?;
    let Some(used) = dir.number("memory.current")? else { return Ok(()) };
    out.version = Some(Version::V2);
    out.stat = dir.keyed("memory.stat")?;
    let stat = |key: &str| out.stat.as_ref().and_then(|stat| stat.get(key).copied());
    out.cache = stat("file");
    out.kernel.used = stat("kernel");
    // How often this cgroup's own limit was met, as version 1 counts; before Linux 5.2 with those below it.
    let refused = match dir.key("memory.events.local", "max")? {
        None => dir.key("memory.events", "max")?,
        own => own,
    };
    let (peak, limit) = (dir.number("memory.peak")?, dir.number("memory.max")?);
    out.usage = Counter { used: Some(used), peak, limit, refused };
    out.swap = dir.number("memory.swap.current")?;
    let sum = |swap: Option<u64>, memory: Option<u64>| Some(swap?.saturating_add(memory?));
    out.with_swap.used = sum(out.swap, out.usage.used);
    out.with_swap.limit = sum(dir.number("memory.swap.max")?, limit);
    Ok(())
}

pub(super) fn io(dir: &Reader<'_>, out: &mut Io) -> Result<(), Error> {
    if let Some(text) = dir.text("io.stat")? {
        let (bytes, operations) = io_stat(&text);
        (out.bytes, out.operations) = (Some(bytes), Some(operations));
    }
    out.pressure = pressure(dir, "io.pressure")?;
    Ok(())
}

/// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …` as bytes and operations.
fn io_stat(text: &str) -> (Vec<BlkioEntry>, Vec<BlkioEntry>) {
    let (mut bytes, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut bytes, "Read"),
                "wbytes" => (&mut bytes, "Write"),
                "rios" => (&mut operations, "Read"),
                "wios" => (&mut operations, "Write"),
                _ => continue,
            };
            let (major, minor) = (number(major), number(minor));
            list.push(BlkioEntry { major, minor, op: op.into(), value: number(value) });
        }
    }
    (bytes, operations)
}

pub(super) fn hugetlb(dir: &Reader<'_>) -> Result<Option<BTreeMap<String, Counter>>, Error> {
    let mut sizes = BTreeMap::new();
    for size in dir.page_sizes() {
        let get = |name: &str| dir.number(&format!("hugetlb.{size}.{name}"));
        // What is reserved, where the kernel counts it.
        let (used, limit) = match get("rsvd.current")? {
            None => (get("current")?, get("max")?),
            reserved => (reserved, get("rsvd.max")?),
        };
        let refused = dir.key(&format!("hugetlb.{size}.events"), "max")?;
        sizes.insert(size, Counter { used, peak: None, limit, refused });
    }
    Ok((!sizes.is_empty()).then_some(sizes))
}

fn pressure(dir: &Reader<'_>, name: &str) -> Result<Option<Psi>, Error> {
    Ok(dir.text(name)?.filter(|text| !text.is_empty()).map(|text| psi(&text)))
}

fn psi(text: &str) -> Psi {
    let mut out = Psi::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let which = match words.next() {
            Some("some") => &mut out.some,
            Some("full") => &mut out.full,
            _ => continue,
        };
        *which = psi_line(words);
    }
    out
}

fn psi_line<'a>(words: impl Iterator<Item = &'a str>) -> PsiLine {
    let mut line = PsiLine::default();
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        let average = || value.parse().unwrap_or(0.0);
        match key {
            "avg10" => line.avg10 = average(),
            "avg60" => line.avg60 = average(),
            "avg300" => line.avg300 = average(),
            "total" => line.total = number(value),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_is_split_into_bytes_and_operations() {
        let (bytes, operations) = io_stat("8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n");
        assert_eq!(bytes.iter().map(|e| e.value).collect::<Vec<_>>(), [10, 20]);
        assert_eq!(
            operations.iter().map(|e| (e.op.as_str(), e.value)).collect::<Vec<_>>(),
            [("Read", 1), ("Write", 2)]
        );
        assert_eq!((bytes[0].major, bytes[0].minor), (8, 16));
    }

    #[test]
    fn pressure_is_read() {
        let text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let psi = psi(text);
        assert!((psi.some.avg10 - 1.5).abs() < 1e-9);
        assert_eq!((psi.some.total, psi.full.total), (1234, 7));
    }
}
