//! Enters a running container: lists its interfaces, and runs a command or a shell in its namespaces.
//!
//! ```sh
//! cargo build -p enter-shell
//! sudo podman run --detach --name web alpine sleep 1000
//! sudo target/debug/enter-shell web                    # its interfaces, then a shell
//! sudo target/debug/enter-shell web -- ps              # its interfaces, then a command
//! sudo target/debug/enter-shell --container ID -- id   # a container of cofferdam's
//! sudo target/debug/enter-shell --pid 4711 -- id       # any process
//! ```
//!
//! The engine is asked for the number of the container's first process. A number may change hands, so the process's
//! handles are opened first and the engine is asked again; what is entered are the handles. Interfaces are listed
//! by a built-in operation, in Cofferdam's child program; a command is run by a module, in a copy of this program
//! that has joined everything, so the container needs no more than the command itself. With a terminal the command
//! gets one of the container's own, which is relayed.
//!
//! Ends with the command's status, or with 125 when it did not come to that.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program that people run

mod find;
mod relay;
mod shell;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cofferdam_nsenter::{Enter, Inside, Interface};

use shell::Wish;

/// Lists the interfaces of a running container and runs a command or a shell in it.
#[derive(Parser)]
struct Arguments {
    /// Name or id of a container of the engine's
    #[arg(required_unless_present_any = ["pid", "container"], conflicts_with_all = ["pid", "container"])]
    name: Option<String>,
    /// The engine: podman, docker, or what is called like them
    #[arg(long, default_value = "podman")]
    engine: PathBuf,
    /// Any process, by its number
    #[arg(long, conflicts_with = "container")]
    pid: Option<i32>,
    /// Id of a container of cofferdam's
    #[arg(long)]
    container: Option<String>,
    /// Where cofferdam keeps its containers' state
    #[arg(long)]
    root: Option<PathBuf>,
    /// With no more rights than the container's first process has
    #[arg(long)]
    as_target: bool,
    /// The command; without it a shell, if this is a terminal
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    // First of all: in a helper this does not return.
    cofferdam_nsenter::init([shell::module()]);
    match run(&Arguments::parse()) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Err(why) => {
            eprintln!("enter-shell: {why}");
            ExitCode::from(125)
        }
    }
}

fn run(arguments: &Arguments) -> Result<i32, String> {
    let target = match (&arguments.name, arguments.pid, &arguments.container) {
        (Some(name), ..) => find::of_engine(&arguments.engine, name),
        (_, Some(pid), _) => find::of_pid(pid),
        (.., Some(id)) => find::of_cofferdam(arguments.root.as_deref(), id),
        (None, None, None) => Err("which container?".to_owned()),
    }?;
    let mut enter = target.enter().timeout(None);
    if arguments.as_target {
        enter = enter.as_target();
    }
    for interface in enter.interfaces().map_err(|e| format!("listing the interfaces: {e}"))? {
        println!("{}", line(&interface));
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    match (arguments.command.is_empty(), terminal) {
        (true, false) => Ok(0),
        (true, true) => relay::run(&enter, &["sh".to_owned()]),
        (false, true) => relay::run(&enter, &arguments.command),
        (false, false) => plain(&enter, &arguments.command),
    }
}

/// Runs it with our own streams.
fn plain(enter: &Enter, command: &[String]) -> Result<i32, String> {
    let wish = Wish { command: command.to_vec(), terminal: None };
    enter.call(shell::NAME, &wish).map_err(|e| e.to_string())
}

/// `2: eth0 up 10.88.0.2/16 fe80::1/64`
fn line(interface: &Interface) -> String {
    let state = if interface.up { "up" } else { "down" };
    let addresses: Vec<_> = interface.addresses.iter().map(|(ip, bits)| format!(" {ip}/{bits}")).collect();
    format!("{}: {} {state}{}", interface.index, interface.name, addresses.concat())
}
