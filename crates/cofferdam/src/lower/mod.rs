//! The order of the child's life: a plan becomes a program, top to bottom, each line where it is for a
//! reason.
//!
//! Called by create, exec and `plan`. Pure: descriptors that the parent has opened come in as numbers.
//! Nothing else orders steps.

mod devices;
mod exec;
mod mounts;
mod overlay;
mod prepared;
mod process;
mod start;

use cofferdam_child::frame::Point;
use cofferdam_child::op::Op;
use cofferdam_oci::Pointer;
use cofferdam_plan::{InitPlan, JoinNamespace, Pivot};
use cofferdam_sys::clone3::{
    CLONE_NEWCGROUP, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_PARENT,
};
use cofferdam_sys::mount_setattr::PROPAGATION;

pub(crate) use exec::exec;
pub(crate) use mounts::plain_bind;
pub(crate) use prepared::program;

use crate::options::{MountCommand, Parent};
use crate::overlay::OverlayPlan;
use crate::program::{Program, c_path, c_string, descriptors, words};

const MS_SHARED: u64 = 1 << 20;

/// What the parent has prepared: numbers of descriptors, -1 or nothing where there is none.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Namespace files, as `plan.join`.
    pub(crate) namespaces: Vec<i32>,
    /// Detached root file system.
    pub(crate) root: Option<i32>,
    /// Detached trees or user namespaces, by the index of the mount.
    pub(crate) trees: std::collections::BTreeMap<usize, i32>,
    /// User namespaces of idmaps, by the index of the mount.
    pub(crate) idmaps: std::collections::BTreeMap<usize, i32>,
    /// The socket on which `start` is awaited; none when the program runs at once.
    pub(crate) start: Option<i32>,
    /// Where what hooks inside say goes: standard output, standard error.
    pub(crate) hook_output: [i32; 2],
    /// What becomes standard input, output and error; empty leaves them.
    pub(crate) stdio: Vec<i32>,
    /// A writable layer over the root, if there is one.
    pub(crate) overlay: Option<OverlayPlan>,
    /// The ids to take in a user namespace that is joined by exec.
    pub(crate) first_ids: (u32, u32),
    /// Whether the parent makes its network.
    pub(crate) network: bool,
    /// Programs that are run beside mounts.
    pub(crate) mount_commands: Vec<MountCommand>,
    /// Whose child the process is to be.
    pub(crate) parent: Parent,
    /// Whether what is to run comes later.
    pub(crate) prepared: bool,
    /// Whether the caller shows on a terminal of its own what the process writes to its.
    pub(crate) relayed: bool,
    /// What the process is sent when whoever made it ends.
    pub(crate) parent_death_signal: Option<u32>,
    /// Signals that the caller ignores, signal 1 lowest.
    pub(crate) ignored_signals: u64,
    /// pidfd of the container's init, for exec.
    pub(crate) init: i32,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            root: None,
            trees: std::collections::BTreeMap::new(),
            idmaps: std::collections::BTreeMap::new(),
            start: None,
            hook_output: [-1; 2],
            stdio: Vec::new(),
            overlay: None,
            first_ids: (0, 0),
            mount_commands: Vec::new(),
            network: false,
            parent: Parent::Caller,
            prepared: false,
            relayed: false,
            parent_death_signal: None,
            ignored_signals: 0,
            init: -1,
        }
    }
}

/// What must be made by clone, and what the child does once it is made.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) program: Program,
    /// Namespaces of the first clone.
    pub(crate) clone_flags: u64,
    /// Whether id maps are awaited before the program is executed.
    pub(crate) maps_first: bool,
    /// Whether the process that the clone makes has a successor.
    pub(crate) successor: bool,
}

/// A new container.
pub(crate) fn init(plan: &InitPlan, inputs: &Inputs) -> Lowered {
    let mut p = Program::default();
    let successor = needs_successor(plan) || inputs.parent == Parent::Nobody;
    // CLONE_NEWCGROUP waits until the process is in its cgroups: they become the root of what it sees.
    // A time namespace is entered only after its offsets are written. A network namespace takes longer to
    // make than all others together: the child makes it while the parent makes the cgroups.
    let new = plan.new_namespaces & !(CLONE_NEWCGROUP | CLONE_NEWTIME | CLONE_NEWNET);
    begin(&mut p, plan, inputs);
    join(&mut p, plan, inputs);
    if successor {
        succeed(&mut p, plan, new | of_whom(inputs.parent));
    }
    surroundings(&mut p, plan, inputs);
    root(&mut p, plan, inputs);
    let joined = mounts::mounts(&mut p, plan, inputs);
    devices::devices(&mut p, plan);
    if !joined {
        cgroup(&mut p, plan);
    }
    // Once devpts is mounted; before hooks, which may want to see it all.
    if let Some(wanted) = plan.process.terminal {
        let console = plan.root.new_mount_namespace.then_some("/dev/console");
        process::terminal(&mut p, &plan.process, wanted, console, inputs.relayed);
    }
    // Once nothing more is made in them, the console included.
    mounts::late(&mut p, plan);
    working_directory(&mut p, plan);
    hooks(&mut p, plan, inputs);
    seal(&mut p, plan, inputs);
    process::labels(&mut p, &plan.process);
    process::forget(&mut p, kept_for_start(plan, inputs), plan.preserve_fds);
    p.own("hiding from other processes", Op::Dumpable { on: false });
    if inputs.prepared {
        prepared::wait(&mut p, plan);
    } else {
        process::identity(&mut p, &plan.process);
        parent_death(&mut p, inputs);
        start::start(&mut p, plan, inputs);
    }
    let direct = if successor { 0 } else { new };
    let maps_first = !successor && plan.id_maps.is_some();
    Lowered { program: p, clone_flags: direct, maps_first, successor }
}

/// A process that is in its namespaces already and becomes the container's first: the same order, without
/// what a parent does meanwhile. `keep` stay open until the program runs.
pub(crate) fn here(plan: &InitPlan, inputs: &Inputs, keep: Vec<i32>) -> Program {
    let mut p = Program::default();
    p.own("opening /proc", Op::OpenProc {});
    join(&mut p, plan, inputs);
    interfaces(&mut p, plan);
    root(&mut p, plan, inputs);
    mounts::mounts(&mut p, plan, inputs);
    devices::devices(&mut p, plan);
    mounts::late(&mut p, plan);
    working_directory(&mut p, plan);
    seal(&mut p, plan, inputs);
    process::labels(&mut p, &plan.process);
    process::forget(&mut p, keep, 0);
    process::identity(&mut p, &plan.process);
    parent_death(&mut p, inputs);
    process::last(&mut p, &plan.process, 0);
    p
}

/// After the user is another one, which ends it, and before anything is waited for: whoever made us may
/// end then.
fn parent_death(p: &mut Program, inputs: &Inputs) {
    if let Some(signal) = inputs.parent_death_signal {
        p.own("asking for a signal at the parent's death", Op::ParentDeathSignal { signal });
    }
}

/// A PID namespace is entered by children only, and a user namespace that is joined must be joined
/// before others are made in it; a new user namespace would lose the right to join what is not its own.
fn needs_successor(plan: &InitPlan) -> bool {
    let joins = |kind: u64| plan.join.iter().any(|j| j.kind == kind);
    joins(CLONE_NEWPID) || joins(CLONE_NEWUSER) || (plan.id_maps.is_some() && !plan.join.is_empty())
}

/// First: nothing of the caller's may be reachable, and /proc must be found while it is the host's.
fn begin(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    let mut keep: Vec<i32> = inputs.namespaces.clone();
    keep.extend(inputs.root.iter().chain(inputs.trees.values()).chain(inputs.idmaps.values()));
    keep.extend(inputs.start.iter().chain(inputs.stdio.iter()).chain(&inputs.hook_output));
    keep_only(p, keep, plan.preserve_fds, inputs.ignored_signals);
    process::every_cpu(p);
    // Whoever shares a joined namespace with us must not trace us or look at what we hold.
    if !plan.join.is_empty() {
        p.own("hiding from other processes", Op::Dumpable { on: false });
    }
    p.own("opening /proc", Op::OpenProc {});
}

/// Closes all but these and those that the process is to keep.
fn keep_only(p: &mut Program, keep: Vec<i32>, preserve: u32, ignored: u64) {
    let keep = kept(keep, preserve);
    p.own("closing descriptors", Op::CloseOthers { keep: &descriptors(keep) });
    p.own("resetting signals", Op::DefaultSignals { ignored });
}

/// Descriptors that stay open, as the child takes them.
fn kept(mut keep: Vec<i32>, preserve: u32) -> Vec<i32> {
    keep.extend((0..preserve).filter_map(|n| i32::try_from(n).ok()?.checked_add(3)));
    keep.retain(|fd| *fd > 2);
    keep.sort_unstable();
    keep.dedup();
    keep
}

/// Before anything is made: what is made belongs to the namespaces that are joined.
fn join(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    for (JoinNamespace { pointer, kind, path }, fd) in plan.join.iter().zip(&inputs.namespaces) {
        let object = path.as_path().display().to_string();
        p.step("joining namespace", object, pointer, Op::Setns { fd: *fd, flags: *kind });
        if *kind == CLONE_NEWUSER {
            p.own("becoming root in the user namespace", Op::Become { uid: 0, gid: 0 });
        }
    }
}

/// A process whose parent has ended is init's, or a subreaper's.
fn of_whom(parent: Parent) -> u64 {
    match parent {
        Parent::Caller => CLONE_PARENT,
        Parent::Nobody => 0,
    }
}

fn succeed(p: &mut Program, plan: &InitPlan, flags: u64) {
    p.step("making namespaces", "", &Pointer::new("/linux/namespaces"), Op::Successor { flags });
    if let Some(maps) = &plan.id_maps {
        p.own("waiting for id maps", Op::Await { point: Point::Maps.number() });
        let (uid, gid) = first_ids(maps, plan);
        p.own("taking ids in the user namespace", Op::Become { uid, gid });
    }
}

/// The ids with which a container in a user namespace is set up: root, or the only ones there are.
pub(crate) fn first_ids(maps: &cofferdam_plan::IdMaps, plan: &InitPlan) -> (u32, u32) {
    let has = |list: &[cofferdam_oci::IdMapping]| list.iter().any(|m| m.container_id == 0 && m.size > 0);
    (if has(&maps.uid) { 0 } else { plan.process.uid }, if has(&maps.gid) { 0 } else { plan.process.gid })
}

/// What needs no root filesystem.
fn surroundings(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    process::session(p, inputs, plan.keyring.as_deref());
    if plan.new_namespaces & CLONE_NEWNET != 0 {
        let pointer = Pointer::new("/linux/namespaces");
        p.step("making the network namespace", "", &pointer, Op::Unshare { flags: CLONE_NEWNET });
    }
    interfaces(p, plan);
    if plan.new_namespaces & CLONE_NEWTIME != 0 {
        let line = |t: &cofferdam_plan::TimeOffsetPlan| format!("{} {} {}\n", t.clock, t.secs, t.nanosecs);
        let offsets: String = plan.time_offsets.iter().map(line).collect();
        let pointer = Pointer::new("/linux/timeOffsets");
        p.step("making the time namespace", "", &pointer, Op::TimeNamespace { offsets: offsets.as_bytes() });
    }
}

fn interfaces(p: &mut Program, plan: &InitPlan) {
    if plan.loopback {
        p.own("setting the loopback device up", Op::Loopback {});
    }
}

fn root(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    let path = plan.root.path.as_path();
    let (text, pointer) = (path.display().to_string(), Pointer::new("/root/path"));
    if plan.root.new_mount_namespace {
        // Nothing that is mounted from here on may reach the host.
        let field = Pointer::new("/linux/rootfsPropagation");
        p.step(
            "setting the propagation of",
            "/",
            &field,
            Op::Propagation { flag: plan.root.propagation & PROPAGATION },
        );
    }
    if let Some(overlay) = &inputs.overlay {
        return overlay::root(p, overlay, path);
    }
    let op = Op::OpenRoot {
        path: &c_path(path),
        fd: inputs.root.unwrap_or(-1),
        private_parent: plan.root.propagation & MS_SHARED != 0,
        bind: plan.root.new_mount_namespace,
    };
    p.step("opening the root filesystem", text, &pointer, op);
}

/// Joins the cgroups and, as they are now what the process is in, makes the cgroup namespace.
fn cgroup(p: &mut Program, plan: &InitPlan) {
    p.step("joining cgroups", "", &Pointer::new("/linux/cgroupsPath"), Op::JoinCgroups {});
    if plan.new_namespaces & CLONE_NEWCGROUP != 0 {
        let field = Pointer::new("/linux/namespaces");
        p.step("making the cgroup namespace", "", &field, Op::Unshare { flags: CLONE_NEWCGROUP });
    }
}

fn working_directory(p: &mut Program, plan: &InitPlan) {
    let path = plan.process.cwd.as_str();
    if path != "/" {
        let op = Op::Directory { path: &c_string(path), mode: 0o755 };
        p.step("making the working directory", path, &plan.process.pointer.key("cwd"), op);
    }
}

/// What is needed once the host is let go of.
fn kept_for_start(plan: &InitPlan, inputs: &Inputs) -> Vec<i32> {
    let output =
        inputs.hook_output.into_iter().filter(|fd| *fd >= 0 && !plan.hooks.start_container.is_empty());
    inputs.start.into_iter().chain(output).collect()
}

/// The parent makes the network and runs the runtime's hooks; createContainer's run here: everything is mounted, nothing is
/// hidden or read-only yet, and the old root is still there to be found.
fn hooks(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    let h = &plan.hooks;
    let parents = h.prestart.len() + h.create_runtime.len() + plan.net_devices.len();
    if inputs.network || parents + h.create_container.len() > 0 {
        p.own("waiting for hooks", Op::Meet { point: Point::Hooks.number() });
    }
    for (index, hook) in h.create_container.iter().enumerate() {
        start::hook(p, crate::hooks::doing("createContainer", index), hook, inputs.hook_output, None);
    }
}

/// Closes the root filesystem behind us: after this line nothing of the host can be named.
fn seal(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    let label = c_string(mounts::context(plan).unwrap_or_default());
    for (pointer, path) in &plan.masked_paths {
        p.step("masking", path.as_str(), pointer, Op::Mask { path: &c_string(path.as_str()), label: &label });
    }
    for (pointer, path) in &plan.readonly_paths {
        p.step("making read-only", path.as_str(), pointer, Op::Readonly { path: &c_string(path.as_str()) });
    }
    if let Some(overlay) = inputs.overlay.as_ref().filter(|_| plan.root.readonly) {
        overlay::seal(p, overlay);
    }
    mounts::seal_root(p, plan);
    if plan.root.pivot == Pivot::MoveRoot {
        p.own("hiding the host's procfs and sysfs", Op::HideFullProc {});
    }
    let pointer = Pointer::new("/root/path");
    let op = match plan.root.pivot {
        Pivot::PivotRoot => Op::Pivot { shared: plan.root.propagation & MS_SHARED != 0 },
        Pivot::MoveRoot => Op::MoveRoot {},
        Pivot::Chroot => Op::Chroot {},
    };
    p.step("entering the root filesystem", plan.root.path.as_path().display().to_string(), &pointer, op);
    mounts::root_propagation(p, plan);
    if let Some(name) = &plan.hostname {
        let pointer = Pointer::new("/hostname");
        p.step("setting the host name", name, &pointer, Op::Hostname { name: name.as_bytes() });
    }
    if let Some(name) = &plan.domainname {
        let pointer = Pointer::new("/domainname");
        p.step("setting the domain name", name, &pointer, Op::Domainname { name: name.as_bytes() });
    }
    for s in &plan.sysctls {
        let op = Op::Sysctl { file: &c_string(format!("sys/{}", s.file)), value: s.value.as_bytes() };
        p.step("setting kernel parameter", &s.file, &s.pointer, op);
    }
}

/// Supplementary groups as the child takes them.
pub(super) fn groups(list: &[u32]) -> Vec<u8> {
    words(list.iter().copied())
}
