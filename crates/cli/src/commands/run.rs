//! `run`: create and start in one go.

use cofferdam::{Bundle, Container, ContainerId, CreateOptions, Process, TerminalMode};

use crate::context::{Context, container_id};
use crate::failure::{Failure, Outcome};
use crate::foreground::{self, Shared, Signals};
use crate::log::Log;
use crate::options::CreateFlags;
use crate::raw_terminal::{RawTerminal, lend_size};
use crate::relay::Relay;

/// Create a container and run its program
///
/// Without --detach the command stays until the program ends: signals are passed on to it, its exit code
/// is the command's, and the container is deleted.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    flags: CreateFlags,
    /// Return once the program runs
    #[arg(short, long)]
    detach: bool,
    /// Do not delete the container when its program ends
    #[arg(long)]
    keep: bool,
    /// Do not become the parent of the container's orphans
    #[arg(long)]
    no_subreaper: bool,
    /// Name of the container; no other on this host may have it
    container_id: String,
}

impl Run {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let id = container_id(&self.container_id)?;
        let bundle = self.flags.bundle()?;
        let options = self.flags.into_options(context, &bundle, self.detach)?;
        if !self.no_subreaper {
            foreground::become_subreaper(&context.log);
        }
        if self.detach {
            let (container, process) = Container::run(&context.store, &id, &bundle, options)?;
            warn(context, &container, &process);
            if let Some(Err(error)) = process.notify().map(|notify| notify.wait(&container)) {
                context.log.warning(&error.to_string());
            }
            process.leave();
            return Ok(0);
        }
        in_foreground(context, &id, bundle, options, self.keep, |container, process| {
            warn(context, container, process);
        })
    }
}

/// Runs a container until its program ends; deletes it unless told to `keep` it. `made` is told of it while it
/// runs.
pub(super) fn in_foreground(
    context: &Context,
    id: &ContainerId,
    mut bundle: Bundle,
    options: CreateOptions,
    keep: bool,
    made: impl FnOnce(&Container, &Process),
) -> Outcome {
    let host = (options.terminal == TerminalMode::Relayed).then(RawTerminal::find).transpose()?;
    if let Some(process) = &mut bundle.spec.process {
        lend_size(host.as_ref(), process);
    }
    let signals = Signals::take()?;
    let (container, process) = Container::run(&context.store, id, &bundle, options)?;
    made(&container, &process);
    let outcome = attend(&process, &signals, host, &context.log);
    if !keep {
        let failed = container.delete(outcome.is_err()).unwrap_or_else(|error| vec![error]);
        super::delete::warn(context, &failed);
    }
    // This process ends now; the kernel takes its memory back faster than we do.
    std::mem::forget(bundle);
    outcome
}

/// Said once in a container's life: what is odd in its configuration, and that an ordinary user may make containers
/// also where it may make no cgroup.
pub(super) fn warn(context: &Context, container: &Container, process: &Process) {
    super::exec::warn(context, process);
    if !context.no_cgroups && container.cgroup_paths().is_empty() {
        context.log.warning(
            "this user may not make cgroups here, so the container has none of its own: it can have no limits, and not \
             be paused or measured (hint: let systemd delegate a cgroup, as systemd-run --user --scope -p Delegate=yes)",
        );
    }
}

/// Stays with a process until it ends. `host` is the caller's terminal when the process has its own.
pub(crate) fn attend(process: &Process, signals: &Signals, host: Option<RawTerminal>, log: &Log) -> Outcome {
    const SIGKILL: i32 = 9;
    let relay = host.map(|host| join(host, process)).transpose();
    let outcome = relay.and_then(|relay| foreground::follow(&mut Shared(process), signals, relay, log));
    if outcome.is_err() {
        // Nobody would be left to see or to stop it.
        let _ = process.kill(SIGKILL);
    }
    outcome
}

fn join(host: RawTerminal, process: &Process) -> Result<Relay, Failure> {
    match process.terminal() {
        Some(master) => Relay::new(host, master),
        None => Err(Failure::new("the process was to have a terminal and has none")),
    }
}
