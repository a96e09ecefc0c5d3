//! The real program in real containers: of podman's, of cofferdam's, with and without a terminal.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed helper is a failed test

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam::sandbox::Sandbox;
use cofferdam::{Child, Store};
use cofferdam_tests::View;
use example_testing::{Ended, Place, Running, possible};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A container of cofferdam's.
struct Container {
    /// Ends first: its state is kept in the place.
    child: Child,
    place: Place,
}

impl Container {
    fn new() -> Self {
        let place = Place::new("enter-shell-test");
        let mut sandbox = Sandbox::new("sleep");
        sandbox.arg("1000").hostname("entered");
        let mut command = cofferdam::Command::from(sandbox);
        command.store(Store::new(place.0.join("state"))).kill_on_drop(true);
        Self { child: command.spawn().unwrap(), place }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enter-shell"));
        command.args(["--container", self.child.id().as_str(), "--root"]).arg(self.place.0.join("state"));
        command
    }

    fn enter(&self, arguments: &[&str]) -> Ended {
        Running::start(self.command().args(arguments), &self.place).wait()
    }

    /// The processes in it.
    fn processes(&self) -> Vec<PathBuf> {
        in_the_namespace_of(self.child.pid())
    }
}

/// All processes in the PID namespace of this one: nobody else may be left of those who entered.
fn in_the_namespace_of(pid: i32) -> Vec<PathBuf> {
    let namespace = |dir: PathBuf| fs::read_link(dir.join("ns/pid")).ok();
    let own = namespace(format!("/proc/{pid}").into());
    assert!(own.is_some());
    let all = fs::read_dir("/proc").unwrap().flatten().map(|e| e.path());
    all.filter(|dir| namespace(dir.clone()) == own).collect()
}

#[test]
fn the_interfaces_of_a_container_are_listed_and_nothing_is_left_in_it() {
    if !possible() {
        return;
    }
    let container = Container::new();
    let ended = container.enter(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "1: lo up 127.0.0.1/8 ::1/128\n"), "{ended:?}");
    assert_eq!(container.processes().len(), 1);
}

#[test]
fn a_command_runs_in_the_containers_namespaces_and_gives_its_status() {
    if !possible() {
        return;
    }
    let container = Container::new();
    let ended = container.enter(&["--", "sh", "-c", "hostname; cat /proc/1/comm; echo err >&2; exit 7"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert_eq!(ended.stdout, "1: lo up 127.0.0.1/8 ::1/128\nentered\nsleep\n");
    assert_eq!(ended.stderr, "err\n");
    assert_eq!(container.enter(&["--", "sh", "-c", "kill -9 $$"]).code, 137);
    assert_eq!(container.processes().len(), 1);
    let pid = container.child.pid().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_enter-shell"));
    let ended = Running::start(command.args(["--pid", &pid, "--", "hostname"]), &container.place).wait();
    assert!(ended.code == 0 && ended.stdout.ends_with("\nentered\n"), "{ended:?}");
}

#[test]
fn as_the_target_a_command_has_no_more_rights_than_that() {
    if !possible() {
        return;
    }
    let container = Container::new();
    let capabilities = |arguments: &[&str]| {
        let ended = container.enter(&[arguments, &["--", "grep", "CapEff", "/proc/self/status"]].concat());
        ended.stdout.lines().last().unwrap().to_owned()
    };
    assert_eq!(capabilities(&["--as-target"]), "CapEff:\t0000000000000000");
    assert_ne!(capabilities(&[]), "CapEff:\t0000000000000000");
}

#[test]
fn what_we_ignore_is_not_ignored_inside() {
    if !possible() {
        return;
    }
    let container = Container::new();
    let ours = container.command();
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' INT QUIT HUP; exec \"$@\"", "sh"])
        .arg(ours.get_program())
        .args(ours.get_args());
    command.args(["--", "grep", "SigIgn", "/proc/self/status"]);
    let ended = Running::start(&mut command, &container.place).wait();
    assert!(ended.stdout.ends_with("SigIgn:\t0000000000000000\n"), "{ended:?}");
}

#[test]
fn what_cannot_be_entered_or_run_is_told() {
    if !possible() {
        return;
    }
    let mut container = Container::new();
    let ended = container.enter(&["--", "/no/such/program"]);
    assert_eq!(ended.code, 125);
    assert!(ended.stderr.contains("/no/such/program: No such file"), "{ended:?}");
    assert_eq!(container.processes().len(), 1);
    container.child.kill().unwrap();
    container.child.wait().unwrap();
    let ended = container.enter(&[]);
    assert_eq!(ended.code, 125);
    assert!(ended.stderr.contains("does not exist"), "{ended:?}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_enter-shell"));
    let ended = Running::start(command.args(["--engine", "/no/such/engine", "x"]), &container.place).wait();
    assert!(ended.code == 125 && ended.stderr.contains("/no/such/engine"), "{ended:?}");
}

/// A terminal: its master, and the side that a program gets.
fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(Path::new(name.to_str().unwrap())).unwrap();
    (master.into(), slave)
}

#[test]
fn a_shell_has_a_terminal_of_the_containers_own() {
    if !possible() {
        return;
    }
    let container = Container::new();
    let (mut master, slave) = terminal();
    let mut command = container.command();
    let stdio = |file: &File| Stdio::from(file.try_clone().unwrap());
    command.stdin(stdio(&slave)).stdout(stdio(&slave)).stderr(stdio(&slave));
    let mut program = command.spawn().unwrap();
    drop((command, slave));
    master.write_all(b"tty; echo $((6*7)); hostname\n").unwrap();
    let mut shown = String::new();
    let mut show = |until: &str| {
        let mut buffer = [0; 1024];
        while !shown.contains(until) {
            let wait = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
            let mut fds = [rustix::event::PollFd::new(&master, rustix::event::PollFlags::IN)];
            let ready = rustix::event::poll(&mut fds, Some(&wait)).unwrap();
            assert!(ready > 0, "waited for {until:?}: {shown}");
            let n = master.read(&mut buffer).unwrap_or_default();
            assert!(n > 0, "the end before {until:?}: {shown}");
            shown.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        master.try_clone().unwrap()
    };
    let mut keys = show("\nentered\r\n");
    // What is typed is shown, too, perhaps before the prompt: only what the command says ends a line so.
    keys.write_all(b"sh -c 'echo begun; exec sleep 1000'\n").unwrap();
    show("begun\r\n");
    // The key that interrupts.
    keys.write_all(b"\x03").unwrap();
    show("^C");
    keys.write_all(b"exit 5\n").unwrap();
    let status = program.wait().unwrap();
    assert!(shown.contains("/dev/pts/0\r\n42\r\n"), "{shown}");
    assert_eq!(status.code(), Some(5), "{shown}");
    assert_eq!(container.processes().len(), 1);
}

/// podman with nothing of the host's configuration or state; its containers are gone when this is dropped.
struct Podman {
    place: Place,
    view: View,
}

/// A cgroup tree in which podman makes no directories where no controller is, and a /run of its own.
const SETUP: &str = "mount -t tmpfs x /run; mkdir -p /run/lock; mount -t tmpfs -o mode=1777 x /dev/shm; \
    [ -e /sys/fs/cgroup/cgroup.controllers ] || mount -o remount,bind,ro /sys/fs/cgroup";

impl Podman {
    fn new() -> Option<Self> {
        let needed = ["/usr/bin/podman", "/usr/bin/conmon", "/usr/sbin/runc", "/bin/busybox"];
        if let Some(missing) = needed.iter().find(|path| !Path::new(path).exists()) {
            eprintln!("SKIPPED: needs {missing}");
            return None;
        }
        let place = Place::new("enter-shell-podman");
        place.write(
            "containers.conf",
            "[engine]\nevents_logger=\"none\"\n[containers]\nlog_driver=\"k8s-file\"\n\
             default_ulimits=[\"nofile=256:512\", \"nproc=512:1024\"]\n",
        );
        for dir in ["rootfs/bin", "rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/etc", "rootfs/run"] {
            fs::create_dir_all(place.0.join(dir)).unwrap();
        }
        fs::copy("/bin/busybox", place.0.join("rootfs/bin/busybox")).unwrap();
        for name in ["sh", "sleep", "hostname", "cat"] {
            std::os::unix::fs::symlink("busybox", place.0.join("rootfs/bin").join(name)).unwrap();
        }
        let view = View::new(false, false);
        assert!(view.command(Path::new("/bin/sh")).args(["-ec", SETUP]).status().unwrap().success());
        let dir = place.0.display();
        let script = format!(
            "#!/bin/sh\nexport CONTAINERS_CONF={dir}/containers.conf\nexec nsenter -t {} --mount -- podman --runtime runc \
             --root {dir}/root --runroot /run/engine/run --tmpdir /run/engine/tmp --storage-driver vfs \
             --cgroup-manager cgroupfs \"$@\"\n",
            view.pid()
        );
        let engine = place.write("engine", &script);
        fs::set_permissions(engine, fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { place, view })
    }

    fn engine(&self) -> PathBuf {
        self.place.0.join("engine")
    }

    #[track_caller]
    fn call(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.engine()).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn parent(&self) -> String {
        self.place.0.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn enter(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enter-shell"));
        Running::start(command.arg("--engine").arg(self.engine()).args(arguments), &self.place).wait()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let remove = ["rm", "--all", "--force", "--time", "0"];
        let _ = Command::new(self.engine()).args(remove).stdout(Stdio::null()).status();
        let unmount = "umount /dev/shm /run; true";
        let _ = self.view.command(Path::new("/bin/sh")).args(["-c", unmount]).status();
        // conmon takes its time to end.
        for _ in 0..500 {
            let left = cofferdam_tests::cgroup::all_named(&self.parent());
            if left.is_empty() {
                break;
            }
            for dir in left {
                let _ = fs::remove_dir(dir.join("conmon"));
                let _ = fs::remove_dir(dir);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
fn a_container_of_podmans_is_entered_by_its_name() {
    if !possible() {
        return;
    }
    let Some(podman) = Podman::new() else { return };
    let (parent, rootfs) = (format!("/{}", podman.parent()), podman.place.0.join("rootfs"));
    let fixed = ["run", "--detach", "--name", "web", "--network", "none", "--hostname", "in-podman"];
    let what = ["--cgroup-parent", &parent, "--rootfs", rootfs.to_str().unwrap(), "sleep", "1000"];
    podman.call(&[&fixed[..], &what].concat());
    let pid: i32 = podman.call(&["inspect", "--format", "{{.State.Pid}}", "web"]).parse().unwrap();
    let net = ["-t", &pid.to_string(), "--net", "ip", "address", "add", "10.9.8.7/24", "dev", "lo"];
    assert!(Command::new("nsenter").args(net).status().unwrap().success());

    let ended = podman.enter(&["web", "--", "sh", "-c", "hostname; cat /proc/1/comm; exit 4"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.stdout.starts_with("1: lo up 127.0.0.1/8"), "{ended:?}");
    assert!(ended.stdout.lines().next().unwrap().contains(" 10.9.8.7/24"), "{ended:?}");
    assert!(ended.stdout.ends_with("\nin-podman\nsleep\n"), "{ended:?}");
    assert_eq!(in_the_namespace_of(pid).len(), 1);

    podman.call(&["stop", "--time", "0", "web"]);
    let ended = podman.enter(&["web"]);
    assert!(ended.code == 125 && ended.stderr.contains("does not run"), "{ended:?}");
    let ended = podman.enter(&["nobody"]);
    assert!(ended.code == 125 && ended.stderr.contains("nobody"), "{ended:?}");
}
