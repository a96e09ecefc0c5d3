//! Containers that run now, on whatever cgroups this host has.

use std::fs;
use std::time::{Duration, Instant};

use cofferdam_nsinit::State;
use cofferdam_nsinit::stats::Measurement;

use crate::world::{World, root};

#[test]
fn a_busy_container_is_measured_by_its_state_and_by_the_core_alike() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.cgroups.as_mut().unwrap().memory = 64 << 20;
    world
        .run_with("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; sleep 1000", |child| {
            let deadline = Instant::now() + Duration::from_secs(200);
            while world.output().is_empty() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
            let state = State::get(&world.data()).unwrap();
            let (one, two) =
                (Measurement::of_state(&state).unwrap(), Measurement::of(child.container()).unwrap());
            let cpu = |m: &Measurement| m.usage.cpu.clone();
            assert_eq!(
                (one.usage.memory.usage.limit, two.usage.memory.usage.limit),
                (Some(64 << 20), Some(64 << 20))
            );
            let between = cpu(&two).total.unwrap() - cpu(&one).total.unwrap();
            assert!(between < 1_000_000_000, "the second came at once: {between}");
            // Nanoseconds: a loop like this takes more than ten milliseconds and less than ten minutes.
            let total = cpu(&one).total.unwrap();
            assert!((10_000_000..600_000_000_000).contains(&total), "{total}");
            let (user, kernel) = (cpu(&one).user.unwrap(), cpu(&one).kernel.unwrap());
            let parts = user + kernel;
            assert!(
                parts <= total + 20_000_000 && parts + 200_000_000 > total,
                "{user} + {kernel} = {total}"
            );
            assert!(user > kernel, "it is the program that is busy");
            assert!(one.usage.memory.usage.used.unwrap() < 64 << 20);
            assert!(one.usage.memory.usage.refused.is_some());
            let tasks = one.usage.tasks.current.unwrap();
            assert!((1..=2).contains(&tasks), "the shell, and sleep when it has come to that: {tasks}");
            assert_eq!(one.interfaces, Some(vec![]), "its own network, in which nothing was made");
            child.kill().unwrap();
        })
        .unwrap();
    world.assert_nothing_left();
}

#[test]
fn a_container_in_the_hosts_network_has_no_interfaces_of_its_own() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.namespaces.remove(cofferdam_nsinit::NamespaceType::Network);
    world
        .run_with("sleep 1000", |child| {
            let measured = Measurement::of(child.container()).unwrap();
            assert_eq!(measured.interfaces, None);
            let json = serde_json::to_value(measured.v2()).unwrap();
            assert!(json.get("Interfaces").is_none(), "{json}");
            assert!(measured.v1().network_stats.is_none());
            child.kill().unwrap();
        })
        .unwrap();
}

#[test]
fn a_limit_that_was_met_is_counted() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.cgroups.as_mut().unwrap().memory = 16 << 20;
    // The page cache fills the limit and is taken back, again and again; nobody is killed.
    let script = "cat /bin/busybox > /tmp/a; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                  cat /tmp/a /tmp/a > /tmp/b; done; echo done; sleep 1000";
    world
        .run_with(script, |child| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while !world.output().contains("done") && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
            let measured = Measurement::of(child.container()).unwrap();
            let memory = measured.usage.memory.usage;
            // The file system of a test machine may keep /tmp in memory of its own.
            if fs::read_to_string("/proc/mounts").unwrap().lines().any(|l| l.contains(" /tmp tmpfs")) {
                eprintln!("skipped: /tmp is a tmpfs");
            } else if let Some(peak) = memory.peak {
                assert!(peak <= 16 << 20 && memory.used.unwrap() <= peak, "{memory:?}");
            }
            assert!(memory.refused.is_some(), "{memory:?}");
            child.kill().unwrap();
        })
        .unwrap();
}
