//! Running a program to its end: output, status, input.

use cofferdam::{ErrorKind, ExitStatus, Parent, Stdio};

use crate::world::World;

#[test]
fn output_is_collected_and_the_container_is_gone() {
    let Some(world) = World::new() else { return };
    let output = world.sh("echo out; echo err >&2; exit 3").output().unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    world.is_empty();
}

#[test]
fn megabytes_go_both_ways_at_once() {
    let Some(world) = World::new() else { return };
    let input: Vec<u8> = (0..3u32 << 20).map(|n| n.to_le_bytes()[0]).collect();
    let mut command = world.sh("tee /dev/stderr");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().unwrap().communicate(&input).unwrap();
    assert!(output.status.success());
    assert!(output.stdout == input && output.stderr == input);
    world.is_empty();
}

#[test]
fn nobodys_child_is_awaited_and_leaves_no_zombie() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("exec sleep 0.2");
    let mut child = command.parent(Parent::Nobody).spawn().unwrap();
    let parent = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).unwrap();
    let parent: u32 = parent.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_ne!(parent, std::process::id());
    assert_eq!(child.try_wait().unwrap(), None);
    match child.wait() {
        Ok(status) => assert_eq!(status, ExitStatus::Code(0)),
        Err(e) => assert_eq!(e.kind(), ErrorKind::Host, "{e}"),
    }
    world.is_empty();
    assert_eq!(world.sh("exit 7").parent(Parent::Nobody).status().unwrap().code(), Some(7));
    let e =
        cofferdam::Command::new("no-such-program").store(world.store.clone()).parent(Parent::Nobody).spawn();
    assert_eq!(e.unwrap_err().kind(), ErrorKind::Payload);
    world.is_empty();
}
