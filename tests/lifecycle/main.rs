//! The commands of the command line: what each does, refuses, prints and returns.

mod commands;
mod exec;
mod resources;
mod states;
mod streams;
