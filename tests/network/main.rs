//! Networks of containers, with real traffic: each test has a network namespace of its own for a host, and a
//! `/run` of its own.

mod bridge;
mod crowd;
mod documents;
mod failures;
mod far;
mod files;
mod kinds;
mod outward;
mod room;
mod user;
