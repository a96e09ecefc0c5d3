//! The command `cofferdam-agent`: explains and learns seccomp profiles.
//!
//! Started by people, and by `cofferdam agent`, which executes it; a program of its own, so that the runtime stays
//! small.

mod cli;
mod commands;
mod failure;
mod learn;
mod profile;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
