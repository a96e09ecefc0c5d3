//! Where a mount may be.

use cofferdam_nsinit::{Mount, MountConfig};

use crate::world::{World, root};
use crate::{host, world};

/// Binds a directory with one file there and looks for the file.
fn bound(world: &mut World, destination: &str) -> cofferdam::Result<String> {
    let source = world.dir.join("source");
    let _ = std::fs::create_dir(&source);
    std::fs::write(source.join("mark"), "bound\n").unwrap();
    let mount = Mount {
        kind: "bind".into(),
        source: source.display().to_string(),
        destination: destination.into(),
        ..Mount::default()
    };
    world.config.mount_config = Some(MountConfig { mounts: vec![mount], ..MountConfig::default() });
    world.run(&format!("cat {destination}/mark 2>&1")).map(|_| world.output())
}

#[test]
fn nothing_is_mounted_on_proc_or_over_the_root() {
    if !root() {
        return;
    }
    let mut world = world(&[]);
    for destination in ["/proc", "/proc/", "/proc/sys", "/proc/self/attr", "/tmp/../proc/1", "/"] {
        let before = host("mnt");
        let error = bound(&mut world, destination).unwrap_err();
        assert_eq!(error.pointer(), Some("/mount_config/mounts/0/destination"), "{destination}: {error}");
        assert_eq!(host("mnt"), before);
        world.assert_nothing_left();
    }
}

#[test]
fn below_sys_and_beside_it_may_be_mounted() {
    if !root() {
        return;
    }
    let mut world = world(&[]);
    for destination in ["/sys/fs/cgroup", "//sys/fs/cgroup", "/sysfiles/fs/cgroup", "/processes"] {
        assert_eq!(bound(&mut world, destination).unwrap(), "bound\n", "{destination}");
    }
}
