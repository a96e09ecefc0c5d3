//! run, detach, pid files, console sockets, descriptors and exit statuses.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use cofferdam_tests::{ConsoleSocket, Container, Pty, Test, facts};

facts! {
    fn run_returns_the_exit_status_of_the_process(t) {
        for code in [0, 1, 42, 255] {
            assert_eq!(t.script(&format!("exit {code}")).run().code, code);
        }
    }

    fn run_returns_128_and_the_signal_that_ended_the_process(t) {
        // The first process of a pid namespace can be killed by others only.
        for (signal, number) in [("KILL", 9), ("TERM", 15)] {
            let mut b = t.bundle();
            b.args(&["sleep", "600"]).set("/linux/namespaces", cofferdam_tests::json!([{"type": "mount"}]));
            let out = b.args(&["sh", "-c", &format!("kill -{signal} $$")]).run();
            assert_eq!(out.code, 128 + number, "{out}");
        }
    }

    fn run_forwards_signals_to_the_process(t) {
        let b = t.script("trap 'echo got it; exit 3' TERM; echo ready; while true; do sleep 0.05; done");
        b.write();
        let out = t.dir.join("signalled");
        let mut command = t.runtime_command(&b.command_line("run", &[]));
        let mut child = command.stdout(std::fs::File::create(&out).unwrap()).spawn().unwrap();
        let text = || std::fs::read_to_string(&out).unwrap_or_default();
        cofferdam_tests::wait_until("the process", || text().contains("ready"));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!((code, text().contains("got it")), (Some(3), true), "{}", text());
    }

    fn run_leaves_nothing_behind(t) {
        let mut b = t.bundle();
        b.args(&["false"]).run();
        assert!(!t.runtime(&["list", "-q"]).ok().contains(&b.id));
        assert!(cofferdam_tests::cgroup::all_named(&b.id).is_empty());
    }

    fn run_with_keep_leaves_the_container(t) {
        let mut b = t.bundle();
        let c = Container::of(t, &b.id);
        b.args(&["true"]).run_with(&["--keep"]).ok();
        assert_eq!(c.status(), "stopped");
        c.delete().ok();
    }

    fn run_detached_returns_while_the_process_runs(t) {
        let b = t.bundle();
        let c = Container::of(t, &b.id);
        b.run_with(&["--detach"]).ok();
        assert_eq!(c.status(), "running");
        c.kill("KILL").ok();
        c.wait_stopped();
        c.delete().ok();
    }

    fn the_pid_file_has_the_pid_of_the_process(t) {
        let b = t.bundle();
        let file = t.dir.join("pid");
        let c = b.create_with(&["--pid-file", file.to_str().unwrap()]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), c.pid().to_string());
        let b = t.bundle();
        let c = Container::of(t, &b.id);
        b.run_with(&["--detach", "--pid-file", file.to_str().unwrap()]).ok();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), c.pid().to_string());
    }

    fn a_failed_create_leaves_no_pid_file(t) {
        let mut b = t.bundle();
        let file = t.dir.join("pid");
        let (_c, out) = b.args(&["/no/such/program"]).try_create(&["--pid-file", file.to_str().unwrap()]);
        out.refused();
        assert!(!file.exists());
    }

    fn a_console_socket_without_a_terminal_is_refused_or_unused(t) {
        let socket = ConsoleSocket::new(&t.dir);
        let mut b = t.bundle();
        let (_c, out) = b.args(&["true"]).try_create(&["--console-socket", socket.arg()]);
        assert!(out.code == 0 || !out.stderr.is_empty(), "{out}");
    }

    fn a_console_socket_nobody_listens_on_is_refused(t) {
        let mut b = t.bundle();
        let (_c, out) = b.set("/process/terminal", true).try_create(&["--console-socket", "/no/such.sock"]);
        out.refused();
    }

    fn exec_hands_its_terminal_over_on_the_console_socket(t) {
        let c = t.bundle().start();
        let socket = ConsoleSocket::new(&t.dir);
        c.exec(&["--tty", "--detach", "--console-socket", socket.arg()], &["sh", "-c", "tty; read x"]).ok();
        let (mut pty, _name) = socket.receive();
        pty.read_until("/dev/pts/");
        pty.write("end\n");
    }

    fn exec_in_the_foreground_relays_the_terminal(t) {
        let c = t.bundle().start();
        let (mut pty, [stdin, stdout, stderr]) = Pty::new();
        let mut command = t.runtime_command(&["exec", "--tty", &c.id, "sh", "-c", "tty; read line; echo got:$line; exit 4"]);
        let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        drop(command);
        pty.read_until("/dev/pts/");
        pty.write("typed\n");
        pty.read_until("got:typed");
        assert_eq!(child.wait().unwrap().code(), Some(4));
    }

    fn preserved_descriptors_are_those_from_3_on(t) {
        let mut b = t.bundle();
        std::fs::write(t.dir.join("kept"), "kept\n").unwrap();
        b.args(&["sh", "-c", "cat <&3; probe fdinfo"]).write();
        let line = b.command_line("run", &["--preserve-fds", "1"]);
        let runtime = t.runtime.path.display();
        let root = t.dir.join("state");
        let script = format!("exec 3<{}/kept; exec {runtime} --root {} {}", t.dir.display(), root.display(), line.join(" "));
        let out = t.finish(t.command("/bin/sh".as_ref()).args(["-c", &script]));
        assert!(out.ok().starts_with("kept\n") && out.stdout.contains("fd.3=") && !out.stdout.contains("fd.4="), "{out}");
    }

    fn another_process_is_handed_files_too_and_writes_to_them(t) {
        let c = t.bundle().start();
        let files = ["one", "two"].map(|name| t.dir.join(name));
        let (root, runtime) = (t.dir.join("state"), t.runtime.path.display());
        let script = format!(
            "exec 3>{} 4>{}; exec {runtime} --root {} exec --preserve-fds 2 {} sh -c 'echo 1 >&3; echo 2 >&4; probe fdinfo'",
            files[0].display(), files[1].display(), root.display(), c.id
        );
        let out = t.finish(t.command("/bin/sh".as_ref()).args(["-c", &script]));
        let open: Vec<_> = out.ok().lines().filter(|l| l.starts_with("fd.")).map(|l| &l[..4]).collect();
        assert_eq!(open, ["fd.0", "fd.1", "fd.2", "fd.3", "fd.4"], "{out}");
        let written = files.map(|file| std::fs::read_to_string(file).unwrap());
        assert_eq!(written, ["1\n", "2\n"]);
    }

    fn other_descriptors_are_not_inherited(t) {
        let mut b = t.bundle();
        b.args(&["probe", "fdinfo"]).write();
        let line = b.command_line("run", &[]);
        let file = std::fs::File::open(&t.dir).unwrap();
        let script = format!("exec 7<{}; exec {} --root {} {}", t.dir.display(), t.runtime.path.display(),
            t.dir.join("state").display(), line.join(" "));
        let out = t.finish(t.command("/bin/sh".as_ref()).args(["-c", &script]));
        let open = out.ok().lines().filter(|l| l.starts_with("fd.")).count();
        assert_eq!(open, 3, "{out} ({})", file.as_raw_fd());
    }

    fn descriptors_to_preserve_that_are_not_open_are_refused(t) {
        let mut b = t.bundle();
        let out = b.args(&["true"]).run_with(&["--preserve-fds", "9"]);
        assert!(out.code != 0, "{out}");
    }

    fn listen_fds_are_passed_with_their_variables(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; probe fdinfo"]).write();
        let line = b.command_line("run", &[]);
        let script = format!("exec 3</; export LISTEN_FDS=1; export LISTEN_PID=$$; exec {} --root {} {}",
            t.runtime.path.display(), t.dir.join("state").display(), line.join(" "));
        let out = t.finish(t.command("/bin/sh".as_ref()).args(["-c", &script]));
        assert!(out.ok().starts_with("1 1\n") && out.stdout.contains("fd.3="), "{out}");
    }

    fn what_is_sent_to_the_notify_socket_reaches_the_hosts(t) {
        let mut b = t.bundle();
        let path = t.dir.join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        b.args(&["sh", "-c", "probe notify READY=1; sleep 0.3"]).write();
        let mut command = t.runtime_command(&b.command_line("run", &[]));
        t.finish(command.env("NOTIFY_SOCKET", &path)).ok();
        let mut buffer = [0; 256];
        let n = socket.recv(&mut buffer).unwrap();
        assert!(String::from_utf8_lossy(&buffer[..n]).contains("READY=1"));
    }

    fn start_waits_until_the_container_is_ready(t) {
        let (said, _) = said_by_start(t);
        assert_eq!(said.first().map(String::as_str), Some("READY=1"), "{said:?}");
    }

    fn start_tells_the_process_to_watch_and_waits_until_it_was_read(t) {
        let (said, pid) = said_by_start(t);
        assert_eq!(said, ["READY=1", &format!("MAINPID={pid}"), "BARRIER=1"]);
    }
}

/// What the service manager's socket gets from `start` of a container that is ready after a while, and the
/// container's process.
fn said_by_start(t: &Test) -> (Vec<String>, i64) {
    let mut b = t.bundle();
    let path = t.dir.join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    b.args(&["sh", "-c", "sleep 0.3; probe notify READY=1; sleep 600"]).write();
    let c = Container::of(t, &b.id);
    let mut create = t.runtime_command(&b.command_line("create", &[]));
    create.env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(create.status().unwrap().success());
    // What is sent along is closed by being read: that is what `start` waits for.
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 256];
        let mut said = Vec::new();
        while let Ok(n) = socket.recv(&mut buffer) {
            said.push(String::from_utf8_lossy(&buffer[..n]).trim().to_owned());
            if said.last().is_some_and(|word| word == "BARRIER=1") {
                break;
            }
        }
        said
    });
    let mut start = t.runtime_command(&["start", &b.id]);
    t.finish(start.env("NOTIFY_SOCKET", &path)).ok();
    let pid = c.pid();
    (reader.join().unwrap(), pid)
}
