//! A place for one test: a bundle with a busybox, a state directory, and what removes both.

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The command under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_cofferdam");

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) id: String,
}

impl World {
    /// `None`, with a word about it, where containers cannot be made.
    pub(crate) fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: making containers needs root");
            return None;
        }
        let Some(busybox) = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists())
        else {
            eprintln!("skipped: there is no busybox to put into a container");
            return None;
        };
        let world = Self::empty();
        let bin = world.dir.join("rootfs/bin");
        std::fs::create_dir_all(&bin).unwrap();
        for directory in ["proc", "dev", "sys", "tmp"] {
            std::fs::create_dir_all(world.dir.join("rootfs").join(directory)).unwrap();
        }
        // Not by this process: a child of another test's would hold the file open for writing (ETXTBSY).
        let copied = std::process::Command::new("cp").arg(busybox).arg(bin.join("busybox")).status().unwrap();
        assert!(copied.success());
        for applet in ["sh", "cat", "echo", "sleep", "id", "ls", "stty", "true", "grep", "tty", "pwd", "seq"]
        {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
        }
        Some(world)
    }

    /// Without a root filesystem: for what makes no container.
    pub(crate) fn empty() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("cli-test-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(&id);
        std::fs::create_dir_all(&dir).unwrap();
        Self { dir, id }
    }

    /// Writes a config.json that runs `args`; `change` may change it first.
    pub(crate) fn configure(&self, args: &[&str], change: impl FnOnce(&mut Value)) {
        let path = self.dir.join("config.json");
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        let made = self.command(["spec", "--bundle", self.dir.to_str().unwrap()]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["process"]["args"] = json!(args);
        config["process"]["terminal"] = json!(false);
        change(&mut config);
        std::fs::write(&path, config.to_string()).unwrap();
    }

    /// The command with its own state directory.
    pub(crate) fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--root").arg(self.dir.join("state")).args(args);
        command.current_dir(&self.dir).stdin(Stdio::null()).env_remove("NOTIFY_SOCKET");
        command
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and wants success; gives its standard output. Standard output must not be kept open by a
    /// container, so it is only for commands that make none.
    pub(crate) fn success(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a container that sleeps, and starts it. Its standard streams are not ours.
    pub(crate) fn sleeper(&self) {
        self.configure(&["sleep", "600"], |_| {});
        self.detached(&["run", "--detach"]);
    }

    /// Runs a command that leaves a container behind, whose output would otherwise be waited for.
    pub(crate) fn detached(&self, args: &[&str]) {
        let log = self.dir.join("stderr");
        let status = self
            .command(args)
            .arg(&self.id)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}: {}", std::fs::read_to_string(&log).unwrap());
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.success(&["state", &self.id])).unwrap()
    }

    pub(crate) fn wait_for_status(&self, status: &str) {
        eventually(&format!("status {status}"), || self.state()["status"] == status);
    }
}

/// Waits until `condition` holds, at most ten seconds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.command(["delete", "--force", &self.id]).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
