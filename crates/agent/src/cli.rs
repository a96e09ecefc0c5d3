//! The command line. The only place that prints; called by `main`.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::commands::{
    check::Check,
    explain::Explain,
    learn::{Learn, UnderWatch},
    serve::Serve,
};
use crate::failure::Outcome;

const ABOUT: &str =
    "Answers system calls of containers from outside; checks policies, explains and learns profiles";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "cofferdam-agent", version, about = ABOUT, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(Check),
    Explain(Explain),
    Learn(Learn),
    /// Not for people: what `learn` starts
    #[command(hide = true)]
    UnderWatch(UnderWatch),
}

/// The command line's definition.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Parses, obeys and turns the outcome into an exit code.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(command) = cli.command else { return report(cli.serve.execute()) };
    let outcome = match command {
        Command::Check(command) => command.execute(),
        Command::Explain(command) => command.execute(),
        Command::Learn(command) => command.execute(),
        Command::UnderWatch(command) => command.execute(),
    };
    report(outcome)
}

fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "cofferdam-agent: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Writes `text` to standard output; whoever closed it does not want to know.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
