//! `cofferdam sandbox`, as root and as an ordinary user: every flag, and that the host is as it was.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam_tests::{Facts, Output, Test, cgroup, wait_until};

/// The user who is not root: nobody.
const NOBODY: u32 = 65534;

/// Somebody with a root filesystem, a directory of one's own and the command.
struct Caller<'t> {
    t: &'t Test,
    user: bool,
    home: PathBuf,
    rootfs: PathBuf,
}

impl<'t> Caller<'t> {
    fn new(t: &'t Test, user: bool) -> Self {
        let bundle = t.bundle();
        let home = t.dir.join(if user { "user" } else { "root" });
        let (rootfs, program) = (bundle.rootfs(), home.join("cofferdam"));
        fs::create_dir_all(home.join("data")).expect("home");
        if !program.exists() && fs::hard_link(&t.runtime.path, &program).is_err() {
            fs::copy(&t.runtime.path, &program).expect("copy of the command");
        }
        if user {
            let places = ["", "etc", "bin", "home", "data"].map(|d| rootfs.join(d));
            let own = places.into_iter().chain([home.clone(), home.join("data")]);
            own.for_each(|p| chown(p, Some(NOBODY), Some(NOBODY)).expect("owner"));
        }
        Self { t, user, home, rootfs }
    }

    fn id(&self) -> u32 {
        if self.user { NOBODY } else { 0 }
    }

    fn command(&self, flags: &[&str], args: &[&str]) -> Command {
        let mut command = if self.user {
            let mut command = self.t.command(Path::new("setpriv"));
            let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
            command.args(ids).args(["--clear-groups", "--"]).arg(self.home.join("cofferdam"));
            command
        } else {
            self.t.command(&self.home.join("cofferdam"))
        };
        command.env_remove("XDG_RUNTIME_DIR").env("HOME", &self.home).env("TMPDIR", &self.home);
        command.env("FROM_CALLER", "seen").current_dir("/");
        command.arg("--root").arg(self.state()).args(["sandbox", "--rootfs"]).arg(&self.rootfs);
        command.args(flags).arg("--").args(args);
        command
    }

    fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    /// Runs a script; nothing of the sandbox is left.
    #[track_caller]
    fn sh(&self, flags: &[&str], script: &str) -> Output {
        self.run(flags, &["sh", "-c", script])
    }

    #[track_caller]
    fn run(&self, flags: &[&str], args: &[&str]) -> Output {
        let out = self.t.finish(&mut self.command(flags, args));
        let left: Vec<_> = fs::read_dir(self.state()).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "left behind: {left:?} by {out}");
        out
    }
}

/// The same as root and as an ordinary user.
fn both(t: &Test, body: impl Fn(&Caller<'_>)) {
    body(&Caller::new(t, false));
    body(&Caller::new(t, true));
}

/// Half a processor, as the kernel has it.
fn cpus(c: &Caller<'_>) {
    let script = "trap 'exit 9' TERM; while true; do sleep 0.05; done";
    let mut child = c.command(&["--cpus", "0.5"], &["sh", "-c", script]).spawn().expect("the runtime starts");
    let name =
        || Some(fs::read_dir(c.state()).ok()?.flatten().next()?.file_name().to_string_lossy().into_owned());
    let file = |dir: PathBuf| {
        let v1 = fs::read_to_string(dir.join("cpu.cfs_quota_us")).map(|q| q.trim() == "50000");
        v1.or_else(|_| fs::read_to_string(dir.join("cpu.max")).map(|m| m.trim() == "50000 100000"))
            .unwrap_or(false)
    };
    wait_until("a quota", || name().is_some_and(|n| cgroup::all_named(&n).into_iter().any(file)));
    let pid = rustix::process::Pid::from_child(&child);
    let mut code = None;
    // The program ignores the signal until it has set its trap.
    wait_until("the end", || {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        code = child.try_wait().expect("wait").and_then(|s| s.code());
        code.is_some()
    });
    assert_eq!(code, Some(9));
}

cofferdam_tests::own! {
    fn the_program_ends_and_its_status_is_the_commands(t) {
        both(t, |c| {
            assert_eq!(c.sh(&[], "echo out; echo err >&2; exit 7").code, 7);
            let out = c.sh(&[], "echo out; echo err >&2");
            assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (0, "out\n", "err\n"));
            assert_eq!(c.sh(&[], "kill -15 $$; echo PID 1 has no default actions").code, 0);
        });
    }

    fn a_missing_program_is_named(t) {
        both(t, |c| {
            let out = c.run(&[], &["no-such-program"]);
            assert!(out.code == 1 && out.refused().contains("no-such-program"), "{out}");
            assert!(out.stderr.contains("executable file not found in $PATH"), "{out}");
        });
    }

    fn what_is_written_is_gone_and_the_host_untouched(t) {
        both(t, |c| {
            let before = fs::read_to_string(c.rootfs.join("etc/passwd")).unwrap();
            let out = c.sh(&[], "echo x > /new && rm /etc/passwd && mkdir /etc/d && cat /new && ls /etc");
            assert_eq!(out.ok(), "x\nd\ngroup\n");
            assert!(!c.rootfs.join("new").exists() && !c.rootfs.join("etc/d").exists());
            assert_eq!(fs::read_to_string(c.rootfs.join("etc/passwd")).unwrap(), before);
        });
    }

    fn it_has_no_rights_and_cannot_gain_any(t) {
        both(t, |c| {
            let facts = Facts::read(c.run(&[], &["probe", "facts"]).ok());
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(facts.set(set), 0, "{set}");
            }
            let out = c.sh(&[], "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; id -u");
            assert_eq!(out.ok(), format!("NoNewPrivs:\t1\nSeccomp:\t2\n{}\n", c.id()));
            assert!(c.sh(&[], "mount -t tmpfs x /mnt").code != 0);
        });
    }

    fn it_sees_only_its_own_processes_and_loopback(t) {
        both(t, |c| {
            let out = c.sh(&[], "echo $$; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
            assert_eq!(out.ok(), "1\nlo\n");
            let host = fs::read_to_string("/proc/net/dev").unwrap().lines().count();
            let out = c.sh(&["--net", "host"], "cat /proc/net/dev");
            assert_eq!(out.ok().lines().count(), host, "{out}");
            assert_eq!(c.sh(&["--net", "none"], "tail -n +3 /proc/net/dev | wc -l").ok().trim(), "1");
        });
    }

    fn binds_are_the_hosts_and_read_only_ones_refuse(t) {
        both(t, |c| {
            let data = c.home.join("data");
            let (same, at) = (data.to_str().unwrap(), format!("{}:/mnt", data.display()));
            assert_eq!(c.sh(&["--bind", &at], "echo kept > /mnt/file && cat /mnt/file").ok(), "kept\n");
            assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "kept\n");
            let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(data.join("file")).unwrap());
            assert_eq!(uid, c.id());
            assert_eq!(c.sh(&["--ro-bind", same], &format!("cat {same}/file")).ok(), "kept\n");
            let out = c.sh(&["--ro-bind", &at], "echo x > /mnt/file");
            assert!(out.code != 0 && out.stderr.contains("Read-only"), "{out}");
            let out = c.sh(&["--bind", "/no/such/place"], "true");
            assert!(out.code == 1 && out.stderr.contains("/no/such/place"), "{out}");
        });
    }

    fn an_empty_directory_may_be_limited(t) {
        both(t, |c| {
            let out = c.sh(&["--tmpfs", "/data:1m"], "ls -A /data; dd if=/dev/zero of=/data/x bs=64k count=32");
            assert!(out.code != 0 && out.stderr.contains("No space left"), "{out}");
            assert!(out.stdout.is_empty() && !c.rootfs.join("data/x").exists(), "{out}");
        });
    }

    fn the_environment_is_clean_but_for_what_is_asked(t) {
        both(t, |c| {
            let out = c.sh(&["--env", "A=b c", "-e", "FROM_CALLER"], "echo \"$A|$FROM_CALLER|$TMPDIR|$HOME\"");
            assert_eq!(out.ok(), format!("b c|seen||{}\n", c.home.display()));
        });
    }

    fn directory_and_host_name_are_what_is_asked(t) {
        both(t, |c| {
            assert_eq!(c.sh(&["--workdir", "/usr"], "pwd").ok(), "/usr\n");
            assert_eq!(c.sh(&["--hostname", "box"], "hostname").ok(), "box\n");
            assert_eq!(c.sh(&[], "hostname; pwd").ok(), "sandbox\n/\n");
        });
    }

    fn it_may_be_somebody_else(t) {
        both(t, |c| {
            assert_eq!(c.sh(&["--user", "5:6"], "id -u; id -g").ok(), "5\n6\n");
            assert_eq!(c.sh(&["--user", "0"], "id -u; grep CapEff /proc/self/status").ok(), "0\nCapEff:\t0000000000000000\n");
        });
    }

    fn a_capability_may_be_added(t) {
        both(t, |c| {
            for flag in ["net_raw", "CAP_NET_RAW"] {
                let facts = Facts::read(c.run(&["--cap-add", flag], &["probe", "facts"]).ok());
                assert_eq!(facts.set("CapEff"), 1 << 13, "{flag}");
                assert_eq!(facts.set("CapBnd"), 1 << 13, "{flag}");
            }
        });
    }

    fn what_is_mounted_below_the_root_is_seen(t) {
        let c = Caller::new(t, false);
        for dir in ["data", "deep/er"] {
            fs::create_dir_all(c.rootfs.join(dir)).expect("directory");
        }
        let inner = c.command(&[], &["sh", "-c", "cat data/f deep/er/g; echo new > data/f; cat data/f; echo x > deep/h || echo refused; echo y > /bin/i; cat /bin/i"]);
        let words: Vec<String> = std::iter::once(inner.get_program()).chain(inner.get_args())
            .map(|w| format!("'{}'", w.to_string_lossy().replace('\'', "'\\''"))).collect();
        let rootfs = c.rootfs.display();
        let script = format!(
            "mount -t tmpfs none {rootfs}/data && echo in > {rootfs}/data/f && mount -t tmpfs none {rootfs}/deep/er && \
             echo below > {rootfs}/deep/er/g && {} 2>/dev/null; cat {rootfs}/data/f; ls {rootfs}/bin/i",
            words.join(" ")
        );
        let out = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("unshare");
        assert_eq!(String::from_utf8_lossy(&out.stdout), "in\nbelow\nnew\nrefused\ny\nin\n");
    }

    fn the_root_may_be_read_only(t) {
        both(t, |c| {
            let out = c.sh(&["--read-only"], "echo tmp > /tmp/x && cat /tmp/x; echo x > /etc/x");
            assert!(out.code != 0 && out.stdout == "tmp\n" && out.stderr.contains("Read-only"), "{out}");
        });
    }

    fn a_terminal_is_its_own(t) {
        both(t, |c| {
            let mut inner = c.command(&["-t"], &["sh", "-c", "test -t 0 && test -t 1 && tty"]);
            let words: Vec<String> =
                std::iter::once(inner.get_program()).chain(inner.get_args()).map(|w| format!("'{}'", w.display())).collect();
            let mut outer = t.command(Path::new("script"));
            outer.args(["-qec", &words.join(" "), "/dev/null"]).env("TERM", "xterm");
            let out = t.finish(&mut outer);
            assert!(out.ok().contains("/dev/"), "{out}");
            let without = t.finish(&mut inner);
            assert!(without.code != 0 || without.stdout.contains("/dev/"), "{without}");
        });
    }

    fn limits_hold_for_root_and_are_refused_where_they_cannot(t) {
        let c = Caller::new(t, false);
        let out = c.sh(&["--pids", "4"], "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait");
        assert!(out.stderr.contains("fork"), "{out}");
        let out = c.sh(&["--memory", "16m"], "dd if=/dev/zero of=/dev/null bs=64M count=1");
        assert!(out.code != 0, "{out}");
        cpus(&c);
        let user = Caller::new(t, true);
        for flag in [["--pids", "4"], ["--memory", "16m"], ["--cpus", "1"]] {
            let out = user.sh(&flag, "true");
            assert!(out.code == 1 && out.stderr.contains("permission denied (EACCES)"), "{out}");
            assert!(out.stderr.contains("hint:"), "{out}");
        }
    }

    fn signals_reach_the_program(t) {
        both(t, |c| {
            let ready = c.home.join("data/ready");
            let at = format!("{}:/mnt", c.home.join("data").display());
            let script = "trap 'exit 9' TERM; touch /mnt/ready; while true; do sleep 0.05; done";
            let mut child = c.command(&["--bind", &at], &["sh", "-c", script]).spawn().expect("the runtime starts");
            wait_until("the program", || ready.exists());
            rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
            assert_eq!(child.wait().expect("wait").code(), Some(9));
        });
    }

    fn a_killed_programs_status_is_its_signal(t) {
        both(t, |c| {
            let mut child = c.command(&[], &["sleep", "600"]).spawn().expect("the runtime starts");
            let kill = || {
                let name = fs::read_dir(c.state()).ok()?.flatten().next()?.file_name();
                let mut kill = t.command(&c.home.join("cofferdam"));
                kill.arg("--root").arg(c.state()).arg("kill").arg(name).arg("KILL");
                Some(t.finish(&mut kill).code == 0)
            };
            wait_until("a kill", || kill() == Some(true));
            assert_eq!(child.wait().expect("wait").code(), Some(137));
        });
    }

    fn the_hosts_own_files_are_the_default_root(t) {
        both(t, |c| {
            let host = |script: &str| {
                let command = c.command(&[], &["sh", "-c", script]);
                // Without --rootfs DIR.
                let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
                let at = words.iter().position(|w| w == "--rootfs").expect("the flag");
                let mut bare = t.command(Path::new(command.get_program()));
                bare.args(&words[..at]).args(&words[at + 2..]).env_remove("XDG_RUNTIME_DIR").env("HOME", &c.home);
                t.finish(bare.current_dir("/usr"))
            };
            let out = host("id -u; pwd; head -1 /etc/passwd; test -x /usr/bin/env && echo seen; exit 5");
            let first = fs::read_to_string("/etc/passwd").unwrap().lines().next().unwrap_or_default().to_owned();
            assert_eq!((out.stdout.as_str(), out.code), (format!("{}\n/usr\n{first}\nseen\n", c.id()).as_str(), 5), "{out}");
            let out = host("grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; tail -n +3 /proc/net/dev | wc -l");
            assert_eq!(out.ok(), "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n1\n");
            let home = c.home.display().to_string();
            let out = host(&format!("mkdir -p {home}/new && echo x > {home}/new/file && cat {home}/new/file"));
            // The state of tests is below /tmp, which is the sandbox's own.
            assert_eq!(out.ok(), "x\n");
            assert!(!c.home.join("new").exists());
            assert!(fs::read_dir(c.state()).unwrap().next().is_none());
        });
        let c = Caller::new(t, false);
        let line = ["--root", c.state().to_str().unwrap(), "sandbox", "--", "sh", "-c"].map(str::to_owned);
        let mut command = t.command(&c.home.join("cofferdam"));
        let out = t.finish(command.args(line).arg("touch /etc/cdt-sandbox && ls /etc/cdt-sandbox"));
        assert!(out.stdout == "/etc/cdt-sandbox\n", "{out}");
        assert!(!Path::new("/etc/cdt-sandbox").exists());
    }
}
