//! A mount namespace (and, asked for, a network and a PID namespace) of the test's own, in which the runtime runs. What
//! a test mounts on the host's side, and the devices and processes it makes, are in here and vanish with it.
//!
//! Held by a process that reads a pipe: when the test ends, however it ends, so does the holder.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::command::quiet;

/// The namespaces and their holder.
#[derive(Debug)]
pub struct View {
    holder: Child,
    /// Whose namespaces are entered: the holder's, or its child's, which is the first process of a PID namespace.
    inside: u32,
    network: bool,
    processes: bool,
}

/// Takes the tree of version 2 out of a hybrid host's view.
const HIDE: &str = "umount /sys/fs/cgroup/unified";

impl View {
    /// New namespaces: mount always, network when asked for; without the second cgroup tree when `legacy`.
    pub fn new(network: bool, legacy: bool) -> Self {
        let hide = if legacy { HIDE } else { ":" };
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if network {
            command.arg("--net");
        }
        command.args(["sh", "-c", &format!("{hide} && echo ready && exec cat >/dev/null")]);
        let holder = held(&mut command);
        Self { inside: holder.id(), holder, network, processes: false }
    }

    /// New mount, network and PID namespaces: every process that starts inside ends with the view.
    pub fn with_processes(legacy: bool) -> Self {
        let hide = if legacy { HIDE } else { ":" };
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--propagation",
            "private",
            "--net",
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-c",
        ]);
        // The first process reaps what others leave, so it waits itself.
        command.arg(format!("{hide} && echo ready && exec 3<&0 && {{ cat <&3 >/dev/null & wait $!; }}"));
        let holder = held(&mut command);
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let inside = std::fs::read_to_string(children).expect("children of the holder");
        let inside = inside.trim().parse().expect("one child");
        Self { holder, inside, network: true, processes: true }
    }

    /// A command that runs inside.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = quiet("nsenter");
        command.arg("-t").arg(self.inside.to_string()).arg("--mount");
        if self.network {
            command.arg("--net");
        }
        if self.processes {
            command.arg("--pid");
        }
        command.arg("--").arg(program);
        command
    }

    /// Whether it has a network namespace.
    pub fn has_network(&self) -> bool {
        self.network
    }

    /// Process id of the holder, for `/proc/PID/ns` and `/proc/PID/root`.
    pub fn pid(&self) -> u32 {
        self.inside
    }
}

/// Starts the holder and waits until its namespaces are there.
fn held(command: &mut Command) -> Child {
    let mut holder =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare can be started");
    let mut line = String::new();
    let out = holder.stdout.as_mut().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("the holder answers");
    assert_eq!(line, "ready\n", "the holder of the namespaces did not start");
    holder
}

impl Drop for View {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
