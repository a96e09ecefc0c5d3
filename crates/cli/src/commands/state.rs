//! `state`: what a container is doing, as JSON.

use super::state_json::ContainerState;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output;

/// Print the state of a container as JSON
#[derive(Debug, clap::Args)]
pub(crate) struct State {
    /// Name of the container
    container_id: String,
}

impl State {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        let state = ContainerState::of(&container, String::new())?;
        output::text(&output::pretty(&state, "  ")?)?;
        Ok(0)
    }
}
