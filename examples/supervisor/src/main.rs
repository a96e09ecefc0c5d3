//! Keeps ten containers running and shows what they use.
//!
//! ```sh
//! cargo build -p supervisor
//! sudo target/debug/supervisor                   # ten containers of a demonstration; q ends, 0 to 9 pause and resume
//! sudo target/debug/supervisor services.json     # [{"name": "a", "run": "exec sleep 5", "memory_mib": 16}]
//! sudo target/debug/supervisor | cat             # one line of JSON a second
//! ```
//!
//! What ends is started again, later every time as long as it does not stay. SIGUSR1 pauses everything, SIGUSR2
//! resumes it; SIGINT and SIGTERM end all containers and remove them.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program that people run

mod keys;
mod service;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use cofferdam::Store;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use keys::{Key, Keys};
use service::{Config, Service};

/// Keeps containers running and shows what they use.
#[derive(Parser)]
struct Arguments {
    /// The services, as JSON; without it, ten of a demonstration
    services: Option<PathBuf>,
    /// Directory for the containers' state; without it, one below /run
    #[arg(long)]
    state: Option<PathBuf>,
}

/// How often what is shown is renewed.
const SHOW: Duration = Duration::from_secs(1);
/// How often it is looked for keys and signals.
const LOOK: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("supervisor: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let configs = match &arguments.services {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?
        }
        None => service::demonstration(),
    };
    let signals = Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGUSR2]).map_err(|e| format!("signals: {e}"))?;
    let state = arguments.state.clone();
    let state = state.unwrap_or_else(|| format!("/run/supervisor-{}", std::process::id()).into());
    let store = Store::new(&state);
    let services: Vec<_> =
        configs.into_iter().map(|c: Config| Arc::new(Service::new(c, store.clone()))).collect();
    let started = services.iter().map(|service| {
        let service = Arc::clone(service);
        std::thread::spawn(move || service.keep())
    });
    let threads: Vec<_> = started.collect();
    watch(&services, signals);
    services.iter().for_each(|service| service.end());
    for thread in threads {
        let _ = thread.join();
    }
    let _ = std::fs::remove_dir(&state);
    Ok(())
}

/// Shows, and obeys keys and signals, until one says that it is over.
fn watch(services: &[Arc<Service>], mut signals: Signals) {
    let (keys, mut show) = (Keys::new(), Instant::now());
    loop {
        for signal in signals.pending() {
            match signal {
                SIGUSR1 => services.iter().for_each(|s| s.pause(true)),
                SIGUSR2 => services.iter().for_each(|s| s.pause(false)),
                _ => return,
            }
        }
        let typed = keys.as_ref().map_or_else(Vec::new, Keys::typed);
        for key in typed {
            match key {
                Key::End => return,
                Key::Number(n) => services.get(n).into_iter().for_each(|s| s.pause(!s.is_paused())),
            }
        }
        if show <= Instant::now() {
            show = Instant::now() + SHOW;
            table::show(services, keys.is_some());
        }
        std::thread::sleep(LOOK);
    }
}
