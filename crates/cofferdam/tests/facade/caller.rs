//! Callers that are unlike others: that ignore SIGCHLD, reap everything, have no umask or no descriptors left.
//!
//! Each test runs itself once more, in a process that is so.

use std::os::unix::fs::PermissionsExt;
use std::process;

use cofferdam::oci::Hook;
use cofferdam::sandbox::Sandbox;
use cofferdam::{Command, ErrorKind, Exec, ExitStatus, Stdio};

use crate::world::World;

/// Runs the test of that name once more, in a process of its own that `before` prepares; in that, says true.
fn again(name: &str, before: &[&str]) -> bool {
    const AGAIN: &str = "COFFERDAM_TEST_AGAIN";
    if std::env::var_os(AGAIN).is_some() {
        return true;
    }
    // Where anybody may execute it.
    let program = std::env::temp_dir().join(format!("cofferdam-facade-{}-{name}", process::id()));
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = process::Command::new("env");
    command.args(before).arg(&program).current_dir("/");
    command.args(["--exact", "--nocapture", &format!("caller::{name}")]);
    command.env(AGAIN, "1");
    // Another test's child may have the copy open for writing until it executes: ETXTBSY.
    let busy = |output: &process::Output| String::from_utf8_lossy(&output.stderr).contains("Text file busy");
    let output = loop {
        match command.output() {
            Ok(output) if busy(&output) => std::thread::sleep(std::time::Duration::from_millis(20)),
            other => break other,
        }
    };
    std::fs::remove_file(&program).unwrap();
    let output = output.unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// coreutils' env(1) lets what it runs ignore it.
const IGNORING: &[&str] = &["--ignore-signal=CHLD"];

fn shell(script: &str) -> [&str; 4] {
    ["/bin/sh", "-c", script, "sh"]
}

#[test]
fn a_caller_that_ignores_its_children_is_told_how_they_end() {
    if !again("a_caller_that_ignores_its_children_is_told_how_they_end", IGNORING) {
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
    assert_eq!(missing.kind(), ErrorKind::Payload, "{missing}");
    world.is_empty();
}

#[test]
fn hooks_run_for_a_caller_that_ignores_its_children() {
    if !again("hooks_run_for_a_caller_that_ignores_its_children", IGNORING) {
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
    spec.hooks.create_runtime = vec![hook("sleep 0.5")];
    assert!(Command::from_spec(spec.clone()).store(world.store.clone()).status().unwrap().success());
    spec.hooks.create_runtime = vec![hook("sleep 0.5; echo no >&2; exit 3")];
    let e = Command::from_spec(spec).store(world.store.clone()).spawn().unwrap_err();
    assert!(e.to_string().contains("exit status 3"), "{e}");
    world.is_empty();
}

#[test]
fn a_status_that_somebody_else_took_is_told_all_the_same() {
    if !again("a_status_that_somebody_else_took_is_told_all_the_same", &[]) {
        return;
    }
    let Some(world) = World::new() else { return };
    let mut child = world.sh("read x; exit 7").stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take());
    // As a program does that waits for whatever child it has.
    while !matches!(cofferdam_sys::wait::reap_any(), Ok(Some((pid, _))) if pid == child.pid()) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    match child.wait() {
        Ok(status) => assert_eq!(status, ExitStatus::Code(7)),
        // Before Linux 6.15.
        Err(e) => assert_eq!((e.kind(), e.errno()), (ErrorKind::Host, Some(10)), "{e}"),
    }
    world.is_empty();
}

#[test]
fn state_is_nobody_elses_to_write_whatever_the_umask() {
    if !again("state_is_nobody_elses_to_write_whatever_the_umask", &shell("umask 0; exec \"$0\" \"$@\"")[..3])
    {
        return;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.contains("Umask:\t0000"), "{status}");
    let Some(world) = World::new() else { return };
    let child = world.sh("true").kill_on_drop(true).create().unwrap();
    let dir = world.store.root().join(child.id().as_str());
    let mut seen = 0;
    for path in std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).chain([dir.clone()]) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{} has mode {mode:o}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "state, configuration, socket and directory");
    drop(child);
    world.is_empty();
}

#[test]
fn a_caller_without_descriptors_is_told_so_and_nothing_is_left() {
    let few = shell("ulimit -n $0; exec \"$@\"");
    for limit in ["12", "16", "24"] {
        if again(
            "a_caller_without_descriptors_is_told_so_and_nothing_is_left",
            &[&few[..3], &[limit]].concat(),
        ) {
            let Some(world) = World::new() else { return };
            let mut command = world.sh("true");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            match command.status() {
                Err(e) => assert_eq!(e.kind(), ErrorKind::Host, "{e}"),
                Ok(status) => assert!(status.success()),
            }
            world.is_empty();
            return;
        }
    }
}

/// An ordinary user: nobody.
const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

#[test]
fn an_ordinary_user_runs_containers_too() {
    if cofferdam::template::Caller::current().uid == 0
        && !again("an_ordinary_user_runs_containers_too", NOBODY)
    {
        return;
    }
    let world = World::of_anybody();
    let output = world.sh("id -u; echo $$; touch /usr/new && ls /usr/new").output().unwrap();
    let uid = cofferdam::template::Caller::current().uid;
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{uid}\n1\n/usr/new\n"), "{output:?}");
    let mut child = world.sh("exec sleep 600").create().unwrap();
    child.start().unwrap();
    assert_eq!(
        Exec::new("/bin/sh").args(["-c", "exit 4"]).status_in(child.container()).unwrap().code(),
        Some(4)
    );
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signal(9));
    let nobody = world.sh("exit 5").parent(cofferdam::Parent::Nobody).status().unwrap();
    assert_eq!(nobody, ExitStatus::Code(5));
    let mut limited = Sandbox::new("true");
    let e = Command::from(limited.memory(1 << 25)).store(world.store.clone()).spawn().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Host, "{e}");
    world.is_empty();
}
