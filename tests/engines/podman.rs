//! podman with the runtime given to `--runtime`. It runs in a view of its own: its /run, its /dev/shm, its files.

use std::path::Path;

use cofferdam_tests::{Check, Output, Test, facts, wait_until};

/// podman, with nothing of the host's configuration or state.
struct Podman<'t> {
    test: &'t Test,
    /// Parent of its cgroups, which is ours to remove.
    parent: String,
    rootfs: String,
}

/// containers.conf; limits as low as any host allows.
fn configure(test: &Test, engine: &str) {
    let text = format!(
        "[engine]\nevents_logger=\"none\"\n{engine}\n[containers]\nlog_driver=\"k8s-file\"\n\
         default_ulimits=[\"nofile=256:512\", \"nproc=512:1024\"]\n"
    );
    std::fs::write(test.dir.join("containers.conf"), text).expect("containers.conf");
}

/// What the engine needs besides: a cgroup tree in which it makes no directories where no controller is.
const VIEW: &str = "mount -t tmpfs x /run; mkdir -p /run/lock; mount -t tmpfs -o mode=1777 x /dev/shm; \
    [ -e /sys/fs/cgroup/cgroup.controllers ] || mount -o remount,bind,ro /sys/fs/cgroup";

impl<'t> Podman<'t> {
    fn new(test: &'t Test) -> Result<Self, cofferdam_tests::Skip> {
        test.need(Path::new("/usr/bin/podman").exists(), "podman is not installed")?;
        test.need(Path::new("/usr/bin/conmon").exists(), "conmon is not installed")?;
        test.view();
        test.host(VIEW);
        let rootfs = test.bundle().rootfs().display().to_string();
        configure(test, "");
        let name = test.dir.file_name().expect("a name").to_string_lossy().into_owned();
        Ok(Self { test, parent: format!("/podman-{name}"), rootfs })
    }

    fn call(&self, args: &[&str]) -> Output {
        let dir = |name: &str| self.test.dir.join(name);
        let mut command = self.test.command(Path::new("/usr/bin/podman"));
        command.arg("--runtime").arg(&self.test.runtime.path).arg("--root").arg(dir("root"));
        // The view is private, so the names may be fixed; podman takes none of more than 50 characters.
        command.args(["--runroot", "/run/engine/run", "--tmpdir", "/run/engine/tmp"]);
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]).args(args);
        self.test.finish(command.env("CONTAINERS_CONF", dir("containers.conf")))
    }

    /// `run` without an image: the root filesystem is a directory.
    fn run(&self, flags: &[&str], args: &[&str]) -> Output {
        let fixed = ["run", "--network", "none", "--cgroup-parent", &self.parent];
        let root = ["--rootfs", &self.rootfs];
        self.call(&[&fixed, flags, &root, args].concat())
    }

    /// The cgroups that the engine made above the containers'.
    fn cgroups(&self) -> Vec<std::path::PathBuf> {
        cofferdam_tests::cgroup::all_named(self.parent.trim_start_matches('/'))
    }

    /// No container, no state of the runtime's, no cgroup with a process is left.
    fn is_clean(&self) -> Check {
        assert_eq!(self.call(&["ps", "--all", "--quiet"]).ok(), "");
        let name = &self.test.runtime.name;
        assert_eq!(self.test.host(&format!("ls -A /run/{name} 2>/dev/null || true")), "");
        wait_until("the cgroups of podman to be empty", || {
            let empty = |dir: &Path| std::fs::remove_dir(dir).is_ok() || !dir.exists();
            self.cgroups().iter().all(|dir| empty(&dir.join("conmon")) && empty(dir))
        });
        Ok(())
    }
}

facts! {
    fn podman_runs_execs_in_and_removes_a_container(t) {
        let p = Podman::new(t)?;
        p.run(&["--detach", "--name", "one"], &["sleep", "100"]).ok();
        assert_eq!(p.call(&["exec", "one", "cat", "/proc/1/comm"]).ok(), "sleep\n");
        assert_eq!(p.call(&["exec", "one", "sh", "-c", "exit 7"]).code, 7);
        assert_eq!(p.call(&["inspect", "--format", "{{.State.Status}}", "one"]).ok(), "running\n");
        p.call(&["rm", "--force", "--time", "0", "one"]).ok();
        p.is_clean()?;
    }

    fn podman_gets_output_and_exit_status(t) {
        let p = Podman::new(t)?;
        assert_eq!(p.run(&["--rm"], &["echo", "hello"]).ok(), "hello\n");
        assert_eq!(p.run(&["--rm"], &["sh", "-c", "exit 3"]).code, 3);
        assert_eq!(p.run(&["--rm"], &["/no/such/program"]).code, 127);
        assert_eq!(p.run(&["--rm"], &["/etc/passwd"]).code, 126);
        p.is_clean()?;
    }

    fn podman_pauses_stops_and_starts_again(t) {
        let p = Podman::new(t)?;
        p.run(&["--detach", "--name", "two"], &["sh", "-c", "trap 'exit 5' TERM; while :; do usleep 10000; done"]).ok();
        p.call(&["pause", "two"]).ok();
        p.call(&["unpause", "two"]).ok();
        p.call(&["stop", "--time", "10", "two"]).ok();
        assert_eq!(p.call(&["inspect", "--format", "{{.State.ExitCode}}", "two"]).ok(), "5\n");
        p.call(&["start", "two"]).ok();
        p.call(&["kill", "two"]).ok();
        assert_eq!(p.call(&["wait", "two"]).ok(), "137\n");
        p.call(&["rm", "two"]).ok();
        p.is_clean()?;
    }

    fn podman_runs_without_cgroups(t) {
        t.need(t.runtime.name == "cofferdam", "runc has no --cgroup-manager")?;
        let p = Podman::new(t)?;
        let runtime = t.runtime.path.file_name().expect("a name");
        // Written with and without the last letter by different versions.
        let keys = ["runtime_supports_nocgroups", "runtime_supports_nocgroup"];
        configure(t, &keys.map(|key| format!("{key}=[{runtime:?}, {:?}]\n", t.runtime.path)).concat());
        let fixed = ["run", "--rm", "--network", "none", "--cgroups", "disabled", "--rootfs", &p.rootfs];
        let own = p.call(&[&fixed[..], &["cat", "/proc/self/cgroup"]].concat());
        assert!(!own.ok().contains("libpod"), "{own}");
        p.is_clean()?;
    }
}
