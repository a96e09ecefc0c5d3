//! What the tests of the examples share: a program is run as anybody would run it, and afterwards nothing of it
//! may be left. Called by those tests only.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// Whether containers with limits can be made here; says why not.
#[must_use]
pub fn possible() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: needs root, to make containers with limits");
    }
    root
}

/// A directory of a test's own, removed when dropped.
#[derive(Debug)]
pub struct Place(pub PathBuf);

impl Place {
    /// Makes one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Its number while it ran.
    pub pid: u32,
    /// Its exit status, or 128 and the signal's number.
    pub code: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// A program of a test's: ended when dropped.
#[derive(Debug)]
pub struct Running {
    /// The program.
    pub child: Child,
    began: Instant,
    output: PathBuf,
}

impl Running {
    /// Starts it; what it writes goes to files in `place`.
    #[must_use]
    pub fn start(command: &mut Command, place: &Place) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let output = place.0.join(format!("output-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let file = |end: &str| File::create(output.with_extension(end)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { child, began: Instant::now(), output }
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// What it has written until now.
    #[must_use]
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.output.with_extension("out")).unwrap_or_default()
    }

    /// What it has complained about until now.
    #[must_use]
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.output.with_extension("err")).unwrap_or_default()
    }

    /// Waits for its end, a minute at most.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let mut status = None;
        until("the program to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        let (stdout, stderr) = (self.stdout(), self.stderr());
        Ended { pid: self.pid(), code, stdout, stderr, took: self.began.elapsed() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        // Asked first: a program that is killed cannot remove its containers.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > end {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Waits a minute at most for a condition.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What there is of the containers that the program `pid` has made: cgroups, processes, mounts below `dir`. The
/// ids that the library chooses begin with the number of the process that makes the container.
#[must_use]
pub fn traces(pid: u32, dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let id = format!("c{pid}-");
    cgroups(Path::new("/sys/fs/cgroup"), &id, &mut found);
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let cgroups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if cgroups.contains(&format!("/{id}")) {
            found.push(format!("process {}", entry.path().display()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = format!(" {}", dir.display());
    found.extend(mounts.lines().filter(|l| l.contains(&below)).map(|l| format!("mount {l}")));
    found
}

fn cgroups(dir: &Path, id: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with(id) {
                found.push(format!("cgroup {}", entry.path().display()));
            }
            cgroups(&entry.path(), id, found);
        }
    }
}

/// Nothing may be left of the program `pid`, which kept its state in `dir`.
#[track_caller]
pub fn nothing_left(pid: u32, dir: &Path) {
    assert_eq!(traces(pid, dir), Vec::<String>::new());
    let state: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(state.is_empty(), "left in {}: {state:?}", dir.display());
}
