//! The bootstrap contract from outside: a driver plays runc's part and sees what the started program becomes.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, missing_docs)]

mod driver;
mod failures;
mod older;
mod runc;
mod stages;
