//! Standing in for a container's process: its terminal is the caller's, signals go to it, its status comes back.

use cofferdam::{Child, TerminalSize};
use cofferdam_nsinit::namespaces::{self, Io};
use cofferdam_nsinit::{Config, State};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use super::process::Process;
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::foreground::{self, Signals};
use crate::log::Log;
use crate::raw_terminal::RawTerminal;
use crate::relay::Relay;

/// Makes a terminal this process's standard input, output and error.
pub(super) fn take_console(path: &Path) -> Result<(), Failure> {
    let failed =
        |error: &std::io::Error| Failure::io(format_args!("taking the console {}", path.display()), error);
    let console = File::options().read(true).write(true).open(path).map_err(|error| failed(&error))?;
    if !rustix::termios::isatty(&console) {
        return Err(Failure::new(format!("take the console {}: it is not a terminal", path.display())));
    }
    rustix::stdio::dup2_stdin(&console)
        .and_then(|()| rustix::stdio::dup2_stdout(&console))
        .and_then(|()| rustix::stdio::dup2_stderr(&console))
        .map_err(|errno| failed(&errno.into()))
}

/// What the process is connected to: the caller's streams, or a terminal as large as the caller's.
pub(super) fn io(host: Option<&RawTerminal>) -> Io {
    let Some(host) = host else { return Io::inherit() };
    let size = host.size();
    Io::terminal(TerminalSize {
        height: size.map_or(0, |size| size.ws_row.into()),
        width: size.map_or(0, |size| size.ws_col.into()),
    })
}

/// Runs a program in a container that runs, and stays with it.
pub(super) fn enter(
    setting: &Setting,
    state: &State,
    config: &Config,
    args: &[String],
    console: Option<&Path>,
) -> Outcome {
    let host = Process::terminal(config, console)?;
    let signals = Signals::take()?;
    let mut outcome = None;
    let status = namespaces::exec_in(config, state, args, io(host.as_ref()), |child| {
        outcome = Some(attend(child, &signals, host, &setting.log));
    })?;
    outcome.unwrap_or(Ok(status))
}

/// Stays with a process until it ends. `host` is the caller's terminal when the process has its own.
pub(super) fn attend(child: &mut Child, signals: &Signals, host: Option<RawTerminal>, log: &Log) -> Outcome {
    let relay = host.map(|host| join(host, child)).transpose();
    let outcome = relay.and_then(|relay| foreground::follow(child, signals, relay, log));
    if outcome.is_err() {
        // Nobody would be left to see or to stop it.
        let _ = child.kill();
    }
    outcome
}

fn join(host: RawTerminal, child: &Child) -> Result<Relay, Failure> {
    match &child.terminal {
        Some(master) => Relay::new(host, master.as_fd()),
        None => Err(Failure::new("the process was to have a terminal and has none")),
    }
}
