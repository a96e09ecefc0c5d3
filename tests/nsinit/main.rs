//! `cofferdam nsinit`, as root: containers described by a container.json, and what is left of them.

mod cgutil;
mod classic;
mod convert;
mod entering;
mod flags;
mod leaving;
mod measuring;
mod terminal;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use cofferdam_tests::{Bundle, Output, Test, Value, json, wait_until};

/// A container of nsinit's: a data directory, a root file system and a configuration.
struct Classic<'t> {
    t: &'t Test,
    bundle: Bundle<'t>,
    data: PathBuf,
    config: Value,
}

impl<'t> Classic<'t> {
    fn new(t: &'t Test) -> Self {
        let bundle = t.bundle();
        let data = t.dir.join("data").join(&bundle.id);
        fs::create_dir_all(&data).expect("data directory");
        let config = json!({
            "root_fs": bundle.rootfs(),
            "hostname": "koye",
            "namespaces": {"NEWNS": true, "NEWPID": true, "NEWUTS": true, "NEWIPC": true},
            "environment": ["PATH=/bin", "HOME=/home"],
            "capabilities": ["KILL", "MKNOD", "SETUID", "SETGID"],
            "cgroups": {"name": bundle.id, "allow_all_devices": true},
        });
        Self { t, bundle, data, config }
    }

    /// Writes container.json.
    fn write(&self) -> &Self {
        fs::write(self.data.join("container.json"), self.config.to_string()).expect("container.json");
        self
    }

    fn set(&mut self, key: &str, value: Value) -> &mut Self {
        self.config[key] = value;
        self
    }

    /// `cofferdam nsinit`, in the data directory, with the core's state in the test's directory.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.t.runtime_command(&["nsinit"]);
        command.args(words).current_dir(&self.data);
        command
    }

    /// The same under the name nsinit, which knows the core's usual place only.
    fn named(&self, name: &str, words: &[&str]) -> Command {
        let link = self.t.dir.join(name);
        if !link.exists() {
            symlink(&self.t.runtime.path, &link).expect("link");
        }
        let mut command = self.t.command(&link);
        command.args(words).current_dir(&self.data);
        command
    }

    #[track_caller]
    fn run(&self, words: &[&str]) -> Output {
        self.t.finish(&mut self.command(words))
    }

    /// Runs a script in a new container; nothing of it is left.
    #[track_caller]
    fn sh(&self, flags: &[&str], script: &str) -> Output {
        let out = self.run(&[&["exec"], flags, &["sh", "-c", script]].concat());
        assert_eq!(self.left(), Vec::<PathBuf>::new(), "left behind by {out}");
        out
    }

    /// What there is of a container: state, pid file, cgroups, the core's.
    fn left(&self) -> Vec<PathBuf> {
        let files = ["state.json", "state.json.new", "pid", "pid.new"].map(|name| self.data.join(name));
        let mut left: Vec<_> = files.into_iter().filter(|path| path.exists()).collect();
        left.extend(cofferdam_tests::cgroup::all_named(&self.bundle.id));
        left.extend(entries(&self.t.dir.join("state")));
        left
    }

    /// Starts a container that stays until it is told to end.
    fn start(&self, flags: &[&str]) -> Running {
        let words = [&["exec"], flags, &["sh", "-c", STAYS]].concat();
        Running::of(self.command(&words).spawn().expect("nsinit starts"), &self.data.join("state.json"))
    }

    fn state(&self) -> Value {
        read_json(&self.data.join("state.json"))
    }
}

/// It ends with status 9 on SIGTERM, once its trap is set.
const STAYS: &str = "trap 'exit 9' TERM; while true; do sleep 0.02; done";

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    cofferdam_tests::parse(&text)
}

/// A container that runs, with the nsinit that stays with it.
struct Running {
    nsinit: Child,
}

impl Running {
    fn of(nsinit: Child, file: &Path) -> Self {
        let pid = || fs::read_to_string(file).is_ok_and(|text| !text.contains("\"init_pid\":0,"));
        let running = Self { nsinit };
        wait_until("a state", || file.exists() && pid());
        running
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.nsinit);
        rustix::process::kill_process(pid, signal).expect("nsinit is there");
    }

    /// Ends the container and gives nsinit's status.
    fn end(mut self) -> i32 {
        let mut code = None;
        wait_until("the end", || {
            self.signal(rustix::process::Signal::TERM);
            code = self.nsinit.try_wait().expect("wait");
            code.is_some()
        });
        code.and_then(|status| status.code()).expect("a status")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.nsinit.try_wait(), Ok(Some(_))) {
            let _ = self.nsinit.kill();
            let _ = self.nsinit.wait();
        }
    }
}
