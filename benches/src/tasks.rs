//! What is timed: one closure for each pair of a job and a contestant. Called by `main`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::bundle::Bundles;
use crate::contestant::{Contestant, Kind, OURS};
use crate::options::Options;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// `run` of /bin/true.
    Run,
    /// The same under the default seccomp profile.
    RunFiltered,
    /// `create`, `start`, `state` until it has stopped, `delete`.
    Lifecycle,
    /// `exec` of /bin/true in a container that runs.
    Exec,
    /// /bin/true in a sandbox that shows the host's files.
    Sandbox,
    /// The same with limits and a seccomp filter.
    SandboxLimited,
    /// As `run`, from this process: in it by the library, and the others as programs that it starts.
    Library,
}

impl Job {
    pub(crate) const ALL: [Job; 7] = [
        Job::Run,
        Job::RunFiltered,
        Job::Lifecycle,
        Job::Exec,
        Job::Sandbox,
        Job::SandboxLimited,
        Job::Library,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Job::Run => "run",
            Job::RunFiltered => "run, default seccomp profile",
            Job::Lifecycle => "create+start+state+delete",
            Job::Exec => "exec",
            Job::Sandbox => "sandbox",
            Job::SandboxLimited => "sandbox with limits and a filter",
            Job::Library => "run by a program, library or spawned",
        }
    }
}

/// One thing that can be done again and again.
pub(crate) struct Task {
    pub(crate) job: Job,
    pub(crate) who: &'static str,
    action: Box<dyn Fn() -> Result<(), String> + Sync>,
    command: Option<Box<dyn Fn() -> Command + Sync>>,
}

impl Task {
    /// Something that is not a command.
    pub(crate) fn action(
        job: Job,
        who: &'static str,
        action: impl Fn() -> Result<(), String> + Sync + 'static,
    ) -> Self {
        Self { job, who, action: Box::new(action), command: None }
    }

    pub(crate) fn run(&self) -> Result<(), String> {
        (self.action)().map_err(|why| format!("{} of {}: {why}", self.job.name(), self.who))
    }

    /// The single command that this is, for those that are one: to be run under another program.
    pub(crate) fn command(&self) -> Option<Command> {
        self.command.as_ref().map(|command| command())
    }
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A name that no container of this benchmark has had.
pub(crate) fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Every task; the containers for `exec` are started here.
pub(crate) fn all(
    options: &Options,
    contestants: &[Contestant],
    bundles: &Bundles,
) -> Result<Vec<Task>, String> {
    let mut tasks = Vec::new();
    for contestant in contestants {
        tasks.extend(library(contestant, bundles)?);
        if options.library {
            continue;
        }
        match contestant.kind {
            Kind::Floor => tasks.push(floor(Job::Run, contestant, bundles)),
            Kind::Bubblewrap => tasks.push(bubblewrap(contestant, bundles)),
            Kind::Runtime => {
                tasks.push(run(Job::Run, contestant, &bundles.plain, bundles));
                tasks.extend(bundles.filtered.iter().map(|b| run(Job::RunFiltered, contestant, b, bundles)));
                tasks.push(lifecycle(contestant, bundles));
                tasks.push(exec(contestant, bundles)?);
            }
        }
        if contestant.name == OURS {
            tasks.push(sandbox(Job::Sandbox, &[], contestant, bundles));
            tasks.push(sandbox(Job::SandboxLimited, SANDBOX_LIMITS, contestant, bundles));
        }
    }
    Ok(tasks)
}

/// What a sandbox that shows the host's files runs: the program that is in the bundle, from the host.
const SEEN: [&str; 2] = ["/bin/busybox", "true"];

/// Limits and a filter, as one would give to a program that is not trusted.
const SANDBOX_LIMITS: &[&str] = &["--memory", "64M", "--pids", "32"];

fn single(
    job: Job,
    contestant: &Contestant,
    bundles: &Bundles,
    command: impl Fn() -> Command + Clone + Sync + 'static,
) -> Task {
    let log = bundles.log.clone();
    let called = command.clone();
    Task {
        job,
        who: contestant.name,
        action: Box::new(move || finish(called(), &log)),
        command: Some(Box::new(command)),
    }
}

/// The library itself, or the same by starting a program; runc's start is the whole of its time.
fn library(contestant: &Contestant, bundles: &Bundles) -> Result<Option<Task>, String> {
    match contestant.name {
        "floor" => Ok(Some(floor(Job::Library, contestant, bundles))),
        OURS => crate::library::task(contestant, bundles).map(Some),
        "crun" => Ok(Some(run(Job::Library, contestant, &bundles.plain, bundles))),
        _ => Ok(None),
    }
}

fn floor(job: Job, contestant: &Contestant, bundles: &Bundles) -> Task {
    let (program, rootfs) = (contestant.program.clone(), bundles.rootfs.clone());
    single(job, contestant, bundles, move || {
        let mut command = Command::new(&program);
        command.arg(&rootfs).arg("/bin/true");
        command
    })
}

fn bubblewrap(contestant: &Contestant, bundles: &Bundles) -> Task {
    let program = contestant.program.clone();
    single(Job::Sandbox, contestant, bundles, move || {
        let mut command = Command::new(&program);
        command.args(["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]);
        command.args(SEEN);
        command
    })
}

fn sandbox(job: Job, flags: &'static [&str], contestant: &Contestant, bundles: &Bundles) -> Task {
    let (program, root) = (contestant.program.clone(), contestant.root.clone());
    single(job, contestant, bundles, move || {
        let mut command = Command::new(&program);
        command.arg("--root").arg(&root).arg("sandbox").args(flags).arg("--").args(SEEN);
        command
    })
}

fn run(job: Job, contestant: &Contestant, bundle: &Path, bundles: &Bundles) -> Task {
    let (program, root) = (contestant.program.clone(), contestant.root.clone());
    let (bundle, prefix) = (bundle.to_owned(), bundles.prefix.clone());
    single(job, contestant, bundles, move || {
        let mut command = Command::new(&program);
        command.arg("--root").arg(&root).args(["run", "--bundle"]).arg(&bundle).arg(fresh(&prefix));
        command
    })
}

fn exec(contestant: &Contestant, bundles: &Bundles) -> Result<Task, String> {
    let id = exec_id(contestant, bundles);
    let mut create = contestant.oci("create");
    create.arg("--bundle").arg(&bundles.sleeping).arg(&id);
    let mut start = contestant.oci("start");
    start.arg(&id);
    let started = finish(create, &bundles.log).and_then(|()| finish(start, &bundles.log));
    started.map_err(|why| format!("a container for exec of {}: {why}", contestant.name))?;
    let (program, root) = (contestant.program.clone(), contestant.root.clone());
    Ok(single(Job::Exec, contestant, bundles, move || {
        let mut command = Command::new(&program);
        command.arg("--root").arg(&root).arg("exec").arg(&id).arg("/bin/true");
        command
    }))
}

fn exec_id(contestant: &Contestant, bundles: &Bundles) -> String {
    format!("{}-exec-{}", bundles.prefix, contestant.name)
}

/// Deletes the containers that [`all`] started.
pub(crate) fn end(options: &Options, contestants: &[Contestant], bundles: &Bundles) -> Result<(), String> {
    if options.library {
        return Ok(());
    }
    for contestant in contestants.iter().filter(|c| c.kind == Kind::Runtime) {
        let mut delete = contestant.oci("delete");
        delete.arg("--force").arg(exec_id(contestant, bundles));
        finish(delete, &bundles.log)?;
    }
    Ok(())
}

fn lifecycle(contestant: &Contestant, bundles: &Bundles) -> Task {
    let runtime = contestant.clone();
    let (bundle, prefix, log) = (bundles.plain.clone(), bundles.prefix.clone(), bundles.log.clone());
    let action = move || {
        let id = fresh(&prefix);
        let mut create = runtime.oci("create");
        create.arg("--bundle").arg(&bundle).arg(&id);
        finish(create, &log)?;
        let mut start = runtime.oci("start");
        start.arg(&id);
        finish(start, &log)?;
        while status(&runtime, &id)? != "stopped" {}
        let mut delete = runtime.oci("delete");
        delete.arg(&id);
        finish(delete, &log)
    };
    Task { job: Job::Lifecycle, who: contestant.name, action: Box::new(action), command: None }
}

fn status(runtime: &Contestant, id: &str) -> Result<String, String> {
    let mut state = runtime.oci("state");
    let output = state.arg(id).stdin(Stdio::null()).output().map_err(|e| format!("state: {e}"))?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| format!("state: {e}: {}", String::from_utf8_lossy(&output.stderr).trim_end()))?;
    Ok(said["status"].as_str().unwrap_or_default().to_owned())
}

/// Runs a command to its end; what it prints goes into the log, for the error.
pub(crate) fn finish(mut command: Command, log: &Path) -> Result<(), String> {
    let at = |e: std::io::Error| format!("{}: {e}", log.display());
    // A pipe would be held open by the container; a file is not waited for.
    let file = File::options().create(true).append(true).open(log).map_err(at)?;
    command.stdin(Stdio::null()).stdout(file.try_clone().map_err(at)?).stderr(file);
    let status = command.status().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(log).map_err(at)?;
    Err(format!("{status}: {}", said.trim_end().lines().next_back().unwrap_or("no message")))
}
