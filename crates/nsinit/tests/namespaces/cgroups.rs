//! SetupCgroups and EnterCgroups, on processes of the caller's.

use std::fs;
use std::process::{Child, Command};

use cofferdam_nsinit::namespaces::{enter_cgroups, remove_cgroups, setup_cgroups};
use cofferdam_nsinit::{Config, State};

use crate::world::{World, memory, root};

fn sleeper() -> Child {
    Command::new("sleep").arg("1000").spawn().unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_is_put_into_the_cgroups_and_another_enters_them() {
    if !root() {
        return;
    }
    let mut world = World::new();
    let wanted = world.config.cgroups.as_mut().unwrap();
    // A parent that was made on the way would stay.
    wanted.memory = 32 << 20;
    wanted.name = std::mem::take(&mut wanted.parent);
    let (first, second) = (sleeper(), sleeper());
    let paths = setup_cgroups(&world.config, first.id()).unwrap();
    let (memory, limit) = memory(&paths);
    let read = |file: &str| fs::read_to_string(memory.join(file)).unwrap();
    let (limit, alone) = (read(limit), read("cgroup.procs"));
    let state = State { cgroup_paths: paths.clone(), ..State::default() };
    let entered = enter_cgroups(&state, second.id());
    let both = read("cgroup.procs");
    let ids = (first.id(), second.id());
    end(first);
    end(second);
    let gone = enter_cgroups(&state, ids.1);
    let removed = remove_cgroups(&paths);
    assert_eq!(limit.trim(), (32 << 20).to_string());
    assert_eq!(alone, format!("{}\n", ids.0));
    entered.unwrap();
    let mut found: Vec<u32> = both.lines().map(|l| l.parse().unwrap()).collect();
    found.sort_unstable();
    let mut expected = [ids.0, ids.1];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(gone.unwrap_err().errno(), Some(3), "there is no such process any more");
    removed.unwrap();
    assert!(paths.values().all(|dir| !dir.exists()), "{paths:?}");
    // Directories that are gone are passed over.
    enter_cgroups(&state, std::process::id()).unwrap();
}

#[test]
fn without_cgroups_nothing_is_made() {
    assert!(setup_cgroups(&Config::default(), std::process::id()).unwrap().is_empty());
}
