//! The first process: what it sees, what it may, and what it shares.

use cofferdam::ErrorKind;
use cofferdam_nsinit::{IdMap, NamespaceType, Seccomp, SeccompCall};

use crate::world::root;
use crate::{host, world};

/// A listing of processes is a heading and the lister.
#[track_caller]
fn is_alone(output: &str) {
    let lines: Vec<Vec<&str>> = output.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{output}");
    assert_eq!((lines[1][0], lines[1][1], lines[1].last()), ("1", "root", Some(&"ps")), "{output}");
}

#[test]
fn the_first_process_is_alone_and_number_one() {
    if !root() {
        return;
    }
    let world = world(&["ps"]);
    assert_eq!(world.run("exec ps").unwrap(), 0);
    is_alone(&world.output());
}

#[test]
fn it_is_so_in_a_user_namespace_that_maps_root_to_root() {
    if !root() {
        return;
    }
    let mut world = world(&["ps"]);
    let map = IdMap { container_id: 0, host_id: 0, size: 1000 };
    (world.config.uid_mappings, world.config.gid_mappings) = (vec![map], vec![map]);
    world.config.namespaces.add(NamespaceType::User, "");
    assert_eq!(world.run("exec ps").unwrap(), 0, "{}", world.output());
    is_alone(&world.output());
}

#[test]
fn ipc_is_its_own_the_hosts_or_that_of_a_path() {
    if !root() {
        return;
    }
    let mut world = world(&["readlink"]);
    let mut ipc = || {
        assert_eq!(world.run("readlink /proc/self/ns/ipc").unwrap(), 0);
        let seen = world.output().trim().to_owned();
        world.config.namespaces.remove(NamespaceType::Ipc);
        seen
    };
    assert_ne!(ipc(), host("ipc"), "its own");
    assert_eq!(ipc(), host("ipc"), "the host's");
    world.config.namespaces.add(NamespaceType::Ipc, "/proc/self/ns/ipc");
    assert_eq!(world.run("readlink /proc/self/ns/ipc").unwrap(), 0);
    assert_eq!(world.output().trim(), host("ipc"), "that of the path");
}

#[test]
fn an_ipc_namespace_that_is_not_there_is_an_error_with_its_place() {
    if !root() {
        return;
    }
    let mut world = world(&[]);
    world.config.namespaces.add(NamespaceType::Ipc, "/proc/self/ns/ipcc");
    let error = world.run("true").unwrap_err();
    assert!(error.to_string().contains("/proc/self/ns/ipcc"), "{error}");
    world.assert_nothing_left();
}

/// `CapEff` of /proc/self/status.
fn effective(output: &str) -> u64 {
    let line = output.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

#[test]
fn capabilities_are_those_of_the_configuration_and_no_others() {
    const CHOWN: u64 = 1;
    const NET_ADMIN: u64 = 1 << 12;
    if !root() {
        return;
    }
    let mut world = world(&[]);
    world.config.capabilities = vec!["CHOWN".into()];
    world.run("cat /proc/self/status").unwrap();
    assert_eq!(effective(&world.output()), CHOWN);
    world.config.capabilities.push("NET_ADMIN".into());
    world.run("cat /proc/self/status").unwrap();
    assert_eq!(effective(&world.output()), CHOWN | NET_ADMIN);
}

#[test]
fn additional_groups_are_found_in_the_containers_file() {
    if !root() {
        return;
    }
    let mut world = world(&[]);
    let groups = "root:x:0:\naudio:x:29:daemon\nplugdev:x:46:\n";
    std::fs::write(world.root().join("etc/group"), groups).unwrap();
    world.config.additional_groups = vec!["plugdev".into(), "audio".into()];
    assert_eq!(world.run("id -Gn").unwrap(), 0);
    let output = world.output();
    let mut found: Vec<_> = output.split_whitespace().collect();
    found.sort_unstable();
    assert_eq!(found, ["audio", "plugdev", "root"]);
    world.config.additional_groups = vec!["nobodys".into()];
    let error = world.run("true").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.pointer().unwrap().starts_with("/additional_groups"), "{error}");
}

#[test]
fn system_properties_are_the_containers_alone() {
    if !root() {
        return;
    }
    let own = || std::fs::read_to_string("/proc/sys/kernel/shmmni").unwrap();
    let (mut world, before) = (world(&[]), own());
    world.config.system_properties = [("kernel.shmmni".to_owned(), "8192".to_owned())].into();
    assert_eq!(world.run("cat /proc/sys/kernel/shmmni").unwrap(), 0);
    assert_eq!(world.output(), "8192\n");
    assert_eq!(own(), before);
}

#[test]
fn a_call_that_the_filter_denies_gets_its_errno() {
    const EPERM: i64 = 1;
    if !root() {
        return;
    }
    let mut world = world(&["chown"]);
    // chown, fchown, lchown and fchownat of x86-64: a C library may take any.
    let denied = |value| SeccompCall { value, action: EPERM, ..SeccompCall::default() };
    let calls = if cfg!(target_arch = "x86_64") { vec![92, 93, 94, 260] } else { vec![54, 55] };
    world.run("chown 1:1 /tmp && echo done").unwrap();
    assert_eq!(world.output(), "done\n", "without a filter it may");
    world.config.seccomp = Some(Seccomp { syscalls: calls.into_iter().map(denied).collect() });
    assert_ne!(world.run("chown 2:2 /tmp").unwrap(), 0);
    assert!(world.output().contains("not permitted"), "{}", world.output());
}
