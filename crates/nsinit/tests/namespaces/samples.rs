//! The sample configurations, run: in a root of busybox, and in a network namespace of the test's own.

use std::path::Path;
use std::process::Command;

use cofferdam::ErrorKind;
use cofferdam_nsinit::{Config, Namespaces, SystemMounts};
use cofferdam_sys::clone3::CLONE_NEWNET;

use crate::world::{World, root};

/// A world with the sample's configuration, but for the places of root and cgroup.
fn world(name: &str) -> World {
    let mut world = World::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/samples/{name}.container.json"));
    let mut config = Config::parse(&std::fs::read(path).unwrap()).unwrap();
    let own = std::mem::take(&mut world.config);
    config.root_fs = own.root_fs;
    if let (Some(cgroups), Some(own)) = (&mut config.cgroups, own.cgroups) {
        cgroups.parent = own.parent;
    }
    // v2 is told the program's variables elsewhere.
    if config.environment.is_empty() {
        config.environment = own.environment;
    }
    world.config = config;
    world
}

/// What a script says in the sample's container.
#[track_caller]
fn says(name: &str, script: &str) -> Vec<String> {
    let world = world(name);
    let status = world.run(script).unwrap();
    let output = world.output();
    assert_eq!(status, 0, "{output}");
    world.assert_nothing_left();
    output.lines().map(str::to_owned).collect()
}

const LOOK: &str = "hostname; id -u; cat /proc/sys/kernel/hostname >/dev/null; \
    (echo x >/proc/sys/kernel/hostname) 2>/dev/null || echo ro; \
    cat /proc/self/status | while read key value rest; do [ $key = CapBnd: ] && echo $value; done; \
    while read s d t o r; do echo $d $t $o; done </proc/mounts";

/// Whether a mount is there, and has an option.
fn mounted(lines: &[String], place: &str, kind: &str, option: &str) -> bool {
    let line = lines.iter().rev().find(|line| line.starts_with(&format!("{place} {kind} ")));
    line.is_some_and(|line| line.rsplit(' ').next().unwrap().split(',').any(|one| one == option))
}

#[test]
fn the_minimal_sample_is_the_container_that_it_was() {
    if !root() {
        return;
    }
    let lines = says("minimal", LOOK);
    assert_eq!(lines[..4], ["box", "1", "ro", "00000000880425eb"], "{lines:#?}");
    assert!(mounted(&lines, "/sys", "sysfs", "ro"), "{lines:#?}");
    assert!(mounted(&lines, "/tmp", "tmpfs", "noexec") && mounted(&lines, "/dev/mqueue", "mqueue", "nosuid"));
    assert!(
        mounted(&lines, "/dev/pts", "devpts", "ptmxmode=666")
            && mounted(&lines, "/dev/shm", "tmpfs", "size=65536k")
    );
    assert!(mounted(&lines, "/proc/sys", "proc", "ro"));
    let devices =
        says("minimal", "cat /dev/null; cat /proc/kcore; ls /dev; echo gone >/dev/full || echo full");
    for device in ["null", "zero", "full", "tty", "urandom", "random", "fd", "stdin", "ptmx", "shm"] {
        assert!(devices.iter().any(|line| line == device), "{device}: {devices:?}");
    }
    assert_eq!(devices.last().map(String::as_str), Some("full"));
}

#[test]
fn what_was_not_allowed_in_the_sample_cannot_be_used() {
    if !root() {
        return;
    }
    let mut world = world("minimal-v2");
    let nodes = world.config.mount_config.as_mut().unwrap();
    // There, but not allowed.
    nodes.device_nodes[0].path = "/dev/kmsg-of-the-host".into();
    (nodes.device_nodes[0].major_number, nodes.device_nodes[0].minor_number) = (1, 11);
    let script =
        "ls /dev/kmsg-of-the-host && ! cat /dev/kmsg-of-the-host && cat /dev/zero | head -c1 >/dev/null";
    std::os::unix::fs::symlink("busybox", world.root().join("bin/head")).unwrap();
    assert_eq!(world.run(script).unwrap(), 0, "{}", world.output());
}

#[test]
fn the_samples_of_v2_run_with_the_namespaces_that_they_name() {
    if !root() {
        return;
    }
    let lines = says("minimal-v2", LOOK);
    assert_eq!(lines[..4], ["box", "0", "ro", "00000000a80425fb"], "{lines:#?}");
    assert_eq!(says("minimal-v2", "ulimit -n; echo $$"), ["1024", "1"]);
    // The host's processes are there.
    let seen = says("host-pid", "echo $$; cat /proc/1/comm");
    assert!(seen[0].parse::<u32>().unwrap() > 1 && !seen[1].is_empty(), "{seen:?}");
}

#[test]
fn the_sample_with_users_is_root_inside_and_somebody_outside() {
    if !root() {
        return;
    }
    let world = world("userns");
    let chown = Command::new("chown").args(["-hR", "1000:1000"]).arg(world.root()).status();
    assert!(chown.unwrap().success());
    let mut outside = String::new();
    let status = world.run_with("id -u; ls -ln /bin/busybox; sleep 1000", |child| {
        outside = std::fs::read_to_string(format!("/proc/{}/uid_map", child.pid())).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !world.output().contains("busybox") && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        child.kill().unwrap();
    });
    assert_eq!(status.unwrap(), 137, "{}", world.output());
    assert!(outside.split_whitespace().eq(["0", "1000", "1", "1", "1", "999", "1001", "1001", "2147482647"]));
    let told = world.output();
    assert!(told.starts_with("0\n") && told.contains(" 0        0 "), "{told}");
}

#[test]
fn the_first_generations_run() {
    if !root() {
        return;
    }
    let lines = says("container-2014", LOOK);
    // /proc/sys was not restricted, and what is named is what is dropped.
    assert_eq!(lines[..2], ["box", "0"], "{lines:#?}");
    assert_ne!(lines[2], "ro");
    let kept = u64::from_str_radix(lines.iter().find(|line| line.starts_with("0000")).unwrap(), 16).unwrap();
    for dropped in ["SETPCAP", "SYS_ADMIN", "MKNOD", "MAC_ADMIN"] {
        let bit = cofferdam_plan::capability_bit(&format!("CAP_{dropped}")).unwrap();
        assert_eq!(kept >> bit & 1, 0, "{dropped}");
    }
    assert_eq!(kept & 1, 1, "CHOWN");
    assert!(mounted(&lines, "/run", "tmpfs", "mode=755"), "{lines:#?}");
    assert_eq!(says("container-2014", "echo $container $TERM $HOME"), ["nsinit xterm /"]);
    assert_eq!(says("privileged-2014", "hostname changed && hostname"), ["changed"]);
    let spring = says("spring-2014", "id -u; hostname; cat /proc/net/dev | wc -l >/dev/null; echo $$");
    assert_eq!(spring, ["0", "box", "1"]);
}

#[test]
fn the_samples_with_a_bridge_reach_it_and_route_as_they_say() {
    if !root() {
        return;
    }
    // The bridge is in a network that goes with this thread.
    cofferdam_sys::setns::unshare(CLONE_NEWNET).unwrap();
    for args in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "nsbr0", "type", "bridge"],
        &["addr", "add", "10.213.90.1/24", "dev", "nsbr0"],
        &["link", "set", "nsbr0", "up"],
    ] {
        assert!(Command::new("ip").args(args).status().unwrap().success(), "{args:?}");
    }
    let script = "ip -o addr show eth0; ip route; ping -c1 -W5 10.213.90.1 >/dev/null && echo answered";
    let bridged = says("attach_to_bridge", script).join("\n");
    for part in ["inet 10.213.90.101/24", "default via 10.213.90.1 dev eth0", "answered"] {
        assert!(bridged.contains(part), "{part}: {bridged}");
    }
    let routed = says("route_source_address_selection", script).join("\n");
    assert!(routed.contains("default via 10.213.90.1 dev eth0  src 10.213.90.101"), "{routed}");
    let mut world = world("container-v1.0");
    std::fs::create_dir(world.dir.join("shared")).unwrap();
    world.config.apparmor_profile.clear();
    let own = world.config.mount_config.as_mut().unwrap();
    own.mounts[1].source = world.dir.join("shared").display().to_string();
    // A read-only root has its directories already.
    for dir in ["data", "dev/pts", "dev/shm"] {
        std::fs::create_dir_all(world.root().join(dir)).unwrap();
    }
    let script = format!("{script}; echo a >/data/a; (echo a >/a) 2>/dev/null || echo readonly");
    assert_eq!(world.run(&script).unwrap(), 0, "{}", world.output());
    let told = world.output();
    for part in [
        "10.213.90.2/24",
        "192.0.2.0/24 dev eth0",
        "198.51.100.0/24 via 10.213.90.1 dev eth0  src 10.213.90.2",
        "readonly",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(std::fs::read_to_string(world.dir.join("shared/a")).unwrap(), "a\n");
    let links = Command::new("ip").args(["-o", "link"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&links.stdout).contains("veth"), "{links:?}");
}

#[test]
fn what_the_host_lacks_is_told_in_the_samples_own_words() {
    if !root() || Path::new("/sys/fs/selinux/enforce").exists() {
        eprintln!("skipped: this host has SELinux");
        return;
    }
    let error = world("selinux").run("true").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host, "{error}");
    let mut places: Vec<_> = error.rejects().iter().map(|reject| reject.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/mount_config/mount_label", "/process_label"]);
    // In the words of v1.0.
    let mut old = world("container-v1.0");
    old.config.networks.clear();
    old.config.routes.clear();
    old.config.apparmor_profile.clear();
    old.config.process_label = "a:b:c:s0".into();
    old.config.mount_config.as_mut().unwrap().mounts[1].source = "relative/../..".into();
    let error = old.run("true").unwrap_err();
    assert_eq!(error.pointer(), Some("/context/process_label"), "{error}");
}

#[test]
fn no_mount_is_made_that_v2_does_not_name() {
    if !root() {
        return;
    }
    let mut world = world("minimal-v2");
    let own = world.config.mount_config.as_mut().unwrap();
    own.mounts.truncate(1);
    assert_eq!(own.system_mounts, SystemMounts::None);
    world.config.readonly_paths.clear();
    world.config.mask_paths.clear();
    assert_eq!(world.run("while read s d r; do echo $d; done </proc/mounts").unwrap(), 0);
    assert_eq!(world.output(), "/\n/proc\n");
    // Nor a namespace.
    world.config.namespaces = Namespaces::from_iter([cofferdam_nsinit::NamespaceType::Mount]);
    world.config.hostname.clear();
    world.config.networks.clear();
    assert_eq!(world.run("echo $$").unwrap(), 0, "{}", world.output());
    assert_ne!(world.output(), "1\n");
}
