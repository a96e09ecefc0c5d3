//! What starts such an init: the part of runc that is written in Go, as far as the bootstrap is concerned.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_nsenter::bootstrap::Release;
use cofferdam_nsenter::bootstrap::message::{Bootstrap, encode};
use cofferdam_sys::wait::{Ended, reap_any, wait_pidfd};
use cofferdam_sys::{Errno, open, pidfd};
use serde_json::Value;

/// No scenario takes a second; what hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One scenario at a time: all processes are this test's own children, and all of them are accounted for.
static ALONE: Mutex<()> = Mutex::new(());

/// To be held during a scenario; `None`, and why, when there is no right to make namespaces.
#[must_use]
pub fn alone() -> Option<MutexGuard<'static, ()>> {
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !root {
        eprintln!("skipped: not root");
        return None;
    }
    Some(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The program under test, built anew where it is not what its source says: `cargo test --test bootstrap` alone
/// builds no example.
pub fn program() -> PathBuf {
    static BUILT: Once = Once::new();
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    BUILT.call_once(|| {
        let Some(cargo) = std::env::var_os("CARGO") else { return };
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "cofferdam-nsenter", "--example", "bootstrap_init"]);
        build.arg("--target-dir").arg(profile.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
    });
    profile.join("examples/bootstrap_init")
}

/// An init that was started, and what it is connected to.
pub struct Started {
    pub pipe: BufReader<UnixStream>,
    pub log: File,
    pub stage0: Child,
}

/// How it is started.
pub struct Start<'a> {
    pub word: &'a str,
    pub environment: Vec<(&'a str, String)>,
    pub uid: u32,
    /// Whether there is a pipe for log lines; without one they are on standard error, which `log` is then.
    pub log_pipe: bool,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self { word: "facts", environment: Vec::new(), uid: 0, log_pipe: true }
    }
}

impl Start<'_> {
    pub fn start(&self) -> Started {
        let (pipe, theirs) = UnixStream::pair().unwrap();
        pipe.set_read_timeout(Some(PATIENCE)).unwrap();
        let (log, logs) = std::io::pipe().unwrap();
        let mut command = Command::new(program());
        command.arg(self.word).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        open::set_cloexec(theirs.as_raw_fd(), false).unwrap();
        command.env("_LIBCONTAINER_INITPIPE", theirs.as_raw_fd().to_string());
        if self.log_pipe {
            open::set_cloexec(logs.as_raw_fd(), false).unwrap();
            command.env("_LIBCONTAINER_LOGPIPE", logs.as_raw_fd().to_string()).stderr(Stdio::null());
        } else {
            command.stderr(logs.try_clone().unwrap());
        }
        for (name, value) in &self.environment {
            match value.as_str() {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        if self.uid != 0 {
            command.gid(self.uid).uid(self.uid);
        }
        let stage0 = command.spawn().unwrap();
        let log = File::from(std::os::fd::OwnedFd::from(log));
        Started { pipe: BufReader::new(pipe), log, stage0 }
    }

    /// Starts it and sends the message.
    pub fn with(&self, asked: &Bootstrap) -> Started {
        self.with_bytes(&encode(asked, Release::Current).unwrap())
    }

    pub fn with_bytes(&self, message: &[u8]) -> Started {
        let mut started = self.start();
        started.send(message);
        started
    }
}

impl Started {
    pub fn send(&mut self, bytes: &[u8]) {
        self.pipe.get_mut().write_all(bytes).unwrap();
    }

    /// The next line of the init pipe, with its line feed.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.pipe.read_line(&mut line).unwrap();
        line
    }

    /// The first stage ends well, and the pids are those that it reported: first and last.
    pub fn pids(&mut self) -> (i32, i32) {
        let line = self.line();
        assert!(!line.is_empty(), "no pids: {}", self.failure_log());
        let pids: Value = serde_json::from_str(&line).unwrap();
        let number = |name: &str| i32::try_from(pids[name].as_i64().unwrap()).unwrap();
        let (first, last) = (number("stage1_pid"), number("stage2_pid"));
        assert_eq!(line, format!("{{\"stage1_pid\":{first},\"stage2_pid\":{last}}}\n"));
        assert!(self.stage0.wait().unwrap().success(), "{}", self.failure_log());
        assert_eq!(wait(first), Ended::Exited(0));
        (first, last)
    }

    /// What the last process says about itself, after the pids.
    pub fn facts(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Lets the last process end, and sees that it was the last.
    pub fn finish(mut self, last: i32) -> Ended {
        self.pipe.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
        let ended = wait(last);
        assert_eq!(reap_any(), Err(Errno::ECHILD), "a child is left");
        ended
    }

    /// How it fails: status of the first stage, all log lines (or standard error); no process is left.
    pub fn fails(mut self) -> (ExitStatus, String) {
        // No more bytes: whoever waits for some sees the end.
        self.pipe.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
        let status = self.stage0.wait().unwrap();
        let deadline = Instant::now() + PATIENCE;
        // The others are ours as well; nobody told us their numbers.
        while reap_any() != Err(Errno::ECHILD) {
            assert!(Instant::now() < deadline, "a process is left");
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut rest = Vec::new();
        // A message that was not read to its end makes the end a reset.
        let end = self.pipe.read_to_end(&mut rest).map_err(|error| error.kind());
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
        assert_eq!(rest, b"", "nothing is reported over the init pipe");
        (status, self.failure_log())
    }

    fn failure_log(&mut self) -> String {
        let mut log = String::new();
        let _ = self.log.read_to_string(&mut log);
        log
    }
}

impl Drop for Started {
    /// After a failed scenario: the next one starts without children.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let _ = self.stage0.kill();
        let _ = self.pipe.get_mut().shutdown(std::net::Shutdown::Both);
        let deadline = Instant::now() + Duration::from_secs(2);
        while reap_any() != Err(Errno::ECHILD) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A process in namespaces of its own.
pub struct Target(pub Child);

impl Target {
    /// `unshare` with these options, as this user.
    pub fn new(options: &[&str], id: u32) -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(options).args(["sleep", "60"]).gid(id).uid(id);
        let target = Self(unshare.spawn().unwrap());
        let comm = format!("/proc/{}/comm", target.0.id());
        while !std::fs::read_to_string(&comm).unwrap().starts_with("sleep") {
            std::thread::yield_now();
        }
        target
    }

    /// What its link in /proc/PID/ns says.
    pub fn link(&self, kind: &str) -> String {
        std::fs::read_link(format!("/proc/{}/ns/{kind}", self.0.id())).unwrap().display().to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How this child of ours ended.
pub fn wait(pid: i32) -> Ended {
    let process = pidfd::open(pid).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(ended) = wait_pidfd(process.raw(), true, false).unwrap() {
            return ended;
        }
        assert!(Instant::now() < deadline, "process {pid} does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The messages of the log lines at this level.
pub fn messages(log: &str, level: &str) -> Vec<String> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wanted = lines.filter(|line| line["level"] == level);
    wanted.map(|line| line["msg"].as_str().unwrap().to_owned()).collect()
}
