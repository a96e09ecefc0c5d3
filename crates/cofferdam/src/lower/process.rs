//! Steps that create and exec share: from "everything is in place" to "we are who runs the program".

use cofferdam_child::op::Op;
use cofferdam_oci::Pointer;
use cofferdam_plan::{ProcessPlan, TerminalPlan};
use cofferdam_seccomp::{Arch, Filter, SeccompData, interpret};

use super::{Inputs, groups};
use crate::program::{Program, c_string, descriptors};

const CAP_SYS_ADMIN: u64 = 1 << 21;
const CAP_SYS_RESOURCE: u64 = 1 << 24;
const LAST_CAPABILITY: u32 = 63;
/// What a filter answers, see seccomp(2).
const SECCOMP_RET_ALLOW: u32 = 0x7fff_0000;
const SECCOMP_RET_LOG: u32 = 0x7ffc_0000;
const SECCOMP_RET_USER_NOTIF: u32 = 0x7fc0_0000;
const SECCOMP_RET_ACTION: u32 = 0xffff_0000;

/// A container's CPUs are its cgroup's: whoever makes it may be confined to few (taskset(1), a service's
/// `CPUAffinity`). Before the cgroups are joined, so that a cpuset has the last word.
pub(super) fn every_cpu(p: &mut Program) {
    p.own("allowing every CPU", Op::EveryCpu {});
}

/// A session of its own, with the streams and the keyring that go with it.
pub(super) fn session(p: &mut Program, inputs: &Inputs, keyring: Option<&str>) {
    p.own("making a session", Op::Setsid {});
    for (to, from) in (0..3).zip(&inputs.stdio) {
        p.own("setting up standard input and output", Op::Dup { from: *from, to });
    }
    if let Some(name) = keyring {
        p.step("joining session keyring", name, &Pointer::root(), Op::Keyring { name: &c_string(name) });
    }
}

/// After the labels nothing needs /proc, nor anything else of the host's: what is still open would be
/// within reach of the program's path and working directory (CVE-2024-21626), and of whoever may look at
/// us while `start` is awaited (CVE-2016-9962).
pub(super) fn forget(p: &mut Program, keep: Vec<i32>, preserve_fds: u32) {
    let keep = super::kept(keep, preserve_fds);
    p.own("letting go of the host", Op::Forget { keep: &descriptors(keep) });
}

/// A terminal, which becomes `console` too where that is given.
pub(super) fn terminal(
    p: &mut Program,
    process: &ProcessPlan,
    size: TerminalPlan,
    console: Option<&str>,
    relayed: bool,
) {
    let at = process.pointer.key("terminal");
    let op = Op::Terminal {
        rows: size.rows.into(),
        columns: size.columns.into(),
        uid: process.uid,
        console: console.is_some(),
        relayed,
    };
    let (doing, object) = match console {
        Some(path) => ("making a terminal for", path),
        None => ("making a terminal", ""),
    };
    p.step(doing, object, &at, op);
    p.step("taking the terminal", "", &at, Op::UseTerminal {});
}

/// Everything that needs rights, then the user, then most rights go.
pub(super) fn identity(p: &mut Program, process: &ProcessPlan) {
    scheduling(p, process);
    bounding(p, process);
    user(p, process);
}

pub(super) fn bounding(p: &mut Program, process: &ProcessPlan) {
    let bounding = Op::Bounding { set: process.caps.bounding, last: LAST_CAPABILITY };
    let at = process.pointer.key("capabilities").key("bounding");
    p.step("dropping the bounding set", "", &at, bounding);
}

/// Becomes the user, and finds what is to run.
pub(super) fn user(p: &mut Program, process: &ProcessPlan) {
    let at = &process.pointer;
    if process.uid != 0 && process.terminal.is_none() {
        p.step("giving standard output to the user", "", &at.key("user"), Op::OwnStdio { uid: process.uid });
    }
    // First as root, who may look into any directory; what root may not (on NFS), the user may.
    chdir(p, process, true);
    let user = Op::User {
        uid: process.uid,
        gid: process.gid,
        set_groups: process.groups.is_some(),
        groups: &groups(process.groups.as_deref().unwrap_or_default()),
    };
    p.step("becoming user", format!("{}:{}", process.uid, process.gid), &at.key("user"), user);
    p.step(
        "setting the umask",
        format!("{:04o}", process.umask),
        &at.key("user").key("umask"),
        Op::Umask { mask: process.umask },
    );
    let caps = &process.caps;
    let op = Op::Capabilities {
        permitted: caps.permitted,
        effective: caps.effective,
        inheritable: caps.inheritable,
        ambient: 0,
        keep: kept(process),
    };
    p.step("dropping capabilities", "", &at.key("capabilities"), op);
    chdir(p, process, false);
    find(p, process);
}

/// Rights needed after the program was found: for limits that may be raised, and for a filter without
/// no_new_privs. They go with the last capset(2), just before execve(2).
fn kept(process: &ProcessPlan) -> u64 {
    let filter = process.seccomp.is_some() && !process.no_new_privs;
    (if filter { CAP_SYS_ADMIN } else { 0 }) | (if process.rlimits.is_empty() { 0 } else { CAP_SYS_RESOURCE })
}

fn chdir(p: &mut Program, process: &ProcessPlan, first_try: bool) {
    let op = Op::Chdir { path: &c_string(process.cwd.as_str()), first_try };
    p.step("changing the working directory to", process.cwd.as_str(), &process.pointer.key("cwd"), op);
}

/// As the user, so that a program the user may not execute is refused before anybody waits for it.
fn find(p: &mut Program, process: &ProcessPlan) {
    let name = process.args.first().map_or("", String::as_str);
    let path = process.env.iter().rev().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let op = Op::Find { name: &c_string(name), path: &c_string(path) };
    p.step("finding the program", name, &process.pointer.key("args").index(0), op);
    if process.home_from_passwd {
        p.step("finding the home directory", "", &process.pointer.key("env"), Op::Home { uid: process.uid });
    }
}

/// What execvp(3) searches without a `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Labels take effect at execve(2); they are written while /proc is at hand.
pub(super) fn labels(p: &mut Program, process: &ProcessPlan) {
    if let Some(profile) = process.apparmor.as_ref().filter(|l| !l.is_empty()) {
        let value = format!("exec {profile}");
        let op = Op::Label {
            file: c"thread-self/attr/apparmor/exec",
            fallback: c"thread-self/attr/exec",
            value: value.as_bytes(),
        };
        p.step("applying AppArmor profile", profile, &process.pointer.key("apparmorProfile"), op);
    }
    if let Some(label) = process.selinux.as_ref().filter(|l| !l.is_empty()) {
        let op = Op::Label { file: c"thread-self/attr/exec", fallback: c"", value: label.as_bytes() };
        p.step("applying SELinux label", label, &process.pointer.key("selinuxLabel"), op);
    }
}

pub(super) fn scheduling(p: &mut Program, process: &ProcessPlan) {
    let at = &process.pointer;
    if let Some(s) = process.scheduler {
        let op = Op::Scheduler {
            policy: s.policy,
            flags: s.flags,
            nice: s.nice,
            priority: s.priority,
            runtime: s.runtime,
            deadline: s.deadline,
            period: s.period,
        };
        p.step("setting the scheduler", "", &at.key("scheduler"), op);
    }
    if let Some(value) = process.io_priority {
        p.step("setting the I/O priority", "", &at.key("ioPriority"), Op::IoPriority { value });
    }
    if let Some(policy) = &process.memory_policy {
        let nodes: Vec<u8> = policy.nodes.iter().flat_map(|n| n.to_ne_bytes()).collect();
        let pointer = Pointer::new("/linux/memoryPolicy");
        p.step("setting the memory policy", "", &pointer, Op::Mempolicy { mode: policy.mode, nodes: &nodes });
    }
    if let Some(value) = process.personality {
        let pointer = Pointer::new("/linux/personality");
        p.step("setting the personality", "", &pointer, Op::Personality { value });
    }
}

fn filter(p: &mut Program, process: &ProcessPlan) {
    if let Some(filter) = &process.seccomp {
        let pointer = Pointer::new("/linux/seccomp");
        let op = Op::Seccomp { flags: filter.flags(), filter: &filter.bytes() };
        p.step("installing the seccomp filter", "", &pointer, op);
    }
}

/// The program's own, and what is kept besides.
fn capabilities(p: &mut Program, process: &ProcessPlan, keep: u64) {
    let caps = &process.caps;
    let op = Op::Capabilities {
        permitted: caps.permitted,
        effective: caps.effective,
        inheritable: caps.inheritable,
        ambient: caps.ambient,
        keep,
    };
    p.step("setting capabilities", "", &process.pointer.key("capabilities"), op);
}

/// The last steps: limits (which could keep us from opening files), the last rights and the filter (which could
/// keep us from anything), the program. Without no_new_privs the filter needs a right, which goes after it.
pub(super) fn last(p: &mut Program, process: &ProcessPlan, preserve_fds: u32) {
    for limit in &process.rlimits {
        let op = Op::Rlimit { resource: limit.resource, soft: limit.soft, hard: limit.hard };
        p.step("setting resource limit", limit.resource.to_string(), &limit.pointer, op);
    }
    let at = &process.pointer;
    p.own("marking descriptors", Op::CloexecFrom { first: preserve_fds.saturating_add(3) });
    if process.no_new_privs {
        p.step("setting no_new_privs", "", &at.key("noNewPrivileges"), Op::NoNewPrivs {});
        capabilities(p, process, 0);
        filter(p, process);
    } else if process.seccomp.as_ref().is_some_and(refuses_capset) {
        // What is kept to install it goes with execve(2), for which permitted capabilities count nothing.
        capabilities(p, process, CAP_SYS_ADMIN);
        filter(p, process);
    } else {
        filter(p, process);
        capabilities(p, process, 0);
    }
    let argv = crate::program::list(process.args.iter().map(String::as_str));
    let env = crate::program::list(process.env.iter().map(String::as_str));
    let op = Op::Exec {
        argv: cofferdam_child::wire::List::new(&argv),
        env: cofferdam_child::wire::List::new(&env),
    };
    p.step("executing", process.args.first().map_or("", String::as_str), &at.key("args").index(0), op);
}

/// Whether a filter would not let us set the last capabilities. One that asks an agent lets us ask.
fn refuses_capset(filter: &Filter) -> bool {
    const PASSES: [u32; 3] = [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_USER_NOTIF];
    const CLEAR_AMBIENT: [u64; 6] = [47, 4, 0, 0, 0, 0];
    let Some(arch) = Arch::native() else { return false };
    [("capset", [0; 6]), ("prctl", CLEAR_AMBIENT)].into_iter().any(|(name, args)| {
        let call = arch.call_number(name).map(|number| SeccompData::new(arch, number, args));
        call.is_some_and(|call| !PASSES.contains(&(interpret::run(filter, &call) & SECCOMP_RET_ACTION)))
    })
}
