//! Many containers at once and one after the other: the host is as it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cofferdam_tests::{Test, wait_until};

use crate::left;

const AT_ONCE: usize = 50;

fn interfaces() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok()).collect()
}

/// The runtime for many threads; no files for the output of each command, there would be thousands.
struct Runner {
    program: PathBuf,
    dir: PathBuf,
}

impl Runner {
    fn new(t: &Test) -> Self {
        Self { program: t.runtime.path.clone(), dir: t.dir.clone() }
    }

    fn run(&self, args: &[&str]) -> Result<(), String> {
        let output =
            |name| fs::File::options().append(true).create(true).open(self.dir.join(name)).expect("file");
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.dir.join("state")).args(args).stdin(Stdio::null());
        let status =
            command.stdout(output("out")).stderr(output("err")).status().expect("the runtime starts");
        if status.success() { Ok(()) } else { Err(format!("{args:?}: {status}")) }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.join("err")).unwrap_or_default()
    }
}

/// Lives of containers, fifty at a time.
fn live(t: &Test, count: usize) {
    let mut bundle = t.bundle();
    bundle.args(&["sleep", "600"]).namespace("network").namespace("cgroup");
    bundle.config["linux"].as_object_mut().expect("linux").remove("cgroupsPath");
    bundle.write();
    let dir = bundle.dir.to_str().expect("a path of ASCII");
    let names: Vec<String> = (0..count).map(|n| format!("{}-n{n}", bundle.id)).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let before = interfaces();
    let runner = Runner::new(t);
    let one = |id: &str| {
        runner.run(&["create", "--bundle", dir, id])?;
        runner.run(&["start", id])?;
        runner.run(&["delete", "--force", id])
    };
    std::thread::scope(|s| {
        for _ in 0..AT_ONCE.min(count) {
            s.spawn(|| {
                while let Some(id) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(e) = one(id) {
                        wrong.lock().expect("lock").push(e);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("lock");
    assert!(wrong.is_empty(), "{} of {count} failed: {:?}\n{}", wrong.len(), wrong.first(), runner.said());
    left::nothing(t, &names, "all lives");
    wait_until("the interfaces that were there before", || interfaces().is_subset(&before));
}

cofferdam_tests::own! {
    fn a_thousand_lives_leave_nothing_behind(t) {
        let count = std::env::var("ROBUST_CYCLES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
        live(t, count);
    }

    fn of_many_that_make_the_same_container_one_succeeds(t) {
        let b = t.bundle();
        b.write();
        let (dir, id) = (b.dir.to_str().expect("a path of ASCII"), b.id.as_str());
        let runner = Runner::new(t);
        for round in 0..10 {
            let made = std::thread::scope(|s| {
                let all: Vec<_> = (0..8).map(|_| s.spawn(|| runner.run(&["create", "--bundle", dir, id]))).collect();
                all.into_iter().map(|h| h.join().expect("no panic")).filter(Result::is_ok).count()
            });
            assert_eq!(made, 1, "round {round}: {}", runner.said());
            runner.run(&["delete", "--force", id]).expect("it can be deleted");
            left::nothing(t, std::slice::from_ref(&b.id), "a race");
        }
    }
}
