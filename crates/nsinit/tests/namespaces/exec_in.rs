//! ExecIn: another process in a container that runs.

use std::fs;

use cofferdam::ErrorKind;
use cofferdam_nsinit::namespaces::{EXIT_SIGNAL_OFFSET, exec_in};
use cofferdam_nsinit::{Config, State};

use crate::world::{World, root, shell};

#[test]
fn a_second_process_is_in_the_same_namespaces_and_cgroups_as_its_own_user() {
    if !root() {
        return;
    }
    let world = World::new();
    world
        .run_with("sleep 1000", |child| {
            let state = State::get(&world.data()).unwrap();
            let other = Config {
                user: "daemon".into(),
                environment: vec!["PATH=/bin".into(), "SECOND=yes".into()],
                working_dir: "/etc".into(),
                ..world.config.clone()
            };
            let script =
                "hostname; id -u; pwd; echo $SECOND; cat /proc/self/cgroup; cat /proc/1/comm; exit 9";
            let status = exec_in(&other, &state, &shell(script), world.io(), |second| {
                assert_ne!(second.pid(), child.pid());
            });
            assert_eq!(status.unwrap(), 9);
            let output = world.output();
            assert!(output.starts_with("koye\n1\n/etc\nyes\n"), "{output}");
            let parent = &world.config.cgroups.as_ref().unwrap().parent;
            assert!(output.contains(&format!(":/{parent}/box\n")), "{output}");
            assert!(output.ends_with("sleep\n"), "{output}");
            let ended =
                exec_in(&other, &state, &shell("sleep 1000"), world.io(), |second| second.kill().unwrap());
            assert_eq!(ended.unwrap(), EXIT_SIGNAL_OFFSET + 9);
            child.kill().unwrap();
        })
        .unwrap();
    world.assert_nothing_left();
}

#[test]
fn a_container_that_has_ended_is_not_entered() {
    if !root() {
        return;
    }
    let world = World::new();
    let mut state = None;
    world
        .run_with("sleep 1000", |child| {
            state = Some(State::get(&world.data()).unwrap());
            child.kill().unwrap();
        })
        .unwrap();
    let state = state.unwrap();
    let never = |_: &mut cofferdam::Child| panic!("there is nothing to enter");
    let error = exec_in(&world.config, &state, &shell("true"), world.io(), never).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WrongState), "{error}");
    // The same number is not the same process.
    let me = i32::try_from(std::process::id()).unwrap();
    let other = State { init_pid: me, ..state };
    assert!(!other.is_alive());
    assert!(exec_in(&world.config, &other, &shell("true"), world.io(), never).is_err());
    assert_eq!(State::get(&world.data()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_hostile_passwd_file_is_read_inside_the_root_only() {
    if !root() {
        return;
    }
    let mut world = World::new();
    let passwd = world.root().join("etc/passwd");
    fs::remove_file(&passwd).unwrap();
    fs::write(world.dir.join("outside"), "trap:x:4242:4242::/:/bin/sh\n").unwrap();
    std::os::unix::fs::symlink(world.dir.join("outside"), &passwd).unwrap();
    world.config.user = "trap".into();
    let error = world.run("true").unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Configuration, Some("/user")), "{error}");
}
