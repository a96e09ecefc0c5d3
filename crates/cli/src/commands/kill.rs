//! `kill`: send a signal to a container.

use cofferdam::Status;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::signal_names;

/// Send a signal to a container's first process
#[derive(Debug, clap::Args)]
pub(crate) struct Kill {
    /// Send it to every process of the container
    #[arg(short, long)]
    all: bool,
    /// Name of the container
    container_id: String,
    /// Signal by name, with or without SIG, or by number
    #[arg(default_value = "SIGTERM", allow_hyphen_values = true)]
    signal: String,
}

const SIGKILL: i32 = 9;

impl Kill {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        let signal = signal_names::parse(&self.signal)
            .ok_or_else(|| Failure::new(format!("unknown signal \"{}\"", self.signal)))?;
        let stopped = !self.all && container.status()? == Status::Stopped;
        // Without a PID namespace of its own others may have outlived the first process.
        if stopped && (signal != SIGKILL || container.pids().is_ok_and(|pids| pids.is_empty())) {
            return Err(Failure::new("container not running"));
        }
        container.kill(signal, self.all || stopped)?;
        Ok(0)
    }
}
