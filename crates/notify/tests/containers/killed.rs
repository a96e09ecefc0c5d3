//! Callers that end at every step of being answered, and numbers that change hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cofferdam_notify::{AT_FDCWD, Actors, Answer, Descriptor, Error, Registry, Request, Result, Set};
use cofferdam_sys::{pidfd, setns};

use crate::world::{Runtime, World, possible};

/// Kills the caller, and waits until the kernel knows.
fn kill(request: &Request) {
    setns::kill(request.tid().unwrap(), 9).unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while request.is_valid() {
        assert!(Instant::now() < end, "the caller does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One way to be late: kills at its step, and gives what the next step says.
fn step(number: usize, request: &Request, actors: &Actors) -> Result<Answer> {
    let null = || Descriptor::new(std::fs::File::open("/dev/null").unwrap().into());
    match number {
        0 => {
            kill(request);
            request.call().map(|_| Answer::Value(0))
        }
        1 => {
            let call = request.call()?;
            kill(request);
            actors.for_caller(request)?.perform(&call)
        }
        2 => {
            let call = request.call()?;
            let actor = actors.for_caller(request)?;
            kill(request);
            actor.perform(&call)
        }
        3 => {
            // In the middle of acting: what was begun is done.
            let actor = actors.for_caller(request)?;
            actor.act(Set::MNT, AT_FDCWD, |inside| {
                use cofferdam_nsenter::Inside;
                kill(request);
                inside.mkdir("begun", 0o755)
            })?;
            request.validate().map(|()| Answer::Value(0))
        }
        4 => {
            kill(request);
            request.add_fd(&null()).map(|_| Answer::Value(0))
        }
        5 => {
            kill(request);
            request.write(4096, b"x").map(|()| Answer::Value(0))
        }
        // The last step is the answer itself.
        6 => {
            kill(request);
            Ok(Answer::Descriptor(null()))
        }
        7 => {
            kill(request);
            Ok(Answer::Value(0))
        }
        _ => actors.for_caller(request)?.perform(&request.call()?),
    }
}

#[test]
fn a_caller_that_is_killed_at_any_step_is_noticed_and_the_next_is_served() {
    if !possible() {
        return;
    }
    let script = "for n in 0 1 2 3 4 5 6 7; do mkdir d$n; done; mkdir last; ls /tmp";
    let world = World::new(&["mkdir", "mkdirat"], script);
    let (next, gone) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (actors, counted) = (Actors::new(2), Arc::clone(&gone));
    let failed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let others = Arc::clone(&failed);
    let registry = Registry::new().otherwise(move |request| {
        let outcome = step(next.fetch_add(1, Ordering::SeqCst), request, &actors);
        match &outcome {
            Err(Error::Gone) => drop(counted.fetch_add(1, Ordering::SeqCst)),
            Err(e) => others.lock().unwrap().push(e.to_string()),
            Ok(_) => {}
        }
        outcome
    });
    let said = world.run(Runtime::Ours, registry);
    assert!(said.text.contains("last\n"), "{said:?}");
    // What was begun may take longer than the caller's shell, which goes on at once.
    let end = Instant::now() + Duration::from_secs(10);
    while !world.path("/tmp/begun").exists() || gone.load(Ordering::SeqCst) < 6 {
        let of = gone.load(Ordering::SeqCst);
        assert!(Instant::now() < end, "{of} of 6 were noticed: {:?} {said:?}", failed.lock().unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(*failed.lock().unwrap(), [""; 0], "{said:?}");
}

#[test]
fn the_whole_container_may_be_killed_while_it_is_answered() {
    if !possible() {
        return;
    }
    let world = World::new(&["mkdir", "mkdirat"], "mkdir x & mkdir y & mkdir z & wait");
    let registry = Registry::new().otherwise(|request| {
        let init = request.caller()?.inside_tid();
        assert!(init.is_some());
        // The parent of all of them is the container's first process.
        let status = std::fs::read_to_string(format!("/proc/{}/status", request.tid()?)).unwrap_or_default();
        let parent =
            status.lines().find_map(|l| l.strip_prefix("PPid:")?.trim().parse().ok()).ok_or(Error::Gone)?;
        let _ = setns::kill(parent, 9);
        std::thread::sleep(Duration::from_millis(50));
        request.validate().map(|()| Answer::Value(0))
    });
    let before = Instant::now();
    world.run(Runtime::Ours, registry);
    assert!(before.elapsed() < Duration::from_secs(10), "nobody hangs");
}

/// Where this test runs again in a PID namespace of its own, in which the next number can be chosen.
const AGAIN: &str = "COFFERDAM_NOTIFY_TEST_INSIDE";

#[test]
fn whoever_gets_the_callers_number_is_not_taken_for_the_caller() {
    if !possible() {
        return;
    }
    if std::env::var_os(AGAIN).is_some() {
        return number_changes_hands();
    }
    let me = std::env::current_exe().unwrap();
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(me)
        .args([
            "--exact",
            "killed::whoever_gets_the_callers_number_is_not_taken_for_the_caller",
            "--nocapture",
        ])
        .env(AGAIN, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the number changed hands"), "{said}");
}

fn number_changes_hands() {
    // The number is free once the shell has reaped the one that was killed.
    let world = World::new(&["mkdir", "mkdirat"], "mkdir /tmp/x; mkdir /tmp/last");
    let (actors, first) = (Actors::new(2), AtomicUsize::new(0));
    let registry = Registry::new().otherwise(move |request| {
        if first.fetch_add(1, Ordering::SeqCst) > 0 {
            return actors.for_caller(request)?.perform(&request.call()?);
        }
        let number = request.tid()?;
        kill(request);
        let mut other = take_number(number);
        assert_ne!(std::fs::read_link(format!("/proc/{number}/root")).unwrap().as_os_str(), "");
        assert!(pidfd::open(number).is_ok(), "somebody has the number");
        let outcomes = [
            request.read(|memory| memory.up_to(4096, 1)).err(),
            request.caller().err(),
            request.call().err(),
            actors.for_caller(request).err(),
            request.write(4096, b"x").err(),
        ];
        assert!(outcomes.iter().all(|e| matches!(e, Some(Error::Gone))), "{outcomes:?}");
        println!("the number changed hands");
        other.kill().unwrap();
        other.wait().unwrap();
        Err(Error::Gone)
    });
    let said = world.run(Runtime::Ours, registry);
    assert!(world.path("/tmp/last").exists() && !world.path("/tmp/x").exists(), "{said:?}");
}

/// A process of the test's with that number.
fn take_number(number: i32) -> std::process::Child {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        assert!(Instant::now() < end, "nobody gets the number {number}");
        std::fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        if i32::try_from(child.id()) == Ok(number) {
            return child;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
