//! `init`: what nsinit started itself as, in a container's new namespaces.

use cofferdam_nsinit::namespaces;

use super::config;
use super::setting::Setting;
use crate::failure::{Failure, Outcome};

/// Become the first process of a container, in namespaces that are there already
///
/// For programs that make the namespaces by themselves and start nsinit in them, as libcontainer v1 did; `exec`
/// needs none of this: its first process is cofferdam's own. The current directory is the root file system, the
/// variable data_path names the directory of container.json, pipe the number of a descriptor from which the
/// state of the networks is read first, as JSON, and console the terminal, if there is one.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Program and arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Init {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let Some(pipe) = std::env::var_os("pipe") else {
            return Err(Failure::new(
                "init is started by whoever makes the namespaces, with the number of a descriptor in the variable \
                 pipe, and there is none (hint: to start a container, use exec)",
            ));
        };
        let number = pipe.to_str().and_then(|text| text.parse().ok());
        let number =
            number.ok_or_else(|| Failure::new("the variable pipe is not the number of a descriptor"))?;
        let dir = setting.data_path.as_deref().unwrap_or_else(|| ".".as_ref());
        let config = config::read(&dir.join(config::FILE), &setting.log)?;
        let pipe = namespaces::inherited_pipe(number)?;
        match namespaces::init(&config, ".".as_ref(), setting.console.as_deref(), pipe, &self.command)? {}
    }
}
