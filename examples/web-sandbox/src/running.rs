//! One program in one container: started, fed, watched, and ended when it takes too long. Called by `service`;
//! what it gives is the answer. Knows nothing of HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cofferdam::sandbox::Sandbox;
use cofferdam::{
    Child, Command, Error, ErrorKind, Event, Events, Exec, ExitStatus, Pool, Result, Stdio, Store,
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::capture::{self, Captured};

/// Who runs the programs.
const NOBODY: u32 = 65534;
const MIB: u64 = 1 << 20;

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) memory: u64,
    pub(crate) cpus: f64,
    pub(crate) processes: u64,
    pub(crate) time: Duration,
    pub(crate) output: usize,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    #[serde(default)]
    stdin: String,
    /// Less than the limit of the service.
    seconds: Option<f64>,
}

/// How it ended.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    stdout: String,
    stderr: String,
    /// Its exit status, unless a signal ended it.
    code: Option<i32>,
    signal: Option<i32>,
    timed_out: bool,
    out_of_memory: bool,
    truncated: bool,
    milliseconds: f64,
}

/// Where programs run.
#[derive(Debug)]
pub(crate) struct Sandboxes {
    pool: Arc<Pool>,
    limits: Limits,
}

impl Sandboxes {
    pub(crate) fn new(state: &Path, limits: Limits, pool: usize) -> Result<Self> {
        // The program and its streams come with the request.
        let mut sandbox = Sandbox::new("true");
        sandbox.read_only(true).user(NOBODY, NOBODY).env("HOME", "/tmp").current_dir("/tmp");
        sandbox.tmpfs("/root", Some(MIB)).tmpfs("/home", Some(MIB));
        sandbox.memory(limits.memory).cpus(limits.cpus).processes(limits.processes);
        let mut command = Command::from(sandbox);
        command.store(Store::new(state)).kill_on_drop(true);
        Ok(Self { pool: Arc::new(Pool::new(command, pool)?), limits })
    }

    /// Runs it to its end. Dropped before, the future takes the program and the container with it.
    pub(crate) async fn run(&self, wish: Wish) -> Result<Answer> {
        let began = Instant::now();
        let time = wish.seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let time = time.map_or(self.limits.time, |time| time.min(self.limits.time));
        let (mut child, events) = self.start(wish).await?;
        let io = |e: std::io::Error| Error::io("reading what the program writes", "", &e);
        let out = child.stdout.take().map(cofferdam::ChildStdout::into_async).transpose().map_err(io)?;
        let err = child.stderr.take().map(cofferdam::ChildStderr::into_async).transpose().map_err(io)?;
        let (mut stdout, mut stderr) = (Captured::default(), Captured::default());
        let mut out_of_memory = false;
        let mut timed_out = false;
        {
            let limit = self.limits.output;
            let mut work = std::pin::pin!(async {
                tokio::try_join!(
                    async { capture::read(out, limit, &mut stdout).await.map_err(io) },
                    async { capture::read(err, limit, &mut stderr).await.map_err(io) },
                    watch(events, &mut out_of_memory),
                )
            });
            match timeout(time, work.as_mut()).await {
                Ok(done) => done.map(drop)?,
                Err(_) => {
                    timed_out = true;
                    child.kill()?;
                    work.await?;
                }
            }
        }
        let status = child.wait_async().await?;
        Ok(answer(status, (stdout, stderr), (timed_out, out_of_memory), began.elapsed()))
    }

    /// Takes a container from the pool and starts the program in it. It is watched before it runs, so that
    /// nothing is missed.
    async fn start(&self, wish: Wish) -> Result<(Child, Events)> {
        let mut words = wish.command.into_iter();
        let mut exec = Exec::new(words.next().unwrap_or_default());
        exec.args(words).stdin(Stdio::bytes(wish.stdin)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let pool = Arc::clone(&self.pool);
        let start = move || {
            let prepared = pool.take()?;
            let events = prepared.container().events(None)?;
            prepared.spawn(&exec).map(|child| (child, events))
        };
        let lost = |e: tokio::task::JoinError| Error::new(ErrorKind::System, e.to_string());
        tokio::task::spawn_blocking(start).await.map_err(lost)?
    }
}

/// Until its end: before it is waited for, its cgroup still tells.
async fn watch(mut events: Events, out_of_memory: &mut bool) -> Result<()> {
    while let Some(event) = events.next_async().await {
        *out_of_memory |= matches!(event?, Event::Oom);
    }
    Ok(())
}

fn answer(
    status: ExitStatus,
    (stdout, stderr): (Captured, Captured),
    (timed_out, out_of_memory): (bool, bool),
    took: Duration,
) -> Answer {
    let signal = match status {
        ExitStatus::Signal(signal) => Some(signal),
        ExitStatus::Code(_) => None,
    };
    Answer {
        truncated: stdout.truncated || stderr.truncated,
        stdout: String::from_utf8_lossy(&stdout.kept).into_owned(),
        stderr: String::from_utf8_lossy(&stderr.kept).into_owned(),
        code: status.code(),
        signal,
        timed_out,
        out_of_memory,
        milliseconds: took.as_secs_f64() * 1000.0,
    }
}
