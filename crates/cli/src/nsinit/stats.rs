//! `stats`: what containers use.

use cofferdam_nsinit::State;
use cofferdam_nsinit::stats::Measurement;

use super::place::{Which, running};
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::stats::{self, Format, Options, Subject, Subjects};

/// Print what containers use
///
/// In the form of version 2, or of v1.4 with --format json-v1. What this host does not count is absent;
/// docs/statistics.md has every field.
#[derive(Debug, clap::Args)]
pub(super) struct Stats {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    options: Options,
    /// How to print
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "json")]
    format: Format,
    /// Names of containers, instead of --id
    #[arg(value_name = "NAME", conflicts_with = "id")]
    names: Vec<String>,
}

impl Stats {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let named = |name: String| subject(setting, &Which { id: Some(name) });
        let subjects = match self.names.is_empty() {
            true => vec![subject(setting, &self.which)?],
            false => self.names.into_iter().map(named).collect::<Result<_, _>>()?,
        };
        stats::run(&self.options, self.format, &Subjects::Named(subjects), &setting.log)
    }
}

/// One that runs. Without a name it is called as the core calls it.
fn subject(setting: &Setting, which: &Which) -> Result<Subject, Failure> {
    let state = running(setting, which)?;
    let own =
        |state: &State| state.core.as_ref().map_or_else(|| state.init_pid.to_string(), |c| c.id.clone());
    let id = which.id.clone().unwrap_or_else(|| own(&state));
    Ok(Subject { id, pid: state.init_pid, measure: Box::new(move || Measurement::of_state(&state)) })
}
