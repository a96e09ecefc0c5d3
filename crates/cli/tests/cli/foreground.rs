//! `run` in the foreground: exit codes, signals, terminals.

use crate::world::{BINARY, World, eventually, stderr, stdout};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[test]
fn the_exit_code_is_the_programs_and_nothing_stays() {
    let Some(world) = World::new() else { return };
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
        world.configure(&["sh", "-c", script], |_| {});
        let output = world.output(["run", &world.id]);
        assert_eq!(output.status.code(), Some(code), "{script}: {}", stderr(&output));
    }
    assert!(stderr(&world.output(["state", &world.id])).contains("does not exist"));
}

#[test]
fn a_program_ended_by_a_signal_has_128_and_its_number() {
    let Some(world) = World::new() else { return };
    world.configure(&["sleep", "600"], |_| {});
    let mut child = world.command(["run", &world.id]).spawn().unwrap();
    eventually("the container", || world.output(["kill", &world.id, "KILL"]).status.success());
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

#[test]
fn keep_keeps() {
    let Some(world) = World::new() else { return };
    world.configure(&["true"], |_| {});
    assert!(world.output(["run", "--keep", &world.id]).status.success());
    assert_eq!(world.state()["status"], "stopped");
}

#[test]
fn standard_streams_are_the_callers() {
    let Some(world) = World::new() else { return };
    world.configure(&["sh", "-c", "cat; echo err >&2"], |_| {});
    let mut child = world
        .command(["run", &world.id])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"in\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("in\n", "err\n"));
}

#[test]
fn signals_are_passed_on() {
    let Some(world) = World::new() else { return };
    let script = "trap 'exit 40' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.1; done";
    world.configure(&["sh", "-c", script], |_| {});
    let mut child = world.command(["run", &world.id]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    for quiet in [Signal::CHILD, Signal::WINCH, Signal::URG, Signal::PIPE] {
        kill_process(pid, quiet).unwrap();
    }
    kill_process(pid, Signal::USR1).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "usr1");
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(40));
}

#[test]
fn a_program_starts_with_no_signal_blocked_and_broken_pipes_end_it() {
    let Some(world) = World::new() else { return };
    let show = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    world.configure(&show, |_| {});
    let run = world.output(["run", &world.id]);
    world.sleeper();
    let exec = world.output([&["exec", world.id.as_str()][..], &show].concat());
    for output in [run, exec] {
        let text = stdout(&output);
        let mask = |name| {
            let digits = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(digits.trim(), 16).unwrap()
        };
        assert_eq!(mask("SigBlk:"), 0, "{text}");
        // The runtime of this language ignores SIGPIPE; a shell in a container must not.
        assert_eq!(mask("SigIgn:") >> (Signal::PIPE.as_raw() - 1) & 1, 0, "{text}");
    }
}

#[test]
fn orphans_are_buried() {
    let Some(world) = World::new() else { return };
    // Without a pid namespace, what the program leaves behind falls to the command.
    world.configure(&["sh", "-c", "(sleep 0.1 &) ; sleep 0.5; echo $PPID"], |config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "pid");
    });
    let output = world.output(["run", &world.id]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn detach_returns_with_the_pid_file_written() {
    let Some(world) = World::new() else { return };
    world.configure(&["sleep", "600"], |_| {});
    let pid_file = world.dir.join("pid");
    world.detached(&["run", "-d", "--pid-file", pid_file.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(pid_file).unwrap(), world.state()["pid"].to_string());
}

#[test]
fn a_terminal_needs_a_keeper() {
    let Some(world) = World::new() else { return };
    world.configure(&["true"], |config| config["process"]["terminal"] = json!(true));
    let output = world.output(["run", "-d", &world.id]);
    assert!(stderr(&output).contains("cannot allocate tty if cofferdam will detach"), "{}", stderr(&output));
    world.configure(&["true"], |_| {});
    let output = world.output(["run", "--console-socket", "/nosuch", &world.id]);
    assert!(stderr(&output).contains("cannot use console socket"), "{}", stderr(&output));
}

/// Runs a line of shell with a terminal of 30 rows and 91 columns, what is typed given.
fn in_terminal(world: &World, line: &str, typed: &str) -> Option<(String, Option<i32>)> {
    let line = format!("stty rows 30 cols 91; exec {BINARY} --root {}/state {line}", world.dir.display());
    let child = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(&world.dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: script(1) makes the terminal and is not there");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    // The terminal stays open as long as script has something to read.
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    Some((stdout(&output), output.status.code()))
}

#[test]
fn a_program_may_have_a_terminal() {
    let Some(world) = World::new() else { return };
    world.configure(&["sh", "-c", "tty; stty size; read x; echo got $x; exit 9"], |config| {
        config["process"]["terminal"] = json!(true);
    });
    let Some((text, code)) = in_terminal(&world, &format!("run {}", world.id), "hello\n") else { return };
    assert!(text.contains("/dev/"), "{text}");
    assert!(text.contains("30 91"), "{text}");
    assert!(text.contains("got hello"), "{text}");
    assert_eq!(code, Some(9), "{text}");
}

#[test]
fn another_process_may_have_a_terminal() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let line = format!("exec -t {} sh -c 'stty size; seq 1 20000; echo the end'", world.id);
    let Some((text, code)) = in_terminal(&world, &line, "") else { return };
    assert!(text.contains("30 91") && text.trim_end().ends_with("the end"), "{text}");
    assert_eq!(code, Some(0));
}
