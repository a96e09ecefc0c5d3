//! Containers of real runtimes, as root, whose calls are answered here: every runtime's message, acting in the
//! container's namespaces, attacks.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed helper is a failed test"
)]

mod acting;
mod attacks;
mod examples;
mod killed;
mod runtimes;
mod world;
