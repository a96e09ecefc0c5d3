//! A filter on a thread of the test's own, and the listener in another: receiving, reading, answering, ending.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed helper is a failed test")]

mod answers;
#[cfg(feature = "tokio")]
mod awaiting;
mod decoding;
mod ending;
mod peers;
mod service;
mod world;
