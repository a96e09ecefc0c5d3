//! What can be done with a container that runs: kill, wait in time, exec, pause, stats, update, two phases.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use cofferdam::oci::{Pids, Resources};
use cofferdam::{Exec, ExitStatus, Status, Stdio};

use crate::world::World;

#[test]
fn a_program_that_takes_too_long_is_killed() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("sleep 600 & wait").spawn().unwrap();
    let began = Instant::now();
    assert_eq!(child.wait_timeout(Duration::from_millis(100)).unwrap(), None);
    assert!(began.elapsed() >= Duration::from_millis(100));
    child.kill().unwrap();
    assert_eq!(child.wait_timeout(Duration::from_secs(10)).unwrap(), Some(ExitStatus::Signal(9)));
    child.kill().unwrap();
    world.is_empty();
}

#[test]
fn another_thread_kills_what_one_waits_for() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 600").spawn().unwrap();
    let container = child.container().clone();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        container.kill(9, false)
    });
    assert_eq!(child.wait().unwrap(), ExitStatus::Signal(9));
    killer.join().unwrap().unwrap();
}

#[test]
fn a_child_can_be_polled_for_its_end() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("read x").stdin(Stdio::piped()).spawn().unwrap();
    let ended = |child: &cofferdam::Child, ms| {
        let fd = child.as_fd().as_raw_fd();
        let mut fds = [cofferdam_sys::poll::PollFd { fd, events: cofferdam_sys::poll::POLLIN, revents: 0 }];
        cofferdam_sys::poll::poll(&mut fds, Some(ms)).unwrap() > 0
    };
    assert!(!ended(&child, 20));
    drop(child.stdin.take());
    assert!(ended(&child, 10_000));
    assert_eq!(child.try_wait().unwrap(), Some(ExitStatus::Code(1)));
    world.is_empty();
}

#[test]
fn a_process_is_started_in_a_container() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("echo here > /tmp/file; echo; exec sleep 600");
    let mut child = command.env("A", "its own").stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let mut exec = Exec::new("/bin/sh");
    exec.args(["-c", "cat /tmp/file -; echo $A $B; pwd; id -u; exit 5"]);
    exec.env("B", "more").current_dir("/usr").user(7, 7).stdin(Stdio::piped());
    let process = child.exec(exec.stdout(Stdio::piped())).unwrap();
    assert_eq!(process.id(), child.id());
    let output = process.communicate(b"input\n").unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "here\ninput\nits own more\n/usr\n7\n");
    assert_eq!(output.status, ExitStatus::Code(5));
    assert_eq!(child.status().unwrap(), Status::Running, "the container goes on");
    assert_eq!(Exec::new("true").status_in(child.container()).unwrap(), ExitStatus::Code(0));
    let mut process = Exec::new("sleep").arg("600").spawn_in(child.container()).unwrap();
    process.kill().unwrap();
    assert_eq!(process.wait().unwrap(), ExitStatus::Signal(9));
    child.kill().unwrap();
    child.wait().unwrap();
    world.is_empty();
}

#[test]
fn a_container_is_paused_measured_and_limited() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 600").spawn().unwrap();
    child.pause().unwrap();
    assert_eq!(child.status().unwrap(), Status::Paused);
    child.resume().unwrap();
    assert_eq!(child.status().unwrap(), Status::Running);
    let stats = child.stats().unwrap();
    assert!(serde_json::to_string(&stats).unwrap().contains("pids"), "{stats:?}");
    let limit = Resources { pids: Some(Pids { limit: Some(1) }), ..Resources::default() };
    child.update(&limit).unwrap();
    let exec = Exec::new("/bin/sh").args(["-c", "true & wait"]).output_in(child.container());
    assert!(!exec.is_ok_and(|o| o.status.success() && o.stderr.is_empty()), "the limit holds");
    child.pause().unwrap();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signal(9), "also one that is paused");
    world.is_empty();
}

#[test]
fn a_container_is_created_and_started_later() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("echo ran").stdout(Stdio::piped()).create().unwrap();
    assert_eq!(child.status().unwrap(), Status::Created);
    assert_eq!(child.try_wait().unwrap(), None);
    child.start().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"ran\n"[..], Some(0)));
    world.is_empty();
}
