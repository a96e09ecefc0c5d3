//! The commands of v2's mounts.

use std::fs;

use cofferdam::ErrorKind;
use cofferdam_nsinit::{Mount, MountCommand, MountConfig};

use crate::world::{World, root};

fn command(path: &str, args: &[&str]) -> MountCommand {
    MountCommand {
        path: path.into(),
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: vec!["PATH=/usr/bin:/bin".into()],
        ..MountCommand::default()
    }
}

/// A bind mount of a directory of the world's at /shared.
fn world() -> (World, Mount) {
    let world = World::new();
    fs::create_dir(world.dir.join("source")).unwrap();
    let source = world.dir.join("source").display().to_string();
    let mount = Mount {
        kind: "bind".into(),
        source,
        destination: "/shared".into(),
        flags: Some(0x5000),
        ..Mount::default()
    };
    (world, mount)
}

fn with(world: &mut World, mount: Mount) {
    let mounts = vec![mount];
    world.config.mount_config = Some(MountConfig { mounts, ..MountConfig::default() });
}

#[test]
fn commands_run_before_and_after_their_mount_in_its_namespaces() {
    if !root() {
        return;
    }
    let (mut world, mut mount) = world();
    let (source, inside) = (mount.source.clone(), world.root().join("shared").display().to_string());
    // What is before sees no mount yet, what is after does; a name is found in PATH.
    mount.premount_cmds = vec![
        command("touch", &[&format!("{source}/hello")]),
        command(
            "/bin/sh",
            &["-c", &format!("test ! -e {inside}/hello && readlink /proc/self/ns/mnt >{source}/before")],
        ),
    ];
    mount.postmount_cmds = vec![
        command("cp", &[&format!("{inside}/hello"), &format!("{inside}/copied")]),
        MountCommand { dir: source.clone(), ..command("/bin/sh", &["-c", "pwd >where; cat >read"]) },
        MountCommand {
            env: Vec::new(),
            ..command("/bin/sh", &["-c", &format!("echo $TERM >{source}/variables")])
        },
    ];
    with(&mut world, mount);
    let mut inner = String::new();
    let status = world.run_with("ls /shared; sleep 1000", |child| {
        inner = fs::read_link(format!("/proc/{}/ns/mnt", child.pid())).unwrap().display().to_string();
        while !world.output().contains("where") {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        child.kill().unwrap();
    });
    assert_eq!(status.unwrap(), 137);
    assert_eq!(world.output(), "before\ncopied\nhello\nread\nvariables\nwhere\n");
    let said = |name: &str| fs::read_to_string(world.dir.join("source").join(name)).unwrap();
    assert_eq!(said("before"), format!("{inner}\n"));
    assert_eq!(said("where"), format!("{source}\n"));
    assert_eq!((said("read"), said("variables")), (String::new(), "xterm\n".to_owned()));
    world.assert_nothing_left();
}

#[test]
fn a_command_that_fails_is_a_container_that_is_not_there() {
    if !root() {
        return;
    }
    let (mut world, mut mount) = world();
    mount.postmount_cmds = vec![command("/bin/sh", &["-c", "echo no such luck; exit 3"])];
    with(&mut world, mount.clone());
    let error = world.run("true").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exit status 3") && text.contains("no such luck"), "{text}");
    assert_eq!(error.pointer(), Some("/mount_config/mounts/0"), "{text}");
    world.assert_nothing_left();
    mount.postmount_cmds = vec![command("no-such-program-anywhere", &[])];
    with(&mut world, mount);
    let error = world.run("true").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(error.pointer(), Some("/mount_config/mounts/0/postmount_cmds/0/path"));
    world.assert_nothing_left();
}
