//! The hot room: the operations between clone and execve, and the loop that runs them.
//!
//! Called by the child program (`program/main.rs`), which the library embeds, and by the library's
//! lowering, which writes operations and reads frames. Here is no heap, no C library, no configuration,
//! no text; nothing here decides. Everything runs as the container's first process, beside a hostile
//! root filesystem: files are reached through descriptors only.
#![no_std]

pub mod frame;
pub mod op;
pub mod wire;

#[doc(hidden)]
pub mod bare;
mod capabilities;
mod console;
mod context;
mod descriptors;
mod exec;
mod find;
mod here;
mod here_as;
mod here_mounts;
mod here_sockets;
mod hook;
mod inside;
mod mask;
mod mount;
mod namespaces;
mod node;
mod overlay;
#[doc(hidden)]
pub mod passwd;
mod procfs;
mod root;
mod run;
mod scheduling;
mod seccomp;
mod serve;
mod tree;

pub use run::{run, run_here};
