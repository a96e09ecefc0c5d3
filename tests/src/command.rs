//! Runs one program with a time limit and keeps what it said. Output goes to files, not pipes, because what a
//! runtime starts in the background holds on to them. Called by `Test`, `Bundle` and `Container`.

use std::fmt;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a command may take before it is killed.
const LIMIT: Duration = Duration::from_secs(60);

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A number no one else in this process has.
pub(crate) fn next() -> u64 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command.
    pub line: String,
    /// Exit status, 128 + the signal's number when a signal ended it.
    pub code: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// The standard output of a command that must succeed.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.code == 0, "must succeed: {self}");
        &self.stdout
    }

    /// The complaint of a command that must fail, and must say why.
    #[track_caller]
    pub fn refused(&self) -> &str {
        assert!(self.code != 0, "must be refused: {self}");
        assert!(!self.stderr.trim().is_empty(), "must say why: {self}");
        &self.stderr
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (out, err) = (self.stdout.trim_end(), self.stderr.trim_end());
        write!(f, "{} exited {}\n  stdout: {out}\n  stderr: {err}", self.line, self.code)
    }
}

/// Runs a command, files for its output in `dir`.
pub(crate) fn run(command: &mut Command, dir: &Path) -> Output {
    let n = next();
    run_into(command, &dir.join(format!("{n}.out")), &dir.join(format!("{n}.err")))
}

/// Runs a command with its output in these files.
pub(crate) fn run_into(command: &mut Command, out: &Path, err: &Path) -> Output {
    let file = |p: &Path| File::create(p).unwrap_or_else(|e| panic!("{}: {e}", p.display()));
    command.stdout(file(out)).stderr(file(err));
    let line = format!("{command:?}");
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
    let code = wait(&mut child, &line);
    let text = |p: &Path| String::from_utf8_lossy(&std::fs::read(p).unwrap_or_default()).into_owned();
    Output { line, code, stdout: text(out), stderr: text(err) }
}

/// Waits for a child, and kills it when the time is over.
pub(crate) fn wait(child: &mut Child, line: &str) -> i32 {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{line}: not over after {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits up to ten seconds for a condition.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "waited ten seconds for: {what}");
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// A command without the test's standard input.
pub(crate) fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
