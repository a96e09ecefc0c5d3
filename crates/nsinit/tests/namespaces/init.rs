//! Init: a process that is in new namespaces already becomes a container's first.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use cofferdam_nsenter::bootstrap::Release;
use cofferdam_nsenter::bootstrap::message::{Bootstrap, encode};
use cofferdam_nsinit::namespaces::get_namespace_flags;
use cofferdam_sys::wait;

use crate::roles::role;
use crate::world::{World, root, shell};

/// A process that makes the namespaces and starts their first one; our end of its pipe.
fn start(world: &World, console: &str, args: &[String]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let rest: Vec<String> = std::iter::once(console.to_owned()).chain(args.iter().cloned()).collect();
    let mut command = role("outside", &world.written(), &rest);
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command.spawn().unwrap(), ours)
}

/// Says that all is ready and hears what comes of it.
fn go(mut pipe: &UnixStream) -> String {
    pipe.write_all(b"{\"veth_host\":\"\"}\n").unwrap();
    pipe.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    pipe.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn the_process_becomes_the_containers_first() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.user = "daemon".into();
    world.config.networks = vec![cofferdam_nsinit::Network { kind: "loopback".into(), ..Default::default() }];
    let script = "echo $$; hostname; id -u; ls /proc/self/fd; ls -d /work /dev/null /dev/pts; \
                  cat /proc/1/comm; ip link show lo; env; exit 6";
    let (child, pipe) = start(&world, "", &shell(script));
    assert_eq!(go(&pipe), "", "closed without a word: the program runs");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(6), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("1\nkoye\n1\n0\n1\n2\n"), "{text}");
    assert!(text.contains("/dev/null\n/dev/pts\nsh\n") && text.contains("LOOPBACK,UP"), "{text}");
    assert!(!text.contains("COFFERDAM"), "{text}");
    assert!(
        !std::fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .contains(&world.root().display().to_string())
    );
}

#[test]
fn nothing_is_done_before_the_parent_has_spoken() {
    if !root() {
        return;
    }
    let world = World::new();
    let (mut child, pipe) = start(&world, "", &shell("exit 0"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none());
    assert_eq!(go(&pipe), "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_failure_is_told_through_the_pipe() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.working_dir = "/bin/sh/not/a/directory".into();
    let (mut child, pipe) = start(&world, "", &shell("exit 0"));
    let said: serde_json::Value = serde_json::from_str(&go(&pipe)).unwrap();
    assert!(said["message"].as_str().unwrap().contains("/bin/sh/not/a/directory"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(70));
}

#[test]
fn a_console_of_the_callers_becomes_the_programs_terminal() {
    if !root() {
        return;
    }
    let world = World::new();
    let master =
        cofferdam_sys::open::open(c"/dev/ptmx", cofferdam_sys::open::O_RDWR | cofferdam_sys::open::O_NOCTTY);
    let master = master.unwrap();
    let slave = cofferdam_sys::tty::open_peer(master.raw()).unwrap();
    let path = std::fs::read_link(format!("/proc/self/fd/{}", slave.raw())).unwrap();
    let (mut child, pipe) =
        start(&world, path.to_str().unwrap(), &shell("echo to the terminal > /dev/tty; exit 8"));
    assert_eq!(go(&pipe), "");
    let mut bytes = [0; 64];
    let n = cofferdam_sys::open::read(master.raw(), &mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes[..n]), "to the terminal\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(8));
}

#[test]
fn a_process_that_was_started_as_runc_starts_its_init_becomes_the_first() {
    if !root() {
        return;
    }
    let world = World::new();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = role("bootstrap", &world.written(), &shell("echo $$; hostname; sleep 1; exit 3"));
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    let flags = u32::try_from(get_namespace_flags(&world.config.namespaces)).unwrap();
    let asked = Bootstrap { clone_flags: flags, ..Bootstrap::default() };
    ours.write_all(&encode(&asked, Release::Current).unwrap()).unwrap();
    // Byte by byte: what follows the processes' numbers is not theirs.
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        ours.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    let pids: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let last = i32::try_from(pids["stage2_pid"].as_i64().unwrap()).unwrap();
    let process = cofferdam_sys::pidfd::open(last).unwrap();
    assert_eq!(go(&ours), "");
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\nkoye\n");
    // It is the child of whoever started the first.
    let ended = wait::wait_pidfd(process.raw(), false, false).unwrap();
    assert_eq!(ended, Some(wait::Ended::Exited(3)));
}

#[test]
fn what_needs_a_parent_is_refused_before_anything_is_done() {
    if !root() {
        return;
    }
    let world = World::new();
    let rows = [
        (r#""terminal": true"#, "", "/process/terminal"),
        (r#""terminal": false"#, r#", "hooks": {"createRuntime": [{"path": "/bin/true"}]}"#, "/hooks"),
    ];
    for (process, more, field) in rows {
        let spec = format!(
            r#"{{"ociVersion": "1.3.0", "root": {{"path": "{}"}}, "process": {{"cwd": "/", "args": ["sh"], {process}}},
                "linux": {{"namespaces": [{{"type": "mount"}}]}}{more}}}"#,
            world.root().display()
        );
        let output = role("in place", &world.written(), &[spec]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("this needs a parent [{field}]")), "{said}");
    }
}
