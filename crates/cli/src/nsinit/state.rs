//! `state`: what is known of a running container.

use cofferdam_nsinit::{Config, StateV2};

use super::config;
use super::place::{Place, Which, running};
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Print a container's state as JSON
///
/// In libcontainer's form of v1.4 for the container of a directory, and in that of version 2 for one with a name.
#[derive(Debug, clap::Args)]
pub(super) struct State {
    #[command(flatten)]
    which: Which,
    /// Which form [default: json-v1, or json for a container with a name]
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
}

/// A form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// libcontainer's form of v1.4
    JsonV1,
    /// libcontainer's form of version 2, with container.json where there is one
    Json,
}

impl State {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let state = running(setting, &self.which)?;
        let kept = if setting.nspid.is_some() { None } else { kept(setting, &self.which)? };
        let usual = if kept.is_some() { Format::Json } else { Format::JsonV1 };
        let format = self.format.unwrap_or(usual);
        let text = match (format, kept) {
            (Format::JsonV1, _) => output::pretty(&state, "\t")?,
            (Format::Json, Some(kept)) => output::pretty(&kept, "\t")?,
            (Format::Json, None) => {
                let config = config_of(setting, &self.which)?;
                output::pretty(&StateV2::of(&state.container()?, config.as_ref())?, "\t")?
            }
        };
        output::text(&format!("{text}\n"))?;
        Ok(0)
    }
}

/// What was written down of a container with a name; not at once when it begins to run.
fn kept(setting: &Setting, which: &Which) -> Result<Option<StateV2>, Failure> {
    match Place::of_running(setting, which)? {
        Place::Named(dir) => Ok(StateV2::get(&dir).ok()),
        Place::Data(_) => Ok(None),
    }
}

/// The configuration that lies where the container was found, if one does.
fn config_of(setting: &Setting, which: &Which) -> Result<Option<Config>, Failure> {
    if setting.nspid.is_some() {
        return Ok(None);
    }
    let file = Place::of_running(setting, which)?.config().filter(|file| file.exists());
    file.map(|file| config::read(&file, &setting.log)).transpose()
}
