//! Runs code inside another process's namespaces, from any thread of any program.
//!
//! Called by programs that supervise containers. It decides which handles of the target are joined and in
//! which order; the joining itself is done by a process of its own, never by the caller's.

pub mod bootstrap;
