//! The configuration of nsinit's flags: that of `nsinit config`, and of `nsinit exec` without a file.
//!
//! Called by the commands. Pure: directories and random names come in.

use std::path::Path;

use cofferdam_oci::{Pointer, Reject};

use crate::lower::{MS_BIND, MS_RDONLY, MS_REC, PLAIN, all_mounts};
use crate::{
    Cgroup, Config, Generation, IdMap, Mount, MountConfig, NamespaceType, Namespaces, Network, Security,
    SystemMounts, allowed_devices, created_devices,
};

/// What is kept without `--security`.
const CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];
const SIGKILL: u32 = 9;

/// nsinit's create flags, as they stand on the command line; empty and 0 are those that do not.
///
/// ```
/// use cofferdam_nsinit::{NamespaceType, Template};
/// let flags = Template {
///     read_only: true,
///     net: "host".into(),
///     bind: vec!["/srv/data:/data:ro".into()],
///     ..Template::default()
/// };
/// let config = flags.config("/srv/box".as_ref()).unwrap();
/// assert_eq!(config.root_fs, "/srv/box");
/// assert!(!config.namespaces.contains(NamespaceType::Network));
///
/// let wrong = Template { bind: vec!["/srv".into()], ..Template::default() };
/// assert_eq!(
///     wrong.config("/srv/box".as_ref()).unwrap_err()[0].to_string(),
///     "/bind/0: \"/srv\" is not SOURCE:DESTINATION[:ro|rw]"
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// `--cgroup`: the cgroups are mounted at /sys/fs/cgroup.
    pub cgroup: bool,
    /// `--read-only`.
    pub read_only: bool,
    /// `--cpushares`.
    pub cpushares: u64,
    /// `--memory-limit`, bytes.
    pub memory_limit: i64,
    /// `--memory-swap`, bytes of memory and swap together.
    pub memory_swap: i64,
    /// `--memory-swappiness`, 0 to 100.
    pub memory_swappiness: Option<i64>,
    /// `--parent-death-signal`, a number; not given, it is SIGKILL.
    pub parent_death_signal: Option<u32>,
    /// `--userns-root-uid`: a user namespace whose root is this user.
    pub userns_root_uid: u32,
    /// `--apparmor-profile`.
    pub apparmor_profile: String,
    /// `--cpuset-cpus`.
    pub cpuset_cpus: String,
    /// `--cpuset-mems`.
    pub cpuset_mems: String,
    /// `--hostname`; `nsinit` where it is not given.
    pub hostname: String,
    /// `--ipc`: `host`, `private` or a path, as all namespaces.
    pub ipc: String,
    /// `--mnt`.
    pub mnt: String,
    /// `--net`.
    pub net: String,
    /// `--pid`.
    pub pid: String,
    /// `--uts`.
    pub uts: String,
    /// `--mount-label`.
    pub mount_label: String,
    /// `--process-label`.
    pub process_label: String,
    /// `--rootfs`; the directory that `config` is given where it is not.
    pub rootfs: String,
    /// `--security`.
    pub security: Option<Security>,
    /// `--veth-mtu`.
    pub veth_mtu: i64,
    /// `--veth-address`.
    pub veth_address: String,
    /// `--veth-bridge`: without one there is no veth.
    pub veth_bridge: String,
    /// `--veth-gateway`.
    pub veth_gateway: String,
    /// `--bind`, each `SOURCE:DESTINATION[:ro|rw]`.
    pub bind: Vec<String>,
    /// `--sysctl`, each `KEY=VALUE`.
    pub sysctl: Vec<String>,
    /// `--tmpfs`, each a destination.
    pub tmpfs: Vec<String>,
    /// `--groups`, names or numbers.
    pub groups: Vec<String>,
}

impl Template {
    /// The configuration of these flags alone, in a directory.
    ///
    /// # Errors
    /// Every flag that means nothing, as `/FLAG` or `/FLAG/NUMBER`.
    pub fn config(&self, dir: &Path) -> Result<Config, Vec<Reject>> {
        let mut config = standard(dir);
        self.modify(&mut config)?;
        Ok(config)
    }

    /// Puts the flags into a configuration, as they do into the standard one: also those that are not given, as
    /// nsinit did.
    ///
    /// # Errors
    /// As [`Template::config`].
    pub fn modify(&self, config: &mut Config) -> Result<(), Vec<Reject>> {
        let mut wrong = Vec::new();
        self.plain(config);
        self.users(config);
        self.namespaces(config);
        for (index, text) in self.sysctl.iter().enumerate() {
            match text.split_once('=') {
                Some((key, value)) => drop(config.system_properties.insert(key.to_owned(), value.to_owned())),
                None => wrong.push(flag("sysctl", index, format!("{text:?} is not KEY=VALUE"))),
            }
        }
        let own = config.mount_config.get_or_insert_default();
        for (index, text) in self.bind.iter().enumerate() {
            match bind(text) {
                Some(mount) => own.mounts.push(mount),
                None => {
                    let what = format!("{text:?} is not SOURCE:DESTINATION[:ro|rw]");
                    wrong.push(flag("bind", index, what));
                }
            }
        }
        let tmpfs = |to: &String| Mount { destination: to.clone(), ..mount("tmpfs", PLAIN) };
        own.mounts.extend(self.tmpfs.iter().map(tmpfs));
        if self.cgroup {
            own.mounts.push(Mount { destination: "/sys/fs/cgroup".to_owned(), ..mount("cgroup", 0) });
        }
        if let Some(profile) = self.security {
            profile.apply(config);
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn plain(&self, config: &mut Config) {
        config.parent_death_signal = Some(self.parent_death_signal.unwrap_or(SIGKILL));
        let own = config.mount_config.get_or_insert_default();
        own.readonly_fs = self.read_only;
        own.mount_label.clone_from(&self.mount_label);
        let cgroups = config.cgroups.get_or_insert_default();
        cgroups.cpuset_cpus.clone_from(&self.cpuset_cpus);
        cgroups.cpuset_mems.clone_from(&self.cpuset_mems);
        cgroups.cpu_shares = self.cpushares;
        cgroups.memory = self.memory_limit;
        cgroups.memory_swap = self.memory_swap;
        cgroups.memory_swappiness = self.memory_swappiness;
        config.apparmor_profile.clone_from(&self.apparmor_profile);
        config.process_label.clone_from(&self.process_label);
        config.additional_groups.extend(self.groups.iter().cloned());
        if !self.rootfs.is_empty() {
            config.root_fs.clone_from(&self.rootfs);
        }
    }

    /// Root inside is another user outside; all others are themselves.
    fn users(&self, config: &mut Config) {
        const LAST: u32 = i32::MAX.unsigned_abs();
        let root = self.userns_root_uid;
        if root == 0 {
            return;
        }
        config.namespaces.add(NamespaceType::User, "");
        let all = [
            IdMap { container_id: 0, host_id: root, size: 1 },
            IdMap { container_id: 1, host_id: 1, size: root.saturating_sub(1) },
            IdMap {
                container_id: root.saturating_add(1),
                host_id: root.saturating_add(1),
                size: LAST.saturating_sub(root),
            },
        ];
        let maps: Vec<_> = all.into_iter().filter(|map| map.size > 0).collect();
        (config.uid_mappings, config.gid_mappings) = (maps.clone(), maps);
        for node in config.mount_config.iter_mut().flat_map(|own| &mut own.device_nodes) {
            (node.uid, node.gid) = (root, root);
        }
    }

    fn namespaces(&self, config: &mut Config) {
        for (kind, wanted) in [
            (NamespaceType::Network, &self.net),
            (NamespaceType::Mount, &self.mnt),
            (NamespaceType::Pid, &self.pid),
            (NamespaceType::Ipc, &self.ipc),
            (NamespaceType::Uts, &self.uts),
        ] {
            match wanted.as_str() {
                "host" => drop(config.namespaces.remove(kind)),
                "" | "private" => self.private(config, kind),
                path => config.namespaces.add(kind, path),
            }
        }
        if !self.veth_bridge.is_empty() {
            config.networks.push(Network {
                kind: "veth".to_owned(),
                name: "eth0".to_owned(),
                bridge: self.veth_bridge.clone(),
                address: self.veth_address.clone(),
                gateway: self.veth_gateway.clone(),
                mtu: self.veth_mtu,
                veth_prefix: "veth".to_owned(),
                ..Network::default()
            });
        }
    }

    fn private(&self, config: &mut Config, kind: NamespaceType) {
        if !config.namespaces.contains(kind) {
            config.namespaces.add(kind, "");
        }
        match kind {
            NamespaceType::Network => {
                let kind = "loopback".to_owned();
                config.networks = vec![Network { kind, ..Network::default() }];
            }
            NamespaceType::Uts => {
                let name = if self.hostname.is_empty() { "nsinit" } else { &self.hostname };
                name.clone_into(&mut config.hostname);
            }
            _ => {}
        }
    }
}

/// The variables of a program to which `nsinit exec` of v2 was given none.
///
/// ```
/// assert_eq!(cofferdam_nsinit::standard_environment()[2], "TERM=xterm");
/// ```
#[must_use]
pub fn standard_environment() -> Vec<String> {
    let all = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=nsinit",
        "TERM=xterm",
    ];
    all.iter().map(|&variable| variable.to_owned()).collect()
}

/// nsinit's configuration without any flag.
fn standard(dir: &Path) -> Config {
    use NamespaceType::{Ipc, Mount as Mounts, Network as Net, Pid, Uts};
    let name =
        dir.file_name().map_or_else(|| "nsinit".to_owned(), |name| name.to_string_lossy().into_owned());
    let own = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
    // The mounts of every container are named one by one.
    let restricted = Config { restrict_sys: true, ..Config::default() };
    Config {
        generation: Generation::V2,
        root_fs: dir.display().to_string(),
        parent_death_signal: Some(SIGKILL),
        capabilities: own(&CAPABILITIES),
        namespaces: Namespaces::from_iter([Mounts, Uts, Ipc, Pid, Net]),
        cgroups: Some(Cgroup {
            name,
            parent: "nsinit".to_owned(),
            allowed_devices: allowed_devices(),
            ..Cgroup::default()
        }),
        mount_config: Some(MountConfig {
            system_mounts: SystemMounts::None,
            private_fs: Some(false),
            mounts: all_mounts(&restricted),
            device_nodes: created_devices(),
            ..MountConfig::default()
        }),
        mask_paths: own(&["/proc/kcore"]),
        readonly_paths: own(&["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]),
        ..Config::default()
    }
}

fn mount(kind: &str, flags: u32) -> Mount {
    Mount { kind: kind.to_owned(), flags: Some(flags), ..Mount::default() }
}

fn bind(text: &str) -> Option<Mount> {
    let mut parts = text.splitn(3, ':');
    let (source, destination) = (parts.next()?, parts.next()?);
    let readonly = match parts.next() {
        None | Some("rw") => 0,
        Some("ro") => MS_RDONLY,
        Some(_) => return None,
    };
    Some(Mount {
        source: source.to_owned(),
        destination: destination.to_owned(),
        ..mount("bind", MS_BIND | MS_REC | readonly)
    })
}

fn flag(name: &str, index: usize, what: String) -> Reject {
    Reject::new(Pointer::root().key(name).index(index), what)
}
