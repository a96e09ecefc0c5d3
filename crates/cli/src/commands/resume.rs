//! `resume`: the opposite of `pause`.

use crate::context::Context;
use crate::failure::Outcome;

/// Let the processes of a paused container go on
#[derive(Debug, clap::Args)]
pub(crate) struct Resume {
    /// Name of the container
    container_id: String,
}

impl Resume {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        context.container(&self.container_id)?.resume()?;
        Ok(0)
    }
}
