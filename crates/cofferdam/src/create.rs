//! Creating a container: decide, own, clone, meet, hand over.
//!
//! The order in which things come to be is the order in which they are owned: the state directory first,
//! so that whatever follows can be found again, whenever we are killed.

use std::fs;
use std::os::fd::OwnedFd;

use cofferdam_cgroup::{Cgroup, Making, SavedCgroup};
use cofferdam_child::frame::Point;
use cofferdam_net::Running;
use cofferdam_oci::State;
use cofferdam_plan::InitPlan;
use cofferdam_sys::clone3::CLONE_NEWPID;

use crate::container::Container;
use crate::decide::{Decision, check_preserved, check_terminal, decide};
use crate::lower::{self, Lowered};
use crate::network::Wires;
use crate::notify::{self, Notify};
use crate::opened::Opened;
use crate::options::{CreateOptions, Streams, TerminalMode};
use crate::process::Process;
use crate::program::LateSteps;
use crate::state::{CONFIG, START, Saved};
use crate::store::{Claim, Store};
use crate::upbringing::{Parent, Upbringing};
use crate::{Bundle, ContainerId, Error, Result, handing, hooks, maps, pid, sockets, spawn, state, talk};

/// How far the container comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Its program waits for `start`.
    Ready,
    /// It waits for its program.
    Prepared,
    /// Its program runs.
    Running,
}

/// A container that has come as far as it was to.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) container: Container,
    pub(crate) upbringing: Upbringing,
    pub(crate) plan: InitPlan,
    terminal: Option<OwnedFd>,
    notify: Option<Notify>,
    pub(crate) names: Option<Running>,
    warnings: Vec<String>,
}

impl Made {
    fn into_parts(self) -> Result<(Container, Process)> {
        let (pid, pidfd) = self.upbringing.into_parts()?;
        let mut process = Process::new(pid, pidfd, self.terminal);
        process.notify = self.notify;
        process.names = self.names;
        process.warnings = self.warnings;
        Ok((self.container, process))
    }
}

pub(crate) fn create(
    store: &Store,
    id: &ContainerId,
    bundle: &Bundle,
    options: CreateOptions,
    until: Until,
) -> Result<(Container, Process)> {
    make(store, id, bundle, options, until)?.into_parts()
}

pub(crate) fn make(
    store: &Store,
    id: &ContainerId,
    bundle: &Bundle,
    mut options: CreateOptions,
    until: Until,
) -> Result<Made> {
    let decision = decide(id, bundle, &options, Some(&store.dir(id)))?;
    let wanted = decision.init.process.terminal.is_some();
    check_terminal(wanted, options.console_socket.as_ref(), options.terminal)?;
    check_preserved(decision.init.preserve_fds)?;
    let claim = store.claim(id)?;
    let mut saved = saved(id, bundle, &decision);
    saved.prepared = until == Until::Prepared;
    let mut wires = decision.network.as_ref().map(|plan| Wires::intend(plan, claim.dir())).transpose()?;
    saved.network = wires.as_ref().map(Wires::saved);
    saved.write(claim.dir())?;
    if let Some(wires) = &mut wires {
        wires.prepare(&bundle.spec, &saved.rootfs, claim.dir())?;
        saved.network = Some(wires.saved());
    }
    let notify = notify(&claim, &options, until)?;
    let making = Making::begin(&decision.cgroup)?;
    let stdio = std::mem::take(&mut options.stdio);
    let born_in = making.open_v2_dir()?;
    let birth = Birth { claim: &claim, decision: &decision, terminal: options.terminal, until };
    let (steps, mut upbringing) = birth.give(stdio, born_in)?;
    let mut keeper = Keeper {
        decision: &decision,
        bundle,
        options: &options,
        making: Some(making),
        cgroup: None,
        wires,
        names: None,
        claim: &claim,
        until,
        saved,
        terminal: None,
    };
    keeper.saved.late = LateSteps::of(&steps);
    let grown = upbringing.go(&mut keeper, &steps, until != Until::Running);
    if let Err(e) = grown.and_then(|()| keeper.hand_over(&upbringing)) {
        // The process first: nothing else can be removed while it is there.
        drop(upbringing);
        let (hooks, state) = (&decision.init.hooks.poststop, keeper.saved.state("stopped"));
        return Err(e.with_also(hooks::run_all(hooks, "poststop", &state, &bundle.dir)));
    }
    if let Some(cgroup) = &keeper.cgroup {
        cgroup.keep();
    }
    keeper.wires.iter_mut().for_each(Wires::keep);
    claim.keep();
    let (saved, terminal, names) = (keeper.saved.clone(), keeper.terminal.take(), keeper.names.take());
    drop(keeper);
    let container = Container::from_saved(store.clone(), id.clone(), saved);
    let warnings = decision.warnings_at_start(options.no_cgroups);
    Ok(Made { container, upbringing, plan: decision.init, terminal, notify, names, warnings })
}

/// The directory that the container sees, and the socket if the program runs at once: otherwise `start`
/// makes it.
fn notify(claim: &Claim, options: &CreateOptions, until: Until) -> Result<Option<Notify>> {
    let Some(host) = &options.notify_socket else { return Ok(None) };
    notify::prepare(claim.dir())?;
    (until == Until::Running).then(|| Notify::bind(claim.dir(), host)).transpose()
}

/// What is going to be made, to be written down before it is.
pub(crate) fn saved(id: &ContainerId, bundle: &Bundle, decision: &Decision) -> Saved {
    let intended = SavedCgroup::intended(&decision.cgroup);
    let rootfs = decision.init.root.path.as_path().to_owned();
    let mut saved = Saved::new(id.as_str(), &bundle.dir, rootfs, intended);
    saved.owner = decision.facts.euid;
    saved.annotations.clone_from(&bundle.spec.annotations);
    let hooks = &bundle.spec.hooks;
    saved.late_hooks = !hooks.poststart.is_empty() || !hooks.poststop.is_empty();
    saved.own_pid_namespace = decision.init.new_namespaces & CLONE_NEWPID != 0;
    saved.resctrl = crate::rdt::directories(decision.init.rdt.as_ref(), id.as_str());
    saved
}

/// What a clone needs.
struct Birth<'a> {
    claim: &'a Claim,
    decision: &'a Decision,
    terminal: TerminalMode,
    until: Until,
}

impl Birth<'_> {
    fn give(
        &self,
        stdio: Streams,
        born_in: Option<OwnedFd>,
    ) -> Result<(Vec<crate::program::Step>, Upbringing)> {
        let plan = &self.decision.init;
        let mut opened = Opened::for_init(plan, stdio, born_in)?;
        if self.until == Until::Ready {
            let listener = sockets::listen(&self.claim.dir().join(START), "making the start socket")?;
            opened.start = Some(listener.into());
        }
        let mut inputs = opened.inputs();
        inputs.overlay.clone_from(&self.decision.overlay);
        inputs.parent = self.decision.parent;
        inputs.relayed = self.terminal == TerminalMode::Relayed;
        inputs.prepared = self.until == Until::Prepared;
        inputs.network = self.decision.network.is_some();
        inputs.mount_commands.clone_from(&self.decision.mount_commands);
        inputs.parent_death_signal = self.decision.parent_death_signal;
        inputs.ignored_signals = self.decision.facts.ignored_signals;
        let lowered = lower::init(plan, &inputs);
        let newborn =
            spawn::spawn(&lowered, &inputs.descriptors(), opened.born_in.as_ref(), ids(plan, &lowered))?;
        let successor = lowered.successor;
        Ok((lowered.program.into_steps(), Upbringing::new(newborn, successor)?))
    }
}

/// The ids to become at once in a new user namespace.
fn ids(plan: &InitPlan, lowered: &Lowered) -> Option<(u32, u32)> {
    plan.id_maps.as_ref().filter(|_| lowered.maps_first).map(|maps| lower::first_ids(maps, plan))
}

/// The parent's acts while the child is brought up.
struct Keeper<'a> {
    decision: &'a Decision,
    bundle: &'a Bundle,
    options: &'a CreateOptions,
    making: Option<Making<'a>>,
    cgroup: Option<Cgroup>,
    wires: Option<Wires>,
    names: Option<Running>,
    claim: &'a Claim,
    until: Until,
    saved: Saved,
    terminal: Option<OwnedFd>,
}

impl Parent for Keeper<'_> {
    /// While the child mounts, the parent makes the cgroups, writes limits and the state: the child waits
    /// for that before it joins them, and nothing of the user's runs before it has.
    fn made(&mut self, pid: i32, control: i32) -> Result<()> {
        let plan = &self.decision.init;
        // First, where systemd makes the cgroup: it does while we do the rest.
        self.making.iter_mut().try_for_each(|making| making.ask(pid.unsigned_abs()))?;
        if let Some(maps) = &plan.id_maps {
            maps::write(maps, pid)?;
            talk::say(control, Point::Maps, None)?;
        }
        let tasks = self.cgroups()?;
        if let Some(value) = plan.process.oom_score_adj {
            oom_score_adj(pid, value, &plan.process.pointer)?;
        }
        crate::rdt::apply(plan.rdt.as_ref(), pid)?;
        let config = serde_json::to_vec(&self.bundle.spec).unwrap_or_default();
        let path = self.claim.dir().join(CONFIG);
        state::write_file(&path, &config).map_err(|e| Error::io("writing the state", &path, &e))?;
        self.saved.pid = pid;
        self.saved.start_time = pid::stat(pid).map_or(0, |s| s.start_time);
        self.saved.write(self.claim.dir())?;
        talk::say_cgroup(control, &tasks)
    }

    fn hooks(&mut self, pid: i32) -> Result<Option<OwnedFd>> {
        let plan = &self.decision.init;
        crate::network::move_devices(&plan.net_devices, pid)?;
        self.network(pid)?;
        let state = self.saved.state("creating");
        hooks::run(&plan.hooks.prestart, "prestart", &state, &self.bundle.dir)?;
        hooks::run(&plan.hooks.create_runtime, "createRuntime", &state, &self.bundle.dir)?;
        Ok(Some(hooks::state_file(&state)?.into()))
    }

    fn start(&mut self, _: i32) -> Result<Option<OwnedFd>> {
        Ok(Some(hooks::state_file(&self.saved.state("created"))?.into()))
    }

    fn listener(&mut self, pid: i32, listener: OwnedFd) -> Result<()> {
        crate::agent::hand_over(&self.bundle.spec, &self.saved.state("creating"), pid, &listener)
    }

    fn terminal(&mut self, master: OwnedFd) -> Result<()> {
        let options = self.options;
        self.terminal = handing::terminal(master, options.console_socket.as_ref(), options.terminal)?;
        Ok(())
    }
}

impl Keeper<'_> {
    fn network(&mut self, pid: i32) -> Result<()> {
        let Some(wires) = &mut self.wires else { return Ok(()) };
        wires.make(pid, self.claim.dir(), &self.options.name_service)?;
        if wires.has_more_to_note() {
            self.saved.network = Some(wires.saved());
            self.saved.write(self.claim.dir())?;
        }
        self.names = wires.serve()?;
        Ok(())
    }

    /// Makes what is left to make of the cgroups, with their limits, and opens what the child joins.
    fn cgroups(&mut self) -> Result<Vec<OwnedFd>> {
        let Some(making) = self.making.take() else { return Ok(Vec::new()) };
        let cgroup = self.cgroup.insert(making.finish()?);
        cgroup.apply_limits()?;
        self.saved.cgroup = cgroup.saved();
        Ok(cgroup.tasks()?)
    }

    /// The last acts: what engines wait for.
    fn hand_over(&self, upbringing: &Upbringing) -> Result<()> {
        let pid = upbringing.pid();
        handing::first(pid, self.options, &self.bundle.spec)?;
        match self.until {
            Until::Ready | Until::Prepared => talk::say(upbringing.control(), Point::Ready, None),
            Until::Running => Ok(()),
        }
    }
}

/// Written by the parent: lowering it needs rights that a user namespace does not give.
pub(crate) fn oom_score_adj(pid: i32, value: i32, process: &cofferdam_oci::Pointer) -> Result<()> {
    let path = format!("/proc/{pid}/oom_score_adj");
    fs::write(&path, value.to_string())
        .map_err(|e| Error::io("writing", &path, &e).with_pointer(&process.key("oomScoreAdj")))
}

impl Saved {
    /// The state as hooks and agents get it.
    pub(crate) fn state(&self, status: &str) -> State {
        let mut annotations = self.annotations.clone();
        annotations.extend(self.network.as_ref().map(crate::network::interfaces));
        State {
            oci_version: self.oci_version.clone(),
            id: self.id.clone(),
            status: status.to_owned(),
            pid: if status == "stopped" { 0 } else { self.pid },
            bundle: self.bundle.display().to_string(),
            annotations,
        }
    }
}
