//! The command `cofferdam-agent`: answers system calls of containers from outside, checks policies, explains and
//! learns seccomp profiles.
//!
//! Started by a service manager, by people, and by `cofferdam agent`, which executes it; a program of its own, so
//! that the runtime stays small. It decides by a policy and leaves the kernel's part to `cofferdam-notify`.

mod cli;
mod commands;
mod failure;
mod falco;
mod handle;
mod learn;
mod outward;
mod policy;
mod profile;
mod resolve;
mod serve;
mod words;

use std::process::ExitCode;

/// The program `cofferdam-agent`.
#[must_use]
pub fn main() -> ExitCode {
    cli::main()
}

/// The definition of its command line: what its manual is made from.
#[must_use]
pub fn definition() -> clap::Command {
    cli::definition()
}
