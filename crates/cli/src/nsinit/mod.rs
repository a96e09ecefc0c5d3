//! nsinit: the command line of libcontainer's tool, for containers described by a container.json.
//!
//! Called by the programs for its names and by the command `nsinit`. One file a command; what they share is where a
//! container is found ([`place`]) and what the flags before the command say ([`setting`]). Everything that makes
//! or enters a container is `cofferdam_nsinit`'s.

mod attend;
mod cgutil;
mod checkpoint;
mod config;
mod convert;
mod create_flags;
mod exec;
mod functions;
mod init;
mod oom;
mod pause;
mod place;
mod process;
mod setting;
mod state;
mod stats;

use clap::{CommandFactory, FromArgMatches, Parser};
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::context::Context;
use crate::failure::Outcome;
use crate::{cli, far, go_flags};
use setting::{Globals, Setting};

/// The name it had.
const NAME: &str = "nsinit";

/// Runs containers described by a container.json, as libcontainer's nsinit did
///
/// The container is that of the current directory, or of the one that the variable data_path names, if there is
/// a container.json; otherwise the one that --id names, whose state is below --root. What `exec` starts is a
/// container like any other, which `cofferdam list` shows.
#[derive(Debug, Parser)]
#[command(name = NAME, version, max_term_width = 100)]
struct Nsinit {
    #[command(flatten)]
    global: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Command {
    Cgutil(cgutil::Cgutil),
    Checkpoint(checkpoint::Checkpoint),
    Config(Box<config::Config>),
    Convert(convert::Convert),
    Exec(Box<exec::Exec>),
    Init(init::Init),
    #[command(hide = true)]
    Nsenter(functions::Nsenter),
    Oom(oom::Oom),
    Pause(pause::Pause),
    Restore(Box<checkpoint::Restore>),
    State(state::State),
    Stats(stats::Stats),
    Unpause(pause::Unpause),
}

impl Command {
    fn execute(self, setting: &Setting) -> Outcome {
        match self {
            Self::Cgutil(command) => command.execute(setting),
            Self::Checkpoint(command) => command.execute(setting),
            Self::Config(command) => command.execute(setting),
            Self::Convert(command) => command.execute(setting),
            Self::Exec(command) => command.execute(setting),
            Self::Init(command) => command.execute(setting),
            Self::Nsenter(command) => command.execute(setting),
            Self::Oom(command) => command.execute(setting),
            Self::Pause(command) => command.execute(setting),
            Self::Restore(command) => command.execute(setting),
            Self::State(command) => command.execute(setting),
            Self::Stats(command) => command.execute(setting),
            Self::Unpause(command) => command.execute(setting),
        }
    }
}

/// Whether a program called by this name is nsinit: `nsinit`, or `nsenter-` and a function, the name under which
/// nsinit started itself to enter a container.
pub(crate) fn is_name(name: &OsStr) -> bool {
    let name = file_name(name);
    name == NAME || function(name).is_some()
}

/// The words before the line of whoever called this program by this name.
pub(crate) fn called(name: &OsStr) -> Vec<OsString> {
    let name = file_name(name);
    match function(name) {
        Some(function) => vec![NAME.into(), "nsenter".into(), format!("--func={function}").into()],
        None if name == far::ALL => Vec::new(),
        None => vec![NAME.into()],
    }
}

fn file_name(name: &OsStr) -> &str {
    Path::new(name).file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// The function of a name.
fn function(name: &str) -> Option<&str> {
    name.strip_prefix("nsenter-").filter(|function| functions::Function::of(function).is_some())
}

/// nsinit's own line.
pub(crate) fn definition() -> clap::Command {
    Nsinit::command()
}

/// Parses nsinit's own line and obeys.
pub(crate) fn run(words: Vec<OsString>, context: &Context) -> Outcome {
    let mut definitions = Nsinit::command();
    let words = go_flags::normalise(words, &definitions);
    let line = std::iter::once(OsString::from(NAME)).chain(words);
    let parsed = definitions.try_get_matches_from_mut(line);
    match parsed.and_then(|matches| Nsinit::from_arg_matches(&matches)) {
        Ok(line) => line.command.execute(&Setting::new(line.global, context)?),
        Err(error) => cli::said(&error, &context.log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Nsinit::command().debug_assert();
    }

    #[test]
    fn names_are_dispatched() {
        let words = |name: &str| called(name.as_ref()).join(OsStr::new(" ")).into_string().unwrap();
        for name in ["/usr/bin/nsinit", "cofferdam-nsinit", "nsenter-frob", ""] {
            assert_eq!(words(name), "nsinit", "{name}");
        }
        assert_eq!(words("nsenter-mknod"), "nsinit nsenter --func=mknod");
        assert_eq!(words("cofferdam"), "");
        for name in ["/usr/bin/nsinit", "nsenter-mknod"] {
            assert!(is_name(name.as_ref()), "{name}");
        }
        for other in ["cofferdam", "nsenter", "nsenter-frob", "ip", ""] {
            assert!(!is_name(other.as_ref()), "{other}");
        }
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        let normal = |line: &str| {
            let words = line.split(' ').map(OsString::from).collect();
            go_flags::normalise(words, &Nsinit::command()).join(OsStr::new(" ")).into_string().unwrap()
        };
        assert_eq!(normal("-root /x exec -t -u 5 sh -c x"), "--root=/x exec --tty --user=5 -- sh -c x");
        assert_eq!(normal("exec --env A=1 --env B=2 env --id"), "exec --env=A=1 --env=B=2 -- env --id");
        assert_eq!(normal("exec -- sh"), "exec -- sh");
    }
}
