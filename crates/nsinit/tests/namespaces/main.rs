//! The functions of libcontainer's package `namespaces`, as root, on real processes.
//!
//! Those that change the calling process run in this program, started again: before `main`, while there is
//! one thread.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failed helper is a failed test"
)]

mod calling;
mod cgroups;
mod exec;
mod exec_in;
mod init;
mod mount_commands;
mod networks;
mod profiles;
mod roles;
mod samples;
mod world;

cofferdam_sys::constructor!(roles::play);
