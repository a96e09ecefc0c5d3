//! The commands: one file each, a struct of flags and what it does with them.
//!
//! Called by [`crate::cli`]. A command calls the library, prints through [`crate::output`] and returns an
//! exit code or a [`Failure`](crate::failure::Failure).

mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod owner;
mod pause;
mod plan;
mod ps;
mod resume;
mod run;
mod sandbox;
mod spec;
mod start;
mod state;
mod state_json;
mod update;

use crate::context::Context;
use crate::failure::Outcome;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Create(create::Create),
    Delete(delete::Delete),
    Events(events::Events),
    Exec(Box<exec::Exec>),
    Features(features::Features),
    Kill(kill::Kill),
    List(list::List),
    Pause(pause::Pause),
    Plan(plan::Plan),
    Ps(ps::Ps),
    Resume(resume::Resume),
    Run(run::Run),
    Sandbox(Box<sandbox::SandboxFlags>),
    Spec(spec::Spec),
    Start(start::Start),
    State(state::State),
    Update(Box<update::Update>),
}

impl Command {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        match self {
            Self::Create(command) => command.execute(context),
            Self::Delete(command) => command.execute(context),
            Self::Events(command) => command.execute(context),
            Self::Exec(command) => command.execute(context),
            Self::Features(command) => command.execute(),
            Self::Kill(command) => command.execute(context),
            Self::List(command) => command.execute(context),
            Self::Pause(command) => command.execute(context),
            Self::Plan(command) => command.execute(context),
            Self::Ps(command) => command.execute(context),
            Self::Resume(command) => command.execute(context),
            Self::Run(command) => command.execute(context),
            Self::Sandbox(command) => command.execute(context),
            Self::Spec(command) => command.execute(),
            Self::Start(command) => command.execute(context),
            Self::State(command) => command.execute(context),
            Self::Update(command) => command.execute(context),
        }
    }
}
