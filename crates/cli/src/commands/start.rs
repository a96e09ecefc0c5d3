//! `start`: run the program of a created container.

use cofferdam::Status;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::options::notify_socket;

/// Run the program of a created container
#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    /// Name of the container
    container_id: String,
}

impl Start {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        match container.status()? {
            Status::Created => {}
            Status::Stopped => return Err(Failure::new("cannot start a container that has stopped")),
            Status::Running => return Err(Failure::new("cannot start an already running container")),
            other => {
                return Err(Failure::new(format!(
                    "cannot start a container in the {} state",
                    other.as_str()
                )));
            }
        }
        let notify = match notify_socket() {
            Some(host) => container.notify(&host)?,
            None => None,
        };
        container.start()?;
        if let Some(notify) = notify {
            notify.wait(&container)?;
        }
        Ok(0)
    }
}
