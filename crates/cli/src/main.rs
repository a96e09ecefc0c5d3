//! The command `cofferdam`: an OCI runtime that engines call, and a sandbox that people call.
//!
//! It turns an argument list into one call of the library and the answer into output, log lines and an
//! exit code. It may not decide anything about containers; what runc's command line promises to engines
//! (flags, formats, exit codes, words in errors) is kept here and nowhere else.

mod cli;
mod commands;
mod context;
mod failure;
mod foreground;
mod go_flags;
mod log;
mod nsinit;
mod options;
mod output;
mod raw_terminal;
mod relay;
mod signal_names;
mod stats;
mod table;
mod units;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let mut line = words.next().map(|name| nsinit::called(&name)).unwrap_or_default();
    line.extend(words);
    cli::main(line)
}
