//! container.json: libcontainer's configuration as plain data.
//!
//! Read by the namespaces API and by commands above it; judged and translated by [`crate::spec`]. [`Config`] is
//! what all [`Generation`]s of the file become; its own form is that of docker/libcontainer v1.1 to v1.4 with
//! what came later added, and is one of those that are read.

mod cgroup;
mod device;
mod flat;
mod generation;
mod json;
mod mount;
mod namespaces;
mod network;
mod reader;
mod seccomp;
mod v2;

use std::collections::BTreeMap;

use cofferdam_oci::{Pointer, Reject};
use serde::{Deserialize, Serialize};

pub use cgroup::{Cgroup, HugepageLimit, InterfacePriority};
pub use device::{Device, allowed_devices, created_devices};
pub use generation::Generation;
pub use mount::{Mount, MountCommand, MountConfig, SystemMounts};
pub use namespaces::{Namespace, NamespaceType, Namespaces};
pub use network::{Network, Route};
pub use seccomp::{Seccomp, SeccompArg, SeccompCall};

/// Longest container.json, in bytes; real ones have some kilobytes. What is wrong in one has it read again.
const LONGEST: usize = 1 << 20;

/// What is put into a container and around it.
///
/// ```
/// use cofferdam_nsinit::{Config, NamespaceType};
/// let config = Config::parse(br#"{"hostname": "koye", "namespaces": {"NEWUTS": true, "NEWNET": false}}"#)?;
/// assert!(config.namespaces.contains(NamespaceType::Uts));
/// assert!(!config.namespaces.contains(NamespaceType::Network));
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The form of the file that it comes from: pointers of what is wrong are into that one.
    #[serde(skip)]
    pub generation: Generation,
    /// Mounts, device nodes and how the root is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_config: Option<MountConfig>,
    /// The root file system's directory.
    #[serde(skip_serializing_if = "empty")]
    pub root_fs: String,
    /// Host name; needs NEWUTS.
    #[serde(skip_serializing_if = "empty")]
    pub hostname: String,
    /// Who the program runs as: `user`, `uid`, `user:group`, `uid:gid` or a mixture, by the container's
    /// /etc/passwd and /etc/group.
    #[serde(skip_serializing_if = "empty")]
    pub user: String,
    /// Where the program starts; empty is `/`.
    #[serde(skip_serializing_if = "empty")]
    pub working_dir: String,
    /// All variables of the program, `NAME=value` each; nothing of the caller's is added.
    #[serde(skip_serializing_if = "empty")]
    pub environment: Vec<String>,
    /// The program and its arguments, which only the first generation had in the file.
    #[serde(skip_serializing_if = "empty")]
    pub args: Vec<String>,
    /// Whether the program gets a terminal.
    #[serde(skip_serializing_if = "empty")]
    pub tty: bool,
    /// Namespaces that are made or joined; the others are the caller's.
    #[serde(skip_serializing_if = "empty")]
    pub namespaces: Namespaces,
    /// Capabilities that are kept, without `CAP_`; all others are dropped.
    #[serde(skip_serializing_if = "empty")]
    pub capabilities: Vec<String>,
    /// Networks.
    #[serde(skip_serializing_if = "empty")]
    pub networks: Vec<Network>,
    /// An IPC namespace to join, by its file.
    #[serde(skip_serializing_if = "empty")]
    pub ipc: String,
    /// Routes.
    #[serde(skip_serializing_if = "empty")]
    pub routes: Vec<Route>,
    /// Further names for the container's `/etc/hosts`; with what follows, the network document's own words.
    #[serde(skip_serializing_if = "empty")]
    pub hosts: Vec<cofferdam_net::HostSpec>,
    /// What the container's `/etc/resolv.conf` says.
    #[serde(skip_serializing_if = "empty")]
    pub dns: cofferdam_net::DnsSpec,
    /// Whether packets that leave the host get the host's address.
    #[serde(skip_serializing_if = "empty")]
    pub masquerade: bool,
    /// Ports of the host's that are the container's.
    #[serde(skip_serializing_if = "empty")]
    pub publish: Vec<cofferdam_net::PublishSpec>,
    /// What the container may reach; all else is refused then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<cofferdam_net::EgressSpec>,
    /// For users without rights over the host's network: `pasta`, `slirp4netns` or `auto`.
    #[serde(skip_serializing_if = "empty")]
    pub user_mode: String,
    /// The container's cgroups; absent, it stays in the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<Cgroup>,
    /// AppArmor profile of the program.
    #[serde(skip_serializing_if = "empty")]
    pub apparmor_profile: String,
    /// SELinux label of the program.
    #[serde(skip_serializing_if = "empty")]
    pub process_label: String,
    /// Whether /sys and what configures the kernel in /proc are read-only, and /proc/kcore is empty.
    #[serde(skip_serializing_if = "empty")]
    pub restrict_sys: bool,
    /// Resource limits.
    #[serde(skip_serializing_if = "empty")]
    pub rlimits: Vec<Rlimit>,
    /// Supplementary groups, by number or name, besides those that the user is a member of.
    #[serde(skip_serializing_if = "empty", deserialize_with = "names_or_numbers")]
    pub additional_groups: Vec<String>,
    /// User ids of a new user namespace.
    #[serde(skip_serializing_if = "empty")]
    pub uid_mappings: Vec<IdMap>,
    /// Group ids of a new user namespace.
    #[serde(skip_serializing_if = "empty")]
    pub gid_mappings: Vec<IdMap>,
    /// Signal that the container's first process gets when whoever started it ends: 0 is none, absent is
    /// SIGKILL, as it was before v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_death_signal: Option<u32>,
    /// Paths that are hidden.
    #[serde(skip_serializing_if = "empty")]
    pub mask_paths: Vec<String>,
    /// Paths that cannot be written to.
    #[serde(skip_serializing_if = "empty")]
    pub readonly_paths: Vec<String>,
    /// Kernel parameters of the container's namespaces, see sysctl(8).
    #[serde(skip_serializing_if = "empty")]
    pub system_properties: BTreeMap<String, String>,
    /// What happens at certain system calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
}

/// A resource limit, see setrlimit(2).
///
/// ```
/// let limit = cofferdam_nsinit::Rlimit { kind: 7, hard: 1024, soft: 1024 }; // open files
/// assert_eq!(serde_json::to_string(&limit).unwrap(), r#"{"type":7,"hard":1024,"soft":1024}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rlimit {
    /// The number of `RLIMIT_*`.
    #[serde(rename = "type")]
    pub kind: u32,
    /// Ceiling.
    pub hard: u64,
    /// Limit in force.
    pub soft: u64,
}

/// A range of ids, see user_namespaces(7).
///
/// ```
/// let all = cofferdam_nsinit::IdMap { container_id: 0, host_id: 100_000, size: 65_536 };
/// assert_eq!(all.host(5), Some(100_005));
/// assert_eq!(all.host(70_000), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMap {
    /// First id inside.
    pub container_id: u32,
    /// First id outside.
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

impl IdMap {
    /// The id outside of one inside.
    #[must_use]
    pub fn host(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.container_id).filter(|offset| *offset < self.size)?;
        self.host_id.checked_add(offset)
    }
}

/// A container.json, read.
///
/// ```
/// use cofferdam_nsinit::{Config, Generation};
/// let read = Config::read(br#"{"rootfs": "/srv/box", "Hostname": "box", "read_only": true}"#).unwrap();
/// assert_eq!((read.config.generation, read.config.hostname.as_str()), (Generation::V2, "box"));
/// assert_eq!(read.warnings[0].pointer.as_str(), "/read_only");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reading {
    /// What it says.
    pub config: Config,
    /// What in it means nothing; libcontainer passed over it in silence.
    pub warnings: Vec<Reject>,
}

impl Config {
    /// Reads a container.json of any [`Generation`].
    ///
    /// # Errors
    /// [`cofferdam::ErrorKind::Configuration`] with everything that could not be read.
    pub fn parse(bytes: &[u8]) -> cofferdam::Result<Self> {
        Self::read(bytes).map(|read| read.config).map_err(cofferdam::Error::rejected)
    }

    /// Reads a container.json of any [`Generation`], and tells what means nothing in it.
    ///
    /// As for the original, the case of members' letters does not matter, and `null` counts as absent.
    ///
    /// # Errors
    /// What is not JSON, with line and column, or longer than a mebibyte; else every member that is of another type than it may be,
    /// and every one that is there twice.
    ///
    /// ```
    /// use cofferdam_nsinit::Config;
    /// let wrong = Config::read(br#"{"tty": 1, "hostname": [], "mount_config": {"mounts": [{"source": {}}]}}"#).unwrap_err();
    /// let at: Vec<_> = wrong.iter().map(|reject| reject.pointer.as_str()).collect();
    /// assert_eq!(at, ["/tty", "/hostname", "/mount_config/mounts/0/source"]);
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Reading, Vec<Reject>> {
        if bytes.len() > LONGEST {
            let message = format!("{} bytes; at most {LONGEST} are read", bytes.len());
            return Err(vec![Reject::new(Pointer::root(), message)]);
        }
        let mut document: json::Json =
            cofferdam_oci::parse(bytes).map_err(|e| vec![Reject::new(e.pointer, e.message)])?;
        if !matches!(document, json::Json::Object(_)) {
            return Err(vec![Reject::new(Pointer::root(), "not a JSON object")]);
        }
        let mut warnings = Vec::new();
        let generation = Generation::of(&document);
        let mut config = match generation {
            Generation::V1_4 => reader::read::<Self>(&mut document, &mut warnings)?,
            Generation::V2 => reader::read::<v2::Document>(&mut document, &mut warnings)?.into(),
            Generation::February2014 | Generation::Spring2014 | Generation::V1_0 => {
                let flat: flat::Document = reader::read(&mut document, &mut warnings)?;
                flat.translate(generation, &mut warnings)?
            }
        };
        config.generation = generation;
        Ok(Reading { config, warnings })
    }

    /// The form of v2, as `nsinit config` wrote it: every member, in its order.
    ///
    /// What v2 kept elsewhere (user, working directory, environment, arguments, terminal) is not in it.
    ///
    /// ```
    /// use cofferdam_nsinit::{Config, Generation};
    /// let config = Config::parse(br#"{"root_fs": "/srv/box", "restrict_sys": true}"#)?;
    /// let text = serde_json::to_string(&config.to_v2()).unwrap();
    /// let again = Config::parse(text.as_bytes())?;
    /// assert_eq!((again.generation, again.root_fs.as_str()), (Generation::V2, "/srv/box"));
    /// assert_eq!(again.mask_paths, ["/proc/kcore"]);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    #[must_use]
    pub fn to_v2(&self) -> impl Serialize + use<> {
        v2::Document::from(self)
    }

    /// Where the user's own document says what this one says at `pointer`.
    #[must_use]
    pub(crate) fn place(&self, pointer: &Pointer) -> Pointer {
        self.generation.place(pointer)
    }
}

pub(crate) fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Groups were numbers once, and text in v2.
fn names_or_numbers<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "neither a group's name nor its number")]
    enum Group {
        Number(u32),
        Name(String),
    }
    let groups = Vec::<Group>::deserialize(d)?;
    let text = |group| match group {
        Group::Number(number) => number.to_string(),
        Group::Name(name) => name,
    };
    Ok(groups.into_iter().map(text).collect())
}
