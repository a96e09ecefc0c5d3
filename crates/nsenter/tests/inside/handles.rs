//! Opening handles, checking again, and what is there and what is not.

use std::process::Command;

use cofferdam_nsenter::{Error, Inside, Set, Target};

use crate::world::{ALL, ROOTFUL, World, caller, namespaces, possible};

#[test]
fn all_eight_namespaces_root_and_directory_are_entered() {
    if !possible() {
        return;
    }
    let world = World::new(ALL);
    let target = world.target();
    assert!(target.differing().contains(Set::NAMESPACES), "{:?}", target.differing());
    let before = caller();
    let seen: Vec<(String, String)> = target.enter().call("namespaces", &()).unwrap();
    let theirs = namespaces(&world.pid.to_string());
    for (name, link) in seen {
        let wanted = theirs.iter().find(|(n, _)| *n == name).unwrap();
        assert_eq!(link, wanted.1.to_string_lossy(), "{name}");
    }
    let cwd: String = target.enter().call("cwd", &()).unwrap();
    assert_eq!(cwd, "/home/user");
    assert_eq!(caller(), before, "the caller is where it was");
}

#[test]
fn only_what_is_asked_for_is_entered() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let enter = world.target().enter().only(Set::UTS | Set::NET);
    let seen: Vec<(String, String)> = enter.call("namespaces", &()).unwrap();
    let (theirs, ours) = (namespaces(&world.pid.to_string()), namespaces("self"));
    for (name, link) in seen {
        let whose = if ["uts", "net"].contains(&name.as_str()) { &theirs } else { &ours };
        assert_eq!(link, whose.iter().find(|(n, _)| *n == name).unwrap().1.to_string_lossy(), "{name}");
    }
}

#[test]
fn a_target_that_ended_before_it_was_opened_is_gone() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    child.kill().unwrap();
    // A zombie keeps its number, and has nothing to enter.
    while Target::open(pid).is_ok() {}
    assert!(matches!(Target::open(pid), Err(Error::Gone { .. })), "{:?}", Target::open(pid));
    child.wait().unwrap();
    assert!(matches!(Target::open(pid), Err(Error::Gone { .. })));
    assert!(matches!(Target::open(0), Err(Error::Gone { pid: 0, .. })));
    assert!(matches!(Target::open(-1), Err(Error::Gone { .. })));
}

#[test]
fn a_target_that_ends_between_open_and_recheck_is_refused() {
    if !possible() {
        return;
    }
    let mut world = World::new(ROOTFUL);
    let target = world.target();
    assert!(target.is_alive());
    world.end();
    let begin = std::time::Instant::now();
    while target.is_alive() && begin.elapsed() < std::time::Duration::from_secs(5) {}
    assert!(!target.is_alive());
    assert!(matches!(target.clone().recheck(|_| true), Err(Error::Gone { .. })));
    // The PID namespace has ended with its first process: nothing can be made in it any more.
    let e = target.enter().mkdir("/tmp/x", 0o755).unwrap_err();
    assert!(matches!(e, Error::Join(_)), "{e}");
    // The handles are still those of the process that was opened, not of a later one of its number.
    target.enter().without(Set::PID).mkdir("/tmp/x", 0o755).unwrap();
    assert!(world.root.join("tmp/x").is_dir());
}

#[test]
fn a_number_that_passes_to_another_process_does_not_take_the_handles_along() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let target = Target::open(pid).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // The next process gets the very number.
    std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
    let mut next = Command::new("sleep").arg("1000").spawn().unwrap();
    if next.id() == pid.unsigned_abs() {
        assert!(!target.is_alive());
        assert!(matches!(target.recheck(|_| true), Err(Error::Gone { .. })));
    } else {
        eprintln!("SKIPPED: another process was faster to take the number");
    }
    next.kill().unwrap();
    next.wait().unwrap();
    drop(world);
}

#[test]
fn a_thread_is_entered_as_the_thread_that_it_is() {
    if !possible() {
        return;
    }
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        cofferdam_sys::setns::unshare(cofferdam_sys::clone3::CLONE_NEWUTS).unwrap();
        cofferdam_sys::setns::sethostname(b"of-a-thread").unwrap();
        let link = std::fs::read_link("/proc/thread-self").unwrap();
        tell.send(link.file_name().unwrap().to_string_lossy().parse::<i32>().unwrap()).unwrap();
        let _ = ended.recv();
    });
    let target = Target::open(told.recv().unwrap()).unwrap();
    let name = target.enter().only(Set::UTS).read("/proc/sys/kernel/hostname", 100).unwrap();
    assert_eq!(name, b"of-a-thread\n");
    drop(end);
    thread.join().unwrap();
    let wait = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while target.is_alive() && std::time::Instant::now() < wait {}
    assert!(!target.is_alive(), "the thread has ended, its process not");
}

#[test]
fn a_pidfd_is_as_good_as_a_number() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let fd = cofferdam_sys::pidfd::open(world.pid).unwrap();
    let target = Target::of_pidfd(fd.into()).unwrap();
    assert_eq!(target.pid(), world.pid);
    target.enter().mkdir("made", 0o755).unwrap();
    assert!(world.root.join("home/user/made").is_dir());
    let not_a_process = std::fs::File::open("/dev/null").unwrap();
    assert!(matches!(Target::of_pidfd(not_a_process.into()), Err(Error::Gone { .. })));
}
