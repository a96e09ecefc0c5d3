//! Exec, its commands and its contract.

use std::cell::RefCell;
use std::fs;
use std::io::BufRead;
use std::time::{Duration, Instant};

use cofferdam::{ContainerId, ErrorKind, Store, TerminalSize};
use cofferdam_nsinit::namespaces::{
    self, EXIT_SIGNAL_OFFSET, Io, default_create_command, default_setup_command,
};
use cofferdam_nsinit::{Device, Mount, MountConfig, Rlimit, State};

use crate::roles;
use crate::world::{World, memory, root, shell};

#[test]
fn a_program_runs_in_its_container_and_its_status_comes_back() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.user = "daemon".into();
    world.config.working_dir = "/tmp".into();
    let status = world.run("hostname; id; pwd; echo $$; env; exit 7").unwrap();
    assert_eq!(status, 7);
    let said = "koye\nuid=1(daemon) gid=1(daemon) groups=29(audio)\n/tmp\n1\n";
    let output = world.output();
    assert!(output.starts_with(said), "{output}");
    // Nothing of the caller's environment, and the user's home.
    let mut env: Vec<_> =
        output.lines().skip(4).filter(|l| !l.starts_with("PWD=") && !l.starts_with("SHLVL=")).collect();
    env.sort_unstable();
    assert_eq!(env, ["HOME=/usr/sbin", "PATH=/bin", "TERM=xterm"]);
    world.assert_nothing_left();
}

#[test]
fn a_program_that_a_signal_ends_gives_128_and_its_number() {
    if !root() {
        return;
    }
    let world = World::new();
    let status = world.run_with("sleep 1000", |child| child.kill().unwrap()).unwrap();
    assert_eq!(status, EXIT_SIGNAL_OFFSET + 9);
    world.assert_nothing_left();
}

#[test]
fn while_it_runs_its_state_is_there_and_afterwards_nothing_is() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.cgroups.as_mut().unwrap().memory = 64 << 20;
    let mut id = None;
    world
        .run_with("sleep 1000", |child| {
            let state = State::get(&world.data()).unwrap();
            assert_eq!(state.init_pid, child.pid());
            assert!(state.is_alive());
            let (memory, limit) = memory(&state.cgroup_paths);
            assert!(memory.ends_with(format!("{}/box", world.config.cgroups.as_ref().unwrap().parent)));
            let procs = fs::read_to_string(memory.join("cgroup.procs")).unwrap();
            assert_eq!(procs.trim(), child.pid().to_string());
            let limit = fs::read_to_string(memory.join(limit)).unwrap();
            assert_eq!(limit.trim(), (64 << 20).to_string());
            let core = state.core.unwrap();
            id = Some(core.id);
            // A second one of the same data directory is refused, and does not touch the first.
            let again = world.run("true").unwrap_err();
            assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
            child.kill().unwrap();
        })
        .unwrap();
    world.assert_nothing_left();
    let gone = Store::default().load(&ContainerId::new(&id.unwrap()).unwrap()).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn a_program_that_cannot_be_executed_leaves_nothing() {
    if !root() {
        return;
    }
    let world = World::new();
    let args = ["/nowhere".to_owned()];
    let (create, setup) = (&default_create_command, &default_setup_command);
    let never = |_: &mut cofferdam::Child| panic!("it does not run");
    let error =
        namespaces::exec(&world.config, world.io(), &world.data(), &args, create, setup, never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
    assert!(error.to_string().contains("/nowhere"), "{error}");
    world.assert_nothing_left();
}

#[test]
fn a_data_directory_that_the_container_could_write_to_is_refused() {
    if !root() {
        return;
    }
    let world = World::new();
    let inside = world.root().join("tmp");
    let (create, setup) = (&default_create_command, &default_setup_command);
    let error = namespaces::exec(&world.config, world.io(), &inside, &shell("true"), create, setup, |_| {})
        .unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Configuration, Some("/root_fs")), "{error}");
}

#[test]
fn a_callers_own_create_command_shapes_the_process() {
    if !root() {
        return;
    }
    let world = World::new();
    let id = ContainerId::unique();
    let create = |config: &_, console, data: &_, args: &_| {
        let mut command = default_create_command(config, console, data, args)?;
        command.id(id.clone()).env("OWN", "yes").current_dir("/etc");
        Ok(command)
    };
    let seen = RefCell::new(None);
    let status = namespaces::exec(
        &world.config,
        world.io(),
        &world.data(),
        &shell("echo $OWN; pwd"),
        &create,
        &default_setup_command,
        |child| *seen.borrow_mut() = Some(child.id().clone()),
    );
    assert_eq!(status.unwrap(), 0);
    assert_eq!((world.output().as_str(), seen.into_inner()), ("yes\n/etc\n", Some(id)));
}

#[test]
fn what_a_create_command_says_is_what_exec_says() {
    if !root() {
        return;
    }
    let world = World::new();
    let create = |_: &_, _, _: &_, _: &_| Err(cofferdam::Error::new(ErrorKind::Host, "finding a host"));
    let (data, setup) = (world.data(), &default_setup_command);
    let error = namespaces::exec(&world.config, world.io(), &data, &shell("true"), &create, setup, |_| {})
        .unwrap_err();
    assert_eq!(error.to_string(), "finding a host");
    world.assert_nothing_left();
}

#[test]
fn with_a_user_namespace_the_setup_command_comes_between_the_state_and_the_program() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.give_users();
    let events = RefCell::new(Vec::new());
    let setup = |config: &_, data: &std::path::Path, container: &cofferdam::Container| {
        let state = State::get(data).unwrap();
        assert_eq!(Some(state.init_pid), container.pid());
        assert_eq!(container.status().unwrap(), cofferdam::Status::Created);
        events.borrow_mut().push("setup");
        default_setup_command(config, data, container)
    };
    let status = namespaces::exec(
        &world.config,
        world.io(),
        &world.data(),
        &shell("id -u; sleep 1000"),
        &default_create_command,
        &setup,
        |child| {
            events.borrow_mut().push("started");
            let status = fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
            assert!(status.contains("Uid:\t100000\t100000"), "{status}");
            let map = fs::read_to_string(format!("/proc/{}/uid_map", child.pid())).unwrap();
            assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
            let deadline = Instant::now() + Duration::from_secs(10);
            while world.output().is_empty() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            child.kill().unwrap();
        },
    );
    assert_eq!(status.unwrap(), 137);
    assert_eq!(events.into_inner(), ["setup", "started"]);
    assert_eq!(world.output(), "0\n");
    world.assert_nothing_left();
}

#[test]
fn a_setup_that_fails_keeps_the_program_from_running() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.give_users();
    let setup = |_: &_, _: &_, _: &_| Err(cofferdam::Error::new(ErrorKind::Host, "finding nothing"));
    let (data, create) = (world.data(), &default_create_command);
    let never = |_: &mut cofferdam::Child| panic!("it does not run");
    let error = namespaces::exec(&world.config, world.io(), &data, &shell("true"), create, &setup, never)
        .unwrap_err();
    assert_eq!(error.to_string(), "finding nothing");
    world.assert_nothing_left();
}

#[test]
fn a_container_ends_with_whoever_started_it() {
    if !root() {
        return;
    }
    let world = World::new();
    let mut holder = roles::quiet(&mut roles::role("holder", &world.written(), &[])).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid: i32 = line.trim().parse().unwrap();
    let state = State::get(&world.data()).unwrap();
    assert_eq!(state.init_pid, pid);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while state.is_alive() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!state.is_alive());
    // What is left is no obstacle for the next one, which removes it.
    let core = state.core.unwrap();
    let left = || Store::new(&core.store).load(&ContainerId::new(&core.id).unwrap());
    assert!(left().is_ok());
    assert_eq!(world.run("exit 4").unwrap(), 4);
    assert!(left().is_err());
    world.assert_nothing_left();
}

#[test]
fn restrict_sys_closes_what_configures_the_kernel() {
    if !root() {
        return;
    }
    let mut world = World::new();
    let script = "for f in /proc/sys/kernel/domainname /sys/power/pm_async; do (echo x > $f) 2>&1 | cat; done; ls -l /proc/kcore | cat";
    world.config.restrict_sys = true;
    assert_eq!(world.run(script).unwrap(), 0);
    let output = world.output();
    assert!(output.matches("Read-only file system").count() >= 1, "{output}");
    if std::path::Path::new("/proc/kcore").exists() {
        assert!(output.contains("1,   3"), "the null device lies over /proc/kcore: {output}");
    }
}

#[test]
fn mounts_devices_and_limits_are_those_of_the_configuration() {
    if !root() {
        return;
    }
    let mut world = World::new();
    let shared = world.dir.join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "shared\n").unwrap();
    let bind = Mount {
        kind: "bind".into(),
        source: shared.display().to_string(),
        destination: "/mnt/shared".into(),
        ..Mount::default()
    };
    let tmp = Mount { kind: "tmpfs".into(), destination: "/tmp".into(), ..Mount::default() };
    let fuse = Device {
        kind: u32::from('c'),
        path: "/dev/own".into(),
        major_number: 1,
        minor_number: 5,
        file_mode: 0o640,
        gid: 29,
        ..Device::default()
    };
    world.config.mount_config = Some(MountConfig {
        readonly_fs: true,
        mounts: vec![bind, tmp],
        device_nodes: vec![fuse],
        ..MountConfig::default()
    });
    world.config.rlimits = vec![Rlimit { kind: 7, hard: 99, soft: 88 }];
    let script = "cat /mnt/shared/file; echo a > /mnt/shared/b; echo a > /b; echo a > /tmp/b && echo tmp; \
                  ls -l /dev/own; ulimit -n; ulimit -Hn; cat /proc/self/mountinfo | cat > /dev/null";
    assert_eq!(world.run(script).unwrap(), 0);
    let output = world.output();
    assert!(output.starts_with("shared\n"), "{output}");
    assert_eq!(output.matches("Read-only file system").count(), 2, "{output}");
    assert!(output.contains("\ntmp\n"), "{output}");
    assert!(
        output.contains("crw-r-----") && output.contains("1,   5") && output.contains("audio"),
        "{output}"
    );
    assert!(output.contains("\n88\n99\n"), "{output}");
}

#[test]
fn a_console_is_a_terminal_made_inside() {
    if !root() {
        return;
    }
    let world = World::new();
    let io = Io::terminal(TerminalSize { height: 33, width: 77 });
    let mut said = String::new();
    let (create, setup) = (&default_create_command, &default_setup_command);
    let status =
        namespaces::exec(&world.config, io, &world.data(), &shell("tty; exit 5"), create, setup, |child| {
            use std::io::Read;
            let mut bytes = [0; 64];
            let mut terminal = child.terminal.take().unwrap();
            while let Ok(n) = terminal.read(&mut bytes)
                && n > 0
            {
                said.push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
    assert_eq!(status.unwrap(), 5);
    assert!(said.starts_with("/dev/console") || said.starts_with("/dev/pts/0"), "{said:?}");
}
