//! `checkpoint` and `restore`, with the flags that nsinit had.

use cofferdam::checkpoint::{CheckpointOptions, CriuOptions, RestoreOptions};
use cofferdam_nsinit::namespaces;
use std::path::PathBuf;

use super::config::{Source, here};
use super::place::{Place, Which, container};
use super::process::Process;
use super::setting::Setting;
use crate::commands::{checkpoint::page_server, criu::CommonFlags, run::attend};
use crate::failure::Outcome;
use crate::foreground::Signals;

/// What both say to CRIU.
#[derive(Debug, clap::Args)]
struct Criu {
    /// Directory of the image files
    #[arg(long, value_name = "DIR", required = true)]
    image_path: PathBuf,
    #[command(flatten)]
    common: CommonFlags,
}

impl Criu {
    fn options(self, setting: &Setting) -> CriuOptions {
        self.common.options(setting.criu.as_deref(), self.image_path)
    }
}

/// Write a running container into files, from which restore makes one again
///
/// CRIU does the work, as root. Unless --leave-running is given the container has ended then, and the exec that stayed
/// with it ends with 137.
#[derive(Debug, clap::Args)]
pub(super) struct Checkpoint {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    criu: Criu,
    /// Let the container run on afterwards
    #[arg(long)]
    leave_running: bool,
    /// Send memory to a page server
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_server)]
    page_server: Option<(String, u16)>,
}

impl Checkpoint {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        container(setting, &self.which)?.checkpoint(&CheckpointOptions {
            criu: self.criu.options(setting),
            leave_running: self.leave_running,
            page_server: self.page_server,
            ..CheckpointOptions::default()
        })?;
        Ok(0)
    }
}

/// Make a container again out of the files of a checkpoint, and stay with it
///
/// The configuration is the one that it was started with. Signals are passed on to its program; its status is the
/// command's, as for exec.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    criu: Criu,
}

impl Restore {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let place = Place::to_start(setting, &self.which, self.source.config.is_some())?;
        let mut config = self.source.configuration(&place, &self.which, &setting.log)?;
        let place = place.outside(setting, &config.root_fs)?;
        if config.root_fs.is_empty() {
            config.root_fs = here()?;
        }
        let images = RestoreOptions { criu: self.criu.options(setting), ..RestoreOptions::default() };
        let host = Process::terminal(&config, setting.console.as_deref())?;
        place.make()?;
        let signals = Signals::take()?;
        let outcome = namespaces::restore(&config, &setting.store, place.dir(), &images, |process| {
            // One whose terminal was closed when it was dumped has none now.
            let host = host.filter(|_| process.terminal().is_some());
            attend(process, &signals, host, &setting.log)
        });
        place.unmake();
        outcome?
    }
}
