//! What became of a step, for people and for programs. Made by `step`, printed by `main`.

use std::process::ExitCode;
use std::time::Duration;

use cofferdam::ExitStatus;
use serde::Serialize;

use crate::capture::Captured;
use crate::job::Step;
use crate::step::Seen;

/// Why a step was ended by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stopped {
    Timeout,
    Interrupted,
}

/// What became of a step.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    name: String,
    /// The exit status of the step's shell, unless a signal ended it.
    code: Option<i32>,
    signal: Option<i32>,
    stopped: Option<Stopped>,
    /// How often the kernel killed a process of the step for lack of memory.
    out_of_memory: u32,
    /// How often the kernel refused it another process.
    refused_processes: u64,
    seconds: f64,
    peak_memory: u64,
    output: String,
    /// Bytes that it wrote, of which `output` may be the beginning.
    written: u64,
    truncated: bool,
}

impl Report {
    pub(crate) fn new(step: &Step, status: ExitStatus, seen: Seen, took: Duration, wrote: Captured) -> Self {
        let signal = match status {
            ExitStatus::Signal(signal) => Some(signal),
            ExitStatus::Code(_) => None,
        };
        Self {
            name: step.name.clone(),
            code: status.code(),
            signal,
            stopped: seen.stopped,
            out_of_memory: seen.oom,
            refused_processes: seen.refused_processes,
            seconds: took.as_secs_f64(),
            peak_memory: seen.peak_memory,
            output: String::from_utf8_lossy(&wrote.kept).into_owned(),
            written: wrote.written,
            truncated: u64::try_from(wrote.kept.len()).is_ok_and(|kept| kept < wrote.written),
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.code == Some(0) && self.stopped.is_none()
    }

    pub(crate) fn print(&self) {
        let how = match (self.stopped, self.code, self.signal) {
            (Some(Stopped::Timeout), ..) => "TIMED OUT".to_owned(),
            (Some(Stopped::Interrupted), ..) => "INTERRUPTED".to_owned(),
            (None, Some(0), _) => "passed".to_owned(),
            (None, Some(code), _) => format!("FAILED with status {code}"),
            (None, None, signal) => format!("FAILED by signal {}", signal.unwrap_or_default()),
        };
        let mib = self.peak_memory >> 20;
        println!("== {}: {how} after {:.2} s, {mib} MiB at most", self.name, self.seconds);
        if self.out_of_memory > 0 {
            println!("   (its memory was not enough: the kernel killed {} times)", self.out_of_memory);
        }
        if self.refused_processes > 0 {
            println!("   (it wanted more processes than it may have, {} times)", self.refused_processes);
        }
        print!("{}", self.output);
        if !self.output.is_empty() && !self.output.ends_with('\n') {
            println!();
        }
        if self.truncated {
            println!("   (… of {} bytes)", self.written);
        }
    }
}

/// 0 when all passed, 130 when interrupted, else 1.
pub(crate) fn exit_code(reports: &[Report]) -> ExitCode {
    if reports.iter().any(|r| r.stopped == Some(Stopped::Interrupted)) {
        return ExitCode::from(130);
    }
    ExitCode::from(u8::from(!reports.iter().all(Report::passed)))
}
