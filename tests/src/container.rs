//! A container that was created: what one asks the runtime about it. It is killed and deleted when dropped, also
//! when the test panics.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::command::{Output, wait_until};
use crate::{Facts, Test};

/// A container of one test.
#[derive(Debug)]
pub struct Container<'t> {
    test: &'t Test,
    /// Its id.
    pub id: String,
    out: PathBuf,
    err: PathBuf,
}

impl<'t> Container<'t> {
    pub(crate) fn new(test: &'t Test, id: &str, out: PathBuf, err: PathBuf) -> Self {
        Self { test, id: id.to_owned(), out, err }
    }

    /// A container that was made in another way, by `run --detach` for one.
    pub fn of(test: &'t Test, id: &str) -> Self {
        Self::new(test, id, test.dir.join("none"), test.dir.join("none"))
    }

    /// `VERB [FLAG...] ID`
    pub fn verb(&self, verb: &str, flags: &[&str]) -> Output {
        let mut line = vec![verb];
        line.extend_from_slice(flags);
        line.push(&self.id);
        self.test.runtime(&line)
    }

    /// `start`, which must succeed.
    #[track_caller]
    pub fn start(&self) {
        self.verb("start", &[]).ok();
    }

    /// `state`, which must succeed.
    #[track_caller]
    pub fn state(&self) -> Value {
        serde_json::from_str(self.verb("state", &[]).ok()).expect("state is JSON")
    }

    /// The status of the state.
    #[track_caller]
    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Process id of the container's init on the host.
    #[track_caller]
    pub fn pid(&self) -> i64 {
        let pid = self.state()["pid"].as_i64().unwrap_or_default();
        assert!(pid > 0, "a pid in the state");
        pid
    }

    /// `kill ID SIGNAL`
    pub fn kill(&self, signal: &str) -> Output {
        self.test.runtime(&["kill", &self.id, signal])
    }

    /// `delete`
    pub fn delete(&self) -> Output {
        self.verb("delete", &[])
    }

    /// `exec [FLAG...] ID ARG...`
    pub fn exec(&self, flags: &[&str], args: &[&str]) -> Output {
        let mut line = vec!["exec"];
        line.extend_from_slice(flags);
        line.push(&self.id);
        line.extend_from_slice(args);
        self.test.runtime(&line)
    }

    /// Runs the probe by `exec`.
    #[track_caller]
    pub fn exec_facts(&self, flags: &[&str]) -> Facts {
        Facts::read(self.exec(flags, &["probe", "facts"]).ok())
    }

    /// Waits until the state says `stopped`.
    #[track_caller]
    pub fn wait_stopped(&self) {
        wait_until("the container to stop", || self.status() == "stopped");
    }

    /// What the container's process wrote so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What the container's process complained of so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until the container's process has written this.
    #[track_caller]
    pub fn wait_output(&self, text: &str) {
        wait_until(&format!("{text:?} in the output"), || self.stdout().contains(text));
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // What a failed test leaves is removed when the test is.
        if !std::thread::panicking() && self.test.dir.join("state").join(&self.id).exists() {
            let _ = self.test.runtime(&["delete", "--force", &self.id]);
        }
    }
}
