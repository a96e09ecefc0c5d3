//! Cofferdam: a Linux container runtime as a library.
//!
//! A configuration is decided into a plan, the plan is lowered into a program, and a tiny sealed child
//! obeys it; see `ARCHITECTURE.md`. Everything here may be called from any thread of any program: nothing
//! of the caller's process (working directory, umask, signal handlers, children, environment) changes.
//!
//! ```no_run
//! use cofferdam::{Bundle, Container, ContainerId, CreateOptions, Store};
//!
//! let store = Store::new("/run/example");
//! let id = ContainerId::new("hello")?;
//! let (container, process) = Container::run(&store, &id, &Bundle::open("/bundle")?, CreateOptions::default())?;
//! println!("{}", process.wait()?.shell_code());
//! container.delete(true)?;
//! # Ok::<(), cofferdam::Error>(())
//! ```
mod bundle;
mod command;
mod container;
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
mod pid;
mod pid_file;
mod procfile;
mod sockets;

pub use cofferdam_cgroup as cgroup;
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
    Child, ChildStderr, ChildStdin, ChildStdout, Command, Event, Events, Exec, Output, Stdio, Terminal,
    TerminalSize,
};
pub use container::{Container, Status};
pub use error::{Error, ErrorKind, Result};
pub use features::features;
pub use id::ContainerId;
pub use notify::Notify;
pub use options::{CreateOptions, ExecOptions, Parent, Streams, TerminalMode};
pub use process::{ExitStatus, Process};
pub use report::{PlanReport, ReportedStep, plan};
pub use store::Store;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
