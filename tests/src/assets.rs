//! The two programs of every root filesystem, busybox and the probe, kept beside the test program so that each
//! bundle is a handful of hard links. Called by `Bundle`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PROBE: &str = include_str!("probe.c");

/// Directories a root filesystem starts with.
const DIRECTORIES: &[&str] =
    &["bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "tmp", "usr/bin", "data", "var"];

/// Applets that are reached by name.
const APPLETS: &[&str] = &[
    "sh", "cat", "ls", "id", "pwd", "env", "echo", "sleep", "true", "false", "mount", "umount", "touch",
    "mkdir", "rm", "stat", "readlink", "hostname", "ip", "ps", "test", "grep", "head", "wc", "kill", "chmod",
    "chown", "dd", "mknod", "ln", "cut", "tr", "sed", "trap", "printf", "uname", "date", "seq", "tty",
    "stty", "find", "sort", "nproc", "usleep",
];

fn store() -> &'static Path {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| {
        let mut hash = DefaultHasher::new();
        PROBE.hash(&mut hash);
        let exe = std::env::current_exe().expect("own path");
        let dir = exe
            .parent()
            .unwrap_or_else(|| Path::new("/tmp"))
            .join(format!("test-assets-{:x}", hash.finish()));
        if !dir.exists() {
            make(&dir);
        }
        dir
    })
}

/// Makes the store under another name and renames it, so that others see all of it or nothing.
fn make(dir: &Path) {
    let new = dir.with_extension(std::process::id().to_string());
    fs::create_dir_all(&new).expect("directory for the test programs");
    let source = new.join("probe.c");
    fs::write(&source, PROBE).expect("source of the probe");
    let cc = Command::new("cc").args(["-static", "-O1", "-o"]).arg(new.join("probe")).arg(&source).output();
    let cc = cc.expect("cc is needed to build the probe");
    assert!(cc.status.success(), "cc: {}", String::from_utf8_lossy(&cc.stderr));
    fs::copy("/bin/busybox", new.join("busybox")).expect("/bin/busybox (package busybox-static)");
    if fs::rename(&new, dir).is_err() {
        let _ = fs::remove_dir_all(&new);
    }
}

/// Path of the probe on the host.
pub(crate) fn probe() -> PathBuf {
    store().join("probe")
}

/// Makes a root filesystem.
pub(crate) fn make_rootfs(root: &Path) {
    for d in DIRECTORIES {
        fs::create_dir_all(root.join(d)).expect("directory of the root filesystem");
    }
    for program in ["busybox", "probe"] {
        let (from, to) = (store().join(program), root.join("bin").join(program));
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).expect("copy of a program");
        }
    }
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("link of an applet");
    }
    let users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n";
    fs::write(root.join("etc/passwd"), users).expect("passwd");
    fs::write(root.join("etc/group"), "root:x:0:\nalice:x:1000:\nextra:x:2000:alice\n").expect("group");
}
