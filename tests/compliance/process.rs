//! `process`: who runs, what, where, and with which terminal.

use cofferdam_tests::{ConsoleSocket, Pty, facts, json};

facts! {
    fn args_are_given_as_they_are(t) {
        let out = t.bundle().args(&["printf", "%s|", "a b", "", "*", "$HOME"]).run();
        assert_eq!(out.ok(), "a b||*|$HOME|");
    }

    fn the_first_arg_is_looked_up_in_the_containers_path(t) {
        let mut b = t.bundle();
        std::fs::create_dir(b.rootfs().join("own")).unwrap();
        std::os::unix::fs::symlink("/bin/busybox", b.rootfs().join("own/echo2")).unwrap();
        std::fs::write(b.rootfs().join("own/greet"), "#!/bin/sh\necho hello\n").unwrap();
        t.host(&format!("chmod 755 {}/own/greet", b.rootfs().display()));
        b.set("/process/env", json!(["PATH=/nowhere:/own:/bin"]));
        assert_eq!(b.args(&["greet"]).run().ok(), "hello\n");
        b.set("/process/env", json!(["PATH=/bin"]));
        b.run().refused();
    }

    fn a_program_that_is_missing_is_an_error_at_create(t) {
        let (_c, out) = t.bundle().args(&["/no/such/program"]).try_create(&[]);
        assert!(out.refused().to_lowercase().contains("no such file"), "{out}");
    }

    fn a_program_that_may_not_be_executed_is_an_error(t) {
        let mut b = t.bundle();
        let out = b.args(&["/etc/passwd"]).run();
        assert!(out.refused().to_lowercase().contains("permission denied"), "{out}");
    }

    fn args_must_not_be_empty(t) {
        t.bundle().set("/process/args", json!([])).run().refused();
    }

    fn cwd_is_where_the_process_starts(t) {
        assert_eq!(t.bundle().set("/process/cwd", "/usr/bin").facts().get("cwd"), "/usr/bin");
    }

    fn a_relative_cwd_is_refused(t) {
        let mut b = t.bundle();
        b.args(&["true"]).set("/process/cwd", "usr").run().refused();
    }

    fn a_cwd_that_is_missing_is_made(t) {
        let mut b = t.bundle();
        b.args(&["pwd"]).set("/process/cwd", "/made/here");
        assert_eq!(b.run().ok(), "/made/here\n");
    }

    fn a_cwd_open_to_the_user_only_can_be_entered(t) {
        let mut b = t.bundle();
        t.host(&format!("mkdir -m 700 {0}/home/own; chown 1000:1000 {0}/home/own", b.rootfs().display()));
        b.set("/process/user", json!({"uid": 1000, "gid": 1000})).set("/process/cwd", "/home/own");
        b.set("/process/capabilities", json!({}));
        assert_eq!(b.facts().get("cwd"), "/home/own");
    }

    fn env_is_exactly_what_is_configured(t) {
        let mut b = t.bundle();
        b.args(&["env"]).set("/process/env", json!(["PATH=/bin", "A=b c", "EMPTY=", "HOME=/tmp"]));
        let mut lines: Vec<String> = b.run().ok().lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines, ["A=b c", "EMPTY=", "HOME=/tmp", "PATH=/bin"]);
    }

    fn home_is_set_from_passwd_when_it_is_not_configured(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "echo $HOME"]).set("/process/user", json!({"uid": 1000, "gid": 1000}));
        assert_eq!(b.run().ok(), "/home\n");
    }

    fn uid_and_gid_are_set(t) {
        let f = t.bundle().set("/process/user", json!({"uid": 1234, "gid": 4321})).facts();
        let seen = ["uid", "euid", "gid", "egid"].map(|n| f.number(n));
        assert_eq!(seen, [1234, 1234, 4321, 4321]);
        assert_eq!(f.get("status.Uid"), "1234\t1234\t1234\t1234");
        assert_eq!(f.get("status.Gid"), "4321\t4321\t4321\t4321");
    }

    fn additional_gids_are_set_and_no_others(t) {
        let mut b = t.bundle();
        b.set("/process/user", json!({"uid": 5, "gid": 6, "additionalGids": [7, 2000, 65534]}));
        let f = b.facts();
        let mut groups: Vec<&str> = f.get("groups").split(',').collect();
        groups.retain(|g| *g != "6");
        assert_eq!(groups, ["7", "2000", "65534"]);
    }

    fn without_additional_gids_there_are_none(t) {
        let f = t.bundle().set("/process/user", json!({"uid": 5, "gid": 6})).facts();
        assert!(["", "6"].contains(&f.get("groups")), "{:?}", f.get("groups"));
    }

    fn umask_is_set(t) {
        let mut b = t.bundle();
        assert_eq!(b.set("/process/user", json!({"uid": 0, "gid": 0, "umask": 0o57})).facts().get("umask"), "57");
    }

    fn umask_is_022_when_it_is_not_configured(t) {
        assert_eq!(t.bundle().facts().get("umask"), "22");
    }

    fn without_a_terminal_the_streams_are_the_runtimes(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "cat; tty; echo complaint >&2"]);
        let out = b.run_input("typed\n");
        assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("typed\nnot a tty\n", "complaint\n"));
    }

    fn terminal_is_handed_over_on_the_console_socket(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "probe facts; read line; echo got:$line"]).set("/process/terminal", true);
        let socket = ConsoleSocket::new(&t.dir);
        let c = b.create_with(&["--console-socket", socket.arg()]);
        let (mut pty, _name) = socket.receive();
        c.start();
        let all = pty.read_until("fd.2");
        let f = cofferdam_tests::Facts::read(&all);
        assert_eq!(["tty0", "tty1", "tty2", "ctty"].map(|n| f.get(n)), ["/dev/pts/0", "/dev/pts/0", "/dev/pts/0", "yes"], "{all}");
        assert_eq!(f.get("sid"), "1");
        pty.write("hello\n");
        pty.read_until("got:hello");
    }

    fn dev_console_is_the_terminal(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "stat -c %t:%T /dev/console /dev/pts/0; echo to-console >/dev/console; read x"]);
        b.set("/process/terminal", true);
        let socket = ConsoleSocket::new(&t.dir);
        let c = b.create_with(&["--console-socket", socket.arg()]);
        let (pty, _name) = socket.receive();
        c.start();
        let text = pty.read_until("to-console");
        assert!(text.starts_with("88:0\r\n88:0\r\nto-console"), "{text:?}");
    }

    fn a_terminal_in_the_background_needs_a_console_socket(t) {
        let (_c, out) = t.bundle().set("/process/terminal", true).try_create(&[]);
        out.refused();
    }

    fn console_size_is_the_terminals_size(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "stty size; read x"]).set("/process/terminal", true);
        b.set("/process/consoleSize", json!({"height": 33, "width": 111}));
        let socket = ConsoleSocket::new(&t.dir);
        let c = b.create_with(&["--console-socket", socket.arg()]);
        let (pty, _name) = socket.receive();
        assert_eq!(pty.size(), (33, 111));
        c.start();
        pty.read_until("33 111");
    }

    fn run_in_the_foreground_relays_the_terminal(t) {
        let mut b = t.bundle();
        b.args(&["sh", "-c", "tty; read line; echo got:$line; exit 5"]).set("/process/terminal", true).write();
        let (mut pty, [stdin, stdout, stderr]) = Pty::new();
        let mut command = t.runtime_command(&b.command_line("run", &[]));
        let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        drop(command);
        pty.read_until("/dev/pts/0");
        pty.write("typed\n");
        pty.read_until("got:typed");
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }

    fn no_new_privileges_is_set(t) {
        assert_eq!(t.bundle().set("/process/noNewPrivileges", true).facts().number("nnp"), 1);
        assert_eq!(t.bundle().set("/process/noNewPrivileges", false).facts().number("nnp"), 0);
    }

    fn oom_score_adj_is_set(t) {
        let mut b = t.bundle();
        b.args(&["cat", "/proc/self/oom_score_adj"]).set("/process/oomScoreAdj", 321);
        assert_eq!(b.run().ok(), "321\n");
    }

    fn without_oom_score_adj_it_is_inherited(t) {
        let mut b = t.bundle();
        let ours = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        assert_eq!(b.args(&["cat", "/proc/self/oom_score_adj"]).run().ok(), ours);
    }

    fn an_apparmor_profile_that_cannot_be_applied_is_refused(t) {
        t.bundle().args(&["true"]).set("/process/apparmorProfile", "cofferdam-no-such-profile").run().refused();
    }

    fn a_selinux_label_that_cannot_be_applied_is_refused(t) {
        let mut b = t.bundle();
        b.args(&["true"]).set("/process/selinuxLabel", "no:such:label:s0:c1,c2").run().refused();
    }

    fn rlimits_are_set(t) {
        let mut b = t.bundle();
        let kinds = ["CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS",
            "SIGPENDING", "MSGQUEUE", "RTTIME"];
        let value = |i: usize| (700_000_000 + i as u64, 800_000_000 + i as u64);
        let small = |i: usize| (300 + i as u64, 400 + i as u64);
        let pair = |kind: &str, i: usize| match kind {
            "NOFILE" | "NPROC" | "MEMLOCK" | "SIGPENDING" | "MSGQUEUE" => small(i),
            _ => value(i),
        };
        let list: Vec<_> = kinds.iter().enumerate().map(|(i, kind)| {
            let (soft, hard) = pair(kind, i);
            json!({"type": format!("RLIMIT_{kind}"), "soft": soft, "hard": hard})
        }).collect();
        let f = b.set("/process/rlimits", json!(list)).facts();
        for (i, kind) in kinds.iter().enumerate() {
            let (soft, hard) = pair(kind, i);
            assert_eq!(f.get(&format!("rlimit.{kind}")), format!("{soft}:{hard}"), "{kind}");
        }
    }

    fn nice_and_rtprio_limits_are_set(t) {
        let mut b = t.bundle();
        b.set("/process/rlimits", json!([
            {"type": "RLIMIT_NICE", "soft": 0, "hard": 0}, {"type": "RLIMIT_RTPRIO", "soft": 0, "hard": 0},
        ]));
        let f = b.facts();
        assert_eq!((f.get("rlimit.NICE"), f.get("rlimit.RTPRIO")), ("0:0", "0:0"));
    }

    fn an_rlimit_without_a_known_name_is_refused(t) {
        let list = json!([{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}]);
        t.bundle().args(&["true"]).set("/process/rlimits", list).run().refused();
    }

    fn an_rlimit_that_is_given_twice_is_refused(t) {
        let one = json!({"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64});
        t.bundle().args(&["true"]).set("/process/rlimits", json!([one, one])).run().refused();
    }

    fn only_the_standard_descriptors_are_open(t) {
        let f = t.bundle().facts();
        let open: Vec<String> = f.descriptors().into_iter().map(|(n, _)| n).collect();
        assert_eq!(open, ["0", "1", "2"]);
    }

    fn the_process_has_no_signal_blocked_or_ignored(t) {
        let f = t.bundle().facts();
        // Signals 32 and 33 belong to the C library that started the runtime.
        let standard = |name: &str| f.set(name) & 0x7fff_ffff;
        assert_eq!((standard("SigBlk"), standard("SigIgn")), (0, 0));
    }

    fn the_process_is_pid_1_and_leads_its_session(t) {
        let f = t.bundle().facts();
        assert_eq!(["pid", "sid", "pgid"].map(|n| f.number(n)), [1, 1, 1]);
    }
}
