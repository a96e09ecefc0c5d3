//! podman as an ordinary user.

use std::process::Command;

use cofferdam_tests::{Check, Output, Skip, Test, facts};

use crate::room::Room;

/// Who runs it: known inside the view only.
const USER: u32 = 4711;

struct Rootless<'t> {
    room: Room<'t>,
    runtime: String,
    rootfs: String,
}

/// A user with subordinate ids and a group besides, and a home.
const PREPARE: &str = "for f in passwd group subuid subgid; do cp /etc/$f /run/$f; done; \
    echo tester:x:4711:4711::/:/bin/sh >>/run/passwd; echo tester:x:4711: >>/run/group; \
    echo friends:x:4712:tester >>/run/group; \
    echo tester:400000:65536 | tee -a /run/subuid >>/run/subgid; \
    for f in passwd group subuid subgid; do mount --bind /run/$f /etc/$f; done; \
    mkdir -p /run/user/4711; chown 4711:4711 /run/user/4711; chmod 700 /run/user/4711";

const CONTAINERS: &str = "[engine]\nevents_logger=\"none\"\n[containers]\nlog_driver=\"k8s-file\"\n\
    default_sysctls=[]\ndefault_ulimits=[\"nofile=256:512\", \"nproc=512:1024\"]\n";

impl<'t> Rootless<'t> {
    fn new(test: &'t Test) -> Result<Self, Skip> {
        let room = Room::new(test, &["podman", "conmon", "newuidmap"])?;
        room.shell(PREPARE);
        let home = room.path("home");
        let runtime = format!("{home}/{}", test.runtime.name);
        let rootfs = format!("{home}/rootfs");
        room.shell(&format!(
            "mkdir {home}; cp {} {runtime}; cp -a {} {rootfs}; chown -R {USER}:{USER} {home}",
            test.runtime.path.display(),
            room.rootfs.display()
        ));
        std::fs::write(test.dir.join("containers.conf"), CONTAINERS).expect("containers.conf");
        Ok(Self { room, runtime, rootfs })
    }

    /// A program as the user, with nothing of the tester's environment.
    fn command(&self, program: &str) -> Command {
        let mut command = self.room.command("setpriv");
        command.args([format!("--reuid={USER}"), format!("--regid={USER}")]).args([
            "--init-groups",
            "--",
            "env",
            "-i",
        ]);
        command
            .arg(format!("--chdir={}", self.room.path("home")))
            .arg(format!("HOME={}", self.room.path("home")));
        command.arg("PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
        command.arg(format!("CONTAINERS_CONF={}", self.room.path("containers.conf")));
        command.args([&format!("XDG_RUNTIME_DIR=/run/user/{USER}"), "DISABLE_HC_SYSTEMD=true", program]);
        command
    }

    fn call(&self, args: &[&str]) -> Output {
        let mut command = self.command("podman");
        command.args(["--runtime", &self.runtime, "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs"]);
        self.room.finish(command.args(args))
    }

    fn run(&self, flags: &[&str], args: &[&str]) -> Output {
        self.call(&[&["run", "--network", "none"], flags, &["--rootfs", &self.rootfs], args].concat())
    }

    fn is_clean(&self) -> Check {
        assert_eq!(self.call(&["ps", "--all", "--quiet"]).ok(), "");
        let state = format!("/run/user/{USER}/{}", self.room.test.runtime.name);
        assert_eq!(self.room.shell(&format!("ls -A {state} 2>/dev/null || true")), "");
        Ok(())
    }
}

facts! {
    fn rootless_podman_gets_output_exit_status_and_reasons(t) {
        let p = Rootless::new(t)?;
        let map = p.run(&["--rm"], &["cat", "/proc/self/uid_map"]);
        let map: Vec<&str> = map.ok().split_whitespace().collect();
        assert_eq!(map, ["0", "4711", "1", "1", "400000", "65536"]);
        assert_eq!(p.run(&["--rm"], &["sh", "-c", "exit 3"]).code, 3);
        assert_eq!(p.run(&["--rm"], &["/no/such/program"]).code, 127);
        assert_eq!(p.run(&["--rm"], &["/etc/passwd"]).code, 126);
        assert_eq!(p.run(&["--rm", "--user", "1000"], &["id", "-u"]).ok(), "1000\n");
        assert_eq!(p.run(&["--rm", "--userns", "keep-id"], &["id", "-u"]).ok(), "4711\n");
        p.is_clean()?;
    }

    fn rootless_podman_execs_stops_and_starts_again(t) {
        let p = Rootless::new(t)?;
        let script = "trap 'exit 5' TERM; echo said; while :; do usleep 10000; done";
        p.run(&["--detach", "--name", "a"], &["sh", "-c", script]).ok();
        assert_eq!(p.call(&["exec", "a", "sh", "-c", "exit 7"]).code, 7);
        assert_eq!(p.call(&["exec", "--user", "1000", "a", "id", "-u"]).ok(), "1000\n");
        p.call(&["stop", "--time", "10", "a"]).ok();
        assert_eq!(p.call(&["inspect", "--format", "{{.State.ExitCode}}", "a"]).ok(), "5\n");
        assert_eq!(p.call(&["logs", "a"]).ok(), "said\n");
        p.call(&["start", "a"]).ok();
        p.call(&["kill", "a"]).ok();
        assert_eq!(p.call(&["wait", "a"]).ok(), "137\n");
        p.call(&["rm", "a"]).ok();
        p.is_clean()?;
    }

    fn rootless_podman_keeps_the_users_groups(t) {
        t.need(t.runtime.name != "runc", "it is crun's annotation")?;
        let p = Rootless::new(t)?;
        p.room.shell(&format!("echo secret >{0}/shared; chgrp 4712 {0}/shared; chmod 640 {0}/shared", p.rootfs));
        assert_eq!(p.run(&["--rm", "--group-add", "keep-groups"], &["cat", "/shared"]).ok(), "secret\n");
        assert_eq!(p.run(&["--rm"], &["cat", "/shared"]).code, 1);
        p.is_clean()?;
    }
}
