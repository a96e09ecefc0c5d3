//! `restore`: make a container out of the files of a checkpoint.

use cofferdam::checkpoint::RestoreOptions;
use cofferdam::{Container, TerminalMode};

use super::criu::CriuFlags;
use crate::context::{Context, container_id};
use crate::failure::Outcome;
use crate::foreground::{self, Signals};
use crate::options::CreateFlags;
use crate::raw_terminal::RawTerminal;

/// Make a container out of a bundle and the files of a checkpoint
///
/// Its processes go on where they were. Without --detach the command stays until the program ends, as run does.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    flags: CreateFlags,
    #[command(flatten)]
    criu: CriuFlags,
    /// Profile in place of the one in the images: apparmor:NAME or selinux:LABEL
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// SELinux context of mounts in place of the one in the images
    #[arg(long, value_name = "CONTEXT")]
    lsm_mount_context: Option<String>,
    /// Return once the program runs
    #[arg(short, long)]
    detach: bool,
    /// Do not become the parent of the container's orphans
    #[arg(long)]
    no_subreaper: bool,
    /// Name of the container; no other on this host may have it
    container_id: String,
}

impl Restore {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let id = container_id(&self.container_id)?;
        let bundle = self.flags.bundle()?;
        let options = self.flags.into_options(context, &bundle, self.detach)?;
        let restore = RestoreOptions {
            criu: self.criu.options(context, false)?,
            lsm_profile: self.lsm_profile,
            lsm_mount_context: self.lsm_mount_context,
        };
        if !self.no_subreaper {
            foreground::become_subreaper(&context.log);
        }
        if self.detach {
            Container::restore(&context.store, &id, &bundle, options, &restore)?.1.leave();
            return Ok(0);
        }
        let host = (options.terminal == TerminalMode::Own).then(RawTerminal::find).transpose()?;
        let signals = Signals::take()?;
        let (container, process) = Container::restore(&context.store, &id, &bundle, options, &restore)?;
        // One whose terminal was closed when it was dumped has none now.
        let host = host.filter(|_| process.terminal().is_some());
        let outcome = super::run::attend(&process, &signals, host, &context.log);
        let failed = container.delete(outcome.is_err()).unwrap_or_else(|error| vec![error]);
        super::delete::warn(context, &failed);
        outcome
    }
}
