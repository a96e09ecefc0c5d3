//! A container's life, command by command.

use crate::world::{World, eventually, stderr, stdout};
use serde_json::Value;

#[test]
fn a_container_is_created_started_killed_and_deleted() {
    let Some(world) = World::new() else { return };
    world.configure(&["sleep", "600"], |config| config["annotations"] = serde_json::json!({"a": "b"}));
    let pid_file = world.dir.join("pid");
    world.detached(&["create", "--pid-file", pid_file.to_str().unwrap()]);
    let state = world.state();
    assert_eq!(state["status"], "created");
    assert_eq!(state["id"], world.id.as_str());
    assert_eq!(state["ociVersion"], "1.3.0");
    assert_eq!(state["bundle"], world.dir.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(state["annotations"]["a"], "b");
    assert!(state["created"].as_str().unwrap().ends_with('Z'), "{state}");
    assert_eq!(std::fs::read_to_string(&pid_file).unwrap(), state["pid"].to_string());

    world.success(&["start", &world.id]);
    assert_eq!(world.state()["status"], "running");
    let again = world.output(["start", &world.id]);
    assert!(stderr(&again).contains("cannot start an already running container"));
    let early = world.output(["delete", &world.id]);
    assert!(stderr(&early).contains("that is not stopped: running"), "{}", stderr(&early));

    world.success(&["kill", &world.id, "KILL"]);
    world.wait_for_status("stopped");
    assert_eq!(world.state()["pid"], 0);
    assert!(stderr(&world.output(["kill", &world.id])).contains("container not running"));
    assert!(world.output(["kill", "--all", &world.id, "9"]).status.success());
    world.success(&["delete", &world.id]);
    assert!(stderr(&world.output(["state", &world.id])).contains("does not exist"));
}

#[test]
fn a_created_container_may_be_deleted() {
    let Some(world) = World::new() else { return };
    world.configure(&["sleep", "600"], |_| {});
    world.detached(&["create"]);
    world.success(&["delete", &world.id]);
}

#[test]
fn a_running_container_is_deleted_by_force() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let pid = world.state()["pid"].to_string();
    world.success(&["delete", "-f", &world.id]);
    // Whoever took over the orphan may not have buried it yet.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    assert!(status.is_err() || status.is_ok_and(|status| status.contains("State:\tZ")));
}

#[test]
fn containers_are_listed() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    assert_eq!(world.success(&["list", "-q"]), format!("{}\n", world.id));
    let list: Value = serde_json::from_str(&world.success(&["list", "--format=json"])).unwrap();
    assert_eq!(list[0]["owner"], "root");
    assert_eq!(list[0]["pid"], world.state()["pid"]);
    let table = world.success(&["list"]);
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[2], row[5]), (world.id.as_str(), "running", "root"));
}

#[test]
fn processes_are_shown() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let pid = world.state()["pid"].to_string();
    assert_eq!(world.success(&["ps", "--format", "json", &world.id]), format!("[{pid}]\n"));
    let table = world.success(&["ps", &world.id, "-o", "pid,args"]);
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains("sleep 600"));
}

#[test]
fn a_paused_container_stands_still() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    world.success(&["pause", &world.id]);
    assert_eq!(world.state()["status"], "paused");
    let exec = world.output(["exec", &world.id, "true"]);
    assert_eq!(exec.status.code(), Some(255));
    assert!(stderr(&exec).contains("paused"), "{}", stderr(&exec));
    world.success(&["resume", &world.id]);
    assert_eq!(world.state()["status"], "running");
}

#[test]
fn limits_are_updated_and_measured() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    world.success(&["update", "--pids-limit", "77", &world.id]);
    world.success(&["update", "--memory", "64m", &world.id]);
    let line = world.success(&["events", "--stats", &world.id]);
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&"stats".into(), &world.id.as_str().into()));
    assert_eq!(event["data"]["pids"]["limit"], 77, "{line}");
    assert_eq!(event["data"]["memory"]["usage"]["limit"], 64 << 20, "{line}");
}

#[test]
fn events_end_with_the_container() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let mut watcher = world
        .command(["events", "--interval", "50ms", &world.id])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    world.success(&["kill", &world.id, "KILL"]);
    eventually("the end of events", || watcher.try_wait().unwrap().is_some());
}

#[test]
fn a_plan_changes_nothing() {
    let Some(world) = World::new() else { return };
    world.configure(&["true"], |_| {});
    let text = world.success(&["plan"]);
    assert!(text.contains("/proc"), "{text}");
    let json: Value = serde_json::from_str(&world.success(&["plan", "--format", "json"])).unwrap();
    assert!(json.is_object() || json.is_array());
    assert!(!world.dir.join("state").join("plan").exists());
}

#[test]
fn a_plan_shows_the_notify_socket() {
    let Some(world) = World::new() else { return };
    world.configure(&["true"], |_| {});
    let shown = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        stdout(&output)
            .lines()
            .any(|l| l.contains("state/box/notify at /run/notify") && l.contains(" child "))
    };
    assert!(shown(world.command(["plan", "box"]).env("NOTIFY_SOCKET", "/run/nobody")));
    assert!(!shown(&mut world.command(["plan", "box"])));
}
