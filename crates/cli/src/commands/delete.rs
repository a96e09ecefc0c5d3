//! `delete`: remove what a container leaves behind.

use cofferdam::{Error, ErrorKind, Status};

use crate::context::{Context, container_id};
use crate::failure::{Failure, Outcome};

/// Delete a container
///
/// Removes everything that a stopped or never started container holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    /// Kill the container when it runs; be content when there is none
    #[arg(short, long)]
    force: bool,
    /// Name of the container
    container_id: String,
}

impl Delete {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        if self.force {
            return match context.store.remove(&container_id(&self.container_id)?) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
                removed => Ok(warn(context, &removed?)),
            };
        }
        let container = context.container(&self.container_id)?;
        let status = container.status()?;
        if status == Status::Created {
            return Ok(warn(context, &container.delete(true)?));
        }
        if status != Status::Stopped {
            return Err(Failure::new(format!(
                "cannot delete container {} that is not stopped: {} (hint: kill it first, or give --force)",
                self.container_id,
                status.as_str()
            )));
        }
        Ok(warn(context, &container.delete(false)?))
    }
}

/// Failed hooks are no failure of the command.
pub(super) fn warn(context: &Context, failed: &[Error]) -> i32 {
    for error in failed {
        context.log.warning(&error.to_string());
    }
    0
}
