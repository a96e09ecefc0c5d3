//! Running a program to its end: what it is given, what it says, whose child it is.

use cofferdam::sandbox::Sandbox;
use cofferdam::{Bundle, Child, Command, Container, Exec, ExitStatus, Parent, Process};

use crate::world::World;

/// Handles can be sent to, and shared by, threads.
const fn shared<T: Send + Sync>() {}
const _: () = {
    shared::<Command>();
    shared::<Exec>();
    shared::<Child>();
    shared::<Container>();
    shared::<Process>();
    shared::<cofferdam::Events>();
    shared::<cofferdam::Error>();
};

#[test]
fn output_is_collected_and_the_container_is_gone() {
    let Some(world) = World::new() else { return };
    let output = world.sh("echo out; echo err >&2; exit 3").output().unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    world.is_empty();
}

#[test]
fn a_program_gets_its_arguments_environment_and_directory() {
    let Some(world) = World::new() else { return };
    let mut command = Command::new("/bin/sh");
    command.store(world.store.clone()).args(["-c", "echo \"$1 $A $B $(pwd) $HOME\"", "sh"]).arg("one two");
    command.env("A", "1").envs([("B", "2"), ("HOME", "/h")]).current_dir("/usr");
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one two 1 2 /usr /h\n");
}

#[test]
fn a_configuration_is_run_with_what_the_command_says_of_it() {
    let Some(world) = World::new() else { return };
    let caller = cofferdam::template::Caller::current();
    let bundle: Bundle = Sandbox::new("/bin/sh").env("A", "old").bundle("/", caller);
    for mut command in [Command::from_spec(bundle.spec.clone()), Command::from(bundle)] {
        command.args(["-c", "echo $A; pwd"]).env("A", "new").current_dir("/usr").store(world.store.clone());
        assert_eq!(command.output().unwrap().stdout, b"new\n/usr\n");
    }
    world.is_empty();
}

#[test]
fn a_bundle_is_read_from_its_directory() {
    let Some(world) = World::new() else { return };
    let caller = cofferdam::template::Caller::current();
    let spec = Sandbox::new("/bin/echo").arg("from a bundle").bundle("/", caller).spec;
    std::fs::write(world.dir.join("config.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
    let output = Command::from_bundle(&world.dir).unwrap().store(world.store.clone()).output().unwrap();
    assert_eq!(output.stdout, b"from a bundle\n");
}

#[test]
fn a_sandbox_keeps_its_limits() {
    let Some(world) = World::new() else { return };
    let mut sandbox = Sandbox::new("/bin/sh");
    sandbox.args(["-c", "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null"]);
    let file = Sandbox::new("true").processes(7).bundle("/", cofferdam::template::Caller::current());
    assert_eq!(file.spec.linux.unwrap().resources.unwrap().pids.unwrap().limit, Some(7));
    let status = Command::from(sandbox.processes(7)).store(world.store.clone()).output();
    assert!(status.is_ok(), "{status:?}");
    let mut many = Sandbox::new("/bin/sh");
    many.args(["-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"]).processes(4);
    let output = Command::from(many).store(world.store.clone()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("fork"), "{output:?}");
}

#[test]
fn a_command_may_be_used_often_and_by_several_threads() {
    let Some(world) = World::new() else { return };
    let command = world.sh("exit 4");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_eq!(command.status().unwrap(), ExitStatus::Code(4));
                }
            });
        }
    });
    world.is_empty();
}

#[test]
fn how_a_program_ended_is_told() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 600").spawn().unwrap();
    child.signal(9).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status, ExitStatus::Signal(9));
    assert_eq!((status.code(), status.shell_code(), status.success()), (None, 137, false));
    assert_eq!(child.wait().unwrap(), status, "it can be asked again");
    assert_eq!(status.to_string(), "killed by signal 9");
}

fn parent_of(pid: i32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_caller_is_the_parent_unless_nobody_is() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("read x").stdin(cofferdam::Stdio::piped()).spawn().unwrap();
    assert_eq!(parent_of(child.pid()), std::process::id());
    child.wait().unwrap();
    let mut command = world.sh("read x; exit 6");
    let mut child = command.stdin(cofferdam::Stdio::piped()).parent(Parent::Nobody).spawn().unwrap();
    assert_ne!(parent_of(child.pid()), std::process::id());
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(child.wait().unwrap(), ExitStatus::Code(6));
    world.is_empty();
}

#[test]
fn nobodys_child_may_be_created_first_and_killed() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 600").parent(Parent::Nobody).create().unwrap();
    child.start().unwrap();
    assert_ne!(parent_of(child.pid()), std::process::id());
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signal(9));
    world.is_empty();
    let mut mapped = Sandbox::new("/bin/sh");
    mapped.args(["-c", "id -u; cat /proc/self/uid_map"]).user_namespace(true).user(0, 0);
    let output = Command::from(mapped).store(world.store.clone()).parent(Parent::Nobody).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("0\n") && output.status.success(), "{output:?}");
}
