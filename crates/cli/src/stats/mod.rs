//! What containers use, printed: once or again and again, as a table, as JSON or as OpenMetrics.
//!
//! Called by the commands `stats` of OCI containers and of nsinit's, which say where containers are found. It
//! measures through the library and formats; it decides nothing about containers.

mod rates;
mod row;
mod screen;
mod watch;

use cofferdam::ErrorKind;
use cofferdam_nsinit::stats::{Measurement, openmetrics};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

use crate::failure::{Failure, Outcome};
use crate::log::Log;
use crate::{output, units};
use row::Totals;

/// What is printed, and how often.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure again at every interval until the containers have ended; q or ctrl-C ends it too
    #[arg(long)]
    watch: bool,
    /// Time between two measurements of --watch, such as 5s or 500ms
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = units::duration)]
    interval: Duration,
}

/// A form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A row for each container
    Table,
    /// libcontainer's form of version 2
    Json,
    /// libcontainer's form of v1.4
    JsonV1,
    /// OpenMetrics text, for a scraper
    Openmetrics,
}

/// A container that can be measured.
pub(crate) struct Subject {
    pub(crate) id: String,
    /// Its first process; that it has ended is seen at once.
    pub(crate) pid: i32,
    pub(crate) measure: Box<dyn Fn() -> cofferdam::Result<Measurement>>,
}

/// Which containers are meant.
pub(crate) enum Subjects<'a> {
    /// Those: one that has ended is an error.
    Named(Vec<Subject>),
    /// All that run at the moment.
    All(Box<dyn Fn() -> Result<Vec<Subject>, Failure> + 'a>),
}

/// Measures and prints.
pub(crate) fn run(options: &Options, format: Format, subjects: &Subjects<'_>, log: &Log) -> Outcome {
    if options.interval.is_zero() {
        return Err(Failure::new("the interval must be greater than 0"));
    }
    if !options.watch {
        return once(format, subjects, log);
    }
    match format {
        Format::Openmetrics => Err(Failure::new(
            "openmetrics cannot be watched (hint: a scraper asks by itself, once each time)",
        )),
        _ => watch::watch(options.interval, format, subjects, log),
    }
}

/// One measurement of each container.
fn once(format: Format, subjects: &Subjects<'_>, log: &Log) -> Outcome {
    let measured = match subjects {
        Subjects::Named(named) => {
            let measure = |subject: &Subject| Ok((subject.id.clone(), (subject.measure)()?));
            named.iter().map(measure).collect::<Result<Vec<_>, Failure>>()?
        }
        Subjects::All(list) => all(&list()?, log),
    };
    let text = match format {
        Format::Table => {
            let rows: Vec<_> = measured.iter().map(|(id, m)| row::totals(id, &Totals::of(m))).collect();
            row::render(row::TOTALS, &rows)
        }
        Format::Openmetrics => openmetrics(measured),
        Format::Json | Format::JsonV1 => document(format, measured, matches!(subjects, Subjects::Named(_)))?,
    };
    output::text(&text)?;
    Ok(0)
}

/// Those that still run; about those that cannot be measured there is a warning.
fn all(subjects: &[Subject], log: &Log) -> Vec<(String, Measurement)> {
    let measure = |subject: &Subject| match (subject.measure)() {
        Ok(measured) => Some((subject.id.clone(), measured)),
        Err(error) if error.kind() == ErrorKind::WrongState => None,
        Err(error) => {
            log.warning(&format!("measure container {}: {error}", subject.id));
            None
        }
    };
    subjects.iter().filter_map(measure).collect()
}

/// libcontainer's form for the only one that was named; else by id.
fn document(format: Format, measured: Vec<(String, Measurement)>, named: bool) -> Result<String, Failure> {
    let text = match measured.as_slice() {
        [(_, only)] if named => output::pretty(&value(format, only)?, "\t")?,
        _ => {
            let entry = |(id, m): (String, Measurement)| Ok((id, value(format, &m)?));
            let map = measured.into_iter().map(entry).collect::<Result<Map<_, _>, Failure>>()?;
            output::pretty(&map, "\t")?
        }
    };
    Ok(text + "\n")
}

/// One container in one of libcontainer's forms.
fn value(format: Format, measured: &Measurement) -> Result<Value, Failure> {
    let value = match format {
        Format::JsonV1 => serde_json::to_value(measured.v1()),
        _ => serde_json::to_value(measured.v2()),
    };
    value.map_err(|error| Failure::new(format!("make JSON of the statistics: {error}")))
}

/// A line of `--watch`.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    stats: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_named_is_printed_alone_and_several_by_their_ids() {
        let measured = |id: &str| {
            let mut measured = Measurement::default();
            measured.usage.cpu.total = Some(7);
            (id.to_owned(), measured)
        };
        let alone = document(Format::JsonV1, vec![measured("a")], true).unwrap();
        assert!(alone.starts_with("{\n\t\"cgroup_stats\": {\n\t\t\"cpu_stats\""), "{alone}");
        let value = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let both = value(document(Format::Json, vec![measured("a"), measured("b")], true).unwrap());
        assert_eq!(both["b"]["CgroupStats"]["cpu_stats"]["cpu_usage"]["total_usage"], 7);
        let listed = value(document(Format::Json, vec![measured("a")], false).unwrap());
        assert!(listed["a"].is_object(), "a list of one is a list");
        assert_eq!(document(Format::Json, vec![], false).unwrap(), "{}\n");
    }
}
