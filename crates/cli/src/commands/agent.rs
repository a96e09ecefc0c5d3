//! `agent`: hands over to the program beside this one, `cofferdam-agent`, so that the runtime stays small.

use std::ffi::{OsStr, OsString};

use crate::beside;
use crate::failure::Outcome;

/// The program's name.
const PROGRAM: &str = "cofferdam-agent";

/// Answer system calls of containers from outside; explain and learn seccomp profiles
#[derive(Debug, clap::Args)]
pub(crate) struct Agent {
    /// What cofferdam-agent takes, see `cofferdam agent --help`
    #[arg(value_name = "ARGS", num_args = 0.., last = true)]
    words: Vec<OsString>,
}

impl Agent {
    /// Does not return when the program is there.
    pub(crate) fn execute(self) -> Outcome {
        Err(beside::execute(PROGRAM, OsStr::new(PROGRAM), self.words))
    }
}
