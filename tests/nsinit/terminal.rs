//! Terminals: the program's own, as large as the caller's, and resized with it.

use cofferdam_tests::{Pty, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::Classic;

cofferdam_tests::own! {
    fn a_terminal_is_resized_with_the_callers(t) {
        let c = Classic::new(t);
        c.write();
        let (mut pty, [stdin, stdout, stderr]) = Pty::new();
        pty.resize(33, 111);
        let script = "trap 'stty size' WINCH; tty; stty size; while read word; do echo \"<$word>\"; done; exit 7";
        let mut command = c.command(&["exec", "--tty", "sh", "-c", script]);
        let mut nsinit = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        drop(command);
        pty.read_until("/dev/pts/0");
        pty.read_until("33 111");
        pty.write("typed\r");
        pty.read_until("<typed>");
        pty.resize(50, 132);
        kill_process(Pid::from_child(&nsinit), Signal::WINCH).unwrap();
        // busybox's shell runs a trap when what it waits for has come.
        pty.write("more\r");
        pty.read_until("50 132");
        pty.write("\x04");
        let mut code = None;
        wait_until("the end", || {
            code = nsinit.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(code.and_then(|status| status.code()), Some(7));
        assert!(c.left().is_empty(), "{:?}", c.left());
    }

    fn a_console_of_the_hosts_may_be_named(t) {
        let c = Classic::new(t);
        c.write();
        let (pty, ends) = Pty::new();
        let path = pty.path();
        let mut command = c.command(&["--console", &path, "exec", "sh", "-c", "tty; exit 3"]);
        assert_eq!(t.finish(&mut command).code, 3);
        pty.read_until("/dev/pts/0");
        drop(ends);
        let out = c.run(&["--console", "/dev/null", "exec", "true"]);
        assert!(out.refused().contains("not a terminal"), "{out}");
    }

    fn a_terminal_where_there_is_none_is_refused(t) {
        let c = Classic::new(t);
        c.write();
        let mut command = t.command("/usr/bin/setsid".as_ref());
        command.arg("--wait").arg(&t.runtime.path).args(["nsinit", "exec", "--tty", "true"]).current_dir(&c.data);
        let out = t.finish(&mut command);
        assert!(out.refused().contains("/dev/tty"), "{out}");
        assert!(c.left().is_empty(), "{:?}", c.left());
    }
}
