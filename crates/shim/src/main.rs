//! The command `containerd-shim-cofferdam-v1`: containerd's `io.containerd.cofferdam.v1`.
//!
//! Started by containerd, once for each container, to say where the shim of its pod listens (`start`); by itself, to
//! be that shim; and by containerd again when a shim has died, to remove what it left (`delete`). The shim has the
//! library in itself: nothing that it is asked for starts another program of the runtime's.

mod address;
mod args;
mod bundle;
mod checkpoint;
mod clock;
mod create;
mod delete;
mod events;
mod exec;
mod exits;
mod failure;
mod io;
mod journal;
mod logger;
mod metrics;
mod mounts;
mod oom;
mod options;
mod own_cgroup;
mod process;
mod processes;
mod serve;
mod service;
mod start;
mod task;
mod terminal;
mod waits;

use std::io::Write;
use std::process::ExitCode;

use args::{Action, Args};

fn main() -> ExitCode {
    let done = Args::parse(std::env::args().skip(1)).and_then(|args| match args.action {
        Action::Start => start::run(&args),
        Action::Delete => delete::run(&args),
        Action::Serve => serve::run(&args),
        Action::Log => logger::become_it(&args.rest),
        Action::Info => options::describe(),
        Action::Version => failure::say(&version()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "containerd-shim-cofferdam-v1: {e}");
            ExitCode::FAILURE
        }
    }
}

fn version() -> Vec<u8> {
    format!("containerd-shim-cofferdam-v1:\n  Version:  {}\n", env!("CARGO_PKG_VERSION")).into_bytes()
}
