//! The decision for a new container.

use cofferdam_oci::{Linux, Pointer, Reject, Spec};

use crate::annotations::{self, keeps_groups};
use crate::bits::{CAP_SETGID, CLONE_NEWNET, CLONE_NEWUSER};
use crate::caps::Available;
use crate::findings::Findings;
use crate::plan_process::Surroundings;
use crate::scene::Scene;
use crate::user::Groups;
use crate::{AffinityPlan, HostFacts, InitPlan, JoinNamespace, Options, ProcessPlan, Setgroups};
use crate::{
    devices, hidden, hooks, idmaps, labels, mounts, names, namespaces, net_devices, plan_process, rdt, root,
    sysctl, time_offsets, version,
};

/// Decides everything about a new container.
///
/// # Errors
/// All reasons why the document cannot be obeyed on this host, each with its JSON pointer.
///
/// ```
/// use cofferdam_plan::{HostFacts, Options, Pivot, plan_init};
/// let spec = cofferdam_oci::parse_spec(
///     br#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},
///          "process": {"cwd": "/", "args": ["sh"]},
///          "linux": {"namespaces": [{"type": "mount"}, {"type": "network"}]}}"#,
/// )
/// .unwrap();
/// let options = Options { bundle: "/bundle".into(), id: "box".into(), ..Options::default() };
/// let plan = plan_init(&spec, &HostFacts::typical(), &options).unwrap();
/// assert!(plan.loopback);
/// assert_eq!(plan.root.pivot, Pivot::PivotRoot);
/// assert_eq!(plan.keyring.as_deref(), Some("_ses.box"));
/// ```
pub fn plan_init(spec: &Spec, facts: &HostFacts, options: &Options) -> Result<InitPlan, Vec<Reject>> {
    let mut findings = Findings::default();
    version::check(&spec.oci_version, &mut findings);
    if !options.bundle.is_absolute() {
        let message = format!("the bundle {:?} is not an absolute path", options.bundle);
        findings.reject(Pointer::root(), message);
    }
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    let spaces = namespaces::decide(linux, facts, &mut findings);
    let id_maps = idmaps::decide(linux, &spaces, facts, &mut findings);
    annotations::check(spec, &mut findings);
    let scene = Scene { spec, linux, facts, options, spaces, id_maps };
    let plan = decide(&scene, &mut findings);
    let warnings = findings.finish()?;
    // Every way to none has left a rejection.
    plan.map(|plan| InitPlan { warnings, ..plan })
        .ok_or_else(|| vec![Reject::new(Pointer::root(), "undecided")])
}

fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Option<InitPlan> {
    let (spec, options) = (scene.spec, scene.options);
    let root = root::decide(scene, findings);
    let process = process(scene, findings);
    let environment = process.as_ref().map(|p| (p.env.as_slice(), p.home_from_passwd)).unwrap_or_default();
    let hooks = hooks::decide(spec, environment, findings);
    let mounts = mounts::decide(scene, findings);
    let (devices, symlinks) = devices::decide(scene, &mounts, findings);
    let (masked_paths, readonly_paths) = hidden::decide(scene, findings);
    let hostname = names::decide(scene, "hostname", spec.hostname.as_deref(), findings);
    let domainname = names::decide(scene, "domainname", spec.domainname.as_deref(), findings);
    let mount_label = labels::mount(scene.linux, scene.facts, findings);
    let time_offsets = time_offsets::decide(scene, findings);
    let sysctls = sysctl::decide(scene, findings);
    let net_devices = net_devices::decide(scene, findings);
    let rdt = rdt::decide(scene, findings);
    Some(InitPlan {
        root: root?,
        new_namespaces: scene.spaces.new,
        join: joins(scene),
        id_maps: scene.id_maps.clone(),
        time_offsets,
        mounts,
        devices,
        symlinks,
        hostname,
        domainname,
        sysctls,
        masked_paths,
        readonly_paths,
        keyring: keyring(&options.id, options.no_new_keyring),
        mount_label,
        loopback: scene.spaces.makes(CLONE_NEWNET),
        net_devices,
        rdt,
        hooks,
        process: process?,
        preserve_fds: options.preserve_fds,
        warnings: Vec::new(),
    })
}

/// The session keyring's name: that of runc, so that tools find it.
pub(crate) fn keyring(id: &str, none: bool) -> Option<String> {
    (!none).then(|| format!("_ses.{id}"))
}

fn process(scene: &Scene<'_>, findings: &mut Findings) -> Option<ProcessPlan> {
    let at = Pointer::new("/process");
    let Some(process) = &scene.spec.process else {
        findings.reject(at, "missing");
        return None;
    };
    let around = Surroundings {
        at,
        linux: scene.linux,
        facts: scene.facts,
        available: Available::new(scene.facts, scene.spaces.own(CLONE_NEWUSER)),
        mapped: scene.mapped(),
        groups: groups(scene),
        known_calls_only: annotations::fails_on_unknown_calls(scene.spec),
    };
    let mut process = process.clone();
    if scene.options.notify_socket {
        process.env.push(format!("NOTIFY_SOCKET={}/notify.sock", crate::NOTIFY_DIRECTORY));
    }
    let plan = plan_process::decide(&process, &around, findings);
    // Judged here, but meant for those that join.
    Some(ProcessPlan { affinity: AffinityPlan::default(), ..plan })
}

fn groups(scene: &Scene<'_>) -> Groups {
    let denied = scene.id_maps.as_ref().is_some_and(|maps| maps.setgroups == Setgroups::Deny);
    if keeps_groups(scene.spec) {
        Groups::Keep
    } else if denied || scene.facts.setgroups_denied {
        Groups::Denied
    } else if scene.spaces.joined(CLONE_NEWUSER).is_some() && !scene.facts.has(CAP_SETGID) {
        // Whoever made it may have denied them, as an unprivileged maker must.
        Groups::IfAsked
    } else {
        Groups::Set
    }
}

/// Root may join what does not belong to the user namespace that it joins, and could not once it is in there.
/// Anybody else has a right to the others from that user namespace only.
fn joins(scene: &Scene<'_>) -> Vec<JoinNamespace> {
    let mut joins = scene.spaces.join.clone();
    if scene.facts.fully_privileged() {
        joins.sort_by_key(|join| join.kind == CLONE_NEWUSER);
    }
    joins
}
