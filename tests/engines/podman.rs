//! podman as root, with the runtime given to `--runtime`.

use std::path::PathBuf;

use cofferdam_tests::{Check, Output, Skip, Test, facts};

use crate::room::Room;

/// podman, with nothing of the host's configuration or state.
struct Podman<'t> {
    room: Room<'t>,
    rootfs: String,
}

/// containers.conf; limits as low as any host allows.
fn configure(test: &Test, engine: &str) {
    let text = format!(
        "[engine]\nevents_logger=\"none\"\nlock_type=\"file\"\n{engine}\n[containers]\nlog_driver=\"k8s-file\"\n\
         default_ulimits=[\"nofile=256:512\", \"nproc=512:1024\"]\n"
    );
    std::fs::write(test.dir.join("containers.conf"), text).expect("containers.conf");
}

impl<'t> Podman<'t> {
    fn new(test: &'t Test) -> Result<Self, Skip> {
        let room = Room::new(test, &["podman", "conmon"])?;
        configure(test, "");
        let rootfs = room.rootfs.display().to_string();
        Ok(Self { room, rootfs })
    }

    /// The engine's command line as far as its own subcommand.
    fn line(&self) -> Vec<String> {
        let test = self.room.test;
        let runtime = test.runtime.path.display().to_string();
        let root = self.room.path("root");
        // The view is private, so the names may be fixed; podman takes none of more than 50 characters.
        let line = [
            "--runtime",
            &runtime,
            "--root",
            &root,
            "--runroot",
            "/run/engine/run",
            "--tmpdir",
            "/run/engine/tmp",
        ];
        let rest = ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"];
        line.iter().chain(&rest).map(|&word| word.to_owned()).collect()
    }

    fn call(&self, args: &[&str]) -> Output {
        let mut command = self.room.command("podman");
        command.args(self.line()).args(args).env("CONTAINERS_CONF", self.room.path("containers.conf"));
        // Health checks by hand: there is no systemd in here.
        self.room.finish(command.env("DISABLE_HC_SYSTEMD", "true"))
    }

    /// `run` without an image: the root filesystem is a directory.
    fn run(&self, flags: &[&str], args: &[&str]) -> Output {
        let fixed = ["run", "--network", "none", "--cgroup-parent", &self.room.parent];
        let root = ["--rootfs", &self.rootfs];
        self.call(&[&fixed, flags, &root, args].concat())
    }

    fn inspect(&self, name: &str, field: &str) -> String {
        self.call(&["inspect", "--format", &format!("{{{{{field}}}}}"), name]).ok().trim().to_owned()
    }

    fn remove(&self, name: &str) {
        self.call(&["rm", "--force", "--time", "0", name]).ok();
    }

    /// No container, no state of the runtime's, no cgroup with a process is left.
    fn is_clean(&self) -> Check {
        assert_eq!(self.call(&["ps", "--all", "--quiet"]).ok(), "");
        let name = &self.room.test.runtime.name;
        assert_eq!(self.room.shell(&format!("ls -A /run/{name} 2>/dev/null || true")), "");
        self.room.is_clean()
    }
}

facts! {
    fn podman_runs_execs_in_and_removes_a_container(t) {
        let p = Podman::new(t)?;
        p.run(&["--detach", "--name", "one"], &["sleep", "100"]).ok();
        assert_eq!(p.call(&["exec", "one", "cat", "/proc/1/comm"]).ok(), "sleep\n");
        assert_eq!(p.call(&["exec", "one", "sh", "-c", "exit 7"]).code, 7);
        assert_eq!(p.inspect("one", ".State.Status"), "running");
        assert!(p.call(&["top", "one", "pid", "args"]).ok().contains("sleep 100"));
        let seen = p.room.on_a_terminal(&format!(
            "CONTAINERS_CONF={} podman {} exec -it one sh -c \"tty; sleep 0.5; stty size\"",
            p.room.path("containers.conf"),
            p.line().join(" ")
        ));
        assert!(seen.contains("/dev/pts/0") && seen.contains("33 101"), "{seen}");
        p.remove("one");
        p.is_clean()?;
    }

    fn podman_gets_output_and_exit_status(t) {
        let p = Podman::new(t)?;
        assert_eq!(p.run(&["--rm"], &["echo", "hello"]).ok(), "hello\n");
        assert_eq!(p.run(&["--rm"], &["sh", "-c", "exit 3"]).code, 3);
        assert_eq!(p.run(&["--rm"], &["/no/such/program"]).code, 127);
        assert_eq!(p.run(&["--rm"], &["/etc/passwd"]).code, 126);
        assert_eq!(p.run(&["--rm", "--security-opt", "seccomp=/no/such/profile"], &["true"]).code, 125);
        p.is_clean()?;
    }

    fn podman_pauses_stops_and_starts_again(t) {
        let p = Podman::new(t)?;
        p.run(&["--detach", "--name", "two"], &["sh", "-c", "trap 'exit 5' TERM; while :; do usleep 10000; done"]).ok();
        p.call(&["pause", "two"]).ok();
        p.call(&["unpause", "two"]).ok();
        p.call(&["stop", "--time", "10", "two"]).ok();
        assert_eq!(p.inspect("two", ".State.ExitCode"), "5");
        p.call(&["start", "two"]).ok();
        let first = p.inspect("two", ".State.Pid");
        p.call(&["restart", "--time", "0", "two"]).ok();
        assert_ne!(p.inspect("two", ".State.Pid"), first);
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

    fn podman_limits_updates_and_measures(t) {
        let p = Podman::new(t)?;
        let limits = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "30"];
        p.run(&[&["--detach", "--name", "box"][..], &limits].concat(), &["sh", "-c", "while :; do :; done"]).ok();
        let said = p.call(&["stats", "--no-stream", "--no-reset", "--format", "{{.MemUsage}} {{.PIDS}}", "box"]);
        assert!(said.ok().contains("67.11MB"), "{said}");
        let seen = |controller, v1, v2| {
            let path = format!("{}/libpod-{}", p.room.parent, p.inspect("box", ".Id"));
            cofferdam_tests::cgroup::read(&path, controller, v1, v2)
        };
        assert_eq!(seen("pids", "pids.max", "pids.max"), "30");
        p.call(&["update", "--memory", "96m", "--cpus", "0.25", "box"]).ok();
        assert_eq!(seen("memory", "memory.limit_in_bytes", "memory.max"), "100663296");
        assert!(seen("cpu", "cpu.cfs_quota_us", "cpu.max").starts_with("25000"));
        p.remove("box");
        p.is_clean()?;
    }

    fn podman_shares_namespaces_and_reaps_by_an_init(t) {
        let p = Podman::new(t)?;
        p.run(&["--detach", "--name", "first", "--ipc", "shareable"], &["sleep", "100"]).ok();
        let fixed = ["run", "--rm", "--cgroup-parent", &p.room.parent];
        let of_first = ["--pid", "container:first", "--network", "container:first", "--ipc", "container:first"];
        let seen = p.call(&[&fixed[..], &of_first, &["--rootfs", &p.rootfs, "ps"]].concat());
        assert!(seen.ok().contains("sleep 100"), "{seen}");
        p.remove("first");
        let init = PathBuf::from("/usr/libexec/podman/catatonit");
        if init.exists() {
            assert!(p.run(&["--rm", "--init"], &["cat", "/proc/1/comm"]).ok().contains("init"));
        }
        p.is_clean()?;
    }

    fn podman_maps_users_of_every_kind(t) {
        let p = Podman::new(t)?;
        // Whom the container's root is on the host, it must be able to make mount points.
        p.room.shell(&format!("chmod -R a+rwx {}", p.rootfs));
        p.room.shell("echo containers:2000000:200000 >/run/ids; \
            for f in subuid subgid; do mount --bind /run/ids /etc/$f; done");
        let map = |flags: &[&str]| {
            let said = p.run(&[&["--rm"], flags].concat(), &["cat", "/proc/self/uid_map"]);
            said.ok().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(map(&["--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000"]), ["0", "100000", "5000"]);
        assert_eq!(map(&["--userns", "host"])[2], "4294967295");
        let mapped = ["--detach", "--name", "mapped", "--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000"];
        p.run(&mapped, &["sleep", "100"]).ok();
        assert_eq!(p.call(&["exec", "--user", "1000", "mapped", "id", "-u"]).ok(), "1000\n");
        p.remove("mapped");
        // Which ids those are podman finds out for images only.
        p.call(&["import", &p.room.archive(), "box"]).ok();
        let auto = ["run", "--rm", "--network", "none", "--cgroup-parent", &p.room.parent, "--userns", "auto:size=2000"];
        let seen = p.call(&[&auto[..], &["box", "cat", "/proc/self/uid_map"]].concat());
        assert_eq!(seen.ok().split_whitespace().collect::<Vec<_>>(), ["0", "2000000", "2000"], "{seen}");
        p.is_clean()?;
    }

    fn podman_checks_health_and_keeps_what_was_said(t) {
        let p = Podman::new(t)?;
        let check = ["--health-cmd", "test -f /ok", "--health-interval", "disable"];
        let script = "echo said; echo complained >&2; exec sleep 100";
        p.run(&[&["--detach", "--name", "ill"][..], &check].concat(), &["sh", "-c", script]).ok();
        assert_eq!(p.call(&["healthcheck", "run", "ill"]).code, 1);
        p.call(&["exec", "ill", "touch", "/ok"]).ok();
        p.call(&["healthcheck", "run", "ill"]).ok();
        let logs = p.call(&["logs", "ill"]);
        assert_eq!((logs.ok(), logs.stderr.as_str()), ("said\n", "complained\n"));
        p.remove("ill");
        p.is_clean()?;
    }

    fn podman_restarts_what_fails_as_often_as_it_was_told(t) {
        let p = Podman::new(t)?;
        p.run(&["--detach", "--name", "again", "--restart", "on-failure:2"], &["sh", "-c", "echo x; exit 1"]).ok();
        p.room.until("two restarts", || {
            p.inspect("again", ".RestartCount") == "2" && p.inspect("again", ".State.Status") == "exited"
        });
        assert_eq!(p.call(&["logs", "again"]).ok(), "x\nx\nx\n");
        p.remove("again");
        p.is_clean()?;
    }
}
