//! The starter configuration against the one that runc writes.

use crate::world::World;
use serde_json::{Value, json};
use std::process::Command;

fn written(dir: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("config.json")).unwrap()).unwrap()
}

/// What runc's configuration would be of a newer version, with our host name.
fn brought_up_to_date(mut theirs: Value) -> Value {
    theirs["ociVersion"] = json!("1.3.0");
    theirs["hostname"] = json!("cofferdam");
    // Before 1.2, runc gave ambient capabilities, which without inheritable ones mean nothing.
    theirs["process"]["capabilities"].as_object_mut().unwrap().remove("ambient");
    theirs
}

fn compare(flags: &[&str]) {
    if Command::new("runc").arg("--version").output().is_err() {
        eprintln!("skipped: there is no runc to compare with");
        return;
    }
    let (ours, theirs) = (World::empty(), World::empty());
    ours.success(&[&["spec"], flags].concat());
    let made = Command::new("runc").arg("spec").args(flags).current_dir(&theirs.dir).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(written(&ours.dir), brought_up_to_date(written(&theirs.dir)));
}

#[test]
fn the_template_is_that_of_runc() {
    compare(&[]);
}

#[test]
fn the_rootless_template_is_that_of_runc() {
    compare(&["--rootless"]);
}

#[test]
fn a_configuration_is_not_overwritten() {
    let world = World::empty();
    world.success(&["spec"]);
    let output = world.output(["spec"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(crate::world::stderr(&output).contains("exists. Remove it first"));
}
