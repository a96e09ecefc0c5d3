//! Learning as it is used: a command is run, and the profile allows it and no more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A directory of one test, gone with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cofferdam-learn-test-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn learn(profile: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam-agent"));
    command.arg("learn").arg("--output").arg(profile).args(["--for", "none", "--"]).args(words);
    command.output().unwrap()
}

fn names(profile: &Path) -> Vec<String> {
    let profile: Value = serde_json::from_slice(&std::fs::read(profile).unwrap()).unwrap();
    let rules = profile["syscalls"].as_array().unwrap();
    let names = rules.iter().flat_map(|rule| rule["names"].as_array().unwrap());
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// How often the shell's calls of umask(2) were counted.
fn umasks(place: &Place, script: &str) -> u64 {
    let output = learn(&place.file("p.json"), &["sh", "-c", script]);
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), &b"done\n"[..]), "{report}");
    let count = report.lines().find(|line| line.ends_with("  umask")).unwrap_or_else(|| panic!("{report}"));
    count.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn every_call_of_every_descendant_is_counted() {
    let place = Place::new("count");
    // A shell may make several calls for one of its commands.
    let one = umasks(&place, "umask 1; echo done; exit 7");
    let five = umasks(&place, "umask 1; umask 2; umask 3; (umask 4; umask 5) & wait; echo done; exit 7");
    assert_eq!(five, 5 * one);
    let names = names(&place.file("p.json"));
    assert!(names.iter().any(|name| name == "umask") && !names.iter().any(|name| name == "mount"));
}

#[test]
fn what_the_workload_asked_for_is_told_from_what_docker_refuses() {
    let place = Place::new("diff");
    let output = learn(&place.file("p.json"), &["sh", "-c", "echo x > /dev/null"]);
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("refused there, allowed here: none\n"), "{report}");
    assert!(report.contains("allowed there, not called ("), "{report}");
}

#[test]
fn a_command_that_cannot_be_executed_teaches_nothing() {
    let place = Place::new("fail");
    std::fs::write(place.file("script"), "no program").unwrap();
    for program in
        ["/nonexistent/program", place.file("script").to_str().unwrap(), "no-such-program-anywhere"]
    {
        let output = learn(&place.file("p.json"), &[program]);
        assert_eq!(output.status.code(), Some(1));
        assert!(!place.file("p.json").exists(), "{program}");
    }
}

/// Whoever has no rights gives them up for good, and is watched all the same.
#[test]
fn an_ordinary_user_can_learn() {
    let place = Place::new("user");
    std::fs::set_permissions(&place.0, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    // The test program's own directory may be closed to others.
    let own = place.file("agent");
    std::fs::copy(env!("CARGO_BIN_EXE_cofferdam-agent"), &own).unwrap();
    let profile = place.file("p.json");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&own);
    command.arg("learn").arg("-o").arg(&profile).args(["--for", "none", "--", "id", "-u"]);
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"65534\n", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(names(&profile).iter().any(|name| name == "geteuid" || name == "getuid"));
}
