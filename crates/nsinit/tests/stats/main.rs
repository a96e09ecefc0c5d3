//! State and statistics: recorded cgroups of both versions, live containers, real traffic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed helper is a failed test"
)]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../namespaces/world.rs"]
mod world;

mod forms;
mod live;
mod openmetrics;
mod recorded;
mod states;
mod traffic;
