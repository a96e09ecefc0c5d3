//! A process to enter: unshare(1) and a static program in a root of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam_nsenter::Target;

/// All that unshare(1) can make anew.
pub(crate) const ALL: &[&str] =
    &["--mount", "--uts", "--ipc", "--net", "--pid", "--user", "--map-root-user", "--cgroup", "--time"];
/// All but the user namespace: what a container of a host's root has.
pub(crate) const ROOTFUL: &[&str] = &["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--time"];

/// Whether tests can run at all; says why not.
pub(crate) fn possible() -> bool {
    let root = fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t0\t0\n");
    if !root || !Path::new("/bin/busybox").exists() {
        eprintln!("SKIPPED: needs root and /bin/busybox");
        return false;
    }
    true
}

/// A process in namespaces of its own; ended and removed when dropped.
pub(crate) struct World {
    child: Child,
    pub(crate) pid: i32,
    /// Its root, as the test sees it.
    pub(crate) root: PathBuf,
}

impl World {
    pub(crate) fn new(flags: &[&str]) -> Self {
        Self::running(flags, "echo ready; exec sleep 1000")
    }

    /// With a script that says when it is ready and then stays.
    pub(crate) fn running(flags: &[&str], script: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("cofferdam-nsenter-{}-{number}", std::process::id()));
        for dir in ["bin", "proc", "tmp", "etc", "mnt", "home/user"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        // Not by this process: a child of another test's would hold the file open for writing (ETXTBSY).
        let copied = Command::new("cp").arg("/bin/busybox").arg(root.join("bin")).status().unwrap();
        assert!(copied.success());
        for name in ["sh", "sleep", "echo", "mount", "cat", "setpriv"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        let mut command = Command::new("unshare");
        command
            .args(flags)
            .args(["--fork", "--kill-child", "--root"])
            .arg(&root)
            .args(["--wd", "/home/user"]);
        command.arg("--mount-proc");
        command.args(["--", "/bin/sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let pid = fs::read_to_string(children).unwrap().trim().parse().unwrap();
        Self { child, pid, root }
    }

    pub(crate) fn target(&self) -> Target {
        Target::open(self.pid).unwrap()
    }

    /// Ends the process now.
    pub(crate) fn end(&mut self) {
        // One that became another user is not killed with its parent.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = cofferdam_sys::setns::kill(self.pid, 9);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end();
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The namespaces of a process as the kernel names them.
pub(crate) fn namespaces(pid: &str) -> Vec<(String, PathBuf)> {
    let names = ["mnt", "net", "pid", "ipc", "uts", "user", "cgroup", "time"];
    names.map(|n| (n.to_owned(), fs::read_link(format!("/proc/{pid}/ns/{n}")).unwrap())).to_vec()
}

/// What of this process could change: namespaces, root, working directory, umask, descriptors, children.
pub(crate) fn caller() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let kept = ["Umask", "Uid", "Gid", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs"];
    let status: Vec<_> = status.lines().filter(|l| kept.iter().any(|k| l.starts_with(k))).collect();
    let cwd = fs::read_link("/proc/thread-self/cwd").unwrap();
    let root = fs::read_link("/proc/thread-self/root").unwrap();
    format!("{:?} {cwd:?} {root:?} {status:?}", namespaces("thread-self"))
}
