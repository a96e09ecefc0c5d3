//! `pause` and `unpause`.

use super::place::{Which, container};
use super::setting::Setting;
use crate::failure::Outcome;

/// Stop all processes of a container
///
/// They stay as they are until `unpause`.
#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    #[command(flatten)]
    which: Which,
}

impl Pause {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        container(setting, &self.which)?.pause()?;
        Ok(0)
    }
}

/// Let a paused container's processes go on
#[derive(Debug, clap::Args)]
pub(super) struct Unpause {
    #[command(flatten)]
    which: Which,
}

impl Unpause {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        container(setting, &self.which)?.resume()?;
        Ok(0)
    }
}
