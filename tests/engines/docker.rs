//! Docker: a dockerd of the test's own, with the containerd that it starts.

use cofferdam_tests::{Check, Output, Skip, Test, facts};

use crate::room::Room;

struct Docker<'t> {
    room: Room<'t>,
}

const IMAGE: &str = "box:latest";

impl<'t> Docker<'t> {
    /// With more flags for the daemon, after this script.
    fn new(test: &'t Test, prepare: &str, flags: &[&str]) -> Result<Self, Skip> {
        test.need(
            !test.runtime.needs_legacy_tree(),
            "crun finds no cgroups where half of the tree is hidden",
        )?;
        let room = Room::new(test, &["dockerd", "docker", "containerd", "iptables"])?;
        room.shell(&format!("{prepare}\necho '{{}}' >/run/daemon.json"));
        let runtime = format!("tested={}", test.runtime.path.display());
        let mut daemon = room.command("dockerd");
        // Networks are Docker's own affair; a bridge would only take time.
        daemon.args([
            "--host",
            "unix:///run/d.sock",
            "--bridge",
            "none",
            "--iptables=false",
            "--ip6tables=false",
        ]);
        daemon.args([
            "--pidfile",
            "/run/d.pid",
            "--exec-root",
            "/run/docker",
            "--config-file",
            "/run/daemon.json",
        ]);
        daemon.args(["--data-root", &room.path("data"), "--storage-driver", "vfs"]);
        daemon.args(["--add-runtime", &runtime, "--default-runtime", "tested"]);
        daemon.args(["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", &room.parent]);
        room.daemon("dockerd", daemon.args(flags));
        let this = Self { room };
        this.room.until_up("dockerd", || this.call(&["version"]).code == 0);
        this.call(&["import", &this.room.archive(), IMAGE]).ok();
        Ok(this)
    }

    fn call(&self, args: &[&str]) -> Output {
        let mut command = self.room.command("docker");
        command.args(["--host", "unix:///run/d.sock"]).args(args);
        self.room.finish(command.env("DOCKER_CONFIG", self.room.path("client")).env("DOCKER_BUILDKIT", "0"))
    }

    fn run(&self, flags: &[&str], args: &[&str]) -> Output {
        self.call(&[&["run", "--network", "none"], flags, &[IMAGE], args].concat())
    }

    fn inspect(&self, name: &str, field: &str) -> String {
        self.call(&["inspect", "--format", &format!("{{{{{field}}}}}"), name]).ok().trim().to_owned()
    }

    fn is_clean(&self) -> Check {
        assert_eq!(self.call(&["ps", "--all", "--quiet"]).ok(), "");
        assert_eq!(self.room.shell("ls -A /run/docker/runtime-*/moby 2>/dev/null || true"), "");
        self.room.is_clean()
    }
}

facts! {
    fn docker_gets_output_exit_status_and_reasons(t) {
        let d = Docker::new(t, "", &[])?;
        assert_eq!(d.run(&["--rm"], &["echo", "hello"]).ok(), "hello\n");
        assert_eq!(d.run(&["--rm"], &["sh", "-c", "exit 3"]).code, 3);
        assert_eq!(d.run(&["--rm"], &["/etc/passwd"]).code, 126);
        assert_eq!(d.run(&["--rm"], &["/no/such/program"]).code, 127);
        assert_eq!(d.run(&["--rm"], &["no-such-program"]).code, 127);
        assert_eq!(d.run(&["--rm", "--sysctl", "bogus.key=1"], &["true"]).code, 125);
        // Docker adds what to look at to errors that say so.
        let onto = d.run(&["--rm", "--volume", "/etc/passwd:/etc"], &["true"]);
        assert!(onto.stderr.contains("Are you trying to mount a directory onto a file"), "{onto}");
        assert_eq!(d.run(&["--rm", "--security-opt", "no-new-privileges"], &["grep", "-c", "NoNewPrivs:.1", "/proc/self/status"]).ok(), "1\n");
        assert_eq!(d.run(&["--rm", "--init"], &["cat", "/proc/1/comm"]).ok(), "docker-init\n");
        assert_eq!(d.run(&["--rm", "--read-only"], &["touch", "/x"]).code, 1);
        d.is_clean()?;
    }

    fn docker_execs_stops_restarts_and_updates(t) {
        let d = Docker::new(t, "", &[])?;
        let script = "trap 'exit 5' TERM; echo said; while :; do usleep 10000; done";
        d.run(&["--detach", "--name", "one", "--memory", "64m", "--pids-limit", "50"], &["sh", "-c", script]).ok();
        assert_eq!(d.call(&["exec", "one", "sh", "-c", "exit 7"]).code, 7);
        let seen = d.room.on_a_terminal("docker -H unix:///run/d.sock exec -it one sh -c \"tty; sleep 0.5; stty size\"");
        assert!(seen.contains("/dev/pts/0") && seen.contains("33 101"), "{seen}");
        assert!(d.call(&["top", "one"]).ok().contains("usleep") || d.call(&["top", "one"]).ok().contains("sh -c"));
        assert!(d.call(&["stats", "--no-stream", "--format", "{{.MemUsage}}", "one"]).ok().contains("64MiB"));
        d.call(&["pause", "one"]).ok();
        assert_eq!(d.inspect("one", ".State.Status"), "paused");
        d.call(&["unpause", "one"]).ok();
        d.call(&["update", "--memory", "96m", "--memory-swap", "192m", "--pids-limit", "33", "one"]).ok();
        let path = format!("{}/{}", d.room.parent, d.inspect("one", ".Id"));
        assert_eq!(cofferdam_tests::cgroup::read(&path, "pids", "pids.max", "pids.max"), "33");
        d.call(&["stop", "--time", "10", "one"]).ok();
        assert_eq!((d.inspect("one", ".State.ExitCode").as_str(), d.call(&["logs", "one"]).ok()), ("5", "said\n"));
        d.call(&["restart", "--time", "0", "one"]).ok();
        assert_eq!(d.inspect("one", ".State.Status"), "running");
        d.call(&["rm", "--force", "one"]).ok();
        d.run(&["--detach", "--name", "two", "--restart", "on-failure:2"], &["sh", "-c", "exit 1"]).ok();
        d.room.until("two restarts", || {
            d.inspect("two", ".RestartCount") == "2" && d.inspect("two", ".State.Status") == "exited"
        });
        d.call(&["rm", "--force", "two"]).ok();
        d.is_clean()?;
    }

    fn docker_builds_images(t) {
        let d = Docker::new(t, "", &[])?;
        let text = format!("FROM {IMAGE}\nENV A=b\nWORKDIR /w\nRUN echo $A >g; chmod 777 .\nUSER 1000\nRUN id -u >uid\nCMD [\"cat\",\"g\",\"uid\"]\n");
        d.room.shell(&format!("mkdir {0}; printf '%s' '{text}' >{0}/Dockerfile", d.room.path("build")));
        d.call(&["build", "--network", "none", "--tag", "built", &d.room.path("build")]).ok();
        assert_eq!(d.call(&["run", "--rm", "--network", "none", "built"]).ok(), "b\n1000\n");
        d.room.shell(&format!("printf 'FROM {IMAGE}\\nRUN exit 9\\n' >{}/Dockerfile", d.room.path("build")));
        let failed = d.call(&["build", "--force-rm", "--network", "none", &d.room.path("build")]);
        assert!(failed.refused().contains("non-zero code: 9"), "{failed}");
        d.is_clean()?;
    }

    fn docker_remaps_users(t) {
        let prepare = "printf 'nobody:300000:65536\nnogroup:300000:65536\n' >/run/ids; \
                       for f in subuid subgid; do mount --bind /run/ids /etc/$f; done";
        let d = Docker::new(t, prepare, &["--userns-remap=nobody:nogroup"])?;
        let map = d.run(&["--rm"], &["cat", "/proc/self/uid_map"]);
        assert_eq!(map.ok().split_whitespace().collect::<Vec<_>>(), ["0", "300000", "65536"], "{map}");
        assert_eq!(d.run(&["--rm"], &["sh", "-c", "touch /made; stat -c %u /made"]).ok(), "0\n");
        let host = d.run(&["--rm", "--userns", "host"], &["cat", "/proc/self/uid_map"]);
        assert!(host.ok().contains("4294967295"), "{host}");
        d.is_clean()?;
    }
}
