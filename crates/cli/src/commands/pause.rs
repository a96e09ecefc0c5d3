//! `pause`: they stay as they are until `resume`.

use crate::context::Context;
use crate::failure::Outcome;

/// Stop all processes of a container
#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    /// Name of the container
    container_id: String,
}

impl Pause {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        context.container(&self.container_id)?.pause()?;
        Ok(0)
    }
}
