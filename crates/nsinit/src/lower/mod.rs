//! The translation: a libcontainer configuration becomes one of the OCI, or all that is wrong with it.
//!
//! Called by everything here that starts a process. Pure: who the user is comes in, from [`crate::ExecUser`].
//! Pointers in rejections are those of container.json.

mod limits;
mod mounts;

use cofferdam_oci::{
    Capabilities, IdMapping, Linux, Namespace as OciNamespace, Pointer, Process, Reject, Rlimit as OciRlimit,
    Root, SPEC_VERSION, Spec,
};

use crate::{Config, ExecUser, IdMap, NamespaceType};

pub(crate) use limits::resources;

/// What is wrong, collected.
#[derive(Default)]
struct Findings(Vec<Reject>);

impl Findings {
    fn wrong(&mut self, pointer: Pointer, what: impl Into<String>) {
        self.0.push(Reject::new(pointer, what.into()));
    }
}

/// The OCI configuration that means the same, for a program run as `user`.
///
/// What every container has in libcontainer (proc, a small /dev, sysfs…) is among its mounts. Networks and
/// routes, but for the namespace that is joined, are not in it: [`crate::namespaces::initialize_networking`].
///
/// # Errors
/// Everything in the configuration that means nothing, each with its place in container.json.
///
/// ```
/// use cofferdam_nsinit::{Config, ExecUser, spec};
/// let config = Config::parse(br#"{"root_fs": "/srv/box", "namespaces": {"NEWNS": true, "NEWPID": true},
///     "environment": ["HOME=/", "TERM"], "capabilities": ["KILL", "FLY"]}"#)?;
/// let rejects = spec(&config, &ExecUser::default(), &["sh".into()]).unwrap_err();
/// let told: Vec<_> = rejects.iter().map(ToString::to_string).collect();
/// assert_eq!(told, ["/environment/1: \"TERM\" is not NAME=value", "/capabilities/1: there is no capability FLY"]);
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn spec(config: &Config, user: &ExecUser, args: &[String]) -> Result<Spec, Vec<Reject>> {
    let mut findings = Findings::default();
    let process = collect(config, user, args, &mut findings);
    let linux = linux(config, &mut findings);
    let mounts = mounts::mounts(config, &mut findings);
    let readonly = config.mount_config.as_ref().is_some_and(|m| m.readonly_fs);
    let spec = Spec {
        oci_version: SPEC_VERSION.to_owned(),
        process: Some(process),
        root: Some(Root { path: config.root_fs.clone(), readonly }),
        hostname: (!config.hostname.is_empty()).then(|| config.hostname.clone()),
        mounts,
        linux: Some(linux),
        ..Spec::default()
    };
    if config.root_fs.is_empty() {
        findings.wrong(Pointer::new("/root_fs"), "empty");
    }
    if findings.0.is_empty() { Ok(spec) } else { Err(findings.0) }
}

/// The process alone, for ExecIn.
pub(crate) fn process(config: &Config, user: &ExecUser, args: &[String]) -> Result<Process, Vec<Reject>> {
    let mut findings = Findings::default();
    let process = collect(config, user, args, &mut findings);
    if findings.0.is_empty() { Ok(process) } else { Err(findings.0) }
}

fn collect(config: &Config, user: &ExecUser, args: &[String], findings: &mut Findings) -> Process {
    for (index, variable) in config.environment.iter().enumerate() {
        if !variable.contains('=') {
            let at = Pointer::new("/environment").index(index);
            findings.wrong(at, format!("{variable:?} is not NAME=value"));
        }
    }
    let mut groups = user.groups.clone();
    groups.extend(&config.additional_groups);
    let mut env = config.environment.clone();
    let has_home =
        env.iter().any(|variable| variable.strip_prefix("HOME=").is_some_and(|home| !home.is_empty()));
    if !has_home {
        env.retain(|variable| !variable.starts_with("HOME="));
        env.push(format!("HOME={}", if user.home.is_empty() { "/" } else { &user.home }));
    }
    let own = |text: &String| (!text.is_empty()).then(|| text.clone());
    Process {
        user: cofferdam_oci::User {
            uid: user.uid,
            gid: user.gid,
            additional_gids: groups,
            ..cofferdam_oci::User::default()
        },
        args: args.to_vec(),
        env,
        cwd: own(&config.working_dir).unwrap_or_else(|| "/".to_owned()),
        terminal: config.tty,
        capabilities: Some(capabilities(config, findings)),
        rlimits: rlimits(config, findings),
        apparmor_profile: own(&config.apparmor_profile),
        selinux_label: own(&config.process_label),
        ..Process::default()
    }
}

/// libcontainer's keep list: bounding, permitted, effective and inheritable.
fn capabilities(config: &Config, findings: &mut Findings) -> Capabilities {
    let mut kept = Vec::new();
    for (index, name) in config.capabilities.iter().enumerate() {
        let full = format!("CAP_{name}");
        if cofferdam_plan::capability_bit(&full).is_none() {
            let at = Pointer::new("/capabilities").index(index);
            findings.wrong(at, format!("there is no capability {name}"));
        }
        kept.push(full);
    }
    Capabilities {
        bounding: kept.clone(),
        effective: kept.clone(),
        inheritable: kept.clone(),
        permitted: kept,
        ambient: Vec::new(),
    }
}

fn rlimits(config: &Config, findings: &mut Findings) -> Vec<OciRlimit> {
    let mut limits = Vec::new();
    for (index, limit) in config.rlimits.iter().enumerate() {
        let known = usize::try_from(limit.kind).ok().and_then(|n| cofferdam_plan::known_rlimits().get(n));
        match known {
            Some(kind) => {
                limits.push(OciRlimit { kind: (*kind).to_owned(), hard: limit.hard, soft: limit.soft });
            }
            None => {
                let at = Pointer::new("/rlimits").index(index).key("type");
                findings.wrong(at, format!("there is no limit {}", limit.kind));
            }
        }
    }
    limits
}

fn linux(config: &Config, findings: &mut Findings) -> Linux {
    if !config.namespaces.contains(NamespaceType::Mount) {
        findings.wrong(Pointer::new("/namespaces"), "without NEWNS its mounts would be the host's");
    }
    let (cgroups_path, resources) = limits::cgroups(config, findings);
    let label = config.mount_config.as_ref().map(|m| m.mount_label.clone()).filter(|l| !l.is_empty());
    let no_pivot = config.mount_config.as_ref().is_some_and(|m| m.no_pivot_root);
    let restricted = |paths: &[&str]| -> Vec<String> {
        if config.restrict_sys { paths.iter().map(|&path| path.to_owned()).collect() } else { Vec::new() }
    };
    let mut linux = Linux {
        namespaces: namespaces(config, findings),
        devices: limits::devices(config, findings),
        cgroups_path,
        resources,
        masked_paths: restricted(&["/proc/kcore"]),
        readonly_paths: restricted(&["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]),
        rootfs_propagation: Some(if no_pivot { "rslave" } else { "rprivate" }.to_owned()),
        mount_label: label,
        ..Linux::default()
    };
    crate::namespaces::add_uid_gid_mappings(&mut linux, config);
    linux
}

/// Those of `namespaces`, and those that stand elsewhere: an IPC namespace by `ipc`, a network namespace by a
/// network of type `netns`.
fn namespaces(config: &Config, findings: &mut Findings) -> Vec<OciNamespace> {
    let mut all = config.namespaces.clone();
    if !config.ipc.is_empty() {
        all.add(NamespaceType::Ipc, config.ipc.clone());
    }
    for (index, network) in config.networks.iter().enumerate().filter(|(_, n)| n.kind == "netns") {
        if network.ns_path.is_empty() {
            findings.wrong(Pointer::new("/networks").index(index).key("ns_path"), "empty");
        }
        all.add(NamespaceType::Network, network.ns_path.clone());
    }
    let one = |kind: NamespaceType, path: &String| OciNamespace {
        kind: kind.oci().to_owned(),
        path: (!path.is_empty()).then(|| path.clone()),
    };
    all.iter().map(|n| one(n.kind, &n.path)).collect()
}

/// Ranges of ids in the words of the OCI.
pub(crate) fn id_mappings(maps: &[IdMap]) -> Vec<IdMapping> {
    let one = |m: &IdMap| IdMapping { container_id: m.container_id, host_id: m.host_id, size: m.size };
    maps.iter().map(one).collect()
}
