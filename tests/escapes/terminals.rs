//! Terminals in a /dev that an image, or another container, controls.

use std::fs;
use std::os::unix::fs::symlink;

use cofferdam_tests::{Bundle, ConsoleSocket, Test, facts};

use crate::attack::{Host, Swapper, volume};

/// A container with a terminal whose /dev is a volume; devpts is mounted in it when asked for.
fn bundle<'t>(t: &'t Test, dev: &std::path::Path, devpts: bool) -> Bundle<'t> {
    let mut b = t.bundle();
    let mounts = b.config["mounts"].as_array_mut().unwrap();
    if !devpts {
        mounts.pop();
    }
    mounts.remove(1);
    let source = dev.to_str().unwrap();
    let bind = cofferdam_tests::json!({"destination": "/dev", "type": "none", "source": source, "options": ["bind"]});
    mounts.insert(1, bind);
    b.set("/process/terminal", true);
    b
}

facts! {
    /// CVE-2025-52565. Seen failing with `Links::Follow` for /dev/console in the child's console.rs.
    fn a_console_that_is_a_link_is_refused(t) {
        let (host, dev) = (Host::new(t), volume(t));
        fs::create_dir(dev.join("pts")).unwrap();
        for to in ["/etc/passwd", "/proc/self/exe", host.dir.join("secret").to_str().unwrap()] {
            let _ = fs::remove_file(dev.join("console"));
            symlink(to, dev.join("console")).unwrap();
            let b = bundle(t, &dev, true);
            let socket = ConsoleSocket::new(&b.dir);
            let (_c, out) = b.try_create(&["--console-socket", socket.arg()]);
            assert!(out.refused().contains("/dev/console"), "{out}");
            host.untouched();
        }
    }

    /// CVE-2025-52565: swapped while the terminal is made. Seen failing with `Links::Follow` for /dev/console in the
    /// child's console.rs.
    fn a_console_that_is_swapped_for_a_link_covers_nothing_else(t) {
        let dev = volume(t);
        fs::create_dir(dev.join("pts")).unwrap();
        fs::write(dev.join("console"), "").unwrap();
        symlink("/etc/passwd", dev.join("other")).unwrap();
        let _swapper = Swapper::new(dev.join("console"), dev.join("other"));
        for _ in 0..12 {
            let b = bundle(t, &dev, true);
            let socket = ConsoleSocket::new(&b.dir);
            let (c, out) = b.try_create(&["--console-socket", socket.arg()]);
            if out.code == 0 {
                let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).unwrap();
                assert!(!mounts.contains(" /etc/passwd "), "{mounts}");
            }
        }
    }

    /// CVE-2025-52565: a multiplexer that is none. Seen failing with both calls of `check` taken out of `ptmx` in
    /// the child's console.rs.
    fn a_terminal_multiplexer_that_is_something_else_is_not_opened(t) {
        let dev = volume(t);
        fs::create_dir(dev.join("pts")).unwrap();
        for make in ["mknod ptmx c 1 5", "echo >ptmx", "mkfifo ptmx"] {
            t.host(&format!("cd {}/pts; rm -f ptmx; {make}", dev.display()));
            let b = bundle(t, &dev, false);
            let socket = ConsoleSocket::new(&b.dir);
            let (_c, out) = b.try_create(&["--console-socket", socket.arg()]);
            assert!(out.refused().contains("ENODEV"), "{make}: {out}");
        }
    }
}
