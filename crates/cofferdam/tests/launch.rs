//! The child program as a process that obeys: programs one after the other, small and large ones.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam::launch::{Child, Operations, Said};
use cofferdam_child::op::Op;

fn obedient() -> Child {
    child(false)
}

fn child(parks: bool) -> Child {
    let mut first = Operations::default();
    first.push("closing", "", Op::CloseOthers { keep: &[] });
    first.push("hiding", "", Op::Dumpable { on: false });
    first.push("opening /proc", "", Op::OpenProc {});
    first.push("setting the umask", "", Op::Umask { mask: 0 });
    if parks {
        first.park();
    }
    first.push("waiting for programs", "", Op::Obey {});
    Child::spawn(first, &[]).unwrap()
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(20))
}

fn ask(child: &mut Child, object: &str, op: Op<'_>, fds: &[i32]) -> Said {
    let mut wish = Operations::default();
    wish.push("doing", object, op);
    child.tell(&wish, fds).unwrap();
    child.hear(&wish, soon()).unwrap()
}

fn c(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

struct Dir(std::path::PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("cofferdam-launch-{name}-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_child_obeys_one_program_after_the_other() {
    let dir = Dir::new("obeys");
    let (mut child, pid) = (obedient(), std::process::id());
    let path = c(&dir.0.join("made"));
    let make = Op::HereDirectory { path: &path, mode: 0o1777 };
    assert!(matches!(ask(&mut child, "made", make, &[]), Said::Done));
    assert_eq!(std::fs::metadata(dir.0.join("made")).unwrap().permissions().mode() & 0o7777, 0o1777);
    let Said::Failed(e) = ask(&mut child, "made", make, &[]) else { panic!("made twice") };
    assert_eq!((e.step(), e.object(), e.errno()), ("doing", Some("made"), Some(17)));
    let mode = Op::HereMode { path: &path, mode: 0o700, follow: true };
    assert!(matches!(ask(&mut child, "", mode, &[]), Said::Done), "it goes on after a failure");
    let owner = Op::HereOwner { path: &path, uid: 7, gid: 8, follow: true };
    assert!(matches!(ask(&mut child, "", owner, &[]), Said::Done));
    let m = std::fs::metadata(dir.0.join("made")).unwrap();
    assert_eq!((m.uid(), m.gid(), m.permissions().mode() & 0o7777), (7, 8, 0o700));
    assert_ne!(child.pid().unsigned_abs(), pid);
}

#[test]
fn a_program_larger_than_a_message_arrives_whole() {
    let dir = Dir::new("large");
    let mut child = obedient();
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_ne_bytes).collect();
    let path = c(&dir.0.join("file"));
    for _ in 0..3 {
        let op = Op::HereWrite { path: &path, mode: 0o600, content: &content };
        assert!(matches!(ask(&mut child, "", op, &[]), Said::Done));
    }
    let to = std::fs::File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(dir.0.join("copy"))
        .unwrap();
    let limit = u64::try_from(content.len()).unwrap();
    let read = Op::HereRead { path: &path, limit };
    assert!(matches!(ask(&mut child, "", read, &[to.as_raw_fd()]), Said::Done));
    assert_eq!(std::fs::read(dir.0.join("copy")).unwrap(), content);
    let read = Op::HereRead { path: &path, limit: limit - 1 };
    let Said::Failed(e) = ask(&mut child, "", read, &[to.as_raw_fd()]) else { panic!("too much was read") };
    assert_eq!(e.errno(), Some(27));
}

#[test]
fn a_descriptor_is_handed_over() {
    let mut child = obedient();
    let open = Op::HereOpen { path: c"/etc/passwd", flags: 0, mode: 0, resolve: 0 };
    let mut wish = Operations::default();
    wish.push("opening", "/etc/passwd", open);
    child.tell(&wish, &[]).unwrap();
    let Said::Descriptor(fd) = child.hear(&wish, soon()).unwrap() else { panic!("no descriptor") };
    assert!(matches!(child.hear(&wish, soon()).unwrap(), Said::Done));
    let text = std::io::read_to_string(std::fs::File::from(fd)).unwrap();
    assert!(text.contains("root:"));
}

#[test]
fn a_child_ends_when_nobody_is_there_to_obey() {
    let child = obedient();
    let pid = child.pid();
    drop(child);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let mut first = Operations::default();
    first.push("joining", "the wrong descriptor", Op::Setns { fd: 0, flags: 0 });
    let mut child = Child::spawn(first, &[]).unwrap();
    let Said::NotReady(e) = child.hear(&Operations::default(), soon()).unwrap() else { panic!("ready") };
    assert_eq!(e.object(), Some("the wrong descriptor"));
    let said = child.hear(&Operations::default(), soon()).unwrap();
    assert!(matches!(said, Said::Ended(Some(cofferdam::ExitStatus::Code(1)))), "{said:?}");
}

fn signal(child: &Child, name: &str) {
    let pid = child.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

#[test]
fn a_child_that_parks_obeys_as_any_other() {
    let dir = Dir::new("parks");
    let mut child = child(true);
    let path = c(&dir.0.join("made"));
    let make = Op::HereDirectory { path: &path, mode: 0o700 };
    assert!(matches!(ask(&mut child, "made", make, &[]), Said::Done));
    for _ in 0..3 {
        let Said::Failed(e) = ask(&mut child, "made", make, &[]) else { panic!("made twice") };
        assert_eq!((e.object(), e.errno()), (Some("made"), Some(17)));
    }
    let content = vec![7; 100_000];
    let file = c(&dir.0.join("file"));
    let write = Op::HereWrite { path: &file, mode: 0o600, content: &content };
    assert!(matches!(ask(&mut child, "", write, &[]), Said::Done), "more than a message");
    let open = Op::HereOpen { path: &file, flags: 0, mode: 0, resolve: 0 };
    let mut wish = Operations::default();
    wish.push("opening", "", open);
    child.tell(&wish, &[]).unwrap();
    let Said::Descriptor(fd) = child.hear(&wish, soon()).unwrap() else { panic!("no descriptor") };
    assert!(matches!(child.hear(&wish, soon()).unwrap(), Said::Done), "the descriptor comes first");
    assert_eq!(std::fs::File::from(fd).metadata().unwrap().len(), content.len() as u64);
    // Nothing was asked for: nothing is heard.
    let now = Some(Instant::now());
    assert!(matches!(child.hear(&Operations::default(), now).unwrap(), Said::Nothing));
}

#[test]
fn a_child_that_parks_may_be_stopped_where_it_waits() {
    let dir = Dir::new("stopped");
    let mut child = child(true);
    for (n, stop) in [false, true, true, false].into_iter().enumerate() {
        if stop {
            signal(&child, "STOP");
            std::thread::sleep(Duration::from_millis(20));
            signal(&child, "CONT");
        }
        let path = c(&dir.0.join(n.to_string()));
        let make = Op::HereDirectory { path: &path, mode: 0o700 };
        assert!(matches!(ask(&mut child, "", make, &[]), Said::Done), "{n}");
    }
    signal(&child, "STOP");
    let path = c(&dir.0.join("later"));
    let mut wish = Operations::default();
    wish.push("making", "", Op::HereDirectory { path: &path, mode: 0o700 });
    child.tell(&wish, &[]).unwrap();
    let soon = Some(Instant::now() + Duration::from_millis(50));
    assert!(matches!(child.hear(&wish, soon).unwrap(), Said::Nothing));
    signal(&child, "CONT");
    assert!(matches!(child.hear(&wish, self::soon()).unwrap(), Said::Done));
}

#[test]
fn a_child_that_parks_and_is_killed_is_said_to_have_ended() {
    for asked in [false, true] {
        let mut child = child(true);
        let known = Op::HereOpen { path: c"/", flags: 0o200_000, mode: 0, resolve: 0 };
        if asked {
            assert!(matches!(ask(&mut child, "", known, &[]), Said::Descriptor(_)));
            assert!(matches!(child.hear(&Operations::default(), soon()).unwrap(), Said::Done));
        }
        signal(&child, "KILL");
        let said = child.hear(&Operations::default(), soon()).unwrap();
        assert!(matches!(said, Said::Ended(Some(cofferdam::ExitStatus::Signal(9)))), "{said:?}");
    }
}
