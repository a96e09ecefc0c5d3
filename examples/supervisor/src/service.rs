//! One service: its container is started, watched, and started again when it ends. Each has a thread of its own;
//! `main` looks at it and tells it what to do.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam::sandbox::Sandbox;
use cofferdam::{Command, Container, Event, Result, Stdio, Store};
use serde::{Deserialize, Serialize};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What stays this long begins with the first pause again.
const STAYS: Duration = Duration::from_secs(10);

/// What is to run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    name: String,
    /// A shell script.
    run: String,
    memory_mib: Option<u64>,
    processes: Option<u64>,
}

/// What is known of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) memory: u64,
    /// Nanoseconds.
    pub(crate) cpu: u64,
    pub(crate) restarts: u32,
    pub(crate) out_of_memory: u32,
    /// How it last ended.
    pub(crate) last: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    row: Row,
    container: Option<Container>,
    ending: bool,
}

#[derive(Debug)]
pub(crate) struct Service {
    config: Config,
    store: Store,
    inner: Mutex<Inner>,
    told: Condvar,
}

/// Ten services, of which not all behave.
pub(crate) fn demonstration() -> Vec<Config> {
    let one = |n: u32| {
        let run = match n {
            7 => "sleep 2; exit 3",
            8 => "sleep 1; head -c 100M /dev/zero | tail -c 100M",
            9 => "while :; do :; done",
            _ => "while :; do sleep 0.1; done",
        };
        let (memory_mib, processes) = (Some(16), Some(16));
        Config { name: format!("service-{n}"), run: run.to_owned(), memory_mib, processes }
    };
    (0..10).map(one).collect()
}

impl Service {
    pub(crate) fn new(config: Config, store: Store) -> Self {
        let row = Row { name: config.name.clone(), status: "starting", ..Row::default() };
        let inner = Mutex::new(Inner { row, ..Inner::default() });
        Self { config, store, inner, told: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it again and again until it is to end.
    pub(crate) fn keep(&self) {
        let mut pause = FIRST_PAUSE;
        while !self.lock().ending {
            let began = Instant::now();
            let last = self.once().unwrap_or_else(|e| e.to_string());
            pause = if began.elapsed() > STAYS { FIRST_PAUSE } else { pause };
            let mut inner = self.lock();
            inner.container = None;
            inner.row = Row { status: "waiting", memory: 0, last: Some(last), ..inner.row.clone() };
            let waited = self.told.wait_timeout_while(inner, pause, |inner| !inner.ending);
            let mut inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            inner.row.restarts = inner.row.restarts.saturating_add(1);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Runs it to its end, which is told.
    fn once(&self) -> Result<String> {
        let mut sandbox = Sandbox::new("/bin/sh");
        sandbox.args(["-c", &self.config.run]).hostname(&self.config.name).user(65534, 65534);
        sandbox.memory(self.config.memory_mib.unwrap_or(64).saturating_mul(1 << 20));
        sandbox.processes(self.config.processes.unwrap_or(64));
        let mut command = Command::from(sandbox);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.store(self.store.clone()).kill_on_drop(true).create()?;
        let events = child.events(Some(Duration::from_millis(500)))?;
        {
            let mut inner = self.lock();
            if inner.ending {
                return Ok("not started".to_owned());
            }
            child.start()?;
            inner.row.status = "running";
            inner.container = Some(child.container().clone());
        }
        for event in events {
            let event = event?;
            let mut inner = self.lock();
            match event {
                Event::Oom => inner.row.out_of_memory = inner.row.out_of_memory.saturating_add(1),
                Event::Stats(stats) => {
                    inner.row.memory = stats.memory.usage.usage;
                    inner.row.cpu = stats.cpu.usage.total;
                }
                _ => {}
            }
        }
        Ok(child.wait()?.to_string())
    }

    /// Ends it for good.
    pub(crate) fn end(&self) {
        let mut inner = self.lock();
        inner.ending = true;
        if let Some(container) = &inner.container {
            // One that has ended by itself is as well.
            let _ = container.kill(9, false);
        }
        self.told.notify_all();
    }

    pub(crate) fn pause(&self, pause: bool) {
        let mut inner = self.lock();
        let Some(container) = &inner.container else { return };
        let done = if pause { container.pause() } else { container.resume() };
        // What has just ended, or is what it is to be, stays that.
        if done.is_ok() {
            inner.row.status = if pause { "paused" } else { "running" };
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.lock().row.status == "paused"
    }

    pub(crate) fn row(&self) -> Row {
        self.lock().row.clone()
    }
}
