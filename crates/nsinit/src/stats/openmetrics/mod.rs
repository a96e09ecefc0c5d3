//! Statistics as OpenMetrics 1.0 text, for what scrapes or collects files of it.
//!
//! Called by the command `stats` and by services that answer a scrape. Pure.

mod families;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Measurement;
use families::{FAMILIES, Family, Sample, Value};

/// What an HTTP answer with this text says that it is.
///
/// ```
/// assert!(cofferdam_nsinit::stats::CONTENT_TYPE.starts_with("application/openmetrics-text"));
/// ```
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The measurements of several containers, each with its name, which becomes the label `container`. What a
/// container's host does not count has no line; a family that nobody has is not mentioned.
///
/// Times are in seconds and sizes in bytes; `docs/statistics.md` has the names.
///
/// ```
/// use cofferdam_nsinit::stats::{Measurement, openmetrics};
/// let mut web = Measurement::default();
/// web.usage.cpu.total = Some(1_500_000_000);
/// let text = openmetrics(vec![("web".into(), web)]);
/// assert!(text.contains("container_cpu_usage_seconds_total{container=\"web\"} 1.5\n"), "{text}");
/// assert!(text.ends_with("# EOF\n"));
/// ```
#[must_use]
pub fn openmetrics(containers: Vec<(String, Measurement)>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Containers(containers)));
    let mut out = String::new();
    // Writing to a string does not fail, and neither do the numbers and names that are written here.
    let _ = text::encode(&mut out, &registry);
    out
}

#[derive(Debug)]
struct Containers(Vec<(String, Measurement)>);

impl Collector for Containers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        FAMILIES.iter().try_for_each(|family| self.family(family, &mut encoder))
    }
}

impl Containers {
    fn family(&self, family: &Family, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let of = |(name, measured): &(String, Measurement)| {
            (family.samples)(measured).into_iter().map(|sample| (name.clone(), sample)).collect::<Vec<_>>()
        };
        let samples: Vec<(String, Sample)> = self.0.iter().flat_map(of).collect();
        if samples.is_empty() {
            return Ok(());
        }
        let kind = if family.counter { MetricType::Counter } else { MetricType::Gauge };
        let mut descriptor =
            encoder.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)?;
        for (name, sample) in samples {
            let mut labels = vec![("container".to_owned(), name)];
            labels.extend(sample.label.map(|(key, value)| (key.to_owned(), value)));
            let metric = descriptor.encode_family(&labels)?;
            match (family.counter, sample.value) {
                (true, Value::Number(n)) => ConstCounter::new(n).encode(metric),
                (true, Value::Seconds(s)) => ConstCounter::new(s).encode(metric),
                (false, Value::Number(n)) => ConstGauge::new(n).encode(metric),
                (false, Value::Seconds(s)) => ConstGauge::new(s).encode(metric),
            }?;
        }
        Ok(())
    }
}
