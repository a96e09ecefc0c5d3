//! One test on one runtime: its directory, its view of the host, and the clean-up that also reports what the
//! runtime left behind. Made by `check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use crate::command::{Output, next, quiet, run};
use crate::{Bundle, Runtime, View, cgroup, driver, mountinfo};

/// A test in progress.
#[derive(Debug)]
pub struct Test {
    /// The runtime it runs on.
    pub runtime: Runtime,
    /// Directory of the test, removed at its end.
    pub dir: PathBuf,
    prefix: String,
    view: OnceLock<View>,
    lock: fs::File,
}

impl Test {
    /// Makes the directory; everything of this test carries its unique prefix.
    pub(crate) fn new(runtime: Runtime, name: &str) -> Self {
        let short: String = name.chars().take(24).collect();
        let prefix = format!("cdt-{}-{}", std::process::id(), next());
        let dir = std::env::temp_dir().join(format!("{prefix}-{short}"));
        fs::create_dir_all(dir.join("state")).expect("directory of the test");
        let lock = fs::File::open(crate::assets::probe()).expect("file to lock");
        flock(&lock, FlockOperation::LockShared).expect("lock");
        Self { runtime, dir, prefix, view: OnceLock::new(), lock }
    }

    /// Waits until no other test of this package runs, and keeps them from starting: for the few that change what
    /// all processes of the host see.
    pub fn alone(&self) {
        flock(&self.lock, FlockOperation::LockExclusive).expect("lock");
    }

    /// A new bundle with the base configuration.
    pub fn bundle(&self) -> Bundle<'_> {
        Bundle::new(self, format!("{}-{}", self.prefix, next()))
    }

    /// A bundle that runs this shell script.
    pub fn script(&self, script: &str) -> Bundle<'_> {
        let mut b = self.bundle();
        b.args(&["sh", "-c", script]);
        b
    }

    /// Gives the test a mount namespace of its own on the host's side (at most one per test).
    pub fn view(&self) -> &View {
        self.view.get_or_init(|| View::new(false, self.runtime.needs_legacy_tree()))
    }

    /// The same, with a network namespace.
    pub fn network_view(&self) -> &View {
        self.view.get_or_init(|| View::new(true, self.runtime.needs_legacy_tree()))
    }

    /// Whether the test has a network namespace of its own.
    pub fn has_network_view(&self) -> bool {
        self.view.get().is_some_and(View::has_network)
    }

    /// A shell script on the host's side, in the test's view where it has one; it must succeed.
    #[track_caller]
    pub fn host(&self, script: &str) -> String {
        let mut command = self.command(Path::new("/bin/sh"));
        run(command.args(["-ec", script]), &self.dir).ok().to_owned()
    }

    /// A program on the host's side, in the test's view where it has one.
    pub fn command(&self, program: &Path) -> Command {
        static LEGACY: OnceLock<View> = OnceLock::new();
        match self.view.get() {
            Some(view) => view.command(program),
            None if self.runtime.needs_legacy_tree() => {
                LEGACY.get_or_init(|| View::new(false, true)).command(program)
            }
            None => quiet(program),
        }
    }

    /// The runtime with its state in the test's directory.
    pub fn runtime_command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.command(&self.runtime.path);
        command.arg("--root").arg(self.dir.join("state"));
        if driver::is_systemd() {
            command.arg("--systemd-cgroup");
        }
        command.args(args);
        command
    }

    /// Runs the runtime.
    pub fn runtime<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Output {
        self.finish(&mut self.runtime_command(args))
    }

    /// Runs a prepared command with its output kept in the test's directory.
    pub fn finish(&self, command: &mut Command) -> Output {
        run(command, &self.dir)
    }

    /// Path of the probe on the host.
    pub fn probe(&self) -> PathBuf {
        crate::assets::probe()
    }

    /// Skips the test unless this holds.
    ///
    /// # Errors
    /// The reason.
    pub fn need(&self, holds: bool, why: &str) -> Result<(), crate::Skip> {
        if holds { Ok(()) } else { Err(crate::Skip(why.to_owned())) }
    }

    /// Removes the directory and whatever a runtime left, and says what that was.
    pub(crate) fn clean_up(&self) -> Vec<String> {
        let mut left = Vec::new();
        for entry in fs::read_dir(self.dir.join("state")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                let _ = self.runtime(&["delete", "--force", &name]);
            }
            if name.starts_with(&self.prefix) {
                left.push(format!("state of {name}"));
            }
        }
        for dir in (0..next()).flat_map(|n| cgroup::all_named(&format!("{}-{n}", self.prefix))) {
            left.push(format!("cgroup {}", dir.display()));
            cgroup::remove(&dir);
        }
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for mount in
            mountinfo::read(&text).iter().rev().filter(|m| Path::new(&m.point).starts_with(&self.dir))
        {
            left.push(format!("mount {}", mount.point));
            let _ = Command::new("umount").args(["--lazy", &mount.point]).status();
        }
        let _ = fs::remove_dir_all(&self.dir);
        left
    }
}
