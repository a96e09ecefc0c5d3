//! A target's root that wants out: links, `..`, magic links, fifos and devices.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use cofferdam_nsenter::{Inside, Mount, Open};

use crate::world::{ROOTFUL, World, possible};

#[test]
fn no_path_leads_out_of_the_root() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let outside = std::env::temp_dir().join(format!("cofferdam-nsenter-outside-{}", std::process::id()));
    fs::write(&outside, "secret").unwrap();
    let name = outside.to_str().unwrap();
    symlink("../../../../../../../..", world.root.join("up")).unwrap();
    symlink(name, world.root.join("absolute")).unwrap();
    let enter = world.target().enter();
    for path in [name.to_owned(), format!("/up{name}"), format!("/../../../..{name}"), "/absolute".to_owned()]
    {
        assert_eq!(enter.read(&path, 100).unwrap_err().errno(), Some(2), "{path}");
        let made = enter.mkdir(format!("{path}-made"), 0o755);
        assert!(made.is_err() || !fs::exists(format!("{name}-made")).unwrap(), "{path}");
    }
    fs::remove_file(&outside).unwrap();
}

#[test]
fn magic_links_are_not_followed() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    symlink("/proc/self/root", world.root.join("root")).unwrap();
    symlink("/proc/1/cwd", world.root.join("cwd")).unwrap();
    symlink("/proc/self/exe", world.root.join("exe")).unwrap();
    let enter = world.target().enter().resident();
    for path in ["/root/tmp", "/cwd", "/proc/1/root/tmp", "/proc/self/fd/0", "/exe"] {
        assert_eq!(enter.open(path, &Open::path()).unwrap_err().errno(), Some(40), "{path}");
        assert_eq!(enter.chmod(path, 0o777).unwrap_err().errno(), Some(40), "{path}");
        assert_eq!(enter.chown(path, 1, 1).unwrap_err().errno(), Some(40), "{path}");
        assert_eq!(enter.mount(&Mount::new("tmpfs", path)).unwrap_err().errno(), Some(40), "{path}");
    }
    assert_eq!(enter.mkdir("/root/x", 0o755).unwrap_err().errno(), Some(40));
    assert_eq!(enter.umount("/root/proc", 0).unwrap_err().errno(), Some(40));
    // The link itself is a file like another.
    enter.lchown("/root", 1, 1).unwrap();
}

#[test]
fn what_is_no_regular_file_is_neither_read_nor_written() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let enter = world.target().enter().resident();
    enter.mknod("/tmp/fifo", 0o010_666, (0, 0)).unwrap();
    enter.mknod("/tmp/zero", 0o020_666, (1, 5)).unwrap();
    let begin = std::time::Instant::now();
    for path in ["/tmp/fifo", "/tmp/zero"] {
        assert_eq!(enter.read(path, 1 << 20).unwrap_err().errno(), Some(22), "{path}");
        assert_eq!(enter.write(path, b"x", 0).unwrap_err().errno(), Some(22), "{path}");
    }
    assert!(begin.elapsed() < std::time::Duration::from_secs(5), "a fifo is not waited for");
    assert_eq!(enter.mkdir("/", 0o755).unwrap_err().errno(), Some(17));
    assert_eq!(enter.mkdir("/tmp/..", 0o755).unwrap_err().errno(), Some(22));
    assert_eq!(enter.mkdir("", 0o755).unwrap_err().errno(), Some(17));
    enter.mkdir("/tmp/slashes//", 0o755).unwrap();
    assert!(enter.mkdir("/tmp/nul\0", 0o755).is_err());
    assert_eq!(enter.mkdir("/tmp/".to_owned() + &"n".repeat(5000), 0o755).unwrap_err().errno(), Some(36));
}

#[test]
fn the_working_directory_must_lie_in_the_root() {
    if !possible() {
        return;
    }
    // A process that was put into a root and stayed outside with its directory.
    let world = World::running(&["--mount", "--pid"], "echo ready; exec sleep 1000");
    let inside = world.root.join("jail");
    fs::create_dir_all(inside.join("bin")).unwrap();
    let mut child = std::process::Command::new("python3")
        .args([
            "-c",
            "import os,sys,time; os.chdir('/'); os.chroot(sys.argv[1]); print(flush=True); time.sleep(1000)",
        ])
        .arg(&inside)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let target = cofferdam_nsenter::Target::open(i32::try_from(child.id()).unwrap()).unwrap();
    let e = target.enter().read("etc/passwd", 1 << 20).unwrap_err();
    assert!(matches!(e, cofferdam_nsenter::Error::Join(_)) && e.errno() == Some(18), "{e:?}");
    let without = target.enter().without(cofferdam_nsenter::Set::CWD);
    assert_eq!(without.read("../../etc/passwd", 1 << 20).unwrap_err().errno(), Some(2));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_inside_cannot_look_into_a_helper() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let inside = world.target().enter().resident();
    inside.mkdir("/tmp/made", 0o755).unwrap();
    let pid: u32 = inside.call("pid", &()).unwrap();
    let seen: Vec<String> = world.target().enter().call("look", &pid).unwrap();
    assert_eq!(seen, ["there"], "nothing but that it is there");
}

/// Opening has effects of its own on what is no regular file: a fifo's writer is let in, a tape is rewound.
#[test]
fn what_takes_a_files_place_is_not_opened() {
    if !possible() {
        return;
    }
    let world = World::new(ROOTFUL);
    let enter = world.target().enter().resident();
    enter.mknod("/tmp/fifo", 0o010_666, (0, 0)).unwrap();
    enter.write("/tmp/file", b"content", 0o600).unwrap();
    let tmp = world.root.join("tmp");
    use rustix::fs::inotify;
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, tmp.join("fifo"), inotify::WatchFlags::OPEN).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The two change places all the time.
        scope.spawn(|| {
            let (fifo, file) = (tmp.join("fifo"), tmp.join("file"));
            while !over.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &fifo, rustix::fs::CWD, &file, exchange).unwrap();
            }
        });
        for _ in 0..5000 {
            match enter.read("/tmp/file", 100) {
                Ok(content) => assert_eq!(content, b"content"),
                Err(e) => assert_eq!(e.errno(), Some(22), "{e}"),
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let mut events = [std::mem::MaybeUninit::uninit(); 4096];
    let nothing = inotify::Reader::new(&watch, &mut events).next().map(drop);
    assert_eq!(nothing, Err(rustix::io::Errno::AGAIN), "the fifo was opened");
}
