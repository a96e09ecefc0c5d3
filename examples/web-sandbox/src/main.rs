//! A web service that runs a sandbox per request.
//!
//! ```sh
//! cargo build -p web-sandbox
//! sudo target/debug/web-sandbox --listen 127.0.0.1:8080 &
//! curl --json '{"command": ["tr", "a-z", "A-Z"], "stdin": "hello"}' http://127.0.0.1:8080/run
//! ```
//!
//! Every request gets a container that nobody has used and nobody will use again: the host's files read-only, no
//! network, nobody's rights, limits on memory, processors, processes, time and output. Containers wait prepared in
//! a pool, so that a request pays only for its program's start. So many requests run at once, so many more wait;
//! others are told to come again (503). A client that goes away takes its program with it. SIGINT and SIGTERM let
//! what runs come to its end, and leave nothing behind.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program that people run

mod capture;
mod running;
mod service;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use running::{Limits, Sandboxes};
use service::Admission;

/// Runs a sandbox per request: POST /run {"command": ["sh", "-c", "…"], "stdin": "…", "seconds": 1}
#[derive(Parser)]
struct Arguments {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Directory for the containers' state; without it, one below /run
    #[arg(long)]
    state: Option<std::path::PathBuf>,
    /// Containers that wait prepared
    #[arg(long, default_value_t = 4)]
    pool: usize,
    /// Programs that run at once
    #[arg(long, default_value_t = 8)]
    running: usize,
    /// Requests that wait for their turn
    #[arg(long, default_value_t = 32)]
    waiting: usize,
    /// Most bytes of a request
    #[arg(long, default_value_t = 1 << 20)]
    body: usize,
    /// Most seconds of a program
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Most memory of a program, in MiB
    #[arg(long, default_value_t = 64)]
    memory: u64,
    /// Most processors of a program
    #[arg(long, default_value_t = 1.0)]
    cpus: f64,
    /// Most processes of a program
    #[arg(long, default_value_t = 32)]
    processes: u64,
    /// Most bytes that are kept of each of a program's outputs
    #[arg(long, default_value_t = 1 << 20)]
    output: usize,
    /// Seconds that programs have to end when the service is to end
    #[arg(long, default_value_t = 15.0)]
    grace: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let state = arguments.state.clone();
    let state = state.unwrap_or_else(|| format!("/run/web-sandbox-{}", std::process::id()).into());
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("starting the runtime: {e}"))
        // What runs on after the grace is over ends with the runtime.
        .and_then(|runtime| runtime.block_on(serve(&arguments, &state)));
    // Empty by now; where it is not, somebody may want to know why.
    let _ = std::fs::remove_dir(&state);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("web-sandbox: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Arguments, state: &std::path::Path) -> Result<(), String> {
    let limits = Limits {
        memory: arguments.memory.saturating_mul(1 << 20),
        cpus: arguments.cpus,
        processes: arguments.processes,
        time: seconds(arguments.seconds)?,
        output: arguments.output,
    };
    let sandboxes = Sandboxes::new(state, limits, arguments.pool).map_err(|e| e.to_string())?;
    let admission = Admission::new(arguments.running, arguments.waiting);
    let app = service::router(sandboxes, admission, arguments.body);
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.map_err(|e| format!("listening on {}: {e}", arguments.listen))?;
    let address = listener.local_addr().map_err(|e| format!("the address: {e}"))?;
    let (told, ending) = tokio::sync::oneshot::channel();
    let await_signal = |kind| signal(kind).map_err(|e| format!("signals: {e}"));
    let mut interrupt = await_signal(SignalKind::interrupt())?;
    let mut terminate = await_signal(SignalKind::terminate())?;
    println!("listening on http://{address}");
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        let _ = ending.await;
    });
    let grace = seconds(arguments.grace)?;
    let patience = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("ending: no new requests");
        let _ = told.send(());
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = async { serving.await } => served.map_err(|e| format!("serving: {e}")),
        () = patience => {
            eprintln!("ending what still runs");
            Ok(())
        }
    }
}

fn seconds(number: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number).map_err(|e| format!("{number} seconds: {e}"))
}
