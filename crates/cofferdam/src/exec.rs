//! A process in a running container.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use cofferdam_plan::{ExecOptions as PlanOptions, ExecPlan, plan_exec};
use cofferdam_sys::Errno;
use cofferdam_sys::clone3::{self, CLONE_NEWUSER};

use crate::container::{Container, Status};
use crate::decide::{check_preserved, check_terminal, warnings};
use crate::opened::Opened;
use crate::options::{ExecOptions, TerminalMode};
use crate::process::Process;
use crate::spawn::Newborn;
use crate::upbringing::{Parent, Upbringing};
use crate::{Error, Result, facts, handing, lower, pid, spawn, talk};

pub(crate) fn exec(container: &Container, mut options: ExecOptions) -> Result<Process> {
    match container.status()? {
        Status::Running | Status::Created => {}
        Status::Paused if options.ignore_paused => {}
        Status::Paused => {
            return Err(
                container.wrong_state("cannot exec in a paused container (use --ignore-paused to override)")
            );
        }
        _ => return Err(container.wrong_state("cannot exec in a stopped container")),
    }
    let gone = || container.wrong_state("cannot exec in a stopped container");
    let init = pid::open(container.saved.pid, container.saved.start_time).ok_or_else(gone)?;
    let (plan, spec, ignored_signals) = decide(container, &options)?;
    check_terminal(plan.process.terminal.is_some(), options.console_socket.as_ref(), options.terminal)?;
    check_preserved(plan.preserve_fds)?;
    let stdio = std::mem::take(&mut options.stdio);
    let cgroup = container.cgroup();
    let born_in = if options.cgroup.is_empty() { cgroup.open_v2_dir()? } else { None };
    let opened = Opened::for_exec(stdio, born_in)?;
    let mut inputs = opened.inputs();
    inputs.init = init.as_raw_fd();
    inputs.relayed = options.terminal == TerminalMode::Relayed;
    inputs.ignored_signals = ignored_signals;
    if plan.namespaces & CLONE_NEWUSER != 0 {
        inputs.first_ids = first_ids(container.saved.pid, &plan);
    }
    let lowered = lower::exec(&plan, &inputs);
    let (newborn, must_move) =
        born(&lowered, &inputs, opened.born_in.as_ref(), cgroup.saved().unit.is_some())?;
    let first = newborn.born.pid;
    let mut upbringing = Upbringing::new(newborn, true)?;
    let mut keeper = Keeper { container, plan: &plan, options: &options, spec: &spec, terminal: None };
    keeper.enter(first, upbringing.control(), must_move)?;
    upbringing.go(&mut keeper, lowered.program.steps(), false)?;
    let terminal = keeper.terminal.take();
    keeper.hand_over(upbringing.pid())?;
    let (pid, pidfd) = upbringing.into_parts()?;
    let mut process = Process::new(pid, pidfd, terminal);
    process.warnings = warnings(&plan.warnings);
    Ok(process)
}

/// Born in the container's version 2 cgroup, which costs nothing; where that takes no processes (the
/// container has split it up), the parent must move it beside the first process, and where this user may
/// not do so from here, systemd must.
fn born(
    lowered: &lower::Lowered,
    inputs: &lower::Inputs,
    cgroup: Option<&OwnedFd>,
    by_systemd: bool,
) -> Result<(Newborn, bool)> {
    let movable = if by_systemd { &[Errno::EBUSY, Errno::EACCES][..] } else { &[Errno::EBUSY] };
    match spawn::spawn(lowered, &inputs.descriptors(), cgroup, None) {
        Err(e) if cgroup.is_some() && e.errno().is_some_and(|e| movable.contains(&Errno(e))) => {
            Ok((spawn::spawn(lowered, &inputs.descriptors(), None, None)?, true))
        }
        other => Ok((other?, false)),
    }
}

fn decide(container: &Container, options: &ExecOptions) -> Result<(ExecPlan, cofferdam_oci::Spec, u64)> {
    let spec = container.spec()?;
    let hierarchies =
        cofferdam_cgroup::Hierarchies { v1: Vec::new(), v2: None, mode: container.saved.cgroup.mode };
    let mut host = facts::gather(&spec, &hierarchies)?;
    host.apparmor = host.apparmor || options.process.apparmor_profile.as_ref().is_some_and(|p| !p.is_empty());
    let namespaces = differing(container.saved.pid)?;
    let user_namespace = namespaces & CLONE_NEWUSER != 0;
    let denied = std::fs::read_to_string(format!("/proc/{}/setgroups", container.saved.pid));
    let plan = plan_exec(
        &options.process,
        &spec,
        &host,
        &PlanOptions {
            id: container.id.as_str().to_owned(),
            no_new_keyring: container.saved.no_new_keyring,
            namespaces,
            user_namespace,
            setgroups_denied: denied.is_ok_and(|d| d.trim_end() == "deny"),
            preserve_fds: options.preserve_fds,
        },
    );
    Ok((plan.map_err(Error::rejected)?, spec, host.ignored_signals))
}

/// The ids with which a process enters the user namespace of `pid`: root's or, where it has no root, those
/// that it is to have.
fn first_ids(pid: i32, plan: &ExecPlan) -> (u32, u32) {
    let rootless = |file: &str| {
        let map = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let mut inside = map.lines().filter_map(|line| line.split_ascii_whitespace().next());
        !map.is_empty() && inside.all(|first| first != "0")
    };
    (
        if rootless("uid_map") { plan.process.uid } else { 0 },
        if rootless("gid_map") { plan.process.gid } else { 0 },
    )
}

/// The namespaces of `pid` that are not ours. Joining one's own user namespace is an error, and joining
/// the others a waste.
fn differing(pid: i32) -> Result<u64> {
    const ALL: [(&str, u64); 8] = [
        ("user", clone3::CLONE_NEWUSER),
        ("ipc", clone3::CLONE_NEWIPC),
        ("uts", clone3::CLONE_NEWUTS),
        ("net", clone3::CLONE_NEWNET),
        ("pid", clone3::CLONE_NEWPID),
        ("mnt", clone3::CLONE_NEWNS),
        ("cgroup", clone3::CLONE_NEWCGROUP),
        ("time", clone3::CLONE_NEWTIME),
    ];
    let link = |pid: &str, name: &str| std::fs::read_link(Path::new("/proc").join(pid).join("ns").join(name));
    let mut bits = 0;
    for (name, bit) in ALL {
        let (Ok(theirs), Ok(ours)) = (link(&pid.to_string(), name), link("thread-self", name)) else {
            continue;
        };
        if theirs != ours {
            bits |= bit;
        }
    }
    Ok(bits)
}

struct Keeper<'a> {
    container: &'a Container,
    plan: &'a ExecPlan,
    options: &'a ExecOptions,
    spec: &'a cofferdam_oci::Spec,
    terminal: Option<OwnedFd>,
}

impl Keeper<'_> {
    /// While the child starts, the parent does what only it may.
    fn enter(&self, first: i32, control: i32, must_move: bool) -> Result<()> {
        let cgroup = self.container.cgroup();
        let (pid, init) = (unsigned(first), unsigned(self.container.saved.pid));
        let beside = self.options.cgroup.is_empty();
        let tasks = if beside { cgroup.tasks()? } else { Vec::new() };
        if must_move {
            cgroup.join_running(pid, init)?;
        }
        for value in &self.options.cgroup {
            let (controllers, below) = value.split_once(':').unwrap_or(("", value));
            let controllers: Vec<&str> = controllers.split(',').filter(|c| !c.is_empty()).collect();
            cgroup.join_below(pid, Path::new(below), &controllers)?;
        }
        if let Some(value) = self.plan.process.oom_score_adj {
            crate::create::oom_score_adj(first, value, &self.plan.process.pointer)?;
        }
        talk::say_cgroup(control, &tasks)
    }

    fn hand_over(&self, pid: i32) -> Result<()> {
        handing::process(pid, self.options.pid_file.as_ref(), self.options.pidfd_socket.as_ref())
    }
}

fn unsigned(pid: i32) -> u32 {
    pid.unsigned_abs()
}

impl Parent for Keeper<'_> {
    fn made(&mut self, _: i32, _: i32) -> Result<()> {
        Ok(())
    }

    fn hooks(&mut self, _: i32) -> Result<Option<OwnedFd>> {
        Ok(None)
    }

    fn start(&mut self, _: i32) -> Result<Option<OwnedFd>> {
        Ok(None)
    }

    fn listener(&mut self, pid: i32, listener: OwnedFd) -> Result<()> {
        crate::agent::hand_over(self.spec, &self.container.saved.state("running"), pid, &listener)
    }

    fn terminal(&mut self, master: OwnedFd) -> Result<()> {
        let options = self.options;
        self.terminal = handing::terminal(master, options.console_socket.as_ref(), options.terminal)?;
        Ok(())
    }
}
