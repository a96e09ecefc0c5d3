//! Helpers that stay: one process for many calls, replaced when it has ended, gone with its caller.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use cofferdam_nsenter::{Crash, Error, Inside, Resident};

use crate::world::{ROOTFUL, World, caller, possible};

/// The children of this process, zombies too.
fn children() -> HashSet<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists = tasks.map(|t| fs::read_to_string(t.path().join("children")).unwrap_or_default());
    lists.flat_map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn many_calls_are_one_process() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let inside = world.target().enter().resident();
    let first: u32 = inside.call("pid", &()).unwrap();
    for n in 0..200 {
        inside.mkdir(format!("/tmp/{n}"), 0o755).unwrap();
        assert_eq!(inside.call::<_, u32>("pid", &()).unwrap(), first);
        inside.mkdir(format!("/tmp/{n}"), 0o755).unwrap_err();
        let large = vec![1; 100_000];
        assert!(n % 50 != 0 || inside.run("echo", &large).unwrap() == large);
    }
    assert_eq!(fs::read_dir(world.root.join("tmp")).unwrap().count(), 200);
}

#[test]
fn a_helper_that_crashed_or_took_too_long_is_replaced() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let inside = world.target().enter().timeout(Some(Duration::from_millis(1500))).resident();
    let pid = |inside: &Resident| inside.call::<_, u32>("pid", &()).unwrap();
    let mut seen = HashSet::from([pid(&inside)]);
    assert!(matches!(inside.run("panic", b"x").unwrap_err(), Error::Crashed(Crash::Panicked(_))));
    assert!(seen.insert(pid(&inside)));
    assert!(matches!(inside.call::<_, ()>("exit", &0).unwrap_err(), Error::Crashed(Crash::Exited(0))));
    assert!(seen.insert(pid(&inside)));
    assert!(matches!(inside.run("sleep", b"").unwrap_err(), Error::TimedOut(_)));
    assert!(seen.insert(pid(&inside)));
    inside.run("nobody", b"").unwrap_err();
    assert!(!seen.insert(pid(&inside)), "an error is no crash");
    inside.end();
    assert!(seen.insert(pid(&inside)));
}

#[test]
fn a_helper_that_was_killed_between_calls_is_replaced_unnoticed() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let inside = world.target().enter().resident();
    inside.mkdir("/tmp/a", 0o755).unwrap();
    inside.run("echo", b"").unwrap();

    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let ours = status.contains(&format!("PPid:\t{}\n", std::process::id()));
        let same = fs::read_link(entry.path().join("ns/pid")).ok()
            == fs::read_link(format!("/proc/{}/ns/pid", world.pid)).ok();
        if ours && same {
            cofferdam_sys::setns::kill(entry.file_name().to_str().unwrap().parse().unwrap(), 9).unwrap();
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    inside.mkdir("/tmp/b", 0o755).unwrap();
    assert_eq!(inside.run("echo", b"again").unwrap(), b"again");
}

#[test]
fn threads_share_a_helper() {
    if !possible() {
        return;
    }
    let (world, before) = (World::new(ROOTFUL), caller());
    let inside = world.target().enter().resident();
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let inside = &inside;
            scope.spawn(move || {
                for n in 0..10 {
                    let words = format!("{thread} {n}").into_bytes();
                    assert_eq!(inside.run("echo", &words).unwrap(), words);
                    inside.mkdir(format!("/tmp/{thread}-{n}"), 0o755).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(world.root.join("tmp")).unwrap().count(), 640);
    assert_eq!(caller(), before);
}

#[test]
fn nothing_stays_behind() {
    if !possible() {
        return;
    }
    // In a process of its own: other tests make children too.
    let output = std::process::Command::new("/proc/self/exe")
        .args(["--exact", "resident::leaves_nothing", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[test]
#[ignore = "run by nothing_stays_behind, alone in its process"]
fn leaves_nothing() {
    let world = World::new(ROOTFUL);
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let round = || {
        let target = world.target();
        let inside = target.enter().resident();
        inside.mkdir("/tmp/x", 0o755).unwrap();
        inside.run("echo", b"").unwrap();
        drop(inside.open("/tmp", &cofferdam_nsenter::Open::path()).unwrap());
        inside.run("panic", b"").unwrap_err();
        inside.read("/nothing", 1).unwrap_err();
        target.enter().umount("/tmp/x", 0).unwrap_err();
        fs::remove_dir(world.root.join("tmp/x")).unwrap();
    };
    round();
    let (before, processes) = (open(), children());
    for _ in 0..10 {
        round();
    }
    assert_eq!((open(), children()), (before, processes));
}

#[test]
fn helpers_end_with_their_caller() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let mut child = std::process::Command::new("/proc/self/exe")
        .args(["--exact", "resident::stays_until_killed", "--ignored", "--nocapture"])
        .env("COFFERDAM_TEST_TARGET", world.pid.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    while !said.ends_with(b"helpers are there\n") {
        let mut byte = [0];
        assert_eq!(
            std::io::Read::read(&mut stdout, &mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&said)
        );
        said.push(byte[0]);
    }
    let inside = || {
        let namespace = fs::read_link(format!("/proc/{}/ns/pid", world.pid)).unwrap();
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter(|e| fs::read_link(e.path().join("ns/pid")).is_ok_and(|link| link == namespace)).count()
    };
    assert_eq!(inside(), 3, "the target and two helpers");
    child.kill().unwrap();
    child.wait().unwrap();
    let begin = Instant::now();
    while inside() > 1 {
        assert!(begin.elapsed() < Duration::from_secs(5), "helpers stay behind");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "run by helpers_end_with_their_caller, which kills it"]
fn stays_until_killed() {
    let pid = std::env::var("COFFERDAM_TEST_TARGET").unwrap().parse().unwrap();
    let inside = cofferdam_nsenter::Target::open(pid).unwrap().enter().timeout(None).resident();
    inside.mkdir("/tmp/x", 0o755).unwrap();
    inside.run("echo", b"").unwrap();
    std::io::Write::write_all(&mut std::io::stdout(), b"helpers are there\n").unwrap();
    std::thread::sleep(Duration::from_secs(1000));
}
