//! `linux.seccomp`: what a call answers under a profile. The numbers of calls are those of x86-64; elsewhere
//! these tests are skipped.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use cofferdam_tests::{Bundle, Test, Value, facts, json, wait_until};

/// getpriority(2) of the process itself, which neither runtimes nor shells use; answers 20.
const PRIORITY: &str = "140";
const LSEEK: &str = "8";
/// The same in the table of i386.
const PRIORITY_32: &str = "96";

/// A profile that allows everything but what these rules say.
fn profile(rules: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
}

fn x86(t: &Test) -> cofferdam_tests::Check {
    t.need(cfg!(target_arch = "x86_64"), "the numbers of the calls are those of x86-64")
}

/// Calls that runtimes and static programs need, and the call of the tests, which they do not.
fn needed() -> Value {
    let names = "read write execve execveat exit exit_group brk mmap munmap mprotect arch_prctl set_tid_address \
        set_robust_list rseq prlimit64 readlink readlinkat getrandom newfstatat fstat close fcntl ioctl \
        futex prctl capget capset setuid setgid setgroups setresuid setresgid chdir getpid gettid \
        rt_sigaction rt_sigprocmask rt_sigreturn sched_yield nanosleep clock_nanosleep epoll_ctl epoll_pwait \
        openat getdents64 sigaltstack tgkill madvise clone clone3 wait4 openat2 open stat getuid umask \
        keyctl statfs fstatfs getcwd lseek poll ppoll close_range dup dup2 dup3 pipe2 socket connect sendmsg \
        sendto recvmsg recvfrom faccessat faccessat2 access fchdir setsid sched_getaffinity pread64 mremap \
        epoll_create1 eventfd2 timer_create timer_settime timer_delete membarrier getppid getpriority";
    json!(names.split(' ').collect::<Vec<_>>())
}

/// A profile with this default action that allows everything needed but the call of the tests.
fn all_but_the_call(action: &str) -> Value {
    let mut names = needed();
    names.as_array_mut().unwrap().retain(|n| n != "getpriority");
    json!({"defaultAction": action, "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]})
}

/// What lseek(9999, OFFSET, 0) answers: EBADF unless the filter says something else.
fn seek(b: &mut Bundle<'_>, offset: u64) -> String {
    b.probe(&["call", LSEEK, "9999", &offset.to_string(), "0"])
}

/// The agent behind a listener's socket.
struct Agent(Child);

impl Agent {
    fn new(t: &Test, count: u32, delay_ms: u32, errno: u32, value: u32) -> Self {
        let mut command = std::process::Command::new(t.probe());
        command.arg("agent").arg(t.dir.join("agent.sock")).arg(t.dir.join("agent.json"));
        command.args([count, delay_ms, errno, value].map(|n| n.to_string()));
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn state(t: &Test) -> Value {
        let file = t.dir.join("agent.json");
        wait_until("the agent's document", || std::fs::metadata(&file).is_ok_and(|m| m.len() > 0));
        serde_json_from(&std::fs::read_to_string(file).unwrap())
    }
}

fn serde_json_from(text: &str) -> Value {
    text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn notify(t: &Test, b: &mut Bundle<'_>) {
    let mut p = profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_NOTIFY"}]));
    p["listenerPath"] = json!(t.dir.join("agent.sock"));
    p["listenerMetadata"] = json!("hello agent");
    b.set("/linux/seccomp", p);
}

facts! {
    fn without_a_profile_there_is_no_filter(t) {
        assert_eq!(t.bundle().facts().get("status.Seccomp"), "0");
    }

    fn a_denied_call_gets_eperm(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}])));
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=EPERM");
        assert_eq!(b.facts().get("status.Seccomp"), "2");
    }

    fn errno_ret_is_the_answer(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44}])));
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=ECHRNG");
    }

    fn the_default_action_is_for_all_other_calls(t) {
        x86(t)?;
        let mut b = t.bundle();
        let needed = needed();
        let mut without: Vec<Value> = needed.as_array().unwrap().clone();
        without.retain(|n| n != "getpriority");
        b.set("/linux/seccomp", json!({
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 44,
            "syscalls": [{"names": without, "action": "SCMP_ACT_ALLOW"}],
        }));
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=ECHRNG");
        b.set("/linux/seccomp/syscalls/0/names", needed);
        assert_eq!(b.probe(&["call", PRIORITY]), "ok=20");
        b.set("/linux/seccomp/syscalls/0/names", json!(without));
        b.config["linux"]["seccomp"].as_object_mut().unwrap().remove("defaultErrnoRet");
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=EPERM");
    }

    fn every_action_can_be_the_default(t) {
        x86(t)?;
        let cases = [("SCMP_ACT_KILL", "159"), ("SCMP_ACT_KILL_THREAD", "159"), ("SCMP_ACT_KILL_PROCESS", "159"),
            ("SCMP_ACT_TRAP", "159"), ("SCMP_ACT_TRACE", "errno=ENOSYS"), ("SCMP_ACT_LOG", "ok=20"), ("SCMP_ACT_ERRNO", "errno=EPERM")];
        for (action, wanted) in cases {
            let mut b = t.bundle();
            b.set("/linux/seccomp", all_but_the_call(action)).args(&["probe", "call", PRIORITY]);
            let out = b.run();
            let seen = if out.stdout.is_empty() { out.code.to_string() } else { out.stdout.trim().to_owned() };
            assert_eq!(seen, wanted, "{action}: {out}");
            b.set("/linux/seccomp/syscalls/0/names", needed());
            assert_eq!(b.run().stdout, "ok=20\n", "{action} is for the others only");
        }
    }

    fn notify_as_the_default_action_is_answered_or_refused(t) {
        x86(t)?;
        let _agent = Agent::new(t, 1, 0, 0, 4711);
        let mut b = t.bundle();
        notify(t, &mut b);
        let listener = b.config["linux"]["seccomp"]["listenerPath"].clone();
        b.set("/linux/seccomp", all_but_the_call("SCMP_ACT_NOTIFY")).set("/linux/seccomp/listenerPath", listener);
        let out = b.args(&["probe", "call", PRIORITY]).run();
        assert!(out.stdout == "ok=4711\n" || (out.code != 0 && !out.stderr.is_empty()), "{out}");
    }

    fn kill_actions_end_the_process_with_sigsys(t) {
        x86(t)?;
        for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"] {
            let mut b = t.bundle();
            b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": action}])));
            let out = b.args(&["sh", "-c", "probe call 140; echo code $?"]).run();
            assert!(out.stdout.ends_with("code 159\n"), "{action}: {out}");
        }
    }

    fn kill_thread_leaves_the_other_threads_and_kill_process_does_not(t) {
        x86(t)?;
        for (action, survives) in [("SCMP_ACT_KILL_THREAD", true), ("SCMP_ACT_KILL", true), ("SCMP_ACT_KILL_PROCESS", false)] {
            let mut b = t.bundle();
            b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": action}])));
            let out = b.args(&["probe", "threadcall", PRIORITY]).run();
            assert_eq!(out.stdout.contains("survived"), survives, "{action}: {out}");
        }
    }

    fn trap_raises_sigsys(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_TRAP"}])));
        let out = b.args(&["sh", "-c", "probe call 140; echo code $?"]).run();
        assert!(out.stdout.ends_with("code 159\n"), "{out}");
    }

    fn trace_without_a_tracer_gets_enosys(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_TRACE"}])));
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=ENOSYS");
    }

    fn log_lets_the_call_through(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_LOG"}])));
        assert_eq!(b.probe(&["call", PRIORITY]), "ok=20");
        assert_eq!(b.facts().get("status.Seccomp"), "2");
    }

    fn an_unknown_action_is_refused(t) {
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_NO"}])));
        b.args(&["true"]).run().refused();
        b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_NO"})).run().refused();
    }

    fn a_name_the_kernel_does_not_know_is_passed_over(t) {
        let mut b = t.bundle();
        let names = json!(["no_such_call", "getpriority"]);
        b.set("/linux/seccomp", profile(json!([{"names": names, "action": "SCMP_ACT_ERRNO"}])));
        x86(t)?;
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=EPERM");
    }

    fn operators_compare_the_argument(t) {
        x86(t)?;
        let value: u64 = 0x1_0000_0005;
        let (less, more) = (value - 1, value + 1);
        let cases = [("SCMP_CMP_NE", [true, false, true]), ("SCMP_CMP_LT", [true, false, false]),
            ("SCMP_CMP_LE", [true, true, false]), ("SCMP_CMP_EQ", [false, true, false]),
            ("SCMP_CMP_GE", [false, true, true]), ("SCMP_CMP_GT", [false, false, true])];
        for (op, matches) in cases {
            let mut b = t.script(&format!("for n in {less} {value} {more}; do probe call 8 9999 $n 0; done"));
            b.set("/linux/seccomp", profile(json!([{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44,
                "args": [{"index": 1, "value": value, "op": op}]}])));
            let out = b.run();
            let seen: Vec<bool> = out.stdout.lines().map(|l| l == "errno=ECHRNG").collect();
            assert_eq!(seen, matches, "{op}: {out}");
        }
    }

    fn masked_equality_uses_both_values(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44,
            "args": [{"index": 1, "value": 0xff00, "valueTwo": 0x1200, "op": "SCMP_CMP_MASKED_EQ"}]}])));
        assert_eq!(seek(&mut b, 0x7_1234), "errno=ECHRNG");
        assert_eq!(seek(&mut b, 0x1334), "errno=EBADF");
    }

    fn the_index_says_which_argument(t) {
        x86(t)?;
        for index in 0..6 {
            let mut b = t.script("probe call 8 9999 1 2 3 4 5; probe call 8 9998 91 92 93 94 95");
            let value = [9999, 1, 2, 3, 4, 5][index];
            b.set("/linux/seccomp", profile(json!([{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44,
                "args": [{"index": index, "value": value, "op": "SCMP_CMP_EQ"}]}])));
            assert_eq!(b.run().stdout, "errno=ECHRNG\nerrno=EBADF\n", "{index}");
        }
    }

    fn all_arguments_of_a_rule_must_match(t) {
        x86(t)?;
        let mut b = t.script("probe call 8 9999 1 2; probe call 8 9999 1 0; probe call 8 9999 0 2");
        b.set("/linux/seccomp", profile(json!([{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44,
            "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 2, "op": "SCMP_CMP_EQ"}]}])));
        assert_eq!(b.run().stdout, "errno=ECHRNG\nerrno=EBADF\nerrno=EBADF\n");
    }

    fn one_argument_twice_in_a_rule_matches_either(t) {
        x86(t)?;
        let mut b = t.script("probe call 8 9999 1 0; probe call 8 9999 2 0; probe call 8 9999 3 0");
        b.set("/linux/seccomp", profile(json!([{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44,
            "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]}])));
        assert_eq!(b.run().stdout, "errno=ECHRNG\nerrno=ECHRNG\nerrno=EBADF\n");
    }

    fn architectures_are_those_that_are_filtered(t) {
        x86(t)?;
        let mut b = t.bundle();
        let out = b.args(&["probe", "call32", PRIORITY_32]).run();
        t.need(out.stdout == "ok=20\n", "this kernel does not run i386 calls")?;
        let rule = json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44}]);
        b.set("/linux/seccomp", profile(rule));
        b.set("/linux/seccomp/architectures", json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]));
        assert_eq!(b.probe(&["call32", PRIORITY_32]), "errno=ECHRNG", "the architecture is listed");
        assert_eq!(b.probe(&["call", PRIORITY]), "errno=ECHRNG");
        b.set("/linux/seccomp/architectures", json!(["SCMP_ARCH_X86_64"]));
        let out = b.args(&["sh", "-c", "probe call32 96; echo code $?"]).run();
        assert!(!out.stdout.contains("ok="), "an architecture that is not listed is not let through: {out}");
    }

    fn every_architecture_has_a_name(t) {
        let all = ["X86", "X86_64", "X32", "ARM", "AARCH64", "LOONGARCH64", "M68K", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
            "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "SH", "SHEB", "PARISC", "PARISC64", "RISCV64"];
        let names: Vec<String> = all.iter().map(|a| format!("SCMP_ARCH_{a}")).collect();
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}])));
        b.args(&["true"]).set("/linux/seccomp/architectures", json!(names)).run().ok();
        b.set("/linux/seccomp/architectures", json!(["SCMP_ARCH_NO"])).run().refused();
    }

    fn the_flag_log_is_that_of_the_filter(t) {
        x86(t)?;
        for (flags, wanted) in [(json!(["SECCOMP_FILTER_FLAG_LOG"]), "ok=2"), (json!([]), "ok=0")] {
            let mut b = t.bundle();
            b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}])));
            let c = b.set("/linux/seccomp/flags", flags).start();
            let seen = t.host(&format!("{} filterflags {}", t.probe().display(), c.pid()));
            assert_eq!(seen.trim(), wanted);
        }
    }

    fn the_flags_tsync_and_spec_allow_are_taken_and_unknown_ones_refused(t) {
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}])));
        for flag in ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"] {
            b.set("/linux/seccomp/flags", json!([flag]));
            assert_eq!(b.facts().get("status.Seccomp"), "2", "{flag}");
        }
        b.args(&["true"]).set("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_NO"])).run().refused();
    }

    fn the_flag_wait_killable_keeps_signals_from_interrupting_a_notified_call(t) {
        x86(t)?;
        for (flags, wanted) in [(json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), "ok=42"), (json!([]), "errno=EINTR")] {
            let agent = Agent::new(t, 1, 300, 0, 42);
            let mut b = t.bundle();
            notify(t, &mut b);
            b.set("/linux/seccomp/flags", flags);
            assert_eq!(b.probe(&["alarmcall", PRIORITY]), wanted);
            drop(agent);
            let _ = std::fs::remove_file(t.dir.join("agent.sock"));
        }
    }

    fn a_notified_call_is_answered_by_the_agent(t) {
        x86(t)?;
        let _agent = Agent::new(t, 2, 0, 0, 4711);
        let mut b = t.script("probe call 140; probe call 140");
        notify(t, &mut b);
        assert_eq!(b.run().ok(), "ok=4711\nok=4711\n");
    }

    fn the_agent_is_sent_the_state_and_the_metadata(t) {
        x86(t)?;
        let _agent = Agent::new(t, 1, 0, 38, 0);
        let mut b = t.bundle();
        notify(t, &mut b);
        b.set("/annotations", json!({"key": "value"}));
        let c = b.args(&["sh", "-c", "probe call 140; sleep 600"]).start();
        let state = Agent::state(t);
        assert_eq!(state["metadata"], "hello agent");
        assert_eq!(state["fds"], json!(["seccompFd"]));
        assert_eq!(state["state"]["id"], b.id.as_str());
        assert_eq!(state["state"]["annotations"]["key"], "value");
        assert_eq!(state["state"]["bundle"], b.dir.to_str().unwrap());
        assert_eq!(state["pid"], json!(c.pid()));
        c.wait_output("errno=ENOSYS");
    }

    fn notify_without_a_listener_path_is_refused(t) {
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_NOTIFY"}])));
        b.args(&["true"]).run().refused();
    }

    fn a_listener_path_nobody_listens_on_is_refused(t) {
        let mut b = t.bundle();
        notify(t, &mut b);
        b.args(&["true"]).run().refused();
    }

    fn the_filter_is_in_force_for_exec_too(t) {
        x86(t)?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 44}])));
        let c = b.start();
        assert_eq!(c.exec(&[], &["probe", "call", PRIORITY]).stdout, "errno=ECHRNG\n");
    }

    fn the_filter_does_not_need_no_new_privileges(t) {
        x86(t)?;
        for nnp in [true, false] {
            let mut b = t.bundle();
            b.set("/linux/seccomp", profile(json!([{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"}])));
            b.set("/process/noNewPrivileges", nnp).set("/process/user", json!({"uid": 1000, "gid": 1000}));
            b.set("/process/capabilities", json!({}));
            assert_eq!(b.facts().number("nnp"), i64::from(nnp));
            assert_eq!(b.probe(&["call", PRIORITY]), "errno=EPERM");
        }
    }
}

cofferdam_tests::own! {
    fn a_filter_that_refuses_capset_and_prctl_leaves_no_right_behind(t) {
        let caps = json!(["CAP_KILL", "CAP_CHOWN"]);
        let some = json!({"bounding": caps, "permitted": caps, "effective": ["CAP_KILL"]});
        let ambient = json!({"bounding": caps, "permitted": caps, "effective": caps, "inheritable": caps, "ambient": ["CAP_KILL"]});
        for (uid, sets, nnp) in
            [(0, &some, false), (0, &ambient, false), (1000, &ambient, false), (1000, &some, false), (0, &some, true)]
        {
            let mut seen = Vec::new();
            for rules in [json!([]), json!([{"names": ["capset", "prctl"], "action": "SCMP_ACT_ERRNO"}])] {
                let mut b = t.bundle();
                b.set("/linux/seccomp", profile(rules)).set("/process/capabilities", sets.clone());
                b.set("/process/user", json!({"uid": uid, "gid": uid})).set("/process/noNewPrivileges", nnp);
                b.set("/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "hard": 100, "soft": 100}]));
                // Shells ask for nothing of that kind.
                b.args(&["sh", "-c", "grep -E '^(Cap|Seccomp:)' /proc/self/status; ulimit -n"]);
                seen.push(b.run().ok().to_owned());
            }
            assert!(seen[0].contains("CapBnd:\t0000000000000021") && seen[0].contains("Seccomp:\t2"), "{}", seen[0]);
            assert_eq!(seen[0], seen[1], "{uid} {sets} {nnp}");
        }
    }
}
