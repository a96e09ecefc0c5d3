//! Events of a container as an iterator.

use std::time::{Duration, Instant};

use cofferdam::sandbox::Sandbox;
use cofferdam::{Command, ErrorKind, Event, Stdio};

use crate::world::World;

#[test]
fn stats_come_at_their_interval_and_the_end_last() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("read x").stdin(Stdio::piped()).spawn().unwrap();
    let mut events = child.events(Some(Duration::from_millis(20))).unwrap();
    let began = Instant::now();
    for _ in 0..4 {
        assert!(matches!(events.next(), Some(Ok(Event::Stats(_)))));
    }
    assert!(began.elapsed() >= Duration::from_millis(60), "the first comes at once");
    drop(child.stdin.take());
    let rest: Vec<_> = events.by_ref().map(Result::unwrap).collect();
    assert!(matches!(rest.last(), Some(Event::Exit)), "{rest:?}");
    assert!(events.next().is_none());
    assert!(matches!(child.events(None).unwrap().next(), Some(Ok(Event::Exit))), "also when it is over");
    assert!(!child.wait().unwrap().success());
    world.is_empty();
}

#[test]
fn without_an_interval_only_the_end_is_told() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 0.2").spawn().unwrap();
    let events = child.events(None).unwrap();
    let watcher = std::thread::spawn(move || events.map(Result::unwrap).collect::<Vec<_>>());
    child.wait().unwrap();
    let told = watcher.join().unwrap();
    assert!(matches!(told.as_slice(), [Event::Exit]), "{told:?}");
    let e = child.events(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Configuration);
}

#[test]
fn running_out_of_memory_is_told() {
    let Some(world) = World::new() else { return };
    let mut sandbox = Sandbox::new("/bin/sh");
    // The shell waits until it is watched, and outlives what it starts.
    sandbox.args(["-c", "read x; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 0.3"]).memory(32 << 20);
    let mut command = Command::from(sandbox);
    let mut child = command.store(world.store.clone()).stdin(Stdio::piped()).spawn().unwrap();
    let events = child.events(None).unwrap();
    drop(child.stdin.take());
    let told: Vec<_> = events.map(Result::unwrap).collect();
    child.wait().unwrap();
    assert!(matches!(told.as_slice(), [Event::Oom, .., Event::Exit]), "{told:?}");
    world.is_empty();
}
