//! What becomes of containers: removed when waited for, kept when given away, found by their id.

use std::time::Duration;

use cofferdam::{Command, ContainerId, ErrorKind, ExitStatus, Status, Stdio, Store};

use crate::world::World;

/// An id of this process's: cgroups are named after it, whatever the store is.
fn own(name: &str) -> ContainerId {
    ContainerId::new(&format!("{name}-{}", std::process::id())).unwrap()
}

#[test]
fn a_container_is_found_by_its_id() {
    let Some(world) = World::new() else { return };
    let id = own("known");
    let mut child = world.sh("exec sleep 600").id(id.clone()).spawn().unwrap();
    assert_eq!(child.id(), &id);
    // As another process would.
    let found = Store::new(world.store.root()).load(&id).unwrap();
    assert_eq!((found.pid(), found.status().unwrap()), (Some(child.pid()), Status::Running));
    found.kill(9, false).unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signal(9));
    assert_eq!(world.store.load(&id).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn an_id_is_used_once_at_a_time() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("exec sleep 600");
    command.id(own("one")).kill_on_drop(true);
    let child = command.spawn().unwrap();
    assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(child.status().unwrap(), Status::Running, "the first has nothing of it");
    drop(child);
    command.spawn().unwrap();
    world.is_empty();
}

#[test]
fn somebody_elses_container_of_the_same_id_is_left_alone() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("exec sleep 600");
    command.id(own("same"));
    let mut first = command.spawn().unwrap();
    world.store.remove(first.id()).unwrap();
    let mut second = command.spawn().unwrap();
    assert_eq!(first.wait().unwrap(), ExitStatus::Signal(9));
    assert_eq!(second.status().unwrap(), Status::Running);
    second.kill().unwrap();
    second.wait().unwrap();
    world.is_empty();
}

#[test]
fn dropping_a_running_child_lets_it_run() {
    let Some(world) = World::new() else { return };
    let child = world.sh("exec sleep 600").spawn().unwrap();
    let (id, pid) = (child.id().clone(), child.pid());
    drop(child);
    let container = world.store.load(&id).unwrap();
    assert_eq!((container.status().unwrap(), container.pid()), (Status::Running, Some(pid)));
    container.delete(true).unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "no zombie");
    world.is_empty();
}

#[test]
fn dropping_a_child_that_has_ended_removes_its_container() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("true").stdout(Stdio::piped()).spawn().unwrap();
    std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    let pid = child.pid();
    while cofferdam_state(pid) != Some('Z') {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(child);
    assert_eq!(cofferdam_state(pid), None);
    world.is_empty();
}

fn cofferdam_state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

#[test]
fn dropping_kills_when_asked() {
    let Some(world) = World::new() else { return };
    let child = world.sh("sleep 600 & wait").kill_on_drop(true).spawn().unwrap();
    let pid = child.pid();
    drop(child);
    assert_eq!(cofferdam_state(pid), None);
    let created = world.sh("true").kill_on_drop(true).create().unwrap();
    drop(created);
    world.is_empty();
}

#[test]
fn a_container_that_is_given_away_is_kept() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("read x");
    let mut child = command.stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let input = child.stdin.take();
    let container = child.detach();
    assert_eq!(container.status().unwrap(), Status::Running);
    drop(input);
    for event in container.events(None).unwrap() {
        event.unwrap();
    }
    assert_eq!(container.status().unwrap(), Status::Stopped);
    container.delete(false).unwrap();
    world.is_empty();
}

#[test]
fn ids_and_stores_have_defaults() {
    let Some(_world) = World::new() else { return };
    let mut child = Command::new("true").spawn().unwrap();
    let (id, pid) = (child.id().clone(), child.pid());
    assert!(id.as_str().starts_with(&format!("c{}-", std::process::id())));
    assert_eq!(Store::default().load(&id).unwrap().state().unwrap().id, id.as_str());
    child.wait().unwrap();
    assert!(Store::default().load(&id).is_err() && cofferdam_state(pid).is_none());
}
