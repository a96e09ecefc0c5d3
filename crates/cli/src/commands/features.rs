//! `features`: what this build can do, as JSON.

use crate::failure::Outcome;
use crate::output;

/// Print what this runtime supports as JSON
///
/// The document is described in features.md of the OCI runtime specification.
#[derive(Debug, clap::Args)]
pub(crate) struct Features {}

impl Features {
    pub(crate) fn execute(self) -> Outcome {
        output::text(&(output::pretty(&cofferdam::features(), "    ")? + "\n"))?;
        Ok(0)
    }
}
