//! Another process in a container.

use crate::world::{World, eventually, stderr, stdout};

#[test]
fn the_exit_code_is_the_processs() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    assert_eq!(world.output(["exec", &world.id, "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(world.output(["exec", &world.id, "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
}

#[test]
fn flags_behind_the_container_belong_to_the_command() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let output = world.output(["exec", &world.id, "echo", "-n", "--cwd", "-d"]);
    assert_eq!(stdout(&output), "--cwd -d", "{}", stderr(&output));
}

#[test]
fn flags_change_the_process() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let output = world.output([
        "exec",
        "-e",
        "A=b c",
        "-u",
        "5:6",
        "-g",
        "7",
        "--cwd",
        "/tmp",
        &world.id,
        "sh",
        "-c",
        "echo $A $(id -u) $(id -g) $(id -G) $(pwd)",
    ]);
    assert_eq!(stdout(&output), "b c 5 6 6 7 /tmp\n", "{}", stderr(&output));
}

#[test]
fn a_process_may_come_from_a_file() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let file = world.dir.join("process.json");
    std::fs::write(&file, r#"{"cwd":"/","args":["/bin/sh","-c","echo $X"],"env":["X=y"]}"#).unwrap();
    let output = world.output(["exec", "--process", file.to_str().unwrap(), &world.id]);
    assert_eq!(stdout(&output), "y\n", "{}", stderr(&output));
}

#[test]
fn a_command_that_is_not_there_is_said_so() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let output = world.output(["exec", &world.id, "nosuch"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(stderr(&output).contains("executable file not found in $PATH"), "{}", stderr(&output));
    let output = world.output(["exec", &world.id]);
    assert_eq!(output.status.code(), Some(255));
    assert!(stderr(&output).contains("args cannot be empty"));
}

#[test]
fn a_detached_process_goes_on() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let pid_file = world.dir.join("exec.pid");
    let status = world
        .command(["exec", "--detach", "--pid-file", pid_file.to_str().unwrap(), &world.id, "sleep", "300"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let command_line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(command_line, "sleep\u{0}300\u{0}");
}

#[test]
fn a_stopped_container_takes_no_process() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    world.success(&["kill", &world.id, "KILL"]);
    eventually("the end of the container", || world.state()["status"] == "stopped");
    let output = world.output(["exec", &world.id, "true"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(stderr(&output).contains("stopped"), "{}", stderr(&output));
}
