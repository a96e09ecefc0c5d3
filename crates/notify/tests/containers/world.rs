//! A bundle with a small root, a runtime that runs it, and an agent that answers for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam_notify::runtime::{Container, Server};
use cofferdam_notify::{Limits, Registry, Service};
use serde_json::{Value, json};

/// Whether tests can run at all; says why not.
pub(crate) fn possible() -> bool {
    let root = fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t0\t0\n");
    if !root || !Path::new("/bin/busybox").exists() {
        eprintln!("SKIPPED: needs root and /bin/busybox");
        return false;
    }
    true
}

/// What runs the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Ours,
    Runc,
    Crun,
}

/// A bundle, its agent's socket, and the directory of both; removed when dropped.
pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) config: Value,
    server: Arc<Server>,
    id: String,
}

/// What a container printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: i32,
}

impl World {
    /// A container whose user is 1000 without a capability, and whose `calls` are answered here.
    pub(crate) fn new(calls: &[&str], script: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("cdn-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&id);
        for sub in ["bin", "proc", "tmp", "mnt", "dev", "etc"] {
            fs::create_dir_all(dir.join("rootfs").join(sub)).unwrap();
        }
        // Not by this process: a child of another test's would hold the file open for writing (ETXTBSY).
        let copied = Command::new("cp").arg("/bin/busybox").arg(dir.join("rootfs/bin")).status().unwrap();
        assert!(copied.success());
        for name in [
            "sh", "cat", "mkdir", "mount", "umount", "mknod", "chown", "stat", "id", "ls", "sleep", "echo",
            "nc",
        ] {
            std::os::unix::fs::symlink("busybox", dir.join("rootfs/bin").join(name)).unwrap();
        }
        for writable in ["tmp", "mnt"] {
            let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            fs::set_permissions(dir.join("rootfs").join(writable), all).unwrap();
        }
        let server = Arc::new(Server::bind(dir.join("agent")).unwrap());
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": {"uid": 1000, "gid": 1000, "umask": 0o27},
                "args": ["sh", "-c", script],
                "env": ["PATH=/bin"],
                "cwd": "/tmp",
                "noNewPrivileges": true,
                "capabilities": {"bounding": [], "effective": [], "permitted": []},
            },
            "root": {"path": "rootfs", "readonly": false},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {
                "cgroupsPath": format!("/{id}"),
                "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                    {"type": "network"}],
                "seccomp": {
                    "defaultAction": "SCMP_ACT_ALLOW",
                    "listenerPath": dir.join("agent"),
                    "listenerMetadata": "KEY=value",
                    "syscalls": [{"names": calls, "action": "SCMP_ACT_NOTIFY"}],
                },
            },
        });
        Self { dir, config, server, id }
    }

    /// With a user namespace of its own, in which the host's 100000 is root.
    pub(crate) fn user_namespace(mut self) -> Self {
        let linux = &mut self.config["linux"];
        linux["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        (linux["uidMappings"], linux["gidMappings"]) = (map.clone(), map);
        let own_dev = json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs"});
        self.config["mounts"].as_array_mut().unwrap().push(own_dev);
        // The container's root must reach its root directory.
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&self.dir, all).unwrap();
        self
    }

    /// With a program of C in /bin, compiled for this test.
    pub(crate) fn program(self, name: &str, source: &str) -> Self {
        let file = self.dir.join(format!("{name}.c"));
        fs::write(&file, source).unwrap();
        let out = self.dir.join("rootfs/bin").join(name);
        let compiled = Command::new("cc")
            .args(["-O1", "-static", "-pthread", "-o"])
            .arg(&out)
            .arg(&file)
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        self
    }

    /// A path of the container's, as the test sees it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.join("rootfs").join(inside.trim_start_matches('/'))
    }

    /// Runs it, with its calls answered by `registry`.
    pub(crate) fn run(&self, runtime: Runtime, registry: Registry) -> Said {
        self.run_with(runtime, move |container| {
            Service::start(container.listener, Arc::new(registry), Limits::default()).unwrap()
        })
    }

    /// Runs it, with whatever `agent` makes of it.
    pub(crate) fn run_with<T: Send>(
        &self,
        runtime: Runtime,
        agent: impl FnOnce(Container) -> T + Send,
    ) -> Said {
        fs::write(self.dir.join("config.json"), self.config.to_string()).unwrap();
        std::thread::scope(|scope| {
            let agent = scope.spawn(|| {
                let container = self.server.next().unwrap();
                container.map(agent)
            });
            let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.start(runtime)));
            // A runtime that did not come this far is not waited for.
            self.server.stop();
            drop(agent.join().unwrap());
            said.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn start(&self, runtime: Runtime) -> Said {
        let state = self.dir.join("state");
        let mut command = match runtime {
            Runtime::Ours => {
                let mut command = cofferdam::Command::from_bundle(&self.dir).unwrap();
                let output = command.store(cofferdam::Store::new(&state)).output();
                let output = output.unwrap_or_else(|e| panic!("{e}"));
                let text = [output.stdout, output.stderr].concat();
                let code = output.status.code().unwrap_or(-1);
                return Said { text: String::from_utf8_lossy(&text).into_owned(), code };
            }
            Runtime::Runc => Command::new("runc"),
            Runtime::Crun => {
                // Debian's refuses hosts with both versions of cgroups: it gets a view with one.
                let hide = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "private", "sh", "-c", hide, "sh", "crun"]);
                command
            }
        };
        command.arg("--root").arg(&state);
        let output = command.args(["run", "--bundle"]).arg(&self.dir).arg(&self.id).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&text).into_owned();
        Said { text: said, code: output.status.code().unwrap_or(-1) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
