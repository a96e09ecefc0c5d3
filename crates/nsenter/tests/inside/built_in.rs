//! Built-in operations, each as the kernel sees it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use cofferdam_nsenter::{Error, Inside, Mount, Open, Set};

use crate::world::{ALL, ROOTFUL, World, caller, possible};

#[test]
fn files_are_made_and_changed_as_the_target_names_them() {
    if !possible() {
        return;
    }
    let (world, before) = (World::new(ROOTFUL), caller());
    let enter = world.target().enter();
    enter.mkdir("/tmp/dir", 0o1777).unwrap();
    enter.mkdir("relative", 0o700).unwrap();
    enter.mknod("/tmp/dir/null", 0o020_666, (1, 3)).unwrap();
    enter.mknod("/tmp/dir/fifo", 0o010_600, (0, 0)).unwrap();
    enter.symlink("/etc/passwd", "/tmp/link").unwrap();
    enter.chown("/tmp/dir", 12, 34).unwrap();
    enter.lchown("/tmp/link", 5, 6).unwrap();
    enter.chmod("/tmp/dir/null", 0o600).unwrap();
    let m = fs::metadata(world.root.join("tmp/dir")).unwrap();
    assert_eq!((m.uid(), m.gid(), m.mode() & 0o7777), (12, 34, 0o1777));
    let m = fs::metadata(world.root.join("home/user/relative")).unwrap();
    assert!(m.is_dir() && m.mode() & 0o7777 == 0o700);
    let m = fs::metadata(world.root.join("tmp/dir/null")).unwrap();
    assert!(m.file_type().is_char_device() && m.rdev() == 0x103 && m.mode() & 0o7777 == 0o600);
    assert!(fs::metadata(world.root.join("tmp/dir/fifo")).unwrap().file_type().is_fifo());
    let m = fs::symlink_metadata(world.root.join("tmp/link")).unwrap();
    assert_eq!((m.uid(), m.gid()), (5, 6));
    assert_eq!(fs::read_link(world.root.join("tmp/link")).unwrap().to_str(), Some("/etc/passwd"));
    assert_eq!(caller(), before);
}

#[test]
fn files_are_written_read_and_handed_over() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let enter = world.target().enter();
    let content: Vec<u8> = (0..2_000_000u32).flat_map(u32::to_ne_bytes).collect();
    enter.write("/tmp/file", &content, 0o640).unwrap();
    assert_eq!(fs::metadata(world.root.join("tmp/file")).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(enter.read("/tmp/file", 1 << 30).unwrap() == content);
    enter.write("/tmp/file", b"short", 0o640).unwrap();
    assert_eq!(enter.read("/tmp/file", 5).unwrap(), b"short");
    let e = enter.read("/tmp/file", 4).unwrap_err();
    assert!(matches!(&e, Error::Operation(o) if o.step() == "reading" && o.object() == Some("/tmp/file")));
    assert_eq!(e.errno(), Some(27), "{e}");
    assert_eq!(enter.read("/tmp", 10).unwrap_err().errno(), Some(21));
    assert_eq!(enter.read("/tmp/nothing", 10).unwrap_err().errno(), Some(2));
    let mut text = String::new();
    fs::File::from(enter.open("/tmp/file", &Open::read()).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "short");
    let made = fs::File::from(enter.open("/tmp/made", &Open::write().create(0o600)).unwrap());
    std::io::Write::write_all(&mut &made, b"through the descriptor").unwrap();
    assert_eq!(fs::read(world.root.join("tmp/made")).unwrap(), b"through the descriptor");
    assert_eq!(enter.open("/tmp/file", &Open::path().directory()).unwrap_err().errno(), Some(20));
}

#[test]
fn mounts_appear_in_the_target_and_nowhere_else() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let enter = world.target().enter();
    let tmpfs = Mount::new("tmpfs", "/mnt").source("cofferdam").data("size=64k,mode=711").flags(2 | 8);
    enter.mount(&tmpfs).unwrap();
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", world.pid)).unwrap();
    let line = mounts.lines().find(|l| l.contains(" /mnt ")).unwrap();
    assert!(
        line.contains("nosuid,noexec") && line.contains("tmpfs cofferdam") && line.contains("size=64k"),
        "{line}"
    );
    assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains("tmpfs cofferdam"));
    enter.write("/mnt/file", b"x", 0o600).unwrap();
    assert!(fs::read_dir(world.root.join("mnt")).unwrap().next().is_none(), "not in the directory below");
    enter.write("/etc/target", b"", 0o600).unwrap();
    enter.bind("/mnt/file", "/etc/target", false, 1).unwrap();
    assert_eq!(enter.read("/etc/target", 9).unwrap(), b"x");
    assert_eq!(enter.write("/etc/target", b"y", 0).unwrap_err().errno(), Some(30), "bound read-only");
    enter.umount("/etc/target", 0).unwrap();
    enter.umount("/mnt", 0).unwrap();
    assert_eq!(enter.umount("/mnt", 0).unwrap_err().errno(), Some(22));
    let e = enter.mount(&Mount::new("nosuchfs", "/mnt")).unwrap_err();
    assert_eq!(e.errno(), Some(19), "{e}");
    let e = enter.mount(&Mount::new("tmpfs", "/mnt").data("nonsense=1")).unwrap_err();
    assert!(e.to_string().contains("nonsense"), "the kernel's own words: {e}");
}

#[test]
fn interfaces_are_those_of_the_target() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let enter = world.target().enter();
    let found = enter.interfaces().unwrap();
    assert_eq!(found.iter().map(|i| (i.name.as_str(), i.up)).collect::<Vec<_>>(), [("lo", false)]);
    let ours = enter.without(Set::NET).interfaces().unwrap();
    let lo = ours.iter().find(|i| i.name == "lo").unwrap();
    assert!(lo.addresses.contains(&(std::net::Ipv4Addr::LOCALHOST.into(), 8)), "{lo:?}");
}

#[test]
fn files_made_in_a_user_namespace_belong_to_its_root() {
    if !possible() {
        return;
    }
    let world = World::new(ALL);
    let enter = world.target().enter();
    enter.mkdir("/tmp/dir", 0o755).unwrap();
    assert_eq!(fs::metadata(world.root.join("tmp/dir")).unwrap().uid(), 0);
    // No device can be made in a user namespace, and nobody but its ids be given anything.
    assert_eq!(enter.mknod("/tmp/null", 0o020_666, (1, 3)).unwrap_err().errno(), Some(1));
    assert_eq!(enter.chown("/tmp/dir", 5, 5).unwrap_err().errno(), Some(22));
    enter.mount(&Mount::new("tmpfs", "/mnt")).unwrap();
}

#[test]
fn as_the_target_there_is_no_more_right_than_it_has() {
    if !possible() {
        return;
    }
    let world = World::running(
        ROOTFUL,
        "umask 027; /bin/busybox chmod 777 /tmp /home/user; echo ready; exec sleep 1000",
    );
    let enter = world.target().enter().as_target();
    enter.mkdir("/tmp/umask", 0o777).unwrap();
    let mode = fs::metadata(world.root.join("tmp/umask")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o750, "the target's umask");
}

#[test]
fn as_an_ordinary_user_without_capabilities() {
    if !possible() {
        return;
    }
    let flags: Vec<&str> = ROOTFUL.iter().copied().chain(["--setuid", "1234", "--setgid", "2345"]).collect();
    let world = World::running(&flags, "echo ready; exec sleep 1000");
    fs::set_permissions(world.root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let (root, user) = (world.target().enter(), world.target().enter().as_target());
    user.mkdir("/tmp/mine", 0o755).unwrap();
    let m = fs::metadata(world.root.join("tmp/mine")).unwrap();
    assert_eq!((m.uid(), m.gid()), (1234, 2345));
    assert_eq!(user.mkdir("/etc/mine", 0o755).unwrap_err().errno(), Some(13));
    assert_eq!(user.chown("/tmp/mine", 0, 0).unwrap_err().errno(), Some(1));
    assert_eq!(user.mount(&Mount::new("tmpfs", "/mnt")).unwrap_err().errno(), Some(1));
    assert_eq!(user.mknod("/tmp/null", 0o020_666, (1, 3)).unwrap_err().errno(), Some(1));
    user.chmod("/tmp/mine", 0o700).unwrap();
    root.mkdir("/etc/mine", 0o755).unwrap();
    let status: String = user.call("read", &"/proc/self/status").unwrap();
    assert!(status.contains("Uid:\t1234\t1234\t1234\t1234"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("CapPrm:\t0000000000000000"));
}

#[test]
fn credentials_are_not_taken_over_outside_their_user_namespace() {
    if !possible() {
        return;
    }
    let world = World::new(ALL);
    let e = world.target().enter().without(Set::USER).as_target().mkdir("/tmp/x", 0o755).unwrap_err();
    assert!(matches!(e, Error::Gone { .. }), "{e:?}");
    world.target().enter().as_target().mkdir("/tmp/x", 0o755).unwrap();
}
