//! Containers that count, and their way into images and back.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cofferdam_tests::{Bundle, Check, Container, Output, Skip, Test, criu, wait_until};

/// The CRIU that does nothing.
pub(crate) const FAKE: &str = env!("CARGO_BIN_EXE_fake-criu");

/// A container that counts in a file of its root, ten times a second.
pub(crate) fn counting(t: &Test) -> Bundle<'_> {
    counting_with(t, "")
}

/// The same, after this shell script.
pub(crate) fn counting_with<'t>(t: &'t Test, first: &str) -> Bundle<'t> {
    t.script(&format!(
        "{first}\ni=0; while :; do i=$((i+1)); echo $i > /n.new; mv /n.new /n; sleep 0.1; done"
    ))
}

/// How far it has come.
pub(crate) fn count(b: &Bundle<'_>) -> u64 {
    fs::read_to_string(b.rootfs().join("n")).ok().and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// Waits until it counts on.
#[track_caller]
pub(crate) fn goes_on(b: &Bundle<'_>) -> u64 {
    let before = count(b);
    wait_until("the container to count", || count(b) > before);
    before
}

/// One container's way through both.
pub(crate) struct Trip<'t> {
    pub(crate) t: &'t Test,
    pub(crate) criu: PathBuf,
    /// What the fake one plays.
    pub(crate) part: &'static str,
}

impl<'t> Trip<'t> {
    pub(crate) fn real(t: &'t Test) -> Result<Self, Skip> {
        t.need(t.runtime.name != "crun", "Debian's crun is built without CRIU")?;
        Ok(Self { t, criu: criu::real()?.to_owned(), part: "" })
    }

    /// Skips what this kernel and CRIU cannot do.
    pub(crate) fn need_feature(&self, name: &str) -> Check {
        let done = Command::new(&self.criu).args(["check", "--feature", name]).output().expect("criu check");
        self.t.need(done.status.success(), &format!("this kernel or criu lacks {name}"))
    }

    pub(crate) fn fake(t: &'t Test, part: &'static str) -> Self {
        Self { t, criu: FAKE.into(), part }
    }

    /// Directory of the images.
    pub(crate) fn images(&self) -> PathBuf {
        self.t.dir.join("images")
    }

    /// What the fake one was asked.
    pub(crate) fn heard(&self) -> String {
        fs::read_to_string(self.t.dir.join("heard")).unwrap_or_default()
    }

    /// The runtime with this CRIU: by its flag, or where other runtimes look for it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.t.runtime_command(words);
        let beside = self.criu.parent().expect("a directory").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{beside}:{path}")).env("COFFERDAM_CRIU", &self.criu);
        command.env("FAKE_CRIU", self.part).env("FAKE_CRIU_HEARD", self.t.dir.join("heard"));
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.t.finish(&mut self.command(words))
    }

    /// `run --detach` of a bundle; its streams are /dev/null.
    #[track_caller]
    pub(crate) fn start(&self, b: &Bundle<'t>) -> Container<'t> {
        b.write();
        self.run(&b.command_line("run", &["--detach"])).ok();
        Container::of(self.t, &b.id)
    }

    pub(crate) fn checkpoint(&self, b: &Bundle<'_>, flags: &[&str]) -> Output {
        let images = self.images().display().to_string();
        let words = [&["checkpoint", "--image-path", &images], flags, &[b.id.as_str()]].concat();
        self.run(&words)
    }

    pub(crate) fn restore(&self, b: &Bundle<'t>, flags: &[&str]) -> Output {
        let images = self.images().display().to_string();
        let flags = [&["--detach", "--image-path", images.as_str()], flags].concat();
        self.run(&b.command_line("restore", &flags))
    }

    /// Both, once: it must count on.
    #[track_caller]
    pub(crate) fn there_and_back(&self, b: &Bundle<'t>, flags: &[&str]) -> Check {
        let c = self.start(b);
        goes_on(b);
        self.checkpoint(b, flags).ok();
        assert!(c.verb("state", &[]).refused().contains("does not exist"));
        let before = count(b);
        self.restore(b, flags).ok();
        assert_eq!(c.status(), "running");
        goes_on(b);
        assert!(before > 0 && count(b) >= before);
        assert_eq!(c.exec(&[], &["echo", "inside"]).ok(), "inside\n");
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
        Ok(())
    }
}
