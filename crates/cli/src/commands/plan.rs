//! `plan`: show what a start would do, without doing it.

use crate::context::{Context, container_id};
use crate::failure::{Failure, Outcome};
use crate::options::CreateFlags;
use crate::output;

/// Show what running a bundle would do
///
/// Reads the bundle and the host, decides everything, prints the decision and changes nothing. What
/// cannot be obeyed is listed, each with its place in config.json.
///
/// Needs no rights: a user who has none is shown what root would do, unless the bundle maps that user's own
/// id. The global flag --rootless decides it: true plans for the caller, false for root.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    flags: CreateFlags,
    /// How to print: text or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: String,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// The bundle's directory, or the name the container would have
    #[arg(value_name = "BUNDLE|CONTAINER_ID", default_value = "plan")]
    subject: String,
}

impl Plan {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let given = std::path::Path::new(&self.subject);
        let (id, bundle) = if given.join("config.json").is_file() {
            (container_id("plan")?, cofferdam::Bundle::open(given)?)
        } else {
            (container_id(&self.subject)?, self.flags.bundle()?)
        };
        // As `run` in the foreground would see it, which any bundle can be.
        let detach = self.flags.has_console_socket();
        let options = self.flags.into_options(context, &bundle, detach)?;
        let report = cofferdam::plan(&context.store, &id, &bundle, &options)?;
        match if self.json { "json" } else { self.format.as_str() } {
            "text" => output::text(&report.to_string())?,
            "json" => output::text(&(output::pretty(&report, "  ")? + "\n"))?,
            _ => return Err(Failure::new("invalid format option (hint: text or json)")),
        }
        Ok(0)
    }
}
