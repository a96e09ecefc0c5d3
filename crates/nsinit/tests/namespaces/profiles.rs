//! nsinit's template and its security profiles, run.

use cofferdam_nsinit::{Security, Template, standard_environment};

use crate::world::{World, root};

/// A world with the configuration of these flags.
fn world(flags: &Template) -> World {
    let mut world = World::new();
    let mut config = flags.config(&world.root()).unwrap();
    let own = world.config.cgroups.take().unwrap();
    config.cgroups.as_mut().unwrap().parent = own.parent;
    config.environment = standard_environment();
    world.config = config;
    world
}

#[test]
fn the_standard_configuration_runs() {
    if !root() {
        return;
    }
    let flags = Template {
        tmpfs: vec!["/scratch".into()],
        sysctl: vec!["kernel.msgmax=4242".into()],
        cgroup: true,
        groups: vec!["audio".into(), "4".into()],
        ..Template::default()
    };
    let world = world(&flags);
    let script = "hostname; id -G; cat /proc/sys/kernel/msgmax; ls /sys/fs/cgroup >/dev/null && \
        grep -c ' /scratch tmpfs ' /proc/mounts; ulimit -n >/dev/null; echo $HOSTNAME";
    std::os::unix::fs::symlink("busybox", world.root().join("bin/grep")).unwrap();
    assert_eq!(world.run(script).unwrap(), 0, "{}", world.output());
    assert_eq!(world.output(), "nsinit\n0 4 29\n4242\n1\nnsinit\n");
    world.assert_nothing_left();
}

#[test]
fn the_profiles_hold_back_more_and_more() {
    if !root() {
        return;
    }
    let script = "try() { \"$@\" >/dev/null 2>&1 && echo yes || echo no; }; \
        try chroot / true; try hostname other; try sh -c 'echo a >/tmp/a && rm /tmp/a'; try unshare -m true";
    let may = |profile| {
        let world = world(&Template { security: Some(profile), ..Template::default() });
        for applet in ["chroot", "rm", "true", "unshare"] {
            std::os::unix::fs::symlink("busybox", world.root().join("bin").join(applet)).unwrap();
        }
        assert_eq!(world.run(script).unwrap(), 0, "{}", world.output());
        world.output()
    };
    assert_eq!(may(Security::Low), "yes\nno\nyes\nno\n");
    assert_eq!(may(Security::Medium), "no\nno\nyes\nno\n");
    assert_eq!(may(Security::High), "no\nno\nno\nno\n");
}
