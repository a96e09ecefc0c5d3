//! What engines match on: words, exit codes and the log.

use crate::world::{World, stderr, stdout};
use serde_json::Value;

#[test]
fn a_container_that_is_not_there_is_said_so() {
    let world = World::empty();
    for args in
        [&["state", "nope"][..], &["kill", "nope"], &["delete", "nope"], &["ps", "nope"], &["start", "nope"]]
    {
        let output = world.output(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains("container does not exist"), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn exec_fails_with_a_code_of_its_own() {
    let world = World::empty();
    let output = world.output(["exec", "nope", "true"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(stderr(&output).contains("container does not exist"));
}

#[test]
fn deleting_nothing_by_force_succeeds() {
    assert!(World::empty().output(["delete", "--force", "nope"]).status.success());
}

#[test]
fn the_log_has_json_and_standard_error_has_the_message() {
    let world = World::empty();
    let log = world.dir.join("log.json");
    let mut words = vec!["--log", log.to_str().unwrap(), "--log-format", "json", "state", "nope"];
    let output = world.output(&words);
    let text = std::fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["level"], "error");
    assert!(line["msg"].as_str().unwrap().contains("container does not exist"));
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(stderr(&output).trim_end(), line["msg"].as_str().unwrap());
    words.truncate(4);
    words.extend(["state", "--frob", "nope"]);
    world.output(&words);
    assert!(std::fs::read_to_string(&log).unwrap().lines().nth(1).unwrap().contains("--frob"));
}

#[test]
fn a_log_that_cannot_be_opened_stops_everything() {
    let world = World::empty();
    let output = world.output(["--log", "/no/such/directory/log", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no such file or directory"), "{}", stderr(&output));
}

#[test]
fn wrong_lines_have_their_exit_codes() {
    let world = World::empty();
    assert_eq!(world.output(["run"]).status.code(), Some(1));
    assert_eq!(world.output(["run", "--frob", "c"]).status.code(), Some(1));
    assert_eq!(world.output(["frob"]).status.code(), Some(3));
    assert_eq!(world.output(["list", "--format", "yaml"]).status.code(), Some(1));
    assert_eq!(world.output(["help", "run"]).status.code(), Some(0));
}

#[test]
fn the_version_is_what_engines_parse() {
    let output = World::empty().output(["--version"]);
    let text = stdout(&output);
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), concat!("cofferdam version ", env!("CARGO_PKG_VERSION")));
    assert_eq!(lines.next().unwrap(), "spec: 1.3.0");
}

#[test]
fn the_features_are_json() {
    let features: Value = serde_json::from_str(&World::empty().success(&["features"])).unwrap();
    assert_eq!(features["ociVersionMax"], "1.3.0");
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
}

#[test]
fn an_empty_list_is_a_heading_or_null() {
    let world = World::empty();
    std::fs::create_dir(world.dir.join("state")).unwrap();
    assert!(world.success(&["list"]).starts_with("ID          PID "));
    assert_eq!(world.success(&["list", "-f", "json"]), "null\n");
    assert_eq!(world.success(&["list", "-q"]), "");
}

#[test]
fn a_root_that_is_named_and_not_there_is_told() {
    let output = World::empty().output(["list", "-q"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("no such file or directory"), "{}", stderr(&output));
}

#[test]
fn words_that_engines_choose_exit_codes_by_are_there() {
    let Some(world) = World::new() else { return };
    std::fs::write(world.dir.join("rootfs/plain"), "x").unwrap();
    for (program, words) in [
        ("nosuch", "executable file not found in $PATH"),
        ("/no/such", "no such file or directory"),
        ("/plain", "permission denied"),
        ("/bin", "is a directory"),
    ] {
        world.configure(&[program], |_| {});
        let output = world.output(["run", &world.id]);
        assert_eq!(output.status.code(), Some(1), "{program}");
        assert!(stderr(&output).contains(words), "{program}: {}", stderr(&output));
        let left = world.output(["state", &world.id]);
        assert!(stderr(&left).contains("does not exist"), "{program} left something behind");
    }
}

#[test]
fn a_second_container_of_one_name_is_refused() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let output = world.output(["run", "-d", &world.id]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("already exists"), "{}", stderr(&output));
    assert_eq!(world.state()["status"], "running", "the first one is left alone");
}
