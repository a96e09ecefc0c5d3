//! The commands: one file each, a struct of flags and what it does with them.
//!
//! Called by [`crate::cli`]. A command calls the library, prints through [`crate::output`] and returns an
//! exit code or a [`Failure`](crate::failure::Failure).

mod agent;
pub(crate) mod checkpoint;
mod create;
pub(crate) mod criu;
mod delete;
pub(crate) mod events;
mod exec;
mod features;
mod kill;
mod list;
pub(crate) mod nsinit;
mod owner;
mod pause;
pub(crate) mod plan;
mod ps;
pub(crate) mod restore;
mod resume;
pub(crate) mod run;
mod sandbox;
mod sandbox_network;
mod spec;
mod start;
mod state;
mod state_json;
pub(crate) mod stats;
mod update;

use clap::{Args, Command as Definition};

use crate::context::Context;
use crate::failure::Outcome;
use crate::far::{Far, Obey};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Agent(agent::Agent),
    Checkpoint(Box<checkpoint::Checkpoint>),
    Create(create::Create),
    Delete(delete::Delete),
    Events(events::Events),
    Exec(Box<exec::Exec>),
    Features(features::Features),
    Kill(kill::Kill),
    List(list::List),
    Nsinit(nsinit::Nsinit),
    Pause(pause::Pause),
    Plan(plan::Plan),
    Ps(ps::Ps),
    Restore(Box<restore::Restore>),
    Resume(resume::Resume),
    Run(run::Run),
    Sandbox(Box<sandbox::SandboxFlags>),
    Spec(spec::Spec),
    Start(start::Start),
    State(state::State),
    Stats(stats::Stats),
    Update(Box<update::Update>),
}

impl Command {
    pub(crate) fn execute(self, context: &Context, far: Obey) -> Outcome {
        match self {
            Self::Agent(command) => command.execute(),
            Self::Checkpoint(command) => far(Far::Checkpoint(command), context),
            Self::Create(command) => command.execute(context),
            Self::Delete(command) => command.execute(context),
            Self::Events(command) => far(Far::Events(command), context),
            Self::Exec(command) => command.execute(context),
            Self::Features(command) => command.execute(),
            Self::Kill(command) => command.execute(context),
            Self::List(command) => command.execute(context),
            Self::Nsinit(command) => far(Far::Nsinit(command), context),
            Self::Pause(command) => command.execute(context),
            Self::Plan(command) => far(Far::Plan(command), context),
            Self::Ps(command) => command.execute(context),
            Self::Restore(command) => far(Far::Restore(command), context),
            Self::Resume(command) => command.execute(context),
            Self::Run(command) => command.execute(context),
            Self::Sandbox(command) => command.execute(context),
            Self::Spec(command) => command.execute(),
            Self::Start(command) => command.execute(context),
            Self::State(command) => command.execute(context),
            Self::Stats(command) => far(Far::Stats(command), context),
            Self::Update(command) => command.execute(context),
        }
    }
}

/// The definition of one command. Making all of them takes longer than everything else that a command
/// line costs, so the usual line is parsed with the one that it names.
pub(crate) fn definition(name: &str) -> Option<Definition> {
    Some(match name {
        "agent" => agent::Agent::augment_args(Definition::new("agent")),
        "checkpoint" => checkpoint::Checkpoint::augment_args(Definition::new("checkpoint")),
        "create" => create::Create::augment_args(Definition::new("create")),
        "delete" => delete::Delete::augment_args(Definition::new("delete")),
        "events" => events::Events::augment_args(Definition::new("events")),
        "exec" => exec::Exec::augment_args(Definition::new("exec")),
        "features" => features::Features::augment_args(Definition::new("features")),
        "kill" => kill::Kill::augment_args(Definition::new("kill")),
        "list" => list::List::augment_args(Definition::new("list")),
        "nsinit" => nsinit::Nsinit::augment_args(Definition::new("nsinit")),
        "pause" => pause::Pause::augment_args(Definition::new("pause")),
        "plan" => plan::Plan::augment_args(Definition::new("plan")),
        "ps" => ps::Ps::augment_args(Definition::new("ps")),
        "restore" => restore::Restore::augment_args(Definition::new("restore")),
        "resume" => resume::Resume::augment_args(Definition::new("resume")),
        "run" => run::Run::augment_args(Definition::new("run")),
        "sandbox" => sandbox::SandboxFlags::augment_args(Definition::new("sandbox")),
        "spec" => spec::Spec::augment_args(Definition::new("spec")),
        "start" => start::Start::augment_args(Definition::new("start")),
        "state" => state::State::augment_args(Definition::new("state")),
        "stats" => stats::Stats::augment_args(Definition::new("stats")),
        "update" => update::Update::augment_args(Definition::new("update")),
        _ => return None,
    })
}
