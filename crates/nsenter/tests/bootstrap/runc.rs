//! The real runc, with our program as its init: a copy of runc that executes another path than its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::driver::{alone, program};

/// What runc 1.1 executes as its init, and a path of the same length.
const SELF: &[u8; 14] = b"/proc/self/exe";
const OURS: &str = "/run/cofferd-i";

/// Everything a scenario makes, away again at its end.
struct Bench(PathBuf);

impl Bench {
    /// `None`, with the reason, where there is no runc of the right kind.
    fn new() -> Option<Self> {
        let version = Command::new("runc").arg("--version").output().ok()?.stdout;
        let runc = Path::new("/usr/sbin/runc");
        if !String::from_utf8_lossy(&version).starts_with("runc version 1.1.") || !runc.exists() {
            eprintln!("skipped: no runc 1.1 at {}", runc.display());
            return None;
        }
        let bench = Self(std::env::temp_dir().join(format!("bootstrap-runc-{}", std::process::id())));
        fs::create_dir_all(bench.0.join("rootfs/bin")).unwrap();
        fs::create_dir_all(bench.0.join("rootfs/proc")).unwrap();
        let mut binary = fs::read(runc).unwrap();
        let mut replaced = 0;
        for at in 0..binary.len() - SELF.len() {
            if binary[at..].starts_with(SELF) {
                binary[at..at + SELF.len()].copy_from_slice(OURS.as_bytes());
                replaced += 1;
            }
        }
        assert!(replaced > 0, "runc no longer executes /proc/self/exe");
        fs::write(bench.0.join("runc"), binary).unwrap();
        fs::set_permissions(bench.0.join("runc"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(program(), OURS).unwrap();
        Some(bench)
    }

    fn configure(&self, script: &str, change: impl FnOnce(&mut Value)) {
        fs::copy("/bin/busybox", self.0.join("rootfs/bin/busybox")).unwrap();
        let namespaces = ["pid", "ipc", "uts", "mount", "network"].map(|kind| json!({ "type": kind }));
        let mut config = json!({
            "ociVersion": "1.0.2",
            "root": { "path": "rootfs" },
            "process": { "args": ["/bin/busybox", "sh", "-c", script], "env": ["A=b"], "cwd": "/",
                "user": { "uid": 0, "gid": 0 }, "oomScoreAdj": 77 },
            "hostname": "inside",
            "linux": { "namespaces": namespaces },
        });
        change(&mut config);
        fs::write(self.0.join("config.json"), config.to_string()).unwrap();
    }

    fn run(&self) -> (String, String) {
        let id = format!("bootstrap-{}", std::process::id());
        let root = self.0.join("state");
        let mut runc = Command::new("timeout");
        let out = runc
            .args(["-k", "5", "20"])
            .arg(self.0.join("runc"))
            .arg("--root")
            .arg(&root)
            .args(["run", "-b"])
            .arg(&self.0)
            .arg(id)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&out.stdout), text(&out.stderr))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_file(OURS);
    }
}

#[test]
fn runc_starts_a_container_through_our_bootstrap() {
    let Some(_alone) = alone() else { return };
    let Some(bench) = Bench::new() else { return };
    bench.configure("echo $$ $A", |_| {});
    let (said, complaints) = bench.run();
    assert_eq!(said, "1 b\n", "{complaints}");
    bench.configure("echo $$", |config| {
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    });
    let (said, complaints) = bench.run();
    assert_eq!(said, "1\n", "{complaints}");
}
