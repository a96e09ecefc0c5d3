//! containerd and its shim for runc, driven by ctr(1).

use std::process::Command;

use cofferdam_tests::{Check, Output, Skip, Test, facts};

use crate::room::Room;

const CONFIG: &str = r#"version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[debug]
  level = "info"
"#;

struct Containerd<'t> {
    room: Room<'t>,
}

impl<'t> Containerd<'t> {
    fn new(test: &'t Test) -> Result<Self, Skip> {
        test.need(
            !test.runtime.needs_legacy_tree(),
            "crun finds no cgroups where half of the tree is hidden",
        )?;
        let room = Room::new(test, &["containerd", "containerd-shim-runc-v2", "ctr"])?;
        std::fs::write(test.dir.join("config.toml"), CONFIG).expect("config.toml");
        let mut daemon = room.command("containerd");
        daemon.args(["--config", &room.path("config.toml"), "--root", &room.path("root")]);
        daemon.args(["--state", "/run/state", "--address", "/run/c.sock"]);
        room.daemon("containerd", &mut daemon);
        let this = Self { room };
        this.room.until_up("containerd", || this.call(&["version"]).code == 0);
        Ok(this)
    }

    fn ctr(&self) -> Command {
        let mut command = self.room.command("ctr");
        // A namespace is a cgroup, unless the container says another.
        command.args(["--address", "/run/c.sock", "--namespace", "test"]);
        command
    }

    fn call(&self, args: &[&str]) -> Output {
        self.room.finish(self.ctr().args(args))
    }

    /// `run` without an image.
    fn run(&self, flags: &[&str], id: &str, args: &[&str]) -> Output {
        let runtime = self.room.test.runtime.path.display().to_string();
        let cgroup = format!("{}/{id}", self.room.parent);
        let rootfs = self.room.rootfs.display().to_string();
        let fixed =
            ["run", "--runtime", "io.containerd.runc.v2", "--runc-binary", &runtime, "--cgroup", &cgroup];
        let path = ["--env", "PATH=/bin"];
        self.call(&[&fixed[..], &path, flags, &["--rootfs", &rootfs, id], args].concat())
    }

    /// What `task ls` says of it.
    fn status(&self, id: &str) -> String {
        let all = self.call(&["task", "ls"]);
        let line =
            all.ok().lines().find(|line| line.split_whitespace().next() == Some(id)).map(str::to_owned);
        line.unwrap_or_else(|| "none".to_owned())
    }

    #[track_caller]
    fn until(&self, id: &str, word: &str) {
        cofferdam_tests::wait_until(word, || self.status(id).contains(word));
    }

    fn is_clean(&self) -> Check {
        assert_eq!(self.call(&["task", "ls", "--quiet"]).ok(), "");
        // The runtime's own state is the shim's.
        let root = "/run/containerd/runc/test";
        assert_eq!(self.room.shell(&format!("ls -A {root} 2>/dev/null || true")), "");
        self.room.is_clean()
    }
}

facts! {
    fn containerd_gets_output_exit_status_and_reasons(t) {
        let c = Containerd::new(t)?;
        assert_eq!(c.run(&["--rm"], "a", &["echo", "hello"]).ok(), "hello\n");
        assert_eq!(c.run(&["--rm"], "b", &["sh", "-c", "exit 3"]).code, 3);
        let absent = c.run(&["--rm"], "c", &["/no/such/program"]);
        assert!(absent.refused().contains("no such file or directory"), "{absent}");
        let refused = c.run(&["--rm"], "d", &["/etc/passwd"]);
        assert!(refused.refused().contains("permission denied"), "{refused}");
        c.is_clean()?;
    }

    fn containerd_execs_pauses_measures_and_kills(t) {
        let c = Containerd::new(t)?;
        c.run(&["--detach", "--memory-limit", "67108864", "--cpus", "0.5"], "a", &["sleep", "100"]).ok();
        let path = format!("{}/a", c.room.parent);
        let limit = cofferdam_tests::cgroup::read(&path, "memory", "memory.limit_in_bytes", "memory.max");
        assert_eq!(limit, "67108864");
        let exec = |id: &str, args: &[&str]| c.call(&[&["task", "exec", "--exec-id", id, "a"], args].concat());
        assert_eq!(exec("one", &["echo", "hi"]).ok(), "hi\n");
        assert_eq!(exec("two", &["sh", "-c", "exit 7"]).code, 7);
        let absent = exec("three", &["/no/such/program"]);
        assert!(absent.refused().contains("no such file or directory"), "{absent}");
        let line = "ctr --address /run/c.sock --namespace test task exec --tty --exec-id four a \
                    sh -c \"tty; sleep 0.5; stty size\"";
        let seen = c.room.on_a_terminal(line);
        assert!(seen.contains("/dev/pts/0") && seen.contains("33 101"), "{seen}");
        c.call(&["task", "pause", "a"]).ok();
        assert!(c.status("a").contains("PAUSED"));
        c.call(&["task", "resume", "a"]).ok();
        assert!(c.status("a").contains("RUNNING"));
        let metrics = c.call(&["task", "metrics", "a"]);
        assert!(metrics.ok().contains("memory") && metrics.stdout.contains("pids.current"), "{metrics}");
        exec("five", &["true"]).ok();
        c.call(&["task", "kill", "--signal", "KILL", "a"]).ok();
        c.until("a", "STOPPED");
        // What is gone already is told from what cannot be killed.
        let again = c.call(&["task", "kill", "a"]);
        assert!(again.code == 0 || again.stderr.contains("not found"), "{again}");
        let removed = c.call(&["task", "rm", "a"]);
        assert!(removed.stderr.contains("exit code 137"), "{removed}");
        c.call(&["container", "rm", "a"]).ok();
        c.is_clean()?;
    }
}
