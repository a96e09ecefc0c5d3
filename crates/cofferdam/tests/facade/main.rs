//! The façade: containers in the manner of std::process, on this host, as root.
//!
//! They show the host's own programs (`/bin/sh` and its like) in sandboxes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers outside of #[test]

#[cfg(feature = "tokio")]
mod asynchronous;
mod basics;
mod caller;
mod control;
mod errors;
mod events;
mod keeping;
mod network;
mod prepared;
mod streams;
mod terminal;
mod world;
