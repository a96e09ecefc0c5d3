//! Where an engine lives during a test: mount, network and PID namespaces of its own with a /run, so that its daemons,
//! shims and containers end with the test, however that ends.
//!
//! Called by the tests of each engine. Nothing of the host's configuration or state is used, nothing is fetched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_tests::{Check, Output, Skip, Test, View, cgroup, wait_until};

/// The namespaces, and what the engine is given.
pub(crate) struct Room<'t> {
    pub(crate) test: &'t Test,
    view: View,
    /// Parent of its cgroups, which is ours to remove.
    pub(crate) parent: String,
    /// A root filesystem with busybox.
    pub(crate) rootfs: PathBuf,
}

/// What engines need besides: files that they may change, and a cgroup tree in which they make no directories where no
/// controller is.
const VIEW: &str = "mount -t tmpfs x /run; mkdir -p /run/lock /run/user; mount -t tmpfs -o mode=1777 x /dev/shm; \
    ip link set lo up 2>/dev/null || true; \
    [ -e /sys/fs/cgroup/cgroup.controllers ] || mount -o remount,bind,ro /sys/fs/cgroup";

impl<'t> Room<'t> {
    /// Skips where one of these programs is not installed.
    pub(crate) fn new(test: &'t Test, programs: &[&str]) -> Result<Self, Skip> {
        for program in programs {
            let places = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"];
            let found = places.iter().any(|dir| Path::new(dir).join(program).exists());
            test.need(found, &format!("{program} is not installed"))?;
        }
        let name = test.dir.file_name().expect("a name").to_string_lossy().into_owned();
        let room = Self {
            test,
            view: View::with_processes(test.runtime.needs_legacy_tree()),
            parent: format!("/engine-{name}"),
            rootfs: test.bundle().rootfs(),
        };
        room.shell(VIEW);
        Ok(room)
    }

    /// A program in here.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.view.command(Path::new(program))
    }

    /// Runs it.
    pub(crate) fn finish(&self, command: &mut Command) -> Output {
        self.test.finish(command)
    }

    /// A script that must succeed.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) -> String {
        self.finish(self.command("sh").args(["-ec", script])).ok().to_owned()
    }

    /// A line of the shell on a terminal of 33 rows and 101 columns; gives all that it wrote.
    #[track_caller]
    pub(crate) fn on_a_terminal(&self, line: &str) -> String {
        // script(1) ends at the end of its input, which therefore stays open.
        let script = format!(
            "mkfifo {0}; script -qec 'stty rows 33 cols 101; {line}' /dev/null <>{0}; rm {0}",
            self.path("input")
        );
        self.finish(self.command("sh").args(["-c", &script])).stdout.replace('\r', "")
    }

    /// A daemon that ends with the room; what it says is in `NAME.log`.
    pub(crate) fn daemon(&self, name: &str, command: &mut Command) {
        let log = std::fs::File::create(self.test.dir.join(format!("{name}.log"))).expect("a log");
        let copy = log.try_clone().expect("a log");
        // Nobody waits for it: the PID namespace's first process does.
        drop(command.stdin(Stdio::null()).stdout(log).stderr(copy).spawn().expect("a daemon"));
    }

    /// Waits until a daemon answers, or says what it said instead.
    #[track_caller]
    pub(crate) fn until_up(&self, name: &str, answers: impl FnMut() -> bool) {
        let log = || std::fs::read_to_string(self.test.dir.join(format!("{name}.log"))).unwrap_or_default();
        assert!(holds_in_time(answers), "{name} does not answer: {}", log());
    }

    /// Waits for what an engine does in its own time.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl FnMut() -> bool) {
        assert!(holds_in_time(holds), "waited a minute for: {what}");
    }

    /// A file of the test's, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.test.dir.join(name).display().to_string()
    }

    /// An archive of the root filesystem, for engines that want an image.
    pub(crate) fn archive(&self) -> String {
        let path = self.path("image.tar");
        self.shell(&format!("tar -C {} -cf {path} .", self.rootfs.display()));
        path
    }

    /// Waits until no cgroup below the parent has a process or a directory of a container's, and removes it.
    pub(crate) fn is_clean(&self) -> Check {
        let empty = |dir: &Path| std::fs::remove_dir(dir).is_ok() || !dir.exists();
        wait_until("the engine's cgroups to be empty", || {
            self.cgroups().iter().all(|dir| empty(&dir.join("conmon")) && empty(dir))
        });
        Ok(())
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        cgroup::all_named(self.parent.trim_start_matches('/'))
    }
}

/// Engines on a busy machine are slow.
fn holds_in_time(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

impl Drop for Room<'_> {
    /// After a failure something may still run.
    fn drop(&mut self) {
        self.cgroups().iter().for_each(|dir| cgroup::remove(dir));
    }
}
