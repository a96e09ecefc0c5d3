//! Further processes in a container that runs.

use std::io::Read;

use cofferdam::{Child, ErrorKind, TerminalSize};
use cofferdam_nsinit::namespaces::{Io, exec_in};
use cofferdam_nsinit::{Config, Rlimit, State};

use crate::world::{World, root, shell};
use crate::{said, world};

/// Does something with a container that runs, then ends it.
fn with_running(world: &World, then: impl FnOnce(&State, &Child)) {
    world
        .run_with("readlink /proc/self/ns/pid; exec cat /dev/zero > /dev/null", |child| {
            said(world, "pid:");
            then(&State::get(&world.data()).unwrap(), child);
            child.kill().unwrap();
        })
        .unwrap();
    world.assert_nothing_left();
}

/// Runs a script in it; what it says takes the place of what was said before.
fn enter(world: &World, config: &Config, state: &State, script: &str) -> (i32, String) {
    let status = exec_in(config, state, &shell(script), world.io(), |_| {}).unwrap();
    (status, world.output())
}

#[test]
fn a_second_process_sees_the_first_and_is_in_its_namespace() {
    if !root() {
        return;
    }
    let world = world(&["ps", "readlink"]);
    with_running(&world, |state, child| {
        let first = world.output();
        let (status, seen) = enter(&world, &world.config, state, "readlink /proc/self/ns/pid; ps");
        assert_eq!(status, 0, "{seen}");
        assert_eq!(seen.lines().next(), first.lines().next(), "one PID namespace");
        assert!(seen.contains("cat /dev/zero") && seen.lines().any(|line| line.ends_with("ps")), "{seen}");
        let mut second = None;
        let args = ["sleep".to_owned(), "1000".to_owned()];
        exec_in(&world.config, state, &args, world.io(), |process| {
            let both = child.container().pids().unwrap();
            assert!(both.contains(&child.pid()) && both.contains(&process.pid()), "{both:?}");
            second = Some(process.pid());
            process.kill().unwrap();
        })
        .unwrap();
        assert_ne!(second, Some(child.pid()));
    });
}

#[test]
fn its_limits_are_its_own() {
    if !root() {
        return;
    }
    let world = world(&["readlink"]);
    with_running(&world, |state, _| {
        let rlimits = vec![Rlimit { kind: 7, hard: 1026, soft: 1025 }];
        let config = Config { rlimits, ..world.config.clone() };
        assert_eq!(enter(&world, &config, state, "ulimit -n; ulimit -Hn").1, "1025\n1026\n");
    });
}

#[test]
fn a_program_that_is_not_there_is_an_error_and_the_container_lives_on() {
    if !root() {
        return;
    }
    let world = world(&["readlink"]);
    with_running(&world, |state, child| {
        let args = ["nonexistent".to_owned()];
        let never = |_: &mut Child| panic!("it does not run");
        let error = exec_in(&world.config, state, &args, world.io(), never).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
        assert!(error.to_string().contains("nonexistent"), "{error}");
        assert_eq!(child.status().unwrap(), cofferdam::Status::Running);
        assert_eq!(enter(&world, &world.config, state, "exit 3").0, 3);
    });
}

#[test]
fn it_may_have_a_terminal_of_its_own() {
    if !root() {
        return;
    }
    let world = world(&["ps", "readlink"]);
    with_running(&world, |state, _| {
        let io = Io::terminal(TerminalSize { height: 24, width: 80 });
        let mut shown = Vec::new();
        let status = exec_in(&world.config, state, &shell("tty; ps; exit 4"), io, |process| {
            let mut terminal = process.terminal.take().unwrap();
            let mut bytes = [0; 512];
            // The end of a terminal is an error.
            while let Ok(n) = terminal.read(&mut bytes)
                && n > 0
            {
                shown.extend_from_slice(&bytes[..n]);
            }
        });
        let shown = String::from_utf8_lossy(&shown);
        assert_eq!(status.unwrap(), 4, "{shown}");
        assert!(shown.starts_with("/dev/"), "{shown}");
        assert!(shown.contains("cat /dev/zero") && shown.contains("sh -c tty; ps"), "{shown}");
    });
}

#[test]
fn of_a_variable_that_is_there_twice_the_last_counts_and_home_is_the_users() {
    if !root() {
        return;
    }
    let world = world(&["readlink"]);
    with_running(&world, |state, _| {
        let environment = ["PATH=/usr/bin:/bin", "DEBUG=true", "DEBUG=false", "ENV=test"];
        let config = Config { environment: environment.map(String::from).into(), ..world.config.clone() };
        let (status, env) = enter(&world, &config, state, "exec env");
        assert_eq!(status, 0, "{env}");
        for variable in ["DEBUG=false", "ENV=test", "HOME=/root", "PATH=/usr/bin:/bin"] {
            assert!(env.lines().any(|line| line == variable), "{variable}: {env}");
        }
        assert!(!env.contains("DEBUG=true"), "{env}");
    });
}
