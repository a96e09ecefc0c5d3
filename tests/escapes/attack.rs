//! Tools of the attacks: a directory of the host to be reached, links that are swapped while the runtime works, a
//! hostile program. Called by all attacks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cofferdam_tests::{Output, Test};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A directory outside of every container, with one file in it.
pub(crate) struct Host {
    pub(crate) dir: PathBuf,
}

impl Host {
    pub(crate) fn new(t: &Test) -> Self {
        let dir = t.dir.join("host");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("secret"), "of the host\n").unwrap();
        Self { dir }
    }

    /// Makes a link to it, with an absolute path, at this place of a root filesystem or volume.
    pub(crate) fn link(&self, at: impl AsRef<Path>) {
        let at = at.as_ref();
        let _ = fs::remove_dir(at);
        let _ = fs::remove_file(at);
        symlink(&self.dir, at).unwrap();
    }

    /// Nothing was made, changed or taken away here.
    #[track_caller]
    pub(crate) fn untouched(&self) {
        let names: Vec<String> = fs::read_dir(&self.dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into())
            .collect();
        assert_eq!(names, ["secret"], "what is in the host's directory");
        assert_eq!(fs::read_to_string(self.dir.join("secret")).unwrap(), "of the host\n");
    }
}

/// A directory that several containers would share.
pub(crate) fn volume(t: &Test) -> PathBuf {
    let dir = t.dir.join("volume");
    fs::create_dir(&dir).unwrap();
    dir
}

/// Exchanges two names again and again, until dropped.
pub(crate) struct Swapper {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    pub(crate) fn new(one: PathBuf, other: PathBuf) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Swapper {
    /// Exchanges each pair once, as soon as both names are there.
    pub(crate) fn as_they_come(pairs: Vec<(PathBuf, PathBuf)>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for (one, other) in pairs {
                while renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).is_err() {
                    if told.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Runs the runtime as a careless caller does, with directories of the host open: 7 to 9 are `/`, `/etc`, `/proc`.
pub(crate) fn leaking(t: &Test, line: &[&str]) -> Output {
    let mut command = t.command(Path::new("/bin/sh"));
    command.args(["-c", "exec 7</ 8</etc 9</proc; exec \"$@\"", "sh"]).arg(&t.runtime.path);
    t.finish(command.arg("--root").arg(t.dir.join("state")).args(line))
}

/// Puts the hostile program into a root filesystem, as `/bin/attacker`.
pub(crate) fn attacker(rootfs: &Path, t: &Test) {
    let source = t.dir.join("attacker.c");
    fs::write(&source, include_str!("attacker.c")).unwrap();
    let cc = Command::new("cc")
        .args(["-static", "-O1", "-o"])
        .arg(rootfs.join("bin/attacker"))
        .arg(source)
        .output();
    let cc = cc.expect("cc is needed to build the attacker");
    assert!(cc.status.success(), "cc: {}", String::from_utf8_lossy(&cc.stderr));
}

/// A `PATH` that takes long to search: the time in which a process has all but become the program.
pub(crate) fn long_path() -> String {
    format!("{}/bin", "x:".repeat(60_000))
}
