//! `stats`: what containers use.

use cofferdam::{Container, ErrorKind};
use cofferdam_nsinit::stats::Measurement;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::stats::{self, Format, Options, Subject, Subjects};

/// Print what containers use
///
/// Prints processor time, memory, block devices, network and tasks of the named containers, or of all that run.
/// What this host does not count is absent. docs/statistics.md has every field.
#[derive(Debug, clap::Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    options: Options,
    /// How to print
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "table")]
    format: Format,
    /// Names of containers
    #[arg(value_name = "CONTAINER_ID")]
    ids: Vec<String>,
}

impl Stats {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let subjects = if self.ids.is_empty() {
            Subjects::All(Box::new(|| running(context)))
        } else {
            let named = self.ids.iter().map(|id| subject(context.container(id)?));
            Subjects::Named(named.collect::<Result<_, _>>()?)
        };
        stats::run(&self.options, self.format, &subjects, &context.log)
    }
}

/// A container that was named has to run.
fn subject(container: Container) -> Result<Subject, Failure> {
    let id = container.id().to_string();
    let pid =
        container.pid().ok_or_else(|| Failure::new(format!("container with id {id} is not running")))?;
    Ok(of(container, id, pid))
}

fn of(container: Container, id: String, pid: i32) -> Subject {
    Subject { id, pid, measure: Box::new(move || Measurement::of(&container)) }
}

/// Every container that runs; about those that cannot be read there is a warning.
fn running(context: &Context) -> Result<Vec<Subject>, Failure> {
    let mut found = Vec::new();
    for id in context.store.ids()? {
        match context.store.load(&id) {
            Ok(container) => {
                let pid = container.pid();
                found.extend(pid.map(|pid| of(container, id.to_string(), pid)));
            }
            // It is only being made, or has been deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound || error.errno() == Some(ENOENT) => {}
            Err(error) => context.log.warning(&format!("load container {id}: {error}")),
        }
    }
    Ok(found)
}

const ENOENT: i32 = 2;
