//! The bundle every contestant runs: what `runc spec` writes, around a static busybox.
//!
//! Called by `main` once, inside the private world.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::profile;

/// Where the bundles and the two small programs are.
pub(crate) struct Bundles {
    pub(crate) rootfs: PathBuf,
    /// Runs /bin/true.
    pub(crate) plain: PathBuf,
    /// Runs /bin/true under the default seccomp profile of containers-common, if that is installed.
    pub(crate) filtered: Option<PathBuf>,
    /// Sleeps, for `exec`.
    pub(crate) sleeping: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) peak: PathBuf,
    /// What the names of containers begin with.
    pub(crate) prefix: String,
    /// Where the contestants' own messages go: read when one fails.
    pub(crate) log: PathBuf,
}

impl Bundles {
    pub(crate) fn make(dir: &Path) -> Result<Bundles, String> {
        let rootfs = dir.join("rootfs");
        root_filesystem(&rootfs)?;
        let bundle = |name: &str, config: &Value| write_bundle(&dir.join(name), config);
        let filtered = profile::default_profile()?.map(|seccomp| {
            let mut config = config(&rootfs, &["/bin/true"]);
            config["linux"]["seccomp"] = seccomp;
            bundle("filtered", &config)
        });
        Ok(Bundles {
            plain: bundle("plain", &config(&rootfs, &["/bin/true"]))?,
            filtered: filtered.transpose()?,
            sleeping: bundle("sleeping", &config(&rootfs, &["/bin/sleep", "100000"]))?,
            floor: compile(dir, "floor", include_str!("../floor.c"))?,
            peak: compile(dir, "peak", include_str!("../peak.c"))?,
            rootfs,
            prefix: crate::world::prefix(dir),
            log: dir.join("log"),
        })
    }
}

pub(crate) fn write_bundle(dir: &Path, config: &Value) -> Result<PathBuf, String> {
    let at = |e: std::io::Error| format!("{}: {e}", dir.display());
    fs::create_dir(dir).map_err(at)?;
    fs::write(dir.join("config.json"), config.to_string()).map_err(at)?;
    Ok(dir.to_owned())
}

pub(crate) fn root_filesystem(rootfs: &Path) -> Result<(), String> {
    let at = |e: std::io::Error| format!("{}: {e}", rootfs.display());
    let bin = rootfs.join("bin");
    fs::create_dir_all(&bin).map_err(at)?;
    for dir in ["proc", "dev", "sys", "tmp"] {
        fs::create_dir(rootfs.join(dir)).map_err(at)?;
    }
    fs::copy("/bin/busybox", bin.join("busybox"))
        .map_err(|e| format!("/bin/busybox: {e}; Debian's package is busybox-static"))?;
    for applet in ["sh", "true", "sleep"] {
        symlink("busybox", bin.join(applet)).map_err(at)?;
    }
    // One that needs a loader is not there for a container that holds nothing but it.
    let status = Command::new("/usr/sbin/chroot").arg(rootfs).arg("/bin/true").status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("/bin/busybox in a root of its own: {status}; install busybox-static")),
        Err(e) => Err(format!("chroot: {e}")),
    }
}

pub(crate) fn compile(dir: &Path, name: &str, source: &str) -> Result<PathBuf, String> {
    let (program, file) = (dir.join(name), dir.join(format!("{name}.c")));
    fs::write(&file, source).map_err(|e| format!("{}: {e}", file.display()))?;
    let done = Command::new("cc").args(["-O2", "-static", "-o"]).arg(&program).arg(&file).status();
    match done {
        Ok(status) if status.success() => Ok(program),
        Ok(status) => Err(format!("cc {name}.c: {status}")),
        Err(e) => Err(format!("cc: {e}; a C compiler makes the floor")),
    }
}

/// The configuration of `runc spec`, with a cgroup namespace, as the floor has one.
pub(crate) fn config(rootfs: &Path, program: &[&str]) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": program,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true
        },
        "root": { "path": rootfs, "readonly": true },
        "hostname": "bench",
        "mounts": mounts(),
        "linux": {
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" },
                { "type": "uts" }, { "type": "mount" }, { "type": "cgroup" }
            ],
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

fn mounts() -> Value {
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc" },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
          "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
          "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs",
          "options": ["nosuid", "noexec", "nodev", "ro"] },
        { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
          "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] }
    ])
}
