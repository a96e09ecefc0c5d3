//! A container's row in the table. Pure.

use cofferdam_nsinit::stats::Measurement;
use std::time::Duration;

use super::rates::{Rates, sum};
use crate::table::{self, Align};

/// The headings of one measurement.
pub(super) const TOTALS: [&str; 9] =
    ["ID", "CPU TIME", "MEMORY", "LIMIT", "READ", "WRITTEN", "RECEIVED", "SENT", "TASKS"];
/// The headings of `--watch`.
pub(super) const RATES: [&str; 9] =
    ["ID", "CPU %", "MEMORY", "LIMIT", "READ/s", "WRITTEN/s", "RECEIVED/s", "SENT/s", "TASKS"];

/// What the table tells of a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Nanoseconds of processor time.
    pub(super) cpu: Option<u64>,
    /// Bytes of memory in use, and how many may be.
    pub(super) memory: Option<u64>,
    pub(super) limit: Option<u64>,
    /// Bytes read from and written to block devices.
    pub(super) read: Option<u64>,
    pub(super) written: Option<u64>,
    /// Bytes received and sent.
    pub(super) received: Option<u64>,
    pub(super) sent: Option<u64>,
    /// Processes and threads.
    pub(super) tasks: Option<u64>,
}

impl Totals {
    pub(super) fn of(measured: &Measurement) -> Self {
        let usage = &measured.usage;
        let io = usage.io.bytes.as_deref();
        let network = measured.v1().network_stats;
        Self {
            cpu: usage.cpu.total,
            memory: usage.memory.usage.used,
            limit: usage.memory.usage.bound(),
            read: sum(io, "Read"),
            written: sum(io, "Write"),
            received: network.map(|n| n.rx_bytes),
            sent: network.map(|n| n.tx_bytes),
            tasks: usage.tasks.current.or(usage.tasks.processes),
        }
    }
}

/// Cells in the order of the headings.
pub(super) type Row = [String; 9];

/// What a container used so far.
pub(super) fn totals(id: &str, t: &Totals) -> Row {
    let seconds = |ns| format!("{:.2}s", Duration::from_nanos(ns).as_secs_f64());
    row(id, t, t.cpu.map(seconds), [t.read, t.written, t.received, t.sent])
}

/// What it uses now.
pub(super) fn rates(id: &str, t: &Totals, r: &Rates) -> Row {
    let percent = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
    row(id, t, r.cpu.map(percent), [r.read, r.written, r.received, r.sent])
}

fn row(id: &str, t: &Totals, cpu: Option<String>, flows: [Option<u64>; 4]) -> Row {
    let [read, written, received, sent] = flows.map(size);
    let (memory, limit) = (size(t.memory), size(t.limit));
    let tasks = or_dash(t.tasks.map(|tasks| tasks.to_string()));
    [id.to_owned(), or_dash(cpu), memory, limit, read, written, received, sent, tasks]
}

/// The table with a heading.
pub(super) fn render(heading: [&str; 9], rows: &[Row]) -> String {
    let rows: Vec<Row> = std::iter::once(heading.map(str::to_owned)).chain(rows.iter().cloned()).collect();
    table::render_aligned(&rows, Align::Right)
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

/// Bytes with four digits at most, counted by 1024.
fn size(bytes: Option<u64>) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let Some(bytes) = bytes else { return "-".to_owned() };
    let (mut whole, mut unit, mut last) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (whole, last, unit) = (whole / 1024, whole % 1024, unit + 1);
    }
    let word = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || whole >= 100 {
        format!("{whole}{word}")
    } else {
        format!("{whole}.{}{word}", last * 10 / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_few_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0KiB"),
            (1536, "1.5KiB"),
            (150 << 10, "150KiB"),
            ((3 << 20) + (900 << 10), "3.8MiB"),
            (u64::MAX, "16383PiB"),
        ] {
            assert_eq!(size(Some(bytes)), text);
        }
        assert_eq!(size(None), "-");
    }

    #[test]
    fn what_is_absent_is_a_dash_and_what_is_zero_is_zero() {
        let none = rates("box", &Totals::default(), &Rates::default());
        assert_eq!(none.join(" "), "box - - - - - - - -");
        let used = Totals { cpu: Some(1_500_000_000), read: Some(0), tasks: Some(3), ..Totals::default() };
        assert_eq!(totals("box", &used).join(" "), "box 1.50s - - 0B - - - 3");
        let flow = Rates { cpu: Some(12_345), sent: Some(2048), ..Rates::default() };
        assert_eq!(rates("box", &used, &flow).join(" "), "box 123.45 - - - - - 2.0KiB 3");
    }

    #[test]
    fn numbers_stand_below_each_other() {
        let rows = ["a", "longer-name"].map(|id| totals(id, &Totals { cpu: Some(1), ..Totals::default() }));
        let text = render(TOTALS, &rows);
        let ends: Vec<_> = text.lines().map(str::len).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
        let heading = text.find("TIME").unwrap() + 4;
        assert!(text.lines().skip(1).all(|line| line[..heading].ends_with("0.00s")), "{text}");
    }
}
