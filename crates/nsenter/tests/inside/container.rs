//! A container of Cofferdam's as the target.

use cofferdam::{Command, Store};
use cofferdam_nsenter::{Error, Inside, Mount, Set, Target};

use crate::world::{caller, possible};

#[test]
fn a_container_is_entered_until_it_ends() {
    if !possible() {
        return;
    }
    let dir = std::env::temp_dir().join(format!("cofferdam-nsenter-store-{}", std::process::id()));
    let before = caller();
    let mut command = Command::new("/bin/sleep");
    let mut child = command.arg("1000").store(Store::new(&dir)).kill_on_drop(true).spawn().unwrap();
    let target = Target::of(child.container()).unwrap();
    assert_eq!(target.pid(), child.pid());
    assert!(target.differing().contains(Set::MNT | Set::PID | Set::NET), "{:?}", target.differing());
    let inside = target.enter().resident();
    inside.mount(&Mount::new("tmpfs", "/mnt").data("size=64k")).unwrap();
    inside.write("/mnt/file", b"inside", 0o600).unwrap();
    assert_eq!(inside.call::<_, String>("read", &"/mnt/file").unwrap(), "inside");
    assert!(!std::path::Path::new("/mnt/file").exists());
    let names: Vec<_> = inside.interfaces().unwrap().into_iter().map(|i| i.name).collect();
    assert_eq!(names, ["lo"]);
    // The container's own program could not mount; with its rights neither can we.
    let e = target.enter().as_target().mount(&Mount::new("tmpfs", "/mnt")).unwrap_err();
    assert_eq!(e.errno(), Some(1), "{e}");
    let container = child.container().clone();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!target.is_alive());
    assert!(matches!(Target::of(&container), Err(Error::Gone { .. })));
    // The helpers were in its PID namespace, and have ended with it.
    assert!(matches!(inside.run("echo", b"").unwrap_err(), Error::Join(_)));
    assert!(matches!(inside.mkdir("/tmp/x", 0o755).unwrap_err(), Error::Join(_)));
    drop(child);
    assert_eq!(caller(), before);
    let _ = std::fs::remove_dir_all(&dir);
}
