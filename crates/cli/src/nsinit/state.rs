//! `state`: what is known of a running container.

use cofferdam_nsinit::{Config, StateV2};

use super::config;
use super::place::{Place, Which, running};
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Print a container's state as JSON
#[derive(Debug, clap::Args)]
pub(super) struct State {
    #[command(flatten)]
    which: Which,
    /// Which form: json-v1, the file as it is, or json, that of version 2
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "json-v1")]
    format: Format,
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
        let text = match self.format {
            Format::JsonV1 => output::pretty(&state, "\t")?,
            Format::Json => {
                let config = config_of(setting, &self.which)?;
                output::pretty(&StateV2::of(&state.container()?, config.as_ref())?, "\t")?
            }
        };
        output::text(&format!("{text}\n"))?;
        Ok(0)
    }
}

/// The configuration that lies where the container was found, if one does.
fn config_of(setting: &Setting, which: &Which) -> Result<Option<Config>, Failure> {
    if setting.nspid.is_some() {
        return Ok(None);
    }
    let file = Place::of_running(setting, which)?.config().filter(|file| file.exists());
    file.map(|file| config::read(&file)).transpose()
}
