//! The bootstrap contract from outside: a driver plays runc's part and sees what the started program becomes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, unreachable_pub)] // helpers outside of #[test]

mod driver;
mod failures;
mod older;
mod runc;
mod stages;
