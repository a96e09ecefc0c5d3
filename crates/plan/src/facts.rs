//! What this host has: an input of the decision, gathered once by the library.
//!
//! Plain data, so that tests can describe any host. It holds features, never kernel versions.

use std::path::PathBuf;

use cofferdam_seccomp::Arch;

/// Facts about the host and about the runtime's own process.
///
/// ```
/// let facts = cofferdam_plan::HostFacts::typical();
/// assert_eq!(facts.euid, 0);
/// ```
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub struct HostFacts {
    /// Effective user id of the runtime.
    pub euid: u32,
    /// Effective group id of the runtime.
    pub egid: u32,
    /// Capabilities the runtime may use, as a bit set (`CapEff`).
    pub capabilities: u64,
    /// The bounding set, as a bit set (`CapBnd`): nothing outside it can be given to a container.
    pub bounding: u64,
    /// The highest capability that the kernel knows.
    pub last_cap: u32,
    /// Whether the runtime itself is inside a user namespace (its uid map is not the identity).
    pub in_user_namespace: bool,
    /// Namespace types of this kernel, `CLONE_NEW*` bits.
    pub namespaces: u64,
    /// The mounted cgroup v1 hierarchies, in the order of mountinfo.
    pub cgroup_v1: Vec<V1Mount>,
    /// Where the cgroup v2 tree is mounted when it is the only one (not on hybrid hosts).
    pub cgroup_v2: Option<PathBuf>,
    /// Whether AppArmor is enabled.
    pub apparmor: bool,
    /// Whether SELinux is enabled.
    pub selinux: bool,
    /// Whether seccomp filters can be installed.
    pub seccomp: bool,
    /// Where resctrl is mounted.
    pub resctrl: Option<PathBuf>,
    /// The machine's own architecture.
    pub arch: Arch,
    /// newuidmap(1), if installed.
    pub newuidmap: Option<PathBuf>,
    /// newgidmap(1), if installed.
    pub newgidmap: Option<PathBuf>,
}

/// One mounted cgroup v1 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Mount {
    /// What it is mounted with: controllers (`cpu`, `cpuacct`), or `name=systemd`.
    pub options: Vec<String>,
    /// Where it is mounted on the host.
    pub mount_point: PathBuf,
}

impl HostFacts {
    /// A privileged runtime on a host with cgroup v2 and every feature: for tests and examples.
    #[must_use]
    pub fn typical() -> Self {
        Self {
            euid: 0,
            egid: 0,
            capabilities: (1 << 41) - 1,
            bounding: (1 << 41) - 1,
            last_cap: 40,
            in_user_namespace: false,
            namespaces: 0x7e02_0080,
            cgroup_v1: Vec::new(),
            cgroup_v2: Some("/sys/fs/cgroup".into()),
            apparmor: false,
            selinux: false,
            seccomp: true,
            resctrl: None,
            arch: Arch::X86_64,
            newuidmap: Some("/usr/bin/newuidmap".into()),
            newgidmap: Some("/usr/bin/newgidmap".into()),
        }
    }
}
