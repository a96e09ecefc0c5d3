//! Standard streams of every kind, and a lot of bytes both ways.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;

use cofferdam::{Command, ErrorKind, Stdio};

use crate::world::World;

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
fn who_does_not_read_is_not_waited_for() {
    let Some(world) = World::new() else { return };
    let child = world.sh("exit 2").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = child.communicate(&vec![b'x'; 1 << 20]).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]));
}

#[test]
fn bytes_in_memory_are_an_input_each_time_anew() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("tr a-z A-Z; echo x >&0");
    command.stdin(Stdio::bytes("some words"));
    for _ in 0..2 {
        let output = command.output().unwrap();
        assert_eq!(output.stdout, b"SOME WORDS");
        assert!(!output.status.success(), "they cannot be written");
    }
    let e = world.sh("true").stdout(Stdio::bytes("x")).spawn().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Configuration);
    world.is_empty();
}

#[test]
fn files_and_null_are_what_the_program_gets() {
    let Some(world) = World::new() else { return };
    let mut out =
        File::options().read(true).write(true).create_new(true).open(world.dir.join("out")).unwrap();
    let mut command = world.sh("cat; readlink /proc/self/fd/0; echo lost >&2");
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    out.rewind().unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(text, "/dev/null\n");
}

#[test]
fn what_is_inherited_is_the_callers() {
    let Some(world) = World::new() else { return };
    let own = |n: u32| std::fs::read_link(format!("/proc/self/fd/{n}")).unwrap();
    // Its output must be another than the one that is compared.
    let mut command = world.sh("exec >&3; true");
    command.stderr(Stdio::piped());
    let mut command_in = world.sh("read line; readlink /proc/self/fd/1 >&2");
    let mut child = command_in.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let theirs = std::fs::read_link(format!("/proc/{}/fd/1", child.pid())).unwrap();
    assert_eq!(theirs, own(1));
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
    drop(command);
}

#[test]
fn one_programs_output_is_anothers_input() {
    let Some(world) = World::new() else { return };
    let mut first = world.sh("echo b; echo a").stdout(Stdio::piped()).spawn().unwrap();
    let mut second = Command::new("sort");
    second.store(world.store.clone()).stdin(first.stdout.take().unwrap());
    assert_eq!(second.output().unwrap().stdout, b"a\nb\n");
    assert!(first.wait().unwrap().success());
    world.is_empty();
}

#[test]
fn ends_of_pipes_are_descriptors() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("cat; cat /nowhere");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut to = File::from(OwnedFd::from(child.stdin.take().unwrap()));
    to.write_all(b"through").unwrap();
    drop(to);
    let mut text = String::new();
    File::from(OwnedFd::from(child.stdout.take().unwrap())).read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
    text.clear();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("/nowhere"), "{text}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn waiting_closes_the_input_that_the_program_waits_for() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("cat").stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.wait_timeout(std::time::Duration::from_millis(50)).unwrap(), None);
    assert!(child.wait().unwrap().success());
}
