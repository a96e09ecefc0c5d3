//! The command line from outside: what an engine or a person sees of it. Containers need root; tests that
//! make them say so and are skipped without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod errors;
mod exec;
mod foreground;
mod lifecycle;
mod sandbox;
mod spec;
mod stats;
mod world;
