//! Builds untrusted code: every step of a job runs in a container of its own, with limits and a time limit.
//!
//! ```sh
//! cargo build -p ci-runner
//! sudo target/debug/ci-runner examples/ci-runner/demo examples/ci-runner/demo/job.json
//! ```
//!
//! The steps see the host's files read-only (so its compilers are there), no network, nothing in /home and /root,
//! and a private copy of the source at /work, which the steps of one job share. They run as nobody, without
//! capabilities. A job may ask for less than the limits on the command line, never for more: whoever writes the
//! code may have written the job.
//!
//! Ends with 0 when all steps passed, 1 when one did not, 2 when the job could not be run, 130 when interrupted.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program that people run

mod capture;
mod job;
mod report;
mod step;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;

use job::{Job, Limits};
use report::Report;
use workspace::Workspace;

/// Builds untrusted code, each step in a container of its own.
#[derive(Parser)]
struct Arguments {
    /// Directory of the source; it is copied, and not changed
    source: PathBuf,
    /// The job, as JSON: {"steps": [{"name": "build", "run": "make"}]}
    job: PathBuf,
    /// Most memory of a step, in MiB
    #[arg(long, default_value_t = 512)]
    memory: u64,
    /// Most processors of a step
    #[arg(long, default_value_t = 2.0)]
    cpus: f64,
    /// Most processes of a step
    #[arg(long, default_value_t = 128)]
    processes: u64,
    /// Most seconds of a step
    #[arg(long, default_value_t = 300.0)]
    seconds: f64,
    /// Most output of a step that is kept, in KiB
    #[arg(long, default_value_t = 256)]
    output: u64,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
    /// Where the copy and the containers' state are kept meanwhile
    #[arg(long, default_value = "/tmp")]
    scratch: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(reports) => report::exit_code(&reports),
        Err(why) => {
            eprintln!("ci-runner: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Vec<Report>, String> {
    let job = Job::read(&arguments.job)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|e| format!("signals: {e}"))?;
    }
    let most = Limits {
        memory_mib: Some(arguments.memory),
        cpus: Some(arguments.cpus),
        processes: Some(arguments.processes),
        seconds: Some(arguments.seconds),
        output_kib: Some(arguments.output),
    };
    let workspace = Workspace::copy_of(&arguments.source, &arguments.scratch)?;
    let mut reports = Vec::new();
    for step in &job.steps {
        let limits = most.at_most(job.limits).at_most(step.limits);
        let report = step::run(step, &job.env, limits, &workspace, &stop)
            .map_err(|e| format!("step {:?}: {e}", step.name))?;
        if !arguments.json {
            report.print();
        }
        let passed = report.passed();
        reports.push(report);
        if !passed {
            break;
        }
    }
    if arguments.json {
        println!("{}", serde_json::json!({ "steps": reports, "of": job.steps.len() }));
    }
    Ok(reports)
}
