//! What tests on the real kernel share: a guard that leaves nothing behind.
#![allow(dead_code, unreachable_pub)] // each test file uses some of it
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a failed helper is a failed test

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cofferdam_cgroup::{Cgroup, CgroupPlan, Hierarchies, PlanOptions, SavedCgroup, plan};
use cofferdam_oci::Resources;

/// A [`Sandbox`] of a name, or the end of the test.
#[allow(unused_macros)]
macro_rules! sandbox {
    ($name:literal) => {
        match Sandbox::new($name) {
            Some(sandbox) => sandbox,
            None => return,
        }
    };
}

/// A cgroup name of this test's own; whatever is in it and below it goes away with this value.
pub struct Sandbox {
    pub hierarchies: Hierarchies,
    pub path: String,
    children: Vec<Child>,
}

impl Sandbox {
    /// Nothing, with the reason printed, where cgroups cannot be made.
    pub fn new(name: &str) -> Option<Self> {
        if !is_root() {
            println!("skipped: making cgroups takes root");
            return None;
        }
        let hierarchies = match Hierarchies::detect() {
            Ok(h) => h,
            Err(e) => {
                println!("skipped: {e}");
                return None;
            }
        };
        let path = format!("/cofferdam-test-{}-{name}", std::process::id());
        Some(Self { hierarchies, path, children: Vec::new() })
    }

    pub fn resources(json: &str) -> Resources {
        serde_json::from_str(json).unwrap()
    }

    pub fn plan(&self, json: &str) -> CgroupPlan {
        self.plan_below("/box", json)
    }

    pub fn plan_below(&self, below: &str, json: &str) -> CgroupPlan {
        let path = format!("{}{below}", self.path);
        plan(&self.hierarchies, Some(&path), "id", &Self::resources(json), &PlanOptions::default()).unwrap()
    }

    /// A program waiting for a line on its standard input before it goes on with `script`.
    pub fn spawn(&mut self, script: &str) -> u32 {
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("read -r _; {script}"));
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        self.children.push(child);
        pid
    }

    pub fn child(&mut self, pid: u32) -> &mut Child {
        self.children.iter_mut().find(|c| c.id() == pid).unwrap()
    }

    /// Lets it go on.
    pub fn go(&mut self, pid: u32) {
        use std::io::Write;
        self.child(pid).stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn top(&self) -> SavedCgroup {
        let plan =
            plan(&self.hierarchies, Some(&self.path), "id", &Resources::default(), &PlanOptions::default());
        SavedCgroup::intended(&plan.unwrap())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let top = Cgroup::load(self.top());
        let _ = top.thaw();
        let _ = top.kill(9);
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let removed = top.delete();
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .any(|l| l.split_whitespace().eq(["Uid:", "0", "0", "0", "0"]))
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).trim().to_owned()
}

/// The directory of a controller.
pub fn dir(cgroup: &Cgroup, controller: &str) -> PathBuf {
    let has = |d: &&cofferdam_cgroup::CgroupDir| d.controllers.iter().any(|c| c == controller);
    cgroup.dirs().iter().find(has).unwrap_or_else(|| panic!("no {controller}")).path.clone()
}
