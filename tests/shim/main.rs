//! containerd's shim, spoken to as containerd does, over ttrpc, with a stand-in that takes its events; and under a
//! containerd of the test's own, where it is installed. Everything runs in a view of its own, with its own /run.

mod engine;
mod life;
mod pods;
mod ready_made;
mod requests;
mod stand_in;
mod streams;
