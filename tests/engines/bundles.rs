//! Bundles of engines run as they are.

use std::os::unix::fs::chown;
use std::path::Path;

use cofferdam_tests::{Bundle, ConsoleSocket, Output, Pty, Test, facts, json};

use crate::document;

/// An id that no account has: nothing of the host is its own.
const ORDINARY: u32 = 54_321;

/// The life that an engine gives a container: create, start, exec, kill, delete.
fn lives(b: &Bundle<'_>) {
    let console = ConsoleSocket::new(&b.dir);
    let terminal = b.config["process"]["terminal"] == true;
    let c = if terminal { b.create_with(&["--console-socket", console.arg()]) } else { b.create() };
    assert_eq!(c.status(), "created");
    c.start();
    if terminal {
        let (mut pty, _) = console.receive();
        pty.write("echo al''ive\n");
        pty.read_until("alive");
    }
    assert_eq!(c.exec(&[], &["cat", "/proc/1/comm"]).ok().trim(), if terminal { "sh" } else { "sleep" });
    for mount in b.config["mounts"].as_array().into_iter().flatten() {
        let destination = mount["destination"].as_str().unwrap_or_default();
        c.exec(&[], &["grep", &format!(" {destination} "), "/proc/self/mounts"]).ok();
    }
    assert_eq!(c.exec(&[], &["sh", "-c", "exit 7"]).code, 7);
    c.kill("KILL").ok();
    c.wait_stopped();
    c.delete().ok();
}

/// The runtime as an ordinary user, with its state in `dir`.
fn ordinary(t: &Test, dir: &Path, args: &[&str]) -> Output {
    let id = ORDINARY.to_string();
    let mut command = t.command(Path::new("/usr/bin/setpriv"));
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(&t.runtime.path);
    t.finish(command.arg("--root").arg(dir.join("state")).args(args).env_remove("XDG_RUNTIME_DIR"))
}

facts! {
    fn documents_of_podman_run(t) {
        for name in ["podman", "podman-userns"] {
            lives(&document::bundle(t, name));
        }
    }

    fn documents_of_rootless_podman_run(t) {
        for name in ["podman-rootless", "podman-rootless-keep-id"] {
            lives(&document::bundle(t, name));
        }
    }

    fn documents_of_docker_run(t) {
        lives(&document::bundle(t, "docker"));
    }

    fn documents_of_containerd_run(t) {
        for name in ["containerd", "containerd-userns"] {
            lives(&document::bundle(t, name));
        }
    }

    fn privileged_documents_run_with_the_capabilities_there_are(t) {
        let all = t.host("grep CapBnd /proc/self/status").contains("1ffffffffff");
        t.need(all || t.runtime.name == "cofferdam", "others refuse where one of all capabilities is missing")?;
        for name in ["docker-privileged", "containerd-privileged", "podman-privileged"] {
            lives(&document::bundle(t, name));
        }
    }

    fn documents_of_runc_spec_run(t) {
        lives(&document::bundle(t, "runc"));
    }

    fn a_bundle_by_runc_spec_runs_unchanged(t) {
        let runc = Path::new("/usr/sbin/runc");
        t.need(runc.exists(), "runc is not installed")?;
        let b = t.bundle();
        t.host(&format!("cd {} && {} spec", b.dir.display(), runc.display()));
        let (mut pty, [input, output, error]) = Pty::new();
        let line = ["run", "--bundle", b.dir.to_str().expect("ASCII"), &b.id];
        let mut command = t.runtime_command(&line);
        let mut child = command.stdin(input).stdout(output).stderr(error).spawn().expect("runtime");
        pty.write("echo al''ive; exit 7\n");
        pty.read_until("alive");
        assert_eq!(child.wait().expect("status").code(), Some(7));
    }

    fn a_rootless_document_runs_for_an_ordinary_user(t) {
        let mut b = t.bundle();
        let rootfs = b.rootfs().display().to_string();
        b.config = document::read("runc-rootless");
        b.set("/root/path", rootfs.clone()).set("/process/terminal", false);
        b.set("/process/args", json!(["sh", "-c", "id -u; cat /proc/self/uid_map; hostname"]));
        b.set("/linux/uidMappings/0/hostID", ORDINARY).set("/linux/gidMappings/0/hostID", ORDINARY);
        b.write();
        chown(&b.dir, Some(ORDINARY), Some(ORDINARY)).expect("chown");
        t.host(&format!("chown -h {ORDINARY}:{ORDINARY} {rootfs} {rootfs}/*"));
        t.need(ordinary(t, &b.dir, &["--version"]).code == 0, "an ordinary user cannot reach the binary")?;
        let dir = b.dir.to_str().expect("ASCII");
        let out = ordinary(t, &b.dir, &["run", "--bundle", dir, &b.id]);
        let words: Vec<&str> = out.ok().split_whitespace().collect();
        assert_eq!(words, ["0", "0", &ORDINARY.to_string(), "1", "runc"], "{out}");
        let left = std::fs::read_dir(b.dir.join("state")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "state of the container");
    }
}
