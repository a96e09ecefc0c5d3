//! A caller that ignores SIGCHLD: the kernel reaps its children, and all the same it is told how they end.

use std::process;

use cofferdam::oci::Hook;
use cofferdam::sandbox::Sandbox;
use cofferdam::{Command, Exec, ExitStatus};

use crate::world::World;

/// Runs this test once more, in a process that ignores SIGCHLD.
fn ignoring(name: &str) -> bool {
    const IGNORES: &str = "COFFERDAM_TEST_IGNORES_SIGCHLD";
    if std::env::var_os(IGNORES).is_some() {
        return true;
    }
    let output = process::Command::new("env")
        .arg("--ignore-signal=CHLD")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(IGNORES, "1")
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[test]
fn a_caller_that_ignores_its_children_is_told_how_they_end() {
    if !ignoring("caller::a_caller_that_ignores_its_children_is_told_how_they_end") {
        return;
    }
    let ignored = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = ignored.lines().find_map(|l| l.strip_prefix("SigIgn:")).unwrap().trim().to_owned();
    assert!(u64::from_str_radix(&ignored, 16).unwrap() >> 16 & 1 == 1, "SIGCHLD is not ignored: {ignored}");
    let Some(world) = World::new() else { return };
    for code in [0, 3] {
        assert_eq!(world.sh(&format!("exit {code}")).status().unwrap(), ExitStatus::Code(code));
    }
    let mut child = world.sh("exec sleep 600").create().unwrap();
    child.start().unwrap();
    let output = Exec::new("/bin/sh").args(["-c", "echo in; exit 4"]).output_in(child.container()).unwrap();
    assert_eq!((output.stdout.as_slice(), output.status), (&b"in\n"[..], ExitStatus::Code(4)));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signal(9));
    let missing = Command::new("no-such-program").store(world.store.clone()).spawn().unwrap_err();
    assert_eq!(missing.kind(), cofferdam::ErrorKind::Payload, "{missing}");
    world.is_empty();
}

#[test]
fn hooks_run_for_a_caller_that_ignores_its_children() {
    if !ignoring("caller::hooks_run_for_a_caller_that_ignores_its_children") {
        return;
    }
    let Some(world) = World::new() else { return };
    let caller = cofferdam::template::Caller::current();
    let mut spec = Sandbox::new("true").bundle("/", caller).spec;
    let hook = |script: &str| Hook {
        path: "/bin/sh".into(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        timeout: Some(60),
        ..Hook::default()
    };
    spec.hooks.create_runtime = vec![hook("sleep 0.05")];
    assert!(Command::from_spec(spec.clone()).store(world.store.clone()).status().unwrap().success());
    spec.hooks.create_runtime = vec![hook("sleep 0.05; echo no >&2; exit 3")];
    let e = Command::from_spec(spec).store(world.store.clone()).spawn().unwrap_err();
    assert!(e.to_string().contains("exit status 3"), "{e}");
    world.is_empty();
}
