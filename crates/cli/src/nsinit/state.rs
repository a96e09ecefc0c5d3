//! `state`: what is known of a running container.

use super::place::{Which, running};
use super::setting::Setting;
use crate::failure::Outcome;
use crate::output;

/// Print a container's state as JSON
#[derive(Debug, clap::Args)]
pub(super) struct State {
    #[command(flatten)]
    which: Which,
}

impl State {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let state = running(setting, &self.which)?;
        output::text(&format!("{}\n", output::pretty(&state, "\t")?))?;
        Ok(0)
    }
}
