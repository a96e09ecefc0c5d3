//! The commands that `cofferdam` leaves to the program beside it: which they are, and both ways to obey one.
//!
//! Called by [`crate::cli`] with whichever of the two ways its program was given, and by `nsinit`'s name. What only
//! [`here`] reaches is not linked into the runtime.

use std::ffi::{OsStr, OsString};

use crate::beside;
use crate::commands::{
    checkpoint::Checkpoint, events::Events, nsinit::Nsinit, plan::Plan, restore::Restore, stats::Stats,
};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// The program.
const PROGRAM: &str = "cofferdam-nsinit";

/// The name under which that program takes the whole command line of `cofferdam`.
pub(crate) const ALL: &str = "cofferdam";

/// A command, with its flags.
#[derive(Debug)]
pub(crate) enum Far {
    Checkpoint(Box<Checkpoint>),
    Events(Events),
    Nsinit(Nsinit),
    Plan(Plan),
    Restore(Box<Restore>),
    Stats(Stats),
}

/// A way to obey one.
pub(crate) type Obey = fn(Far, &Context) -> Outcome;

/// Has the other program obey the line of this one, instead of this one. The flags have been judged.
pub(crate) fn over_there(_: Far, _: &Context) -> Outcome {
    Err(beside::execute(PROGRAM, OsStr::new(ALL), std::env::args_os().skip(1).collect()))
}

/// Obeys.
pub(crate) fn here(far: Far, context: &Context) -> Outcome {
    match far {
        Far::Checkpoint(command) => command.execute(context),
        Far::Events(command) => command.execute(context),
        Far::Nsinit(command) => command.execute(context),
        Far::Plan(command) => command.execute(context),
        Far::Restore(command) => command.execute(context),
        Far::Stats(command) => command.execute(context),
    }
}

/// Has the other program do what it does under this name. Returns only when it cannot.
pub(crate) fn nsinit(name: &OsStr, words: Vec<OsString>) -> Failure {
    beside::execute(PROGRAM, name, words)
}
