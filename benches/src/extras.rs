//! What is counted instead of timed: rate in parallel, system calls, peak memory, size. Called by `main`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::bundle::Bundles;
use crate::contestant::{Contestant, Kind};
use crate::measure::median;
use crate::options::Options;
use crate::tasks::{Job, Task, finish};

/// Runs in one round of the parallel measurement, and how many at a time.
const RUNS: usize = 200;
const AT_A_TIME: usize = 8;

/// One figure for each contestant that has it.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

pub(crate) struct Extras {
    /// Runs a second, 200 runs, 8 at a time.
    pub(crate) rate: Figures,
    /// The same where the library does it, in this process, or a program is started for each.
    pub(crate) library_rate: Figures,
    /// System calls of one `run`, of all its processes.
    pub(crate) calls: Figures,
    /// Largest peak memory of any process of one `run`, in megabytes.
    pub(crate) memory: Figures,
    /// Size of the binary, in megabytes.
    pub(crate) size: Figures,
}

pub(crate) fn measure(
    options: &Options,
    contestants: &[Contestant],
    tasks: &[Task],
    bundles: &Bundles,
) -> Result<Extras, String> {
    let (rate, library_rate) = (rates(options, tasks, Job::Run)?, rates(options, tasks, Job::Library)?);
    let none = Figures::new;
    let mut extras = Extras { rate, library_rate, calls: none(), memory: none(), size: none() };
    if options.library {
        return Ok(extras);
    }
    for task in tasks.iter().filter(|t| t.job == Job::Run || t.who == "bubblewrap") {
        extras.memory.insert(task.who, memory(task, bundles)?);
        if let Some(calls) = calls(task, bundles)? {
            extras.calls.insert(task.who, calls);
        }
    }
    for contestant in contestants.iter().filter(|c| c.kind != Kind::Floor) {
        let data = fs::metadata(&contestant.program).map_err(|e| format!("{}: {e}", contestant.name))?;
        extras.size.insert(contestant.name, to_f64(data.len()) / 1e6);
    }
    Ok(extras)
}

/// Runs a second of everyone who does this job.
fn rates(options: &Options, tasks: &[Task], job: Job) -> Result<Figures, String> {
    let mut rounds: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for _ in 0..options.rounds {
        for task in tasks.iter().filter(|t| t.job == job) {
            rounds.entry(task.who).or_default().push(rate(task)?);
        }
    }
    Ok(rounds.into_iter().filter_map(|(who, rates)| Some((who, median(&rates)?))).collect())
}

/// Runs a second.
fn rate(task: &Task) -> Result<f64, String> {
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let worker = || {
            while next.fetch_add(1, Ordering::Relaxed) < RUNS {
                task.run()?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(worker)).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
            .collect()
    });
    results.into_iter().collect::<Result<(), String>>()?;
    Ok(to_f64(u64::try_from(RUNS).unwrap_or(0)) / begin.elapsed().as_secs_f64())
}

/// The median of five runs under `peak`, in megabytes.
fn memory(task: &Task, bundles: &Bundles) -> Result<f64, String> {
    let file = bundles.log.with_extension("peak");
    let mut peaks = Vec::new();
    for _ in 0..5 {
        let mut peak = Command::new(&bundles.peak);
        peak.arg(&file);
        under(peak, task, bundles)?;
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let kilobytes: u32 = text.trim().parse().map_err(|e| format!("{}: {e}", file.display()))?;
        peaks.push(f64::from(kilobytes) * 1024.0 / 1e6);
    }
    median(&peaks).ok_or_else(|| "no peak".to_owned())
}

/// The last line of strace's summary has the sum of all calls of all processes.
fn calls(task: &Task, bundles: &Bundles) -> Result<Option<f64>, String> {
    if !Path::new("/usr/bin/strace").exists() {
        println!("strace is not installed: system calls are not counted");
        return Ok(None);
    }
    let file = bundles.log.with_extension("strace");
    let mut strace = Command::new("/usr/bin/strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&file);
    under(strace, task, bundles)?;
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let total = text.lines().rev().find(|line| line.ends_with("total"));
    let calls = total.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse::<u32>().ok());
    calls.map(|n| Some(f64::from(n))).ok_or_else(|| format!("strace printed no total: {text}"))
}

/// Runs the command of a task as arguments of another program.
fn under(mut program: Command, task: &Task, bundles: &Bundles) -> Result<(), String> {
    let command = task.command().ok_or("not a single command")?;
    program.arg(command.get_program()).args(command.get_args());
    finish(program, &bundles.log).map_err(|why| format!("{} of {}: {why}", task.job.name(), task.who))
}

/// Exact for every size and count there is here.
fn to_f64(n: u64) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
