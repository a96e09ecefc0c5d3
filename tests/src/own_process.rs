//! What a library could change of the program that it is in, to be compared before and after.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// All that a library could change of its caller: working directory, umask, signals, children, environment,
/// descriptors.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnProcess {
    status: Vec<String>,
    /// The signal masks that its threads have.
    masks: BTreeSet<String>,
    directory: PathBuf,
    environment: Vec<(OsString, OsString)>,
    descriptors: Vec<String>,
    children: Vec<String>,
}

impl OwnProcess {
    /// As it is now. What the library makes once for all containers, the sealed child program, is left out: it is
    /// counted by [`memory_files`].
    pub fn now() -> Self {
        let wanted = ["Umask:", "SigIgn:", "SigCgt:", "NoNewPrivs:", "CapEff:", "NStgid:"];
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let status =
            status.lines().filter(|l| wanted.iter().any(|w| l.starts_with(w))).map(str::to_owned).collect();
        let mut environment: Vec<_> = std::env::vars_os().collect();
        environment.sort();
        let mut descriptors: Vec<String> = descriptors().filter(|d| !d.contains("memfd:")).collect();
        descriptors.sort();
        Self {
            status,
            masks: tasks("status").iter().filter_map(|t| mask(t)).collect(),
            directory: std::env::current_dir().expect("directory"),
            environment,
            descriptors,
            children: children(),
        }
    }
}

fn mask(status: &str) -> Option<String> {
    status.lines().find(|l| l.starts_with("SigBlk:")).map(str::to_owned)
}

/// A file of each thread's.
fn tasks(file: &str) -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("task").flatten();
    tasks.filter_map(|t| fs::read_to_string(t.path().join(file)).ok()).collect()
}

fn descriptors() -> impl Iterator<Item = String> {
    let fds = fs::read_dir("/proc/self/fd").expect("fd").flatten();
    fds.filter_map(|e| Some(format!("{:?} {:?}", e.file_name(), fs::read_link(e.path()).ok()?)))
        // The directory that is being read.
        .filter(|d| !d.contains("/fd\""))
}

/// Children of any thread, zombies too.
pub fn children() -> Vec<String> {
    tasks("children").iter().flat_map(|l| l.split_whitespace()).map(str::to_owned).collect()
}

/// How many files in memory are open.
pub fn memory_files() -> usize {
    descriptors().filter(|d| d.contains("memfd:")).count()
}
