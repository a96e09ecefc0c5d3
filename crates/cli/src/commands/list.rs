//! `list`: the containers below `--root`.

use cofferdam::ErrorKind;

use super::owner::Owners;
use super::state_json::ContainerState;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::{output, table};

/// List containers
///
/// Lists the containers whose state is below the directory of --root.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// How to print: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    format: String,
    /// Print names only
    #[arg(short, long)]
    quiet: bool,
}

impl List {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let states = states(context)?;
        if self.quiet {
            let names: String = states.iter().map(|state| format!("{}\n", state.id)).collect();
            output::text(&names)?;
            return Ok(0);
        }
        match self.format.as_str() {
            "table" => output::text(&render(&states))?,
            // An empty list is null, as in Go.
            "json" => output::json_line(&(!states.is_empty()).then_some(&states))?,
            _ => return Err(Failure::new("invalid format option (hint: table or json)")),
        }
        Ok(0)
    }
}

/// Every container that can be read; about the others there is a warning.
fn states(context: &Context) -> Result<Vec<ContainerState>, Failure> {
    let root = context.store.root();
    if context.root_named {
        // Mistyped, it would look like a host without containers.
        std::fs::metadata(root).map_err(|e| Failure::io(format_args!("open {}", root.display()), &e))?;
    }
    let mut owners = Owners::default();
    let mut states = Vec::new();
    for id in context.store.ids()? {
        let state = match context.store.load(&id) {
            Ok(container) => ContainerState::of(&container, owners.name(container.owner_uid())),
            // It is only being made, or has been deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound || error.errno() == Some(ENOENT) => continue,
            Err(error) => Err(error.into()),
        };
        match state {
            Ok(state) => states.push(state),
            Err(failure) => context.log.warning(&format!("load container {id}: {}", failure.message())),
        }
    }
    Ok(states)
}

const ENOENT: i32 = 2;

fn render(states: &[ContainerState]) -> String {
    let heading = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let row = |state: &ContainerState| {
        [
            state.id.clone(),
            state.pid.to_string(),
            state.status.to_owned(),
            state.bundle.clone(),
            state.created.clone(),
            state.owner.clone(),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(states.iter().map(row)).collect();
    table::render(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heading_is_runcs() {
        assert_eq!(render(&[]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    }
}
