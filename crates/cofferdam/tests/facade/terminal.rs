//! A terminal whose master the caller has.

use std::io::{BufRead, BufReader, Write};

use cofferdam::{Child, ErrorKind, Exec, Stdio, TerminalSize};

use crate::world::World;

const SIZE: TerminalSize = TerminalSize { height: 33, width: 99 };

#[test]
fn a_program_has_the_terminal_and_its_size() {
    let Some(world) = World::new() else { return };
    let output = world.sh("tty; stty size; echo err >&2").terminal(SIZE).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("/dev/pts/0\r\n33 99\r\nerr\r\n"), "{text:?}");
    assert!(output.status.success() && output.stderr.is_empty());
    world.is_empty();
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn resized(mut child: Child) {
    let terminal = child.terminal.take().unwrap();
    let mut from = BufReader::new(&terminal);
    assert_eq!(line(&mut from), "ready");
    terminal.resize(TerminalSize { height: 5, width: 6 }).unwrap();
    (&terminal).write_all(b"typed\n").unwrap();
    // The terminal echoes what is typed.
    assert_eq!(line(&mut from), "typed");
    assert_eq!(line(&mut from), "typed 5 6");
    assert_eq!(line(&mut from), "", "the end, without an error");
    assert!(child.wait().unwrap().success());
}

const SCRIPT: &str = "echo ready; read x; echo $x $(stty size)";

#[test]
fn a_terminal_is_typed_into_and_resized() {
    let Some(world) = World::new() else { return };
    resized(world.sh(SCRIPT).terminal(SIZE).spawn().unwrap());
    let mut child = world.sh("exec sleep 600").spawn().unwrap();
    resized(child.exec(Exec::new("/bin/sh").args(["-c", SCRIPT]).terminal(SIZE)).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    world.is_empty();
}

#[test]
fn a_terminal_takes_the_place_of_all_streams() {
    let Some(world) = World::new() else { return };
    let e = world.sh("true").terminal(SIZE).stdout(Stdio::piped()).spawn().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Configuration, "{e}");
    world.is_empty();
}
