//! Deciding: configuration and host become plans, or all rejections at once. Nothing is made here.
//!
//! Called by create and by [`crate::plan()`]: what is printed is what is done.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cofferdam_cgroup::{
    CgroupPlan, Hierarchies, Ignored, Manager, PlanOptions, SystemdOptions, V1Hierarchy, Version,
};
use cofferdam_net::NetworkPlan;
use cofferdam_oci::{Pointer, Reject, Resources};
use cofferdam_plan::{CgroupDir, HostFacts, InitPlan, Options, plan_init};

use crate::options::{CreateOptions, MountCommand, Parent, TerminalMode};
use crate::overlay::{self, OverlayPlan};
use crate::{Bundle, ContainerId, Error, ErrorKind, Result, network, notify};

/// Everything that is decided before anything is made.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) facts: HostFacts,
    pub(crate) cgroup: CgroupPlan,
    pub(crate) init: InitPlan,
    /// A writable layer over the root, in memory.
    pub(crate) overlay: Option<OverlayPlan>,
    /// Its network, if there is more to make than loopback.
    pub(crate) network: Option<NetworkPlan>,
    /// Whose child the first process is.
    pub(crate) parent: Parent,
    /// Programs that are run beside mounts.
    pub(crate) mount_commands: Vec<MountCommand>,
    /// What the first process is sent when whoever made it ends.
    pub(crate) parent_death_signal: Option<u32>,
}

impl Decision {
    /// What is odd in the document but obeyed all the same.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut all = warnings(&self.init.warnings);
        all.extend(self.cgroup.ignored.iter().map(ToString::to_string));
        all
    }

    /// Those for who starts it: whoever has cgroups disabled knows that nothing of theirs is kept.
    pub(crate) fn warnings_at_start(&self, no_cgroups: bool) -> Vec<String> {
        if no_cgroups { warnings(&self.init.warnings) } else { self.warnings() }
    }
}

/// Warnings of a plan, each with the field that it is about.
pub(crate) fn warnings(found: &[(Pointer, String)]) -> Vec<String> {
    found.iter().map(|(pointer, what)| format!("{pointer}: {what}")).collect()
}

/// `state` is the container's directory, when it has one.
pub(crate) fn decide(
    id: &ContainerId,
    bundle: &Bundle,
    options: &CreateOptions,
    state: Option<&Path>,
) -> Result<Decision> {
    let hierarchies = Hierarchies::detect()?;
    let facts = crate::facts::gather(&bundle.spec, &hierarchies)?;
    decide_with(facts, &hierarchies, id, bundle, options, state)
}

/// The same with facts that somebody else has.
pub(crate) fn decide_with(
    facts: HostFacts,
    hierarchies: &Hierarchies,
    id: &ContainerId,
    bundle: &Bundle,
    options: &CreateOptions,
    state: Option<&Path>,
) -> Result<Decision> {
    let spec = &bundle.spec;
    let mut rejects = Vec::new();
    let cgroup = cgroups(hierarchies, id, bundle, &facts, options).unwrap_or_else(|more| {
        rejects.extend(more);
        CgroupPlan {
            mode: hierarchies.mode,
            dirs: Vec::new(),
            writes: Vec::new(),
            devices: None,
            ignored: Vec::new(),
            unit: None,
        }
    });
    let network = network::decide(bundle, &facts, &mut rejects);
    mount_commands(spec.mounts.len(), &options.mount_commands, &mut rejects);
    let mut plan_options = plan_options(id, bundle, options, state);
    if let Some((plan, state)) = network.as_ref().zip(state) {
        plan_options.files = network::own_files(plan, state);
    }
    plan_options.cgroup_dirs = cgroup.dirs.iter().map(|d| seen(hierarchies, d)).collect();
    let init = plan_init(spec, &facts, &plan_options);
    let params = overlay::params(bundle, &mut rejects);
    match init {
        Ok(mut init) if rejects.is_empty() => {
            listen_fds(&mut init, options.listen_fds);
            let overlay = params.map(|params| overlay::decide(params, &init));
            Ok(Decision {
                facts,
                cgroup,
                init,
                overlay,
                network: network.filter(network::is_made),
                parent: options.parent,
                mount_commands: options.mount_commands.clone(),
                parent_death_signal: options.parent_death_signal,
            })
        }
        Ok(_) => Err(Error::rejected(rejects)),
        Err(mut first) => {
            first.extend(rejects);
            Err(Error::rejected(first))
        }
    }
}

fn cgroups(
    hierarchies: &Hierarchies,
    id: &ContainerId,
    bundle: &Bundle,
    facts: &HostFacts,
    options: &CreateOptions,
) -> std::result::Result<CgroupPlan, Vec<Reject>> {
    let linux = bundle.spec.linux.as_ref();
    let none = Resources::default();
    let resources = linux.and_then(|l| l.resources.as_ref()).unwrap_or(&none);
    let resources = &as_its_engine_means(resources, bundle);
    let path = linux.and_then(|l| l.cgroups_path.as_deref());
    let device_paths =
        linux.map(|l| l.devices.iter().map(|d| format!("{} {}:{}", d.kind, d.major, d.minor)).collect());
    let plan_options = PlanOptions {
        rootless: options.rootless.unwrap_or(facts.euid != 0 || facts.in_user_namespace),
        ignore_v1_only: true,
        device_paths: device_paths.unwrap_or_default(),
        systemd: systemd(bundle, facts, options),
    };
    let plan = cofferdam_cgroup::plan(hierarchies, path, id.as_str(), resources, &plan_options)?;
    if options.no_cgroups { without(plan) } else { Ok(plan) }
}

/// podman writes a limit of 0 processes when it is asked for none; the specification (1.3) has 0 for the fewest.
fn as_its_engine_means<'r>(resources: &'r Resources, bundle: &Bundle) -> Cow<'r, Resources> {
    let zero = resources.pids.as_ref().is_some_and(|pids| pids.limit == Some(0));
    let manager = || bundle.spec.annotations.get("io.container.manager").map(String::as_str);
    if !zero || manager() != Some("libpod") {
        return Cow::Borrowed(resources);
    }
    let mut meant = resources.clone();
    if let Some(pids) = &mut meant.pids {
        pids.limit = Some(-1);
    }
    Cow::Owned(meant)
}

/// Programs beside mounts, which stand in no document: what is wrong is told at their mount.
fn mount_commands(mounts: usize, commands: &[MountCommand], rejects: &mut Vec<Reject>) {
    for command in commands {
        let at = Pointer::new("/mounts").index(command.mount);
        let texts = [&command.path, &command.directory];
        let mut texts = texts.into_iter().chain(&command.args).chain(&command.env);
        let wrong = if command.mount >= mounts {
            Some("there is no such mount to run a command beside".to_owned())
        } else if !command.path.starts_with('/') {
            Some(format!("the command {:?} is not an absolute path", command.path))
        } else if texts.any(|text| text.contains('\0')) {
            Some(format!("the command {:?} has a null byte somewhere", command.path))
        } else {
            None
        };
        rejects.extend(wrong.map(|wrong| Reject::new(at, wrong)));
    }
}

/// Whose systemd makes the cgroup, where one does: that of whoever we are root for, else the user's own.
fn systemd(bundle: &Bundle, facts: &HostFacts, options: &CreateOptions) -> Option<SystemdOptions> {
    if !options.systemd_cgroup || options.no_cgroups {
        return None;
    }
    // In a user namespace root may be an ordinary user, or that of a host within: whose is the directory?
    let hosts = || std::fs::metadata("/run/systemd/system").is_ok_and(|m| m.uid() == 0);
    let user = options.rootless == Some(true) || facts.euid != 0 || facts.in_user_namespace && !hosts();
    let manager = if user { Manager::User } else { Manager::System };
    Some(SystemdOptions { manager, uid: facts.euid, annotations: bundle.spec.annotations.clone() })
}

/// The plan without cgroups: a limit cannot be kept then, while rules for devices, which engines always
/// write, only ever take away.
fn without(plan: CgroupPlan) -> std::result::Result<CgroupPlan, Vec<Reject>> {
    const DEVICES: &str = "/linux/resources/devices";
    let limits: Vec<_> = plan.writes.iter().filter(|w| !w.pointer.starts_with(DEVICES)).collect();
    if !limits.is_empty() {
        let reject = |w: &&cofferdam_cgroup::CgroupWrite| {
            Reject::new(Pointer::new(w.pointer.as_str()), "needs a cgroup, and cgroups are disabled")
        };
        return Err(limits.iter().map(reject).collect());
    }
    let devices = Ignored { pointer: DEVICES.into(), reason: "cgroups are disabled".into() };
    Ok(CgroupPlan {
        dirs: Vec::new(),
        writes: Vec::new(),
        devices: None,
        ignored: vec![devices],
        unit: None,
        ..plan
    })
}

/// The directory that the process will be in: without rights to cgroups of its own, the caller's.
fn seen(hierarchies: &Hierarchies, d: &cofferdam_cgroup::CgroupDir) -> CgroupDir {
    let own = || hierarchies.v1.iter().find(|h| h.mount_point == d.mount_point).map(V1Hierarchy::own_dir);
    let path = if d.version == Version::V2 || d.within_reach() { None } else { own() };
    CgroupDir {
        options: if d.version == Version::V2 { Vec::new() } else { d.controllers.clone() },
        path: path.unwrap_or_else(|| d.path.clone()),
    }
}

fn plan_options(id: &ContainerId, bundle: &Bundle, options: &CreateOptions, state: Option<&Path>) -> Options {
    let notify = state.filter(|_| options.notify_socket.is_some()).map(notify::directory);
    Options {
        notify_socket: notify.is_some(),
        notify_directory: notify,
        bundle: bundle.dir.clone(),
        id: id.as_str().to_owned(),
        no_pivot: options.no_pivot,
        no_new_keyring: options.no_new_keyring,
        preserve_fds: options.preserve_fds.saturating_add(options.listen_fds),
        ..Options::default()
    }
}

/// A terminal needs somebody to keep its master.
pub(crate) fn check_terminal(wanted: bool, socket: Option<&PathBuf>, mode: TerminalMode) -> Result<()> {
    let wrong = |what: &str| Err(Error::new(ErrorKind::Configuration, what));
    match (wanted, socket, mode) {
        (true, None, TerminalMode::Socket) => {
            wrong("cannot allocate tty if the runtime will detach without setting console socket")
        }
        (false, Some(_), _) => {
            wrong("cannot use console socket if the runtime will not detach or allocate tty")
        }
        _ => Ok(()),
    }
}

/// What sd_listen_fds(3) looks for: the descriptors are from 3 on, and the process is the first of its
/// PID namespace.
fn listen_fds(init: &mut InitPlan, count: u32) {
    if count > 0 {
        init.process.env.retain(|e| !e.starts_with("LISTEN_FDS=") && !e.starts_with("LISTEN_PID="));
        init.process.env.extend([format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()]);
    }
}

/// Descriptors that are to be kept must be there.
pub(crate) fn check_preserved(count: u32) -> Result<()> {
    let missing = (3..count.saturating_add(3))
        .find(|fd| !std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists());
    match missing {
        None => Ok(()),
        Some(fd) => Err(Error::new(ErrorKind::Configuration, "keeping descriptors for the container:")
            .with_object(format!("{fd} is not open"))
            .with_hint("--preserve-fds N keeps the descriptors 3 to N + 2")),
    }
}
