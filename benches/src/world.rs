//! The private world of a benchmark: a mount namespace, a directory, cgroups with one prefix.
//!
//! Called by `main`. Debian's crun refuses a hybrid host whose v2 tree still has a controller, so the
//! v2 tree of a hybrid host is hidden, for every contestant alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};

const CGROUPS: &str = "/sys/fs/cgroup";

/// What the names of all containers of one benchmark begin with.
pub(crate) fn prefix(dir: &Path) -> String {
    dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Runs this program again, inside, and removes what is left when it ends, however it ends.
pub(crate) fn run_inside(words: &[String]) -> Result<ExitCode, String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("the benchmark starts containers the way a host does: run it as root".to_owned());
    }
    let dir = std::env::temp_dir().join(format!("cofferdam-bench-{}", std::process::id()));
    fs::create_dir(&dir).map_err(|e| format!("mkdir {}: {e}", dir.display()))?;
    let inside = std::env::current_exe()
        .and_then(|program| Command::new(program).args(words).arg("--inside").arg(&dir).spawn());
    // An interrupt at the terminal ends the second process; this one stays to clean up.
    let interrupts: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    let blocked = interrupts.thread_block();
    let status = inside.and_then(|mut child| child.wait());
    sweep(Path::new(CGROUPS), &format!("{}-", prefix(&dir)));
    let removed = fs::remove_dir(&dir);
    blocked.map_err(|e| format!("blocking signals: {e}"))?;
    removed.map_err(|e| format!("rmdir {}: {e}", dir.display()))?;
    let status = status.map_err(|e| format!("starting the benchmark: {e}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends the processes in every cgroup of that prefix, wherever a runtime put it, and removes it.
fn sweep(tree: &Path, prefix: &str) {
    for dir in directories(tree) {
        sweep(&dir, prefix);
        if dir.file_name().is_some_and(|name| name.to_string_lossy().contains(prefix)) {
            println!("left behind, removed: {}", dir.display());
            kill_all(&dir);
            remove(&dir);
        }
    }
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

fn kill_all(cgroup: &Path) {
    let pids = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|pid| pid.parse().ok()).filter(|pid| *pid > 0) {
        // One that has ended meanwhile is what was wanted.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// A killed process stays in its cgroup for a moment.
fn remove(cgroup: &Path) {
    for _ in 0..50 {
        match fs::remove_dir(cgroup) {
            Err(e) if e.raw_os_error() == Some(16) => {
                std::thread::sleep(std::time::Duration::from_millis(20))
            }
            _ => return,
        }
    }
}

/// Makes the private world; the directory becomes a tmpfs that ends with it.
pub(crate) fn enter(dir: &Path) -> Result<(), String> {
    let none: Option<&str> = None;
    let shared = root_is_shared()?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|e| format!("unshare the mount namespace: {e}"))?;
    let propagate = |flag| mount(none, "/", none, MsFlags::MS_REC | flag, none);
    propagate(MsFlags::MS_PRIVATE).map_err(|e| format!("make / private: {e}"))?;
    mount(Some("bench"), dir, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
        .map_err(|e| format!("mount a tmpfs on {}: {e}", dir.display()))?;
    let unified = Path::new(CGROUPS).join("unified");
    if unified.join("cgroup.controllers").exists() {
        umount2(&unified, MntFlags::MNT_DETACH).map_err(|e| format!("umount {}: {e}", unified.display()))?;
    }
    if shared {
        // As on an ordinary host: making mounts private again is part of what every start costs there.
        propagate(MsFlags::MS_SHARED).map_err(|e| format!("make / shared: {e}"))?;
    }
    Ok(())
}

fn root_is_shared() -> Result<bool, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| format!("mountinfo: {e}"))?;
    let root = |line: &&str| line.split(' ').nth(4) == Some("/");
    Ok(mounts.lines().filter(root).any(|line| line.contains(" shared:")))
}
