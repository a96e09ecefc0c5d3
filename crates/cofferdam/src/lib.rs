//! Cofferdam: a Linux container runtime as a library.
//!
//! A configuration is decided into a plan, the plan is lowered into a program, and a tiny sealed child
//! obeys it; see `ARCHITECTURE.md`. Everything here may be called from any thread of any program: nothing
//! of the caller's process (working directory, umask, signal handlers, children, environment) changes.
//!
//! ```no_run
//! let output = cofferdam::Command::new("uname").arg("-n").output()?;
//! assert_eq!(output.stdout, b"sandbox\n");
//! # Ok::<(), cofferdam::Error>(())
//! ```
//!
//! # Where to begin
//!
//! - [`Command`] starts containers in the manner of [`std::process`] and gives a [`Child`]: from nothing
//!   ([`sandbox::Sandbox`]), from a bundle, or from any [`oci::Spec`]. [`Exec`] starts processes in them,
//!   [`Child::events`] tells what happens to them.
//! - [`Store`] and [`Container`] are below that, as the commands of an OCI runtime are: [`Container::create`],
//!   [`Container::start`], [`Container::delete`]; [`Store::load`] finds a container by its id, whoever made
//!   it.
//! - [`checkpoint`] writes a container's processes into files and makes a container of them again.
//! - [`plan()`] says what would be done.
//! - [`Error`] tells whose fault it is ([`Error::kind`]) and has all its parts as fields.
//!
//! # What a caller may rely on
//!
//! - Handles are `Send` and `Sync`, and hold a pidfd that can be polled. What blocks needs no runtime; with
//!   the feature `tokio` the same types are awaited, by methods that end in `_async`.
//! - No thread is left running (but for that of [`NameService::Thread`], where a container's allow-list has names),
//!   no handler installed, nothing done before `main` and no exit called. All
//!   descriptors are close-on-exec; the only one that stays is the sealed child program, which is made on first
//!   use.
//! - Containers are children of the caller, which gets SIGCHLD for them as for others, unless they are
//!   [`Parent::Nobody`]'s. Nothing depends on SIGCHLD: where it is ignored, or another part of the program
//!   reaps every child, the kernel is asked how a container ended (Linux 6.15; before, waiting says that it
//!   cannot be known, and cleans up all the same).
//! - In a program in which SIGPIPE has its default action (one whose `main` is not Rust's), writing to a
//!   [`ChildStdin`] that nobody reads any more ends the program, as everywhere.
mod bundle;
pub mod checkpoint;
mod command;
mod container;
mod counters;
mod error;
mod features;
mod id;
pub mod launch;
mod options;
mod process;
mod report;
pub mod sandbox;
mod store;
pub mod template;

// Deciding.
mod decide;
mod facts;
mod lower;
mod overlay;
mod program;

// Making.
mod create;
mod exec;
mod idmap;
mod image;
mod in_place;
mod lifecycle;
mod maps;
mod network;
mod opened;
mod rdt;
mod salvage;
mod spawn;
mod state;
mod talk;
mod upbringing;

// Speaking to others.
mod agent;
mod clock;
mod handing;
mod helper;
mod hooks;
mod notify;
mod parked;
mod pid;
mod pid_file;
mod procfile;
mod sockets;

pub use cofferdam_cgroup as cgroup;
pub use cofferdam_net as net;
pub use cofferdam_oci as oci;

/// For the fuzzer: whether these bytes are a state file.
#[doc(hidden)]
#[must_use]
pub fn reads_as_state(bytes: &[u8]) -> bool {
    state::Saved::parse(bytes, "state.json".as_ref()).is_ok()
}

pub use bundle::Bundle;
pub use clock::timestamp;
#[cfg(feature = "tokio")]
pub use command::AsyncTerminal;
pub use command::{
    Child, ChildStderr, ChildStdin, ChildStdout, Command, Event, Events, Exec, Output, Pool, Prepared, Stdio,
    Terminal, TerminalSize,
};
pub use container::{Container, Status};
pub use counters::network_counters;
pub use error::{Error, ErrorKind, Result};
pub use features::features;
pub use id::ContainerId;
pub use network::{NETWORK_ANNOTATION, NETWORK_INTERFACES, NameService, NetworkInterface, name_service};
pub use notify::Notify;
pub use options::{CreateOptions, ExecOptions, MountCommand, Parent, Streams, TerminalMode};
pub use process::{ExitStatus, Process};
pub use report::{PlanReport, ReportedStep, plan};
pub use store::Store;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The example of the page about networks, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/network.md")]
struct Networks;

/// The example of the page about checkpoints, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/checkpoint.md")]
struct Checkpoints;
