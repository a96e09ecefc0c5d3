//! One step: a container is made, watched and removed. Called by `main`; what it gives is the report.

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cofferdam::cgroup::Stats;
use cofferdam::sandbox::Sandbox;
use cofferdam::{Child, Command, Event, Result, Stdio, Store};

use crate::capture;
use crate::job::{Limits, Step};
use crate::report::{Report, Stopped};
use crate::workspace::Workspace;

/// How often it is looked whether time is over.
const LOOK: Duration = Duration::from_millis(50);
const MIB: u64 = 1 << 20;

/// Runs it to its end, or until a limit or `stop` ends it.
pub(crate) fn run(
    step: &Step,
    env: &BTreeMap<String, String>,
    limits: Limits,
    workspace: &Workspace,
    stop: &AtomicBool,
) -> Result<Report> {
    let failed = |e: std::io::Error| cofferdam::Error::io("making a pipe", "", &e);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let both = (writer.try_clone().map_err(failed)?, writer);
    let began = Instant::now();
    // Watched before it runs, so that nothing is missed.
    let mut child = command(step, env, limits, workspace, both).create()?;
    let events = child.events(Some(LOOK))?;
    child.start()?;
    let kept = limits.output_kib.unwrap_or(u64::MAX).saturating_mul(1024);
    let output = capture::start(reader, usize::try_from(kept).unwrap_or(usize::MAX));
    let mut watch = Watch { limits, began, seen: Seen::default() };
    for event in events {
        watch.on(&event?, &child, stop)?;
    }
    // Its cgroup is there until it is waited for.
    watch.measure(&child.stats()?);
    let status = child.wait()?;
    let captured = output.join().unwrap_or_default();
    Ok(Report::new(step, status, watch.seen, began.elapsed(), captured))
}

/// The container. It holds the pipe's writing ends until it is dropped, which is before the step ends.
fn command(
    step: &Step,
    env: &BTreeMap<String, String>,
    limits: Limits,
    workspace: &Workspace,
    (out, err): (PipeWriter, PipeWriter),
) -> Command {
    let mut sandbox = Sandbox::new("/bin/sh");
    sandbox.args(["-ec", &step.run]).current_dir("/work").hostname("ci").env("HOME", "/tmp");
    sandbox.read_only(true).bind(workspace.work(), "/work", false);
    sandbox.tmpfs("/root", Some(MIB)).tmpfs("/home", Some(MIB));
    for (name, value) in env {
        sandbox.env(name, value);
    }
    if let Some(owner) = workspace.owner() {
        sandbox.user(owner, owner);
    }
    if let Some(mib) = limits.memory_mib {
        sandbox.memory(mib.saturating_mul(MIB));
    }
    if let Some(cpus) = limits.cpus {
        sandbox.cpus(cpus);
    }
    if let Some(processes) = limits.processes {
        sandbox.processes(processes);
    }
    let mut command = Command::from(sandbox);
    command.store(Store::new(workspace.state())).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::from(out)).stderr(Stdio::from(err));
    command
}

/// What was seen of a step while it ran.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Why we ended it.
    pub(crate) stopped: Option<Stopped>,
    /// How often the kernel killed for lack of memory.
    pub(crate) oom: u32,
    pub(crate) peak_memory: u64,
    /// How often the kernel refused it another process.
    pub(crate) refused_processes: u64,
}

struct Watch {
    limits: Limits,
    began: Instant,
    seen: Seen,
}

impl Watch {
    fn on(&mut self, event: &Event, child: &Child, stop: &AtomicBool) -> Result<()> {
        match event {
            Event::Oom => self.seen.oom = self.seen.oom.saturating_add(1),
            Event::Stats(stats) => self.measure(stats),
            _ => {}
        }
        let late = self.limits.seconds.is_some_and(|most| self.began.elapsed().as_secs_f64() > most);
        let why = if stop.load(Ordering::Relaxed) {
            Some(Stopped::Interrupted)
        } else {
            late.then_some(Stopped::Timeout)
        };
        if self.seen.stopped.is_none() && !matches!(event, Event::Exit) && why.is_some() {
            self.seen.stopped = why;
            child.kill()?;
        }
        Ok(())
    }

    fn measure(&mut self, stats: &Stats) {
        let memory = stats.memory.usage;
        self.seen.peak_memory = self.seen.peak_memory.max(memory.max).max(memory.usage);
        self.seen.refused_processes = stats.pids.failcnt;
    }
}
