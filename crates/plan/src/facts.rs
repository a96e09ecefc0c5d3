//! What this host has: an input of the decision, gathered once by the library.
//!
//! Plain data, so that tests can describe any host. It holds features, never kernel versions.

use std::path::PathBuf;

use cofferdam_seccomp::Arch;

use crate::bits::CAP_SYS_ADMIN;

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
    /// Whether /proc/self/setgroups says `deny`: user namespaces made below inherit it.
    pub setgroups_denied: bool,
    /// Namespace types of this kernel among those that are asked for, `CLONE_NEW*` bits.
    pub namespaces: u64,
    /// Signals that the runtime ignores, one bit each, signal 1 lowest (`SigIgn`).
    pub ignored_signals: u64,
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
///
/// ```
/// let v1 = cofferdam_plan::V1Mount { options: vec!["pids".into()], mount_point: "/sys/fs/cgroup/pids".into() };
/// assert!(v1.mount_point.ends_with(&v1.options[0]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Mount {
    /// What it is mounted with: controllers (`cpu`, `cpuacct`), or `name=systemd`.
    pub options: Vec<String>,
    /// Where it is mounted on the host.
    pub mount_point: PathBuf,
}

impl HostFacts {
    /// Whether the runtime may use this capability.
    ///
    /// ```
    /// assert!(cofferdam_plan::HostFacts::typical().has(21)); // CAP_SYS_ADMIN
    /// ```
    #[must_use]
    pub fn has(&self, capability: u32) -> bool {
        self.capabilities.checked_shr(capability).unwrap_or_default() & 1 == 1
    }

    /// Whether the runtime is root with CAP_SYS_ADMIN where it is, perhaps inside a user namespace.
    ///
    /// ```
    /// use cofferdam_plan::HostFacts;
    /// assert!(!HostFacts { euid: 1000, ..HostFacts::typical() }.privileged_here());
    /// ```
    #[must_use]
    pub fn privileged_here(&self) -> bool {
        self.euid == 0 && self.has(CAP_SYS_ADMIN)
    }

    /// Whether the runtime is root of the host.
    ///
    /// ```
    /// use cofferdam_plan::HostFacts;
    /// assert!(!HostFacts { in_user_namespace: true, ..HostFacts::typical() }.fully_privileged());
    /// ```
    #[must_use]
    pub fn fully_privileged(&self) -> bool {
        self.privileged_here() && !self.in_user_namespace
    }

    /// A privileged runtime on a host with cgroup v2 and every feature: for tests and examples.
    ///
    /// ```
    /// assert!(cofferdam_plan::HostFacts::typical().fully_privileged());
    /// ```
    #[must_use]
    pub fn typical() -> Self {
        Self {
            euid: 0,
            egid: 0,
            capabilities: (1 << 41) - 1,
            bounding: (1 << 41) - 1,
            last_cap: 40,
            in_user_namespace: false,
            setgroups_denied: false,
            namespaces: 0x7e02_0080,
            ignored_signals: 0,
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
