//! An agent for one test: started, told another policy, killed.

use std::cell::RefCell;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use cofferdam_tests::{Bundle, Test, json, wait_until};

/// A running agent; ended with the test.
pub(crate) struct Agent {
    child: RefCell<Child>,
    dir: PathBuf,
}

impl Agent {
    /// With this policy, ready for containers.
    pub(crate) fn start(t: &Test, policy: &str, flags: &[&str]) -> Self {
        let dir = t.dir.clone();
        std::fs::write(dir.join("policy.toml"), policy).unwrap();
        let log = std::fs::File::create(dir.join("audit.log")).unwrap();
        let mut command = std::process::Command::new(binary());
        command.arg("--socket").arg(dir.join("agent.sock")).arg("--policy").arg(dir.join("policy.toml"));
        // Whoever acts for it is then known by the group.
        command.process_group(0);
        command.args(flags).stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        let agent = Self { child: RefCell::new(command.spawn().unwrap()), dir };
        agent.wait_log("ready");
        agent
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("audit.log")).unwrap()
    }

    pub(crate) fn wait_log(&self, text: &str) {
        wait_until(text, || self.log().contains(text));
    }

    /// Gives it another policy to read, in one piece.
    pub(crate) fn reload(&self, policy: &str) {
        std::fs::write(self.dir.join("policy.new"), policy).unwrap();
        std::fs::rename(self.dir.join("policy.new"), self.dir.join("policy.toml")).unwrap();
        self.signal(rustix::process::Signal::HUP);
    }

    /// Without a chance to do anything about it.
    pub(crate) fn kill(&self) {
        let mut child = self.child.borrow_mut();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Its number, also when it has ended.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.borrow().id()).unwrap()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.child.borrow_mut().try_wait().unwrap().is_some()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// `COFFERDAM_AGENT_BIN`, else beside the runtime that `scripts/build` makes.
pub(crate) fn binary() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/cofferdam-agent");
    let path = std::env::var_os("COFFERDAM_AGENT_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from);
    assert!(path.exists(), "no agent at {}: run scripts/build, or set COFFERDAM_AGENT_BIN", path.display());
    path
}

/// Has these calls of a container answered by the agent.
pub(crate) fn calls(bundle: &mut Bundle<'_>, agent: &Agent, names: &[&str]) {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": agent.dir.join("agent.sock"),
        "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}],
    });
    bundle.set("/linux/seccomp", profile);
}
