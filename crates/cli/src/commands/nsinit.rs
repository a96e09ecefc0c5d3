//! `nsinit`: a command line of its own, which is looked at only when it is asked for.

use std::ffi::OsString;

use crate::context::Context;
use crate::failure::Outcome;
use crate::nsinit;

/// Run containers described by a container.json, as libcontainer's nsinit did
///
/// A command with commands and flags of its own, which `cofferdam nsinit --help` lists; also there under the
/// name nsinit, when this program is called so.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Nsinit {
    /// Flags, command and arguments of nsinit
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Nsinit {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        nsinit::run(self.words, context)
    }
}
