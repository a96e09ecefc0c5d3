//! Limits that the kernel refuses, ones that it has given up, and what happens when one is met.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cofferdam::cgroup::Oom;

use crate::world;
use crate::world::root;

#[test]
fn shares_below_what_the_kernel_takes_are_an_error_with_its_place() {
    if !root() {
        return;
    }
    let mut world = world(&[]);
    world.config.cgroups.as_mut().unwrap().cpu_shares = 1;
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        // Weights go down to one, and a share is less than that.
        assert_eq!(world.run("true").unwrap(), 0);
    } else {
        let error = world.run("true").unwrap_err();
        assert_eq!(error.pointer(), Some("/cgroups/cpu_shares"), "{error}");
    }
    world.assert_nothing_left();
}

#[test]
fn a_container_with_a_limit_of_kernel_memory_runs() {
    if !root() {
        return;
    }
    let mut world = world(&[]);
    world.config.cgroups.as_mut().unwrap().kernel_memory = 50 << 20;
    assert_eq!(world.run("exit 6").unwrap(), 6);
    world.assert_nothing_left();
}

#[test]
fn running_out_of_memory_is_told_and_so_is_the_end() {
    if !root() {
        return;
    }
    let mut world = world(&["tail"]);
    world.config.cgroups.as_mut().unwrap().memory = 8 << 20;
    world.config.cgroups.as_mut().unwrap().memory_swap = 8 << 20;
    // Another process than the first takes it, so that the container goes on.
    let script = "while ! [ -e /tmp/go ]; do sleep 0.05; done; tail /dev/zero; echo ended; sleep 1000";
    world
        .run_with(script, |child| {
            let mut watch = child.container().oom_watch().unwrap();
            assert_eq!(watch.wait(Duration::from_millis(200)).unwrap(), Oom::Nothing);
            fs::write(world.root().join("tmp/go"), "").unwrap();
            assert_eq!(watch.wait(Duration::from_secs(30)).unwrap(), Oom::Killed);
            crate::said(&world, "ended");
            assert_eq!(child.status().unwrap(), cofferdam::Status::Running);
            child.kill().unwrap();
        })
        .unwrap();
    world.assert_nothing_left();
}
