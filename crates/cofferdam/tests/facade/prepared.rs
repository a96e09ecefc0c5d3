//! Containers that wait for their program, and pools of them.

use std::time::{Duration, Instant};

use cofferdam::oci::Hook;
use cofferdam::{Bundle, Command, ErrorKind, Exec, ExitStatus, Parent, Pool, Status, Stdio, TerminalSize};

use crate::world::World;

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < end, "{what} within ten seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_prepared_container_waits_for_its_program() {
    let Some(world) = World::new() else { return };
    let prepared = world.sh("exit 3").prepare().unwrap();
    assert_eq!(prepared.container().status().unwrap(), Status::Created);
    assert!(prepared.is_waiting());
    let mut child = prepared.start().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Code(3));
    world.is_empty();
}

#[test]
fn the_program_can_be_said_late() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("exit 9");
    command.env("FIRST", "1").current_dir("/usr");
    let mut exec = Exec::new("sh");
    exec.args(["-c", "echo $FIRST $SECOND $(pwd); cat; echo problem >&2; exit 4"]).env("SECOND", "2");
    exec.current_dir("/tmp").stdin(Stdio::bytes("input\n"));
    exec.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.prepare().unwrap().spawn(&exec).unwrap().wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 2 /tmp\ninput\n");
    assert_eq!((output.stderr.as_slice(), output.status), (&b"problem\n"[..], ExitStatus::Code(4)));
    let again = command.prepare().unwrap().output(Exec::new("pwd").arg("-P")).unwrap();
    assert_eq!(again.stdout, b"/usr\n");
    world.is_empty();
}

#[test]
fn what_a_program_may_is_what_was_prepared() {
    let Some(world) = World::new() else { return };
    let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; id -u; ls /proc/self/fd; cat /proc/1/comm";
    let plain = world.sh(script).output().unwrap();
    let prepared = world.sh("true").prepare().unwrap();
    let late = prepared.output(Exec::new("/bin/sh").args(["-c", script])).unwrap();
    assert_eq!(String::from_utf8_lossy(&late.stdout), String::from_utf8_lossy(&plain.stdout));
    let user = world.sh("true").prepare().unwrap().spawn(Exec::new("id").user(1, 1)).unwrap_err();
    assert_eq!(user.kind(), ErrorKind::Configuration, "{user}");
    world.is_empty();
}

#[test]
fn a_prepared_container_can_have_a_terminal() {
    let Some(world) = World::new() else { return };
    let size = TerminalSize { width: 77, height: 11 };
    let child = world.sh("tty; stty size").terminal(size).prepare().unwrap().start().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/dev/pts/0\r\n11 77\r\n");
    let mut exec = Exec::new("tty");
    let child = world.sh("true").prepare().unwrap().spawn(exec.terminal(size)).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"/dev/pts/0\r\n");
    world.is_empty();
}

#[test]
fn a_program_that_is_not_there_is_told_of_and_nothing_stays() {
    let Some(world) = World::new() else { return };
    let error = world.sh("true").prepare().unwrap().spawn(&Exec::new("no-such-program")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
    assert!(error.to_string().contains("executable file not found in $PATH"), "{error}");
    let empty = world.sh("true").prepare().unwrap().spawn(&Exec::new("")).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Configuration, "{empty}");
    world.is_empty();
}

#[test]
fn one_that_is_never_started_is_removed() {
    let Some(world) = World::new() else { return };
    let prepared = world.sh("true").prepare().unwrap();
    let pid = prepared.container().pid().unwrap();
    drop(prepared);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    world.is_empty();
}

#[test]
fn one_that_was_killed_says_so() {
    let Some(world) = World::new() else { return };
    let prepared = world.sh("true").prepare().unwrap();
    prepared.container().kill(9, false).unwrap();
    until("it ends", || !prepared.is_waiting());
    assert_eq!(prepared.container().status().unwrap(), Status::Stopped);
    assert_eq!(prepared.start().unwrap_err().kind(), ErrorKind::WrongState);
    world.is_empty();
}

#[test]
fn nobody_else_starts_it() {
    let Some(world) = World::new() else { return };
    let prepared = world.sh("true").prepare().unwrap();
    let other = world.store.load(prepared.id()).unwrap();
    let error = other.start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongState);
    assert!(error.to_string().contains("by the process that prepared it"), "{error}");
    assert!(prepared.start().unwrap().wait().unwrap().success());
}

#[test]
fn hooks_come_when_the_program_does() {
    let Some(world) = World::new() else { return };
    let mark = world.dir.join("hooks");
    let hook = |name: &str| Hook {
        path: "/bin/sh".into(),
        args: vec![
            "sh".into(),
            "-c".into(),
            format!("grep -q '\"pid\"' && echo {name} >> {}", mark.display()),
        ],
        ..Hook::default()
    };
    let caller = cofferdam::template::Caller::current();
    let mut bundle: Bundle = cofferdam::sandbox::Sandbox::new("true")
        .bind(world.dir.to_str().unwrap(), world.dir.to_str().unwrap(), false)
        .bundle(&world.dir, caller);
    bundle.spec.hooks.create_runtime.push(hook("createRuntime"));
    bundle.spec.hooks.start_container.push(hook("startContainer"));
    bundle.spec.hooks.poststart.push(hook("poststart"));
    let mut command = Command::from(bundle);
    let prepared = command.store(world.store.clone()).prepare().unwrap();
    let said = || std::fs::read_to_string(&mark).unwrap_or_default();
    assert_eq!(said(), "createRuntime\n");
    prepared.start().unwrap().wait().unwrap();
    assert_eq!(said(), "createRuntime\nstartContainer\npoststart\n");
}

#[test]
fn a_prepared_container_may_be_nobodys_child() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exit 6").parent(Parent::Nobody).prepare().unwrap().start().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Code(6));
    world.is_empty();
}

#[test]
fn a_pool_fills_itself_and_empties_itself() {
    let Some(world) = World::new() else { return };
    let pool = Pool::new(world.sh("true"), 3).unwrap();
    pool.wait_until_full().unwrap();
    assert_eq!((pool.ready(), world.store.ids().unwrap().len()), (3, 3));
    for n in 0..10 {
        let output = pool.output(Exec::new("echo").arg(n.to_string())).unwrap();
        assert_eq!(output.stdout, format!("{n}\n").as_bytes());
        assert!(pool.ready() <= 3);
    }
    pool.wait_until_full().unwrap();
    let mut running = pool.spawn(Exec::new("sleep").arg("600")).unwrap();
    drop(pool);
    assert_eq!(world.store.ids().unwrap(), [running.id().clone()], "what was started goes on");
    running.kill().unwrap();
    running.wait().unwrap();
    world.is_empty();
}

#[test]
fn what_dies_in_the_pool_is_not_handed_out() {
    let Some(world) = World::new() else { return };
    let pool = Pool::new(world.sh("true"), 2).unwrap();
    pool.wait_until_full().unwrap();
    for id in world.store.ids().unwrap() {
        let container = world.store.load(&id).unwrap();
        container.kill(9, false).unwrap();
        until("it ends", || container.pid().is_none());
    }
    assert!(pool.output(Exec::new("echo").arg("alive")).unwrap().status.success());
    pool.wait_until_full().unwrap();
}

#[test]
fn many_threads_share_a_pool() {
    let Some(world) = World::new() else { return };
    let pool = Pool::new(world.sh("true"), 4).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let pool = &pool;
            scope.spawn(move || {
                for n in 0..5 {
                    let said = pool.output(Exec::new("echo").arg(format!("{thread}.{n}"))).unwrap();
                    assert_eq!(said.stdout, format!("{thread}.{n}\n").as_bytes());
                }
            });
        }
    });
    drop(pool);
    world.is_empty();
}

#[test]
fn a_pool_that_cannot_be_filled_says_why() {
    let Some(world) = World::new() else { return };
    let mut command = Command::from_spec(cofferdam::oci::Spec::default());
    assert_eq!(
        Pool::new(command.store(world.store.clone()).clone(), 2).unwrap_err().kind(),
        ErrorKind::Configuration
    );
    world.is_empty();
}
