//! Counters of what was answered, as OpenMetrics.
//!
//! Filled by `serve`, read by `http`. Labels are bounded: names of system calls out of the table, and few outcomes.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds in seconds: an errno takes microseconds, an action in a namespace less than a millisecond, and a
/// delay as long as it likes.
const BOUNDS: [f64; 10] = [10e-6, 30e-6, 100e-6, 300e-6, 1e-3, 3e-3, 10e-3, 0.1, 1.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    syscall: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// What became of events for Falco.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published(Family<Outcome, Counter>);

impl Published {
    /// The plugin took it.
    pub(crate) fn sent(&self) {
        self.count("sent");
    }

    /// The plugin did not take it.
    pub(crate) fn failed(&self) {
        self.count("failed");
    }

    /// There were too many that wait.
    pub(crate) fn dropped(&self) {
        self.count("dropped");
    }

    fn count(&self, outcome: &'static str) {
        self.0.get_or_create(&Outcome { outcome }).inc();
    }
}

/// The counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Histogram, fn() -> Histogram>,
    containers: Gauge,
    pub(crate) published: Published,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cofferdam_agent");
        let requests: Family<Labels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BOUNDS));
        let containers = Gauge::default();
        let help = "How long it took to answer a system call, by call and outcome";
        registry.register_with_unit("request_duration", help, Unit::Seconds, requests.clone());
        registry.register("containers", "Containers whose calls are answered", containers.clone());
        let published = Published::default();
        registry.register("falco_events", "Events for Falco, by what became of them", published.0.clone());
        Self { registry: Mutex::new(registry), requests, containers, published }
    }
}

impl Metrics {
    /// A call was answered, with this word.
    pub(crate) fn count(&self, syscall: &str, answer: &str, time: Duration) {
        let outcome = match answer {
            "continue" | "descriptor" => answer,
            _ if answer.starts_with('E') => answer,
            _ => "success",
        };
        let labels = Labels { syscall: syscall.to_owned(), outcome: outcome.to_owned() };
        self.requests.get_or_create(&labels).observe(time.as_secs_f64());
    }

    /// Everything as text.
    pub(crate) fn text(&self, containers: usize) -> String {
        self.containers.set(i64::try_from(containers).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_in_seconds_by_call_and_outcome() {
        let metrics = Metrics::default();
        metrics.count("mkdir", "0", Duration::from_micros(200));
        metrics.count("mkdir", "EPERM", Duration::from_micros(5));
        metrics.count("execve", "continue", Duration::from_secs(2));
        let text = metrics.text(3);
        let has = |line: &str| assert!(text.contains(line), "{line} in\n{text}");
        let name = "cofferdam_agent_request_duration_seconds";
        has(&format!("{name}_sum{{syscall=\"mkdir\",outcome=\"success\"}} 0.0002"));
        has(&format!("{name}_count{{syscall=\"mkdir\",outcome=\"EPERM\"}} 1"));
        has(&format!("{name}_sum{{syscall=\"execve\",outcome=\"continue\"}} 2.0"));
        has("cofferdam_agent_containers 3");
        has("# EOF");
    }
}
