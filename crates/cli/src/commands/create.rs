//! `create`: make a container and stop before its program.

use cofferdam::Container;

use crate::context::{Context, container_id};
use crate::failure::Outcome;
use crate::options::CreateFlags;

/// Create a container
///
/// Makes a container out of a bundle and leaves it waiting: `start` runs its program.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    flags: CreateFlags,
    /// Name of the container; no other on this host may have it
    container_id: String,
}

impl Create {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let id = container_id(&self.container_id)?;
        let bundle = self.flags.bundle()?;
        let options = self.flags.into_options(context, &bundle, true)?;
        let (container, process) = Container::prepare(&context.store, &id, &bundle, options)?;
        super::run::warn(context, &container, &process);
        process.leave();
        Ok(0)
    }
}
