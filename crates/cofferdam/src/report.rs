//! Showing the plan: every step in order, on which side, to what, for which field.
//!
//! What is shown is what is done: the same decision, the same lowering.

use std::fmt;

use serde::Serialize;

use cofferdam_cgroup::{Hierarchies, Manager, Property, UnitPlan, Version};
use cofferdam_net::{InterfaceKind, InterfacePlan, NetworkPlan, RoutePlan};
use cofferdam_plan::HookPlan;

use crate::decide::{Decision, decide_with};
use crate::lower::{self, Inputs};
use crate::options::CreateOptions;
use crate::program::Step;
use crate::store::Store;
use crate::{Bundle, ContainerId, Result, facts};

/// What creating and starting a container would do.
///
/// ```no_run
/// use cofferdam::{Bundle, ContainerId, CreateOptions, Store};
/// let (store, bundle) = (Store::new("/run/example"), Bundle::open("/bundle")?);
/// let report = cofferdam::plan(&store, &ContainerId::new("one")?, &bundle, &CreateOptions::default())?;
/// print!("{report}");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// The container's id.
    pub id: String,
    /// The user for whom was planned: the caller, or root.
    pub uid: u32,
    /// The steps.
    pub steps: Vec<ReportedStep>,
    /// The network, if there is more to make than loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<cofferdam_net::NetworkPlan>,
    /// What is odd but obeyed all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One step.
///
/// ```
/// use cofferdam::ReportedStep;
/// fn of_child(step: &ReportedStep) -> Option<String> {
///     (step.side == "child").then(|| format!("{} {}", step.step, step.object))
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct ReportedStep {
    /// `parent` or `child`.
    pub side: &'static str,
    /// What is done.
    pub step: String,
    /// To what.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// Which field of the configuration asks for it, as a JSON pointer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uid {
            0 => writeln!(f, "planned for root")?,
            uid => writeln!(f, "planned for user {uid}")?,
        }
        for (n, s) in self.steps.iter().enumerate() {
            write!(f, "{:>4} {:<6} {}", n + 1, s.side, s.step)?;
            if !s.object.is_empty() {
                write!(f, " {}", s.object)?;
            }
            if !s.field.is_empty() {
                write!(f, "  [{}]", s.field)?;
            }
            writeln!(f)?;
        }
        self.warnings.iter().try_for_each(|w| writeln!(f, "warning: {w}"))
    }
}

/// Says what [`Container::create`](crate::Container::create) and
/// [`Container::start`](crate::Container::start) would do, without doing anything; no right is needed.
///
/// A caller without rights is told what root would do, unless the configuration makes a user namespace
/// that shows the caller's own id; `options.rootless` decides it in advance.
///
/// # Errors
/// All rejections of the configuration at once.
pub fn plan(store: &Store, id: &ContainerId, bundle: &Bundle, options: &CreateOptions) -> Result<PlanReport> {
    let hierarchies = Hierarchies::detect()?;
    let facts = facts::for_whom(facts::gather(&bundle.spec, &hierarchies)?, &bundle.spec, options.rootless);
    let uid = facts.euid;
    let mut decision = decide_with(facts, &hierarchies, id, bundle, options, Some(&store.dir(id)))?;
    let (steps, warnings) = (steps(&decision), decision.warnings());
    Ok(PlanReport { id: id.to_string(), uid, steps, network: decision.network.take(), warnings })
}

fn parent(step: &str, object: impl Into<String>, field: impl Into<String>) -> ReportedStep {
    ReportedStep { side: "parent", step: step.to_owned(), object: object.into(), field: field.into() }
}

fn cgroups(decision: &Decision, version: Version) -> impl Iterator<Item = ReportedStep> {
    let dirs = decision.cgroup.dirs.iter().filter(move |d| d.version == version);
    dirs.map(|d| parent("making cgroup", d.path.display().to_string(), "/linux/cgroupsPath"))
}

/// The unit, and each property of it.
fn asked_of_systemd(unit: &UnitPlan) -> Vec<ReportedStep> {
    let whose = if unit.manager == Manager::User { "the user's systemd" } else { "systemd" };
    let asked = format!("asking {whose} for the unit");
    let unit_itself = parent(&asked, format!("{} in {}", unit.name, unit.slice), "/linux/cgroupsPath");
    let property = |p: &Property| parent("setting property", p.to_string(), &p.pointer);
    std::iter::once(unit_itself).chain(unit.properties.iter().map(property)).collect()
}

/// The parent's steps stand where the child waits for them.
fn steps(decision: &Decision) -> Vec<ReportedStep> {
    let lowered = lower::init(&decision.init, &inputs(decision));
    let mut all = vec![parent("making the state directory", "", "")];
    let unit = decision.cgroup.unit.as_ref();
    if unit.is_none() {
        all.extend(cgroups(decision, Version::V2));
    }
    all.push(parent("making the container's process", namespaces(lowered.clone_flags), "/linux/namespaces"));
    all.extend(unit.iter().flat_map(|unit| asked_of_systemd(unit)));
    if decision.init.id_maps.is_some() {
        all.push(parent("writing id maps", "", "/linux/uidMappings"));
    }
    if unit.is_some() {
        all.push(parent("waiting for systemd", "", ""));
        all.extend(cgroups(decision, Version::V2));
    }
    all.extend(cgroups(decision, Version::V1));
    all.extend(
        decision.cgroup.writes.iter().map(|w| parent("writing cgroup file", w.to_string(), &w.pointer)),
    );
    if let Some(value) = decision.init.process.oom_score_adj {
        all.push(parent("writing oom_score_adj", value.to_string(), "/process/oomScoreAdj"));
    }
    all.push(parent("writing the state", "", ""));
    for step in lowered.program.steps() {
        if step.doing == "waiting for hooks" {
            all.extend(hooks(decision));
        }
        all.push(child(step));
    }
    let post = &decision.init.hooks.poststart;
    all.extend(each("poststart", post));
    all
}

fn hooks(decision: &Decision) -> Vec<ReportedStep> {
    let h = &decision.init.hooks;
    let devices = decision.init.net_devices.iter();
    let moved = devices.map(|d| parent("moving network device", &d.host_name, d.pointer.as_str()));
    let prestart = each("prestart", &h.prestart);
    let create = each("createRuntime", &h.create_runtime);
    moved.chain(decision.network.iter().flat_map(network)).chain(prestart).chain(create).collect()
}

fn each<'a>(kind: &'a str, hooks: &'a [HookPlan]) -> impl Iterator<Item = ReportedStep> + 'a {
    let one = move |(index, h): (usize, &HookPlan)| {
        parent(&crate::hooks::doing(kind, index), &h.path, h.pointer.as_str())
    };
    hooks.iter().enumerate().map(one)
}

fn network(plan: &NetworkPlan) -> Vec<ReportedStep> {
    let interface = |i: &InterfacePlan| {
        let kind = match &i.kind {
            InterfaceKind::Veth { bridge, .. } => format!("veth on {bridge}"),
            InterfaceKind::Macvlan { device, .. } => format!("macvlan on {device}"),
            InterfaceKind::Ipvlan { device, .. } => format!("ipvlan on {device}"),
            InterfaceKind::Move { device } => format!("{device}, moved"),
        };
        let addresses = i.addresses.iter().map(ToString::to_string);
        let pools = i.pools.iter().map(|pool| format!("one of {pool}"));
        let all: Vec<_> = std::iter::once(kind).chain(addresses).chain(pools).collect();
        parent("making network interface", format!("{} ({})", i.name, all.join(", ")), i.pointer.as_str())
    };
    let route = |r: &RoutePlan| {
        let via = r.route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        parent("adding route", format!("{}{via}", r.route.destination), r.pointer.as_str())
    };
    plan.interfaces.iter().map(interface).chain(plan.routes.iter().map(route)).collect()
}

fn child(step: &Step) -> ReportedStep {
    ReportedStep {
        side: "child",
        step: step.doing.clone().into_owned(),
        object: step.object.clone(),
        field: step.pointer.to_string(),
    }
}

/// Numbers stand in for descriptors: their values are never shown.
fn inputs(decision: &Decision) -> Inputs {
    Inputs {
        namespaces: vec![-1; decision.init.join.len()],
        start: Some(-1),
        overlay: decision.overlay.clone(),
        network: decision.network.is_some(),
        parent: decision.parent,
        mount_commands: decision.mount_commands.clone(),
        init: -1,
        ..Inputs::default()
    }
}

/// `CLONE_NEW*` bits by name.
fn namespaces(flags: u64) -> String {
    const NAMES: [(u64, &str); 7] = [
        (0x1000_0000, "user"),
        (0x2000_0000, "pid"),
        (0x4000_0000, "network"),
        (0x0002_0000, "mount"),
        (0x0400_0000, "uts"),
        (0x0800_0000, "ipc"),
        (0x0200_0000, "cgroup"),
    ];
    let names: Vec<_> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { String::new() } else { format!("(new {})", names.join(", ")) }
}
