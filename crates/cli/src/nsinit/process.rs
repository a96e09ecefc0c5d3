//! Flags that say what a program in a container is like.

use cofferdam_nsinit::{Config, Generation, standard_environment};
use std::path::Path;

use super::attend;
use crate::failure::Failure;
use crate::raw_terminal::RawTerminal;

/// The process, as far as the configuration does not say it.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Process {
    /// Give the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// Who the program runs as, by the container's /etc/passwd and /etc/group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Directory that the program starts in
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Set an environment variable (may be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
}

impl Process {
    /// Puts the flags into a configuration.
    pub(super) fn change(&self, config: &mut Config) -> Result<(), Failure> {
        config.tty |= self.tty;
        if config.generation == Generation::V2 && config.environment.is_empty() {
            config.environment = standard_environment();
        }
        if let Some(user) = &self.user {
            config.user.clone_from(user);
        }
        if let Some(cwd) = &self.cwd {
            config.working_dir.clone_from(cwd);
        }
        for variable in &self.env {
            let name = variable.split_once('=').map(|(name, _)| name).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Failure::new(format!("--env {variable:?} is not NAME=VALUE")))?;
            config.environment.retain(|own| own.split('=').next() != Some(name));
            config.environment.push(variable.clone());
        }
        Ok(())
    }

    /// The caller's terminal, if the program is to have one of its own.
    pub(super) fn terminal(config: &Config, console: Option<&Path>) -> Result<Option<RawTerminal>, Failure> {
        console.map(attend::take_console).transpose()?;
        (config.tty || console.is_some()).then(RawTerminal::find).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_there_once() {
        let mut config = Config { environment: vec!["A=1".into(), "AB=2".into()], ..Config::default() };
        let flags = Process { env: vec!["A=3".into(), "C=".into()], ..Process::default() };
        flags.change(&mut config).unwrap();
        assert_eq!(config.environment, ["AB=2", "A=3", "C="]);
        for wrong in ["A", "=1"] {
            let flags = Process { env: vec![wrong.into()], ..Process::default() };
            assert!(flags.change(&mut config).is_err());
        }
    }
}
