//! The translation: a libcontainer configuration becomes one of the OCI, or all that is wrong with it.
//!
//! Called by everything here that starts a process. Pure: who the user is comes in, from [`crate::ExecUser`].
//! Pointers in rejections are those of the user's own container.json.

mod blkio;
mod limits;
mod mounts;
mod network;
mod places;
mod process;
mod seccomp;

use cofferdam_oci::{
    IdMapping, Linux, Namespace as OciNamespace, Pointer, Process, Reject, Root, SPEC_VERSION, Spec,
};

use crate::{Config, ExecUser, IdMap, NamespaceType};

pub(crate) use limits::resources;
pub(crate) use mounts::{
    MS_BIND, MS_RDONLY, MS_REC, PLAIN, all as all_mounts, flags as mount_flags, with_commands,
};
pub use network::network;
pub(crate) use places::Places;

/// What is wrong, collected; and where what is translated comes from.
#[derive(Default)]
struct Findings {
    rejects: Vec<Reject>,
    places: Places,
}

impl Findings {
    fn wrong(&mut self, pointer: Pointer, what: impl Into<String>) {
        self.rejects.push(Reject::new(pointer, what.into()));
    }

    /// In the places of the user's own document.
    fn finish<T>(self, config: &Config, value: T) -> Translation<T> {
        let placed = |reject: Reject| Reject { pointer: config.place(&reject.pointer), ..reject };
        let rejects = self.rejects.into_iter().map(placed).collect();
        Translation { value, places: self.places, rejects }
    }
}

/// What could be translated, and what could not.
pub(crate) struct Translation<T> {
    pub(crate) value: T,
    pub(crate) places: Places,
    pub(crate) rejects: Vec<Reject>,
}

impl<T> Translation<T> {
    fn whole(self) -> Result<T, Vec<Reject>> {
        if self.rejects.is_empty() { Ok(self.value) } else { Err(self.rejects) }
    }
}

/// The OCI configuration that means the same, for a program run as `user`.
///
/// What every container has in libcontainer (proc, a small /dev, sysfs…) is among its mounts; networks and routes
/// are in the annotation [`cofferdam::NETWORK_ANNOTATION`].
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
    translate(config, user, args).whole()
}

/// As [`spec`], with the places that its parts come from; what means nothing is left out.
pub(crate) fn translate(config: &Config, user: &ExecUser, args: &[String]) -> Translation<Spec> {
    let mut findings = Findings::default();
    let mut process = process::process(config, user, args, &mut findings);
    let linux = linux(config, &mut findings);
    // As libcontainer did: a filter is the last word.
    process.no_new_privileges = linux.seccomp.is_some();
    let mounts = mounts::mounts(config, &mut findings);
    let readonly = config.mount_config.as_ref().is_some_and(|m| m.readonly_fs);
    let spec = Spec {
        oci_version: SPEC_VERSION.to_owned(),
        process: Some(process),
        root: Some(Root { path: config.root_fs.clone(), readonly }),
        hostname: (!config.hostname.is_empty()).then(|| config.hostname.clone()),
        mounts,
        annotations: network::annotation(config, &mut findings),
        linux: Some(linux),
        ..Spec::default()
    };
    if config.root_fs.is_empty() {
        findings.wrong(Pointer::new("/root_fs"), "empty");
    }
    findings.finish(config, spec)
}

/// What the core said of a translated configuration, in the places of the user's own document.
pub(crate) fn told_in(config: &Config, error: cofferdam::Error) -> cofferdam::Error {
    let places = translate(config, &ExecUser::default(), &[]).places;
    if !error.rejects().is_empty() {
        let rejects = error.rejects().iter().cloned();
        return cofferdam::Error::rejected(rejects.map(|reject| places.back(reject, config)).collect());
    }
    match error.pointer().map(Pointer::new) {
        Some(pointer) => error.with_pointer(&config.place(&places.origin(&pointer))),
        None => error,
    }
}

/// The process alone, for ExecIn.
pub(crate) fn process(config: &Config, user: &ExecUser, args: &[String]) -> Result<Process, Vec<Reject>> {
    let mut findings = Findings::default();
    let mut process = process::process(config, user, args, &mut findings);
    process.no_new_privileges = config.seccomp.is_some();
    findings.finish(config, process).whole()
}

/// What of /proc and /sys is hidden, and what cannot be written to.
pub(crate) struct Restricted {
    pub(crate) hidden: Vec<String>,
    pub(crate) readonly: Vec<String>,
}

/// `restrict_sys`, and the paths that v2 has instead.
pub(crate) fn restricted(config: &Config) -> Restricted {
    let own = |paths: &[&str]| -> Vec<String> {
        if config.restrict_sys { paths.iter().map(|&path| path.to_owned()).collect() } else { Vec::new() }
    };
    let mut all = Restricted {
        hidden: own(&["/proc/kcore"]),
        readonly: own(&["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]),
    };
    all.hidden.extend(config.mask_paths.iter().cloned());
    all.readonly.extend(config.readonly_paths.iter().cloned());
    all
}

fn linux(config: &Config, findings: &mut Findings) -> Linux {
    if !config.namespaces.contains(NamespaceType::Mount) {
        findings.wrong(Pointer::new("/namespaces"), "without NEWNS its mounts would be the host's");
    }
    let (cgroups_path, resources) = limits::cgroups(config, findings);
    let label = config.mount_config.as_ref().map(|m| m.mount_label.clone()).filter(|l| !l.is_empty());
    let restricted = restricted(config);
    let lists = [
        ("/linux/maskedPaths", "/mask_paths", &config.mask_paths, &restricted.hidden),
        ("/linux/readonlyPaths", "/readonly_paths", &config.readonly_paths, &restricted.readonly),
    ];
    for (to, from, own, all) in lists {
        findings.places.list(to, from, all.len().saturating_sub(own.len()), own.len());
    }
    let mut linux = Linux {
        namespaces: namespaces(config, findings),
        devices: limits::devices(config, findings),
        cgroups_path,
        resources,
        sysctl: config.system_properties.clone(),
        seccomp: seccomp::seccomp(config, findings),
        masked_paths: restricted.hidden,
        readonly_paths: restricted.readonly,
        rootfs_propagation: Some(propagation(config).to_owned()),
        mount_label: label,
        ..Linux::default()
    };
    crate::namespaces::add_uid_gid_mappings(&mut linux, config);
    linux
}

fn propagation(config: &Config) -> &'static str {
    let own = config.mount_config.as_ref();
    let no_pivot = own.is_some_and(|m| m.no_pivot_root);
    let private = own.and_then(|m| m.private_fs).unwrap_or(!no_pivot);
    if private { "rprivate" } else { "rslave" }
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
