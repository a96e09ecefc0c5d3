//! What libcontainer's own integration tests held it to, in this project's words, on real containers.
//!
//! What they share with other tests stands there: the user's home and environment, limits and the first state
//! (`namespaces`), mounts' commands (`namespaces/mount_commands.rs`), freezing and the state of version 2
//! (`stats/states.rs`), files that are passed on (`tests/lifecycle`, `--preserve-fds`). Checkpoints need CRIU,
//! and systemd's cgroups a systemd, which are not there yet.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed helper is a failed test"
)]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../namespaces/world.rs"]
mod world;

mod entering;
mod limits;
mod mounts;
mod processes;

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use world::World;

/// A world with further programs in it.
fn world(applets: &[&str]) -> World {
    let world = World::new();
    for applet in applets {
        symlink("busybox", world.root().join("bin").join(applet)).unwrap();
    }
    world
}

/// Waits until the container has said this.
#[track_caller]
fn said(world: &World, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !world.output().contains(what) {
        assert!(Instant::now() < deadline, "{what:?} in {:?}", world.output());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A namespace of ours.
fn host(namespace: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap().display().to_string()
}
