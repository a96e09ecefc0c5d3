//! The result: a table of medians, and our figures against the targets. Called by `main`.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::contestant::OURS;
use crate::extras::{Extras, Figures};
use crate::host::Host;
use crate::library::Heaps;
use crate::measure::{Timed, median};
use crate::tasks::Job;
use crate::warm::Warm;

/// Columns, in this order.
pub(crate) const COLUMNS: [&str; 5] = ["floor", OURS, "crun", "runc", "bubblewrap"];

/// One line of the table.
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) unit: &'static str,
    pub(crate) figures: Figures,
}

/// What a target compares our figure with.
enum Against {
    /// The same figure of another.
    Other(&'static str),
    /// Our own figure of another row.
    Row(&'static str),
    /// The difference to our own figure of another row.
    Above(&'static str),
    /// The figure itself.
    Alone,
}

/// What was promised: row, compared with, limit, and whether the limit is the least instead of the most.
const TARGETS: &[(&str, Against, f64, bool)] = &[
    ("run, hot", Against::Other("floor"), 1.3, false),
    ("run, hot", Against::Other("crun"), 0.5, false),
    ("run, idle", Against::Other("floor"), 1.2, false),
    ("create+start+state+delete, hot", Against::Other("crun"), 0.45, false),
    ("exec, hot", Against::Other("crun"), 0.5, false),
    ("sandbox with limits and a filter, hot", Against::Row("run, hot"), 1.2, false),
    ("run, default seccomp profile, hot", Against::Above("run, hot"), 0.5, false),
    (RATE, Against::Other("crun"), 1.6, true),
    ("run by a program, library or spawned, hot", Against::Other("floor"), 1.2, false),
    (LARGE, Against::Row(SMALL), 1.2, false),
    (WARM, Against::Alone, 1.0, false),
    (MEMORY, Against::Other("crun"), 1.0, false),
    (SIZE, Against::Alone, 3.0, false),
];

const SMALL: &str = "run by the library, 10 MB of heap";
const LARGE: &str = "run by the library, 1 GB of heap";
const WARM: &str = "start from a warm pool, median";
const LIBRARY_RATE: &str = "200 by a program, 8 at a time";
const RATE: &str = "200 runs, 8 at a time";
const MEMORY: &str = "peak memory of one run";
const SIZE: &str = "size of the binary";

pub(crate) struct Report {
    pub(crate) host: Host,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(host: Host, timed: &[Timed], extras: &Extras, heaps: &Heaps, warm: &Warm) -> Report {
        let mut rows = Vec::new();
        for job in Job::ALL {
            let mut add = |label: String, what: fn(&Timed) -> &[f64]| {
                let of_job = timed.iter().filter(|t| t.job == job);
                let figures: Figures = of_job.filter_map(|t| Some((t.who, median(what(t))?))).collect();
                if !figures.is_empty() {
                    rows.push(Row { label, unit: "ms", figures });
                }
            };
            add(format!("{}, hot", job.name()), |t| &t.hot);
            if job == Job::Run {
                add(format!("{}, hot, cpu", job.name()), |t| &t.cpu);
            }
            add(format!("{}, idle", job.name()), |t| &t.idle);
        }
        let mut add = |label: &str, unit, figures: &Figures| {
            if !figures.is_empty() {
                rows.push(Row { label: label.to_owned(), unit, figures: figures.clone() });
            }
        };
        let ours = |figure: Option<f64>| figure.map(|f| (OURS, f)).into_iter().collect();
        add(SMALL, "ms", &ours(heaps.small));
        add(LARGE, "ms", &ours(heaps.large));
        add(WARM, "ms", &ours(warm.median));
        add("start from a warm pool, 99th percentile", "ms", &ours(warm.p99));
        add(RATE, "/s", &extras.rate);
        add(LIBRARY_RATE, "/s", &extras.library_rate);
        add("system calls of one run", "", &extras.calls);
        add(MEMORY, "MB", &extras.memory);
        add(SIZE, "MB", &extras.size);
        Report { host, rows }
    }

    pub(crate) fn figure(&self, row: &str, who: &str) -> Option<f64> {
        self.rows.iter().find(|r| r.label == row)?.figures.get(who).copied()
    }

    /// What was promised, what is, and whether it holds; for targets whose figures are there.
    fn targets(&self) -> impl Iterator<Item = (String, f64, String, bool)> {
        TARGETS.iter().filter_map(|(row, against, limit, least)| {
            let ours = self.figure(row, OURS)?;
            let (name, value) = match against {
                Against::Other(who) => (format!("{row}, of {who}'s"), ours / self.figure(row, who)?),
                Against::Row(other) => (format!("{row}, of {other}"), ours / self.figure(other, OURS)?),
                Against::Above(other) => {
                    (format!("{row}, more than without, ms"), ours - self.figure(other, OURS)?)
                }
                Against::Alone => ((*row).to_owned(), ours),
            };
            let holds = if *least { value >= *limit } else { value <= *limit };
            let sign = if *least { ">=" } else { "<=" };
            Some((name, value, format!("{sign} {limit}"), holds))
        })
    }

    pub(crate) fn write_json(&self, path: Option<&Path>) -> Result<(), String> {
        let Some(path) = path else { return Ok(()) };
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| json!({ "what": row.label, "unit": row.unit, "medians": row.figures }))
            .collect();
        let targets: Vec<Value> = self
            .targets()
            .map(|(what, value, limit, holds)| json!({ "what": what, "value": value, "target": limit, "met": holds }))
            .collect();
        let all = json!({ "host": self.host.json(), "rows": rows, "targets": targets });
        std::fs::write(path, format!("{all:#}\n")).map_err(|e| format!("{}: {e}", path.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<40}{:>4}", "medians", "")?;
        for column in COLUMNS {
            write!(f, "{column:>12}")?;
        }
        writeln!(f)?;
        for row in &self.rows {
            write!(f, "{:<40}{:>4}", row.label, row.unit)?;
            for column in COLUMNS {
                match row.figures.get(column) {
                    Some(figure) if row.unit.is_empty() => write!(f, "{figure:>12.0}")?,
                    Some(figure) => write!(f, "{figure:>12.2}")?,
                    None => write!(f, "{:>12}", "-")?,
                }
            }
            writeln!(f)?;
        }
        for (count, (what, value, limit, holds)) in self.targets().enumerate() {
            if count == 0 {
                writeln!(f, "\n{:<60}{:>10}{:>10}", "cofferdam against its targets", "measured", "target")?;
            }
            writeln!(f, "{what:<60}{value:>10.2}{limit:>10}  {}", if holds { "met" } else { "MISSED" })?;
        }
        Ok(())
    }
}
