//! The words of errors: the step, the object, the error's name, the field that asked for it and, where it is known,
//! what to do. `{bundle}` and `{id}` stand for those of the test; a line for each rejection.

use std::fs;

use cofferdam_tests::{Bundle, Test, cgroup, driver, json};

/// A configuration, what is wrong with it, and what is said.
type Case = (&'static str, fn(&mut Bundle<'_>), &'static str);

const CASES: &[Case] = &[
    (
        "no root filesystem",
        |b| {
            b.set("/root/path", "nowhere");
        },
        r#"opening the root filesystem {bundle}/nowhere: no such file or directory (ENOENT) [/root/path] (hint: the directory of root.path does not exist)"#,
    ),
    (
        "a root filesystem that is a file",
        |b| {
            b.set("/root/path", "config.json");
        },
        r#"opening the root filesystem {bundle}/config.json: not a directory (ENOTDIR) [/root/path]"#,
    ),
    (
        "an unknown file system",
        |b| {
            b.mount("/mnt", "nosuchfs", "none", &[]);
        },
        r#"mounting nosuchfs at /mnt: no such device (ENODEV) [/mounts/3] (hint: the kernel does not know this type of file system)"#,
    ),
    (
        "a bind of nothing",
        |b| {
            b.mount("/mnt", "bind", "/no/such/source", &["bind"]);
        },
        r#"mounting /no/such/source at /mnt: no such file or directory (ENOENT) [/mounts/3]"#,
    ),
    (
        "an option that the file system lacks",
        |b| {
            b.mount("/mnt", "tmpfs", "tmpfs", &["frobnicate=1"]);
        },
        r#"mounting tmpfs at /mnt: invalid argument (EINVAL): tmpfs: Unknown parameter 'frobnicate' [/mounts/3]"#,
    ),
    (
        "a mount point on a read-only root",
        |b| {
            b.set("/root/readonly", true).mount("/proc/nowhere", "tmpfs", "tmpfs", &[]);
        },
        r#"/mounts/3/destination: "/proc/nowhere" is inside /proc (hint: only a few files that lxcfs emulates may be mounted there)"#,
    ),
    (
        "a directory bound onto a file",
        |b| {
            b.mount("/etc/passwd", "bind", "/usr", &["bind"]);
        },
        r#"mounting /usr at /etc/passwd: invalid argument (EINVAL) [/mounts/3] (hint: a directory is bound onto a directory, and what is not a directory onto a file; in a user namespace, with all that is mounted below)"#,
    ),
    (
        "a kernel parameter of the host",
        |b| {
            b.set("/linux/sysctl", json!({"kernel.panic": "1"}));
        },
        r#"/linux/sysctl/kernel.panic: belongs to the whole host: no namespace has it"#,
    ),
    (
        "a kernel parameter without its namespace",
        |b| {
            b.set("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}));
        },
        r#"/linux/sysctl/net.ipv4.ip_forward: would be the host's (hint: add a namespace of type network)"#,
    ),
    (
        "a kernel parameter's wrong value",
        |b| {
            b.set("/linux/sysctl", json!({"kernel.shmmni": "many"}));
        },
        r#"setting kernel parameter kernel/shmmni: invalid argument (EINVAL) [/linux/sysctl/kernel.shmmni]"#,
    ),
    (
        "a program that is not in PATH",
        |b| {
            b.args(&["no-such-program"]);
        },
        r#"exec: "no-such-program": executable file not found in $PATH [/process/args/0]"#,
    ),
    (
        "a program that is not there",
        |b| {
            b.args(&["/no/such/program"]);
        },
        r#"exec: "/no/such/program": stat /no/such/program: no such file or directory (ENOENT) [/process/args/0]"#,
    ),
    (
        "a program that is a directory",
        |b| {
            b.args(&["/etc"]);
        },
        r#"exec: "/etc": is a directory (EISDIR) [/process/args/0]"#,
    ),
    (
        "a program that may not be executed",
        |b| {
            b.args(&["/etc/passwd"]);
        },
        r#"exec: "/etc/passwd": permission denied (EACCES) [/process/args/0]"#,
    ),
    (
        "a program in no format",
        |b| {
            fs::write(b.rootfs().join("bin/odd"), "odd").unwrap();
            b.test.host(&format!("chmod 755 {}/bin/odd", b.rootfs().display()));
            b.args(&["odd"]);
        },
        r#"exec odd: exec format error (ENOEXEC) [/process/args/0] (hint: the program may be for another architecture, or a script without #!)"#,
    ),
    (
        "a script without its interpreter",
        |b| {
            fs::write(b.rootfs().join("bin/odd"), "#!/no/interpreter\n").unwrap();
            b.test.host(&format!("chmod 755 {}/bin/odd", b.rootfs().display()));
            b.args(&["odd"]);
        },
        r#"exec odd: no such file or directory (ENOENT) [/process/args/0] (hint: the program's interpreter or loader may be missing)"#,
    ),
    (
        "a relative working directory",
        |b| {
            b.set("/process/cwd", "tmp");
        },
        r#"/process/cwd: "tmp" is not an absolute path (hint: start it with /)"#,
    ),
    (
        "a working directory that is a file",
        |b| {
            b.set("/process/cwd", "/etc/passwd");
        },
        r#"changing the working directory to /etc/passwd: not a directory (ENOTDIR) [/process/cwd]"#,
    ),
    (
        "no arguments",
        |b| {
            b.set("/process/args", json!([]));
        },
        r#"/process/args: empty"#,
    ),
    (
        "a hook that fails",
        |b| {
            b.set(
                "/hooks/createRuntime",
                json!([{"path": "/bin/sh", "args": ["sh", "-c", "echo no luck >&2; exit 3"]}]),
            );
        },
        r##"error running createRuntime hook #0: /bin/sh: exit status 3: no luck [/hooks/createRuntime/0]"##,
    ),
    (
        "a hook that takes too long",
        |b| {
            b.set(
                "/hooks/createRuntime",
                json!([{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]),
            );
        },
        r##"error running createRuntime hook #0: /bin/sleep: killed at its timeout [/hooks/createRuntime/0]"##,
    ),
    (
        "a hook that is not there",
        |b| {
            b.set("/hooks/prestart", json!([{"path": "/no/such/hook"}]));
        },
        r##"error running prestart hook #0: /no/such/hook: no such file or directory (ENOENT) [/hooks/prestart/0]"##,
    ),
    (
        "a hook with a relative path",
        |b| {
            b.set("/hooks/poststop", json!([{"path": "hook"}]));
        },
        r#"/hooks/poststop/0/path: "hook" is not an absolute path"#,
    ),
    (
        "a hook inside that fails",
        |b| {
            b.set("/hooks/startContainer", json!([{"path": "/bin/sh", "args": ["sh", "-c", "exit 5"]}]));
        },
        r##"error running startContainer hook #0: /bin/sh: exit status 5 [/hooks/startContainer/0]"##,
    ),
    (
        "an unknown action of a filter",
        |b| {
            b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_FROWN"}));
        },
        r#"/linux/seccomp/defaultAction: "SCMP_ACT_FROWN" is not an action (hint: one of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_TRAP)"#,
    ),
    (
        "a filter's unknown operator",
        |b| {
            b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}]}]}));
        },
        r#"/linux/seccomp/syscalls/0/args/0/index: 9 is over 5, the last argument"#,
    ),
    (
        "an agent that is not there",
        |b| {
            b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/no/agent", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}));
        },
        r#"failed to connect with seccomp agent /no/agent: no such file or directory (ENOENT) [/linux/seccomp/listenerPath] (hint: is the agent running?)"#,
    ),
    (
        "a namespace that is not there",
        |b| {
            b.join("network", "/no/such/namespace");
        },
        r#"opening namespace /no/such/namespace: no such file or directory (ENOENT) [/linux/namespaces/4]"#,
    ),
    (
        "a file that is no namespace",
        |b| {
            b.join("network", "/etc/passwd");
        },
        r#"joining namespace /etc/passwd: invalid argument (EINVAL) [/linux/namespaces/4]"#,
    ),
    (
        "an unknown namespace",
        |b| {
            b.namespace("galaxy");
        },
        r#"/linux/namespaces/4/type: "galaxy" is no namespace type; there are cgroup, ipc, mount, network, pid, time, user, uts"#,
    ),
    (
        "an unknown limit",
        |b| {
            b.set("/process/rlimits", json!([{"type": "RLIMIT_SKY", "soft": 1, "hard": 1}]));
        },
        r#"/process/rlimits/0/type: "RLIMIT_SKY" is no resource limit"#,
    ),
    (
        "a version of another age",
        |b| {
            b.set("/ociVersion", "7.0.0");
        },
        r#"/ociVersion: 7.0.0 is not supported; versions 1.x.y are"#,
    ),
    (
        "another type of a field",
        |b| {
            b.set("/process/user/uid", "root");
        },
        r#"reading the configuration {bundle}/config.json: invalid type: string "root", expected u32 at line 111 column 19 [/process/user/uid]"#,
    ),
    (
        "several at once",
        |b| {
            b.set("/process/cwd", "tmp").set("/process/args", json!([])).namespace("galaxy");
        },
        r#"/linux/namespaces/4/type: "galaxy" is no namespace type; there are cgroup, ipc, mount, network, pid, time, user, uts
/process/args: empty
/process/cwd: "tmp" is not an absolute path (hint: start it with /)"#,
    ),
];

/// Limits: name, change, field, controller, and what is said of it on version 1 and on version 2 of cgroups.
type Limit = (&'static str, fn(&mut Bundle<'_>), &'static str, &'static str, &'static str, &'static str);
const LIMITS: &[Limit] = &[
    (
        "a limit that the kernel refuses",
        |b| {
            b.set("/linux/resources/cpu", json!({"quota": 10}));
        },
        "/linux/resources/cpu/quota",
        "cpu",
        r#"writing "10" to /sys/fs/cgroup/cpu/{id}/cpu.cfs_quota_us: invalid argument (EINVAL), asked for by "#,
        r#"writing "10 100000" to /sys/fs/cgroup/{id}/cpu.max: invalid argument (EINVAL), asked for by "#,
    ),
    (
        "processors that are not there",
        |b| {
            b.set("/linux/resources/cpu", json!({"cpus": "900"}));
        },
        "/linux/resources/cpu/cpus",
        "cpuset",
        r#"writing "900" to /sys/fs/cgroup/cpuset/{id}/cpuset.cpus: numerical result out of range (ERANGE), asked for by "#,
        r#"writing "900" to /sys/fs/cgroup/{id}/cpuset.cpus: numerical result out of range (ERANGE), asked for by "#,
    ),
];

/// What a limit's error is on this host.
fn limit((_, _, field, controller, v1, v2): &Limit) -> String {
    match cgroup::has(controller) {
        true if cgroup::has_v1(controller) => format!("{v1}{field}"),
        true => format!("{v2}{field}"),
        false => format!(
            "{field}: this host has no cgroup controller \"{controller}\" (hint: mount it, or enable it in the \
             kernel's configuration and command line)"
        ),
    }
}

/// What `run` says, without what differs between tests.
fn said(t: &Test, change: fn(&mut Bundle<'_>)) -> (i32, String) {
    let mut b = t.bundle();
    b.args(&["true"]);
    change(&mut b);
    b.write();
    let log = b.dir.join("log");
    let mut line = vec!["--log", log.to_str().expect("a path of ASCII")];
    line.extend(b.command_line("run", &[]));
    let out = t.runtime(&line);
    let text = out.stderr.trim_end().replace(b.dir.to_str().expect("a path of ASCII"), "{bundle}");
    (out.code, text.replace(&b.id, "{id}"))
}

cofferdam_tests::own! {
    fn errors_say_what_where_and_why(t) {
        let mut wrong = Vec::new();
        let cases = CASES.iter().map(|(name, change, expected)| (name, change, (*expected).to_owned()));
        // systemd refuses some of them first, in words of its own.
        let limits = if driver::is_systemd() { &[] } else { LIMITS };
        let limits = limits.iter().map(|case| (&case.0, &case.1, limit(case)));
        for (name, change, expected) in cases.chain(limits) {
            let (code, text) = said(t, *change);
            if code != 1 || text != expected {
                wrong.push(format!("{name}: exit {code}\n  said:     {text}\n  expected: {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    }
    fn start_names_the_step_that_failed_however_the_container_was_created(t) {
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", "exit 5"]}]);
        let expected = "error running startContainer hook #0: /bin/sh: exit status 5 [/hooks/startContainer/0]\"";
        let ways: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&["--cgroup-manager", "disabled"], &[]),
            (&[], &["--no-pivot", "--no-new-keyring"]),
            (&["--cgroup-manager", "disabled"], &["--no-pivot"]),
        ];
        for notify in [false, true] {
            for (global, flags) in ways {
                let mut b = t.bundle();
                b.args(&["true"]).set("/hooks/startContainer", hook.clone()).write();
                let mut create = t.runtime_command(&[global, &b.command_line("create", flags)].concat());
                if notify {
                    create.env("NOTIFY_SOCKET", "/run/nobody/listens");
                }
                t.finish(&mut create).ok();
                let container = cofferdam_tests::Container::of(t, &b.id);
                let out = container.verb("start", &[]);
                assert!(out.code == 1 && out.stderr.contains(expected), "{notify} {global:?} {flags:?}: {out}");
            }
        }
    }

    fn poststop_hooks_of_a_container_that_was_given_up_are_warned_about(t) {
        let script = |script: &str| json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
        let warning = "level=warning msg=\"error running poststop hook #0: /bin/sh: exit status 7: words [/hooks/poststop/0]\"";
        for why in ["createRuntime", "startContainer", "poststart"] {
            let mut b = t.bundle();
            b.set("/hooks/poststop", script("echo words; exit 7")).set(&format!("/hooks/{why}"), script("exit 3"));
            let out = b.args(&["true"]).run();
            let lines: Vec<&str> = out.stderr.lines().collect();
            assert!(out.code == 1 && lines.len() == 2, "{why}: {out}");
            assert!(lines[0].contains(warning) && lines[1].contains(&format!("error running {why} hook #0:")), "{why}: {out}");
        }
    }
}
