//! The commands `cofferdam` and `cofferdam-nsinit`: an OCI runtime that engines call, a sandbox that people call,
//! and what libcontainer's nsinit was.
//!
//! Each turns an argument list into one call of the library and the answer into output, log lines and an
//! exit code. They may not decide anything about containers; what runc's command line promises to engines
//! (flags, formats, exit codes, words in errors) is kept here and nowhere else.
//!
//! Two programs, because the runtime is read and mapped at each start of a container: what no start needs is in the
//! second one, which knows everything that the first knows (`far` says what is where). Nobody but these programs and
//! the one that writes their manual is meant to use this crate as a library.

mod beside;
mod cli;
mod commands;
mod context;
mod failure;
mod far;
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

use std::ffi::OsString;

/// The program `cofferdam`; called `nsinit`, it is that one. Gives its exit status.
#[must_use]
pub fn runtime() -> u8 {
    let (name, words) = line();
    if nsinit::is_name(&name) {
        return cli::instead(&far::nsinit(&name, words));
    }
    cli::service(&words).unwrap_or_else(|| cli::main(words, far::over_there))
}

/// The program `cofferdam-nsinit`, and all of `cofferdam` when it is called so. Gives its exit status.
#[must_use]
pub fn nsinit() -> u8 {
    let (name, words) = line();
    cli::service(&words).unwrap_or_else(|| cli::main([nsinit::called(&name), words].concat(), far::here))
}

/// The name by which this program was called, and the words behind it.
fn line() -> (OsString, Vec<OsString>) {
    let mut words = std::env::args_os();
    (words.next().unwrap_or_default(), words.collect())
}

/// The definitions of both command lines, `cofferdam` and `nsinit`: what their manual is made from.
#[must_use]
pub fn definitions() -> [clap::Command; 2] {
    [cli::definition(), nsinit::definition()]
}
