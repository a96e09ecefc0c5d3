//! The command `cofferdam-agent`: explains seccomp profiles.
//!
//! Started by people, and by `cofferdam agent`, which executes it; a program of its own, so that the runtime stays
//! small.

mod cli;
mod commands;
mod failure;
mod profile;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
