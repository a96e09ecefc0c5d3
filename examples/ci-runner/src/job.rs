//! What is to be run: the steps of a job and what they may use. Read by `main`; decides nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The job's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    /// For every step.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// Variables of every step's environment.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
}

/// A shell script, run with `sh -e`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) run: String,
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// What a step may use; what is not said is not limited here.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) memory_mib: Option<u64>,
    pub(crate) cpus: Option<f64>,
    pub(crate) processes: Option<u64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) output_kib: Option<u64>,
}

impl Job {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let job: Self = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if job.steps.is_empty() {
            return Err(format!("{}: there are no steps", path.display()));
        }
        Ok(job)
    }
}

impl Limits {
    /// The smaller of both, each.
    pub(crate) fn at_most(self, other: Self) -> Self {
        fn least<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(if b < a { b } else { a }),
                (a, b) => a.or(b),
            }
        }
        Self {
            memory_mib: least(self.memory_mib, other.memory_mib),
            cpus: least(self.cpus, other.cpus),
            processes: least(self.processes, other.processes),
            seconds: least(self.seconds, other.seconds),
            output_kib: least(self.output_kib, other.output_kib),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_can_ask_for_less_but_not_for_more() {
        let most = Limits { memory_mib: Some(100), seconds: Some(10.0), ..Limits::default() };
        let asked =
            Limits { memory_mib: Some(200), seconds: Some(1.5), processes: Some(3), ..Limits::default() };
        let both = most.at_most(asked);
        assert_eq!((both.memory_mib, both.seconds, both.processes), (Some(100), Some(1.5), Some(3)));
    }

    #[test]
    fn an_unknown_word_in_a_job_is_an_error() {
        let step = |more: &str| format!(r#"{{"steps": [{{"name": "a", "run": "true"{more}}}]}}"#);
        assert!(serde_json::from_str::<Job>(&step("")).is_ok());
        assert!(serde_json::from_str::<Job>(&step(r#", "limits": {"memory": 3}"#)).is_err());
    }
}
