//! Version 2's counters, in version 1's units.
//!
//! Called by [`crate::Cgroup::stats`], one function per controller.

use std::collections::BTreeMap;

use super::read::{Reader, number, page_sizes};
use super::{Blkio, BlkioEntry, Cpu, Hugetlb, Memory, MemoryEntry, Psi, PsiLine};
use crate::error::Error;

pub(super) fn cpu(dir: &Reader<'_>, out: &mut Cpu) -> Result<(), Error> {
    let stat = dir.keyed("cpu.stat")?;
    let nanoseconds = |key: &str| stat.get(key).copied().unwrap_or(0).saturating_mul(1000);
    let count = |key: &str| stat.get(key).copied().unwrap_or(0);
    out.usage.total = nanoseconds("usage_usec");
    out.usage.user = nanoseconds("user_usec");
    out.usage.kernel = nanoseconds("system_usec");
    out.throttling.periods = count("nr_periods");
    out.throttling.throttled_periods = count("nr_throttled");
    out.throttling.throttled_time = nanoseconds("throttled_usec");
    out.psi = pressure(dir, "cpu.pressure")?;
    Ok(())
}

pub(super) fn memory(dir: &Reader<'_>, out: &mut Memory) -> Result<(), Error> {
    out.raw = dir.keyed("memory.stat")?;
    out.cache = out.raw.get("file").copied().unwrap_or(0);
    let entry = |prefix: &str| -> Result<MemoryEntry, Error> {
        let get = |name: &str| dir.number_or_zero(&format!("{prefix}.{name}"));
        Ok(MemoryEntry { limit: get("max")?, usage: get("current")?, max: get("peak")?, failcnt: 0 })
    };
    out.usage = entry("memory")?;
    // Readers expect memory and swap together; a peak of the sum is not known.
    let swap = entry("memory.swap")?;
    out.swap.usage = swap.usage.saturating_add(out.usage.usage);
    out.swap.limit = swap.limit.saturating_add(out.usage.limit);
    out.psi = pressure(dir, "memory.pressure")?;
    Ok(())
}

pub(super) fn io(dir: &Reader<'_>, out: &mut Blkio) -> Result<(), Error> {
    (out.io_service_bytes_recursive, out.io_serviced_recursive) =
        io_stat(&dir.text("io.stat")?.unwrap_or_default());
    out.psi = pressure(dir, "io.pressure")?;
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

pub(super) fn hugetlb(dir: &Reader<'_>, out: &mut BTreeMap<String, Hugetlb>) -> Result<(), Error> {
    for size in page_sizes() {
        let reserved = dir.number(&format!("hugetlb.{size}.rsvd.current"))?;
        let used = match reserved {
            Some(reserved) => Some(reserved),
            None => dir.number(&format!("hugetlb.{size}.current"))?,
        };
        let Some(usage) = used else { continue };
        let failcnt = dir.keyed(&format!("hugetlb.{size}.events"))?.get("max").copied().unwrap_or(0);
        out.insert(size, Hugetlb { usage, max: 0, failcnt });
    }
    Ok(())
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
