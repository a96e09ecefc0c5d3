//! containerd with the shim, driven by ctr: a daemon of the test's own, in its view.

use std::path::Path;
use std::process::{Child, Command};

use cofferdam_tests::{Output, Skip, Test, own, wait_until};

use crate::stand_in::{kill, program};

/// The daemon, and a directory that is every container's root filesystem.
struct Engine<'t> {
    t: &'t Test,
    daemon: Child,
    rootfs: String,
    /// containerd's namespace, and the parent of the containers' cgroups: no other test's.
    namespace: String,
}

impl<'t> Engine<'t> {
    fn new(t: &'t Test) -> Result<Self, Skip> {
        for program in ["/usr/bin/containerd", "/usr/bin/ctr"] {
            t.need(Path::new(program).exists(), "containerd is not installed")?;
        }
        t.view();
        t.host("mount -t tmpfs x /run && mkdir /run/bin");
        t.host(&format!("ln -s {} /run/bin/containerd-shim-cofferdam-v1", program().display()));
        let disabled = ["grpc.v1.cri", "internal.v1.opt"]
            .into_iter()
            .chain(["btrfs", "zfs", "aufs", "devmapper"])
            .map(|name| match name.contains('.') {
                true => format!("\"io.containerd.{name}\""),
                false => format!("\"io.containerd.snapshotter.v1.{name}\""),
            });
        let config = format!(
            "version = 2\nroot = \"{0}/root\"\nstate = \"/run/engine\"\ndisabled_plugins = [{1}]\n\
             [grpc]\n  address = \"/run/engine.sock\"\n",
            t.dir.display(),
            disabled.collect::<Vec<_>>().join(",")
        );
        std::fs::write(t.dir.join("config.toml"), config).expect("config.toml");
        let log = std::fs::File::create(t.dir.join("daemon.log")).expect("a log");
        let mut command = t.command(Path::new("/usr/bin/containerd"));
        command
            .arg("--config")
            .arg(t.dir.join("config.toml"))
            .env("PATH", "/run/bin:/usr/bin:/usr/sbin:/bin:/sbin");
        let daemon = command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("containerd");
        let b = t.bundle();
        let engine = Self { t, daemon, rootfs: b.rootfs().display().to_string(), namespace: b.id.clone() };
        wait_until("containerd", || engine.ctr(&["version"]).code == 0);
        Ok(engine)
    }

    fn ctr(&self, args: &[&str]) -> Output {
        let mut command: Command = self.t.command(Path::new("/usr/bin/ctr"));
        self.t.finish(command.args(["-a", "/run/engine.sock", "-n", &self.namespace]).args(args))
    }

    fn run(&self, flags: &[&str], id: &str, args: &[&str]) -> Output {
        let fixed = ["run", "--runtime", "io.containerd.cofferdam.v1", "--rootfs"];
        let flags: Vec<&str> = fixed.iter().chain(flags).copied().collect();
        self.ctr(&[&flags, &[self.rootfs.as_str(), id][..], args].concat())
    }

    /// The number of a container's first process.
    fn pid(&self, id: &str) -> u32 {
        let list = self.ctr(&["tasks", "ls"]).ok().to_owned();
        let line = list.lines().find(|line| line.starts_with(&format!("{id} "))).expect("the task");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }

    /// The shim's number: it is the parent.
    fn shim(&self, id: &str) -> u32 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid(id))).expect("stat");
        let after = stat.rsplit(')').next().expect("fields");
        after.split_whitespace().nth(1).expect("a parent").parse().expect("a number")
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        for id in self.ctr(&["tasks", "ls", "-q"]).stdout.lines() {
            self.ctr(&["tasks", "rm", "-f", id]);
        }
        kill(self.daemon.id());
        let _ = self.daemon.wait();
        for hierarchy in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(hierarchy.path().join(&self.namespace));
        }
    }
}

own! {
    fn ctr_runs_execs_in_and_removes_containers(t) {
        let e = Engine::new(t)?;
        let first = e.run(&["--rm"], "a", &["sh", "-c", "echo hello; exit 3"]);
        assert_eq!((first.code, first.stdout.as_str(), first.stderr.as_str()), (3, "hello\n", ""));
        e.run(&["-d"], "b", &["sleep", "600"]).ok();
        assert_eq!(e.ctr(&["tasks", "exec", "--exec-id", "x", "b", "cat", "/proc/1/comm"]).ok(), "sleep\n");
        assert_eq!(e.ctr(&["tasks", "exec", "--exec-id", "y", "b", "sh", "-c", "exit 7"]).code, 7);
        e.ctr(&["tasks", "pause", "b"]).ok();
        assert!(e.ctr(&["tasks", "ls"]).ok().contains("PAUSED"));
        e.ctr(&["tasks", "resume", "b"]).ok();
        assert!(e.ctr(&["tasks", "metrics", "b"]).ok().contains("memory"));
        let shim = e.shim("b");
        e.ctr(&["tasks", "kill", "-s", "KILL", "b"]).ok();
        wait_until("it to stop", || e.ctr(&["tasks", "ls"]).ok().contains("STOPPED"));
        e.ctr(&["tasks", "rm", "b"]);
        e.ctr(&["containers", "rm", "b"]).ok();
        wait_until("its shim to end", || !Path::new(&format!("/proc/{shim}")).exists());
        assert_eq!(t.host("ls -A /run/containerd/s; find /run/containerd/cofferdam -mindepth 2"), "");
    }

    fn containerd_removes_what_a_killed_shim_leaves(t) {
        let e = Engine::new(t)?;
        e.run(&["-d"], "a", &["sleep", "600"]).ok();
        let (pid, shim) = (e.pid("a"), e.shim("a"));
        kill(shim);
        wait_until("the container to be gone", || !Path::new(&format!("/proc/{pid}")).exists());
        wait_until("its task to be gone", || !e.ctr(&["tasks", "ls"]).ok().contains("RUNNING"));
        e.ctr(&["tasks", "rm", "-f", "a"]);
        e.ctr(&["containers", "rm", "a"]).ok();
        assert_eq!(t.host("find /run/containerd/cofferdam -mindepth 2"), "");
        assert_eq!(e.run(&["--rm"], "a", &["echo", "again"]).stdout, "again\n");
    }
}
