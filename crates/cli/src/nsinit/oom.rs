//! `oom`: when a container ran out of memory.

use cofferdam::Status;
use cofferdam::cgroup::Oom as Seen;
use std::time::Duration;

use super::place::{Which, container};
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::output;

/// How often it is asked whether the container has ended.
const INTERVAL: Duration = Duration::from_secs(1);

/// Print a line whenever the kernel kills for lack of memory
///
/// Until the container ends.
#[derive(Debug, clap::Args)]
pub(super) struct Oom {
    #[command(flatten)]
    which: Which,
}

impl Oom {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let container = container(setting, &self.which)?;
        let mut memory = container.oom_watch()?;
        setting.log.debug(|| format!("watching the memory of {}", container.id()));
        loop {
            match memory.wait(INTERVAL).map_err(|error| Failure::new(error.to_string()))? {
                Seen::Killed => output::text("OOM notification received\n")?,
                Seen::Nothing if container.status()? != Status::Stopped => {}
                Seen::Nothing | Seen::Gone => return Ok(0),
            }
        }
    }
}
