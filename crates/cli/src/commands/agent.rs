//! `agent`: hands over to the program beside this one, `cofferdam-agent`, so that the runtime stays small.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::failure::{Failure, Outcome};

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
        let own = std::env::current_exe().map_err(|e| Failure::io("finding this program", &e))?;
        let program = own.with_file_name(PROGRAM);
        let error = Command::new(&program).args(self.words).exec();
        let hint = "hint: it is installed beside cofferdam";
        Err(Failure::io(format_args!("executing {} ({hint})", program.display()), &error))
    }
}
