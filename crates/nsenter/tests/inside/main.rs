//! Entering real processes in real namespaces, as root: handles, built-in operations, modules, helpers that
//! stay. The modules are registered before `main`, which is the test harness's.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed helper is a failed test"
)]

mod built_in;
mod container;
mod handles;
mod hostile;
mod modules;
mod resident;
mod world;

cofferdam_nsenter::before_main!(modules::all);
