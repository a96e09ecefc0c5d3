//! The starter configuration: what `cofferdam spec` writes and what embedders change to their taste.
//!
//! Called by the command line and by [`crate::sandbox`]. Makes data only; the two things it asks the
//! host (who the caller is, whether cgroups are unified) are arguments of [`spec_for`].
//!
//! The values are those that other runtimes' `spec` commands write, so that a configuration started
//! with one runtime behaves the same with another; only the host name differs.

use cofferdam_oci::{
    Capabilities, DeviceRule, IdMapping, Linux, Mount, Namespace, Process, Resources, Rlimit, Root,
    SPEC_VERSION, Spec,
};

/// The search path of programs in a container that sets none of its own.
///
/// ```
/// assert!(cofferdam::template::PATH.split(':').all(|dir| dir.starts_with('/')));
/// ```
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Files that tell about the host or reach into it; the container sees them empty.
///
/// ```
/// assert!(cofferdam::template::MASKED_PATHS.contains(&"/proc/kcore"));
/// ```
pub const MASKED_PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
];

/// Files of the kernel that may be read and not be written.
///
/// ```
/// assert!(cofferdam::template::READONLY_PATHS.contains(&"/proc/sys"));
/// ```
pub const READONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Who a rootless configuration is written for: root in the container is this user outside.
///
/// ```
/// let spec = cofferdam::template::spec_for(Some(cofferdam::template::Caller { uid: 1000, gid: 100 }), true);
/// assert_eq!(spec.linux.unwrap().uid_mappings[0].host_id, 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
}

impl Caller {
    /// Who calls, see proc_pid_status(5). Root, where there is no proc file system to ask.
    ///
    /// ```
    /// # use std::os::unix::fs::MetadataExt;
    /// let file = std::env::temp_dir().join(format!("cofferdam-caller-{}", std::process::id()));
    /// std::fs::write(&file, "").unwrap();
    /// assert_eq!(cofferdam::template::Caller::current().uid, std::fs::metadata(&file).unwrap().uid());
    /// # std::fs::remove_file(&file).unwrap();
    /// ```
    #[must_use]
    pub fn current() -> Self {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let effective = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
        };
        Self { uid: effective("Uid:"), gid: effective("Gid:") }
    }
}

/// The starter configuration for this host and this caller.
///
/// ```
/// let spec = cofferdam::template::spec(false);
/// assert_eq!(spec.root.unwrap().path, "rootfs");
/// ```
#[must_use]
pub fn spec(rootless: bool) -> Spec {
    let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    spec_for(rootless.then(Caller::current), unified)
}

/// The starter configuration, for a rootless container when `rootless` is `Some`.
///
/// `unified` says whether the host's cgroups are version 2 only: then the container gets a cgroup
/// namespace, which with version 1 hides nothing useful.
///
/// ```
/// let spec = cofferdam::template::spec_for(None, true);
/// assert_eq!(spec.process.unwrap().args, ["sh"]);
/// ```
#[must_use]
pub fn spec_for(rootless: Option<Caller>, unified: bool) -> Spec {
    let mut spec = Spec {
        oci_version: SPEC_VERSION.to_owned(),
        process: Some(process()),
        root: Some(Root { path: "rootfs".to_owned(), readonly: true }),
        hostname: Some("cofferdam".to_owned()),
        mounts: mounts(),
        linux: Some(linux(unified)),
        ..Spec::default()
    };
    if let Some(caller) = rootless {
        make_rootless(&mut spec, caller);
    }
    spec
}

/// Words as owned strings.
pub(crate) fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn process() -> Process {
    let capabilities = strings(&["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    Process {
        terminal: true,
        args: strings(&["sh"]),
        env: vec![format!("PATH={PATH}"), "TERM=xterm".to_owned()],
        cwd: "/".to_owned(),
        capabilities: Some(Capabilities {
            bounding: capabilities.clone(),
            effective: capabilities.clone(),
            permitted: capabilities,
            ..Capabilities::default()
        }),
        rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".to_owned(), hard: 1024, soft: 1024 }],
        no_new_privileges: true,
        ..Process::default()
    }
}

fn linux(unified: bool) -> Linux {
    let mut kinds = vec!["pid", "network", "ipc", "uts", "mount"];
    if unified {
        kinds.push("cgroup");
    }
    let deny_all = DeviceRule { access: Some("rwm".to_owned()), ..DeviceRule::default() };
    Linux {
        namespaces: kinds.into_iter().map(new_namespace).collect(),
        resources: Some(Resources { devices: vec![deny_all], ..Resources::default() }),
        masked_paths: strings(MASKED_PATHS),
        readonly_paths: strings(READONLY_PATHS),
        ..Linux::default()
    }
}

/// A namespace that is made, not joined.
pub(crate) fn new_namespace(kind: &str) -> Namespace {
    Namespace { kind: kind.to_owned(), path: None }
}

/// A mount of a file system that has no device: its source is only a name.
pub(crate) fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: Some(kind.to_owned()),
        source: Some(source.to_owned()),
        options: strings(options),
        ..Mount::default()
    }
}

fn mounts() -> Vec<Mount> {
    vec![
        mount("/proc", "proc", "proc", &[]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

/// Takes out what an ordinary user may not ask for: a network namespace (there would be no network in
/// it), limits (no cgroup to write them to), sysfs (it needs the network namespace) and owners of
/// mounts that the user namespace does not know.
fn make_rootless(spec: &mut Spec, caller: Caller) {
    if let Some(linux) = &mut spec.linux {
        linux.namespaces.retain(|namespace| namespace.kind != "network");
        linux.namespaces.push(new_namespace("user"));
        linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: caller.uid, size: 1 }];
        linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: caller.gid, size: 1 }];
        linux.resources = None;
    }
    for entry in &mut spec.mounts {
        if entry.destination == "/sys" {
            *entry = mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]);
        }
        entry.options.retain(|option| !option.starts_with("gid=") && !option.starts_with("uid="));
    }
}
