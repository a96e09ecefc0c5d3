//! `events`: what a container uses, and when it ran out of memory.

use cofferdam::{Container, Status, cgroup::Oom};
use serde::Serialize;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::{output, units};

/// Print what a container uses
///
/// Prints a line of JSON at every interval, and one when the kernel killed a process of the container for
/// lack of memory, until the container ends.
#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    /// Time between two lines, such as 5s or 500ms
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = units::duration)]
    interval: Duration,
    /// Print one line and end
    #[arg(long)]
    stats: bool,
    /// Name of the container
    container_id: String,
}

/// One line.
#[derive(Debug, Serialize)]
struct Event<'a, D: Serialize> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
}

impl Events {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        if self.interval.is_zero() {
            return Err(Failure::new("duration interval must be greater than 0"));
        }
        if container.status()? == Status::Stopped {
            return Err(Failure::new(format!("container with id {} is not running", self.container_id)));
        }
        if self.stats {
            print_stats(&container)?;
        } else {
            self.watch(&container, context)?;
        }
        Ok(0)
    }

    /// Prints until the container has stopped or its cgroup is gone.
    fn watch(&self, container: &Container, context: &Context) -> Result<(), Failure> {
        let mut memory = container.oom_watch()?;
        let mut next = Instant::now() + self.interval;
        loop {
            match memory.wait(next.saturating_duration_since(Instant::now())) {
                Ok(Oom::Killed) => {
                    let id = container.id().as_str();
                    output::json_line(&Event { kind: "oom", id, data: None::<()> })?;
                }
                Ok(Oom::Nothing) => {
                    if container.status()? == Status::Stopped {
                        return Ok(());
                    }
                    if let Err(failure) = print_stats(container) {
                        context.log.warning(failure.message());
                    }
                    next += self.interval;
                }
                Ok(Oom::Gone) => return Ok(()),
                Err(error) => return Err(Failure::new(error.to_string())),
            }
        }
    }
}

fn print_stats(container: &Container) -> Result<(), Failure> {
    let data = Some(container.stats()?);
    output::json_line(&Event { kind: "stats", id: container.id().as_str(), data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_runc() {
        let line =
            |data: Option<i32>| serde_json::to_string(&Event { kind: "stats", id: "a", data }).unwrap();
        assert_eq!(line(Some(1)), r#"{"type":"stats","id":"a","data":1}"#);
        assert_eq!(line(None), r#"{"type":"stats","id":"a"}"#);
    }
}
