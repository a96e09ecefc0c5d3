//! Flags that say how a container is made, where no configuration does.

use cofferdam_nsinit::{Security, Template};

/// The container, as far as no configuration says it.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(super) struct CreateFlags {
    /// Mount the cgroups of the container at /sys/fs/cgroup
    #[arg(long, help_heading = HEADING)]
    cgroup: bool,
    /// Make the root file system read-only
    #[arg(long, help_heading = HEADING)]
    read_only: bool,
    /// Weight of the CPU time against others
    #[arg(long, value_name = "N", help_heading = HEADING)]
    cpushares: Option<u64>,
    /// Limit of memory, in bytes
    #[arg(long, value_name = "BYTES", help_heading = HEADING)]
    memory_limit: Option<i64>,
    /// Limit of memory and swap together, in bytes; -1 for none
    #[arg(long, value_name = "BYTES", help_heading = HEADING)]
    memory_swap: Option<i64>,
    /// How readily memory is swapped out, 0 to 100; -1 for the host's own
    #[arg(long, value_name = "N", help_heading = HEADING)]
    memory_swappiness: Option<i64>,
    /// Signal for the first process when nsinit ends [default: 9]
    #[arg(long, value_name = "N", help_heading = HEADING)]
    parent_death_signal: Option<u32>,
    /// Make a user namespace in which root is this user
    #[arg(long, value_name = "UID", help_heading = HEADING)]
    userns_root_uid: Option<u32>,
    /// Largest packet of the veth device, in bytes
    #[arg(long, value_name = "BYTES", help_heading = HEADING)]
    veth_mtu: Option<i64>,
    /// AppArmor profile of the program
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    apparmor_profile: Option<String>,
    /// CPUs that may be used, such as 0-3,7
    #[arg(long, value_name = "LIST", help_heading = HEADING)]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used
    #[arg(long, value_name = "LIST", help_heading = HEADING)]
    cpuset_mems: Option<String>,
    /// Host name [default: nsinit]
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    hostname: Option<String>,
    /// IPC namespace: host, private, or the path of one to join
    #[arg(long, value_name = "NAMESPACE", help_heading = HEADING)]
    ipc: Option<String>,
    /// Mount namespace: private, or the path of one to join
    #[arg(long, value_name = "NAMESPACE", help_heading = HEADING)]
    mnt: Option<String>,
    /// SELinux label of the mounts
    #[arg(long, value_name = "LABEL", help_heading = HEADING)]
    mount_label: Option<String>,
    /// Network namespace: host, private, or the path of one to join
    #[arg(long, value_name = "NAMESPACE", help_heading = HEADING)]
    net: Option<String>,
    /// PID namespace: host, private, or the path of one to join
    #[arg(long, value_name = "NAMESPACE", help_heading = HEADING)]
    pid: Option<String>,
    /// SELinux label of the program
    #[arg(long, value_name = "LABEL", help_heading = HEADING)]
    process_label: Option<String>,
    /// Directory of the root file system [default: the current one]
    #[arg(long, value_name = "DIR", help_heading = HEADING)]
    pub(super) rootfs: Option<String>,
    /// Capabilities, limits and system calls: high, medium or low; also beside a configuration
    #[arg(long, value_name = "PROFILE", help_heading = HEADING)]
    pub(super) security: Option<Security>,
    /// UTS namespace, of the host name: host, private, or the path of one to join
    #[arg(long, value_name = "NAMESPACE", help_heading = HEADING)]
    uts: Option<String>,
    /// Address of the veth device, with its prefix
    #[arg(long, value_name = "CIDR", help_heading = HEADING)]
    veth_address: Option<String>,
    /// Bridge that a veth device is put on
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    veth_bridge: Option<String>,
    /// Gateway of the veth device
    #[arg(long, value_name = "ADDRESS", help_heading = HEADING)]
    veth_gateway: Option<String>,
    /// Show a file or directory of the host (may be repeated)
    #[arg(long, value_name = "SRC:DST[:ro|rw]", help_heading = HEADING)]
    bind: Vec<String>,
    /// Set a kernel parameter of the container's namespaces (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", help_heading = HEADING)]
    sysctl: Vec<String>,
    /// Put an empty directory there (may be repeated)
    #[arg(long, value_name = "DST", help_heading = HEADING)]
    tmpfs: Vec<String>,
    /// Add a supplementary group (may be repeated)
    #[arg(long, value_name = "GROUP", help_heading = HEADING)]
    groups: Vec<String>,
}

const HEADING: &str = "How the container is made";

impl CreateFlags {
    /// Whether any was given.
    pub(super) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Whether any was given that means nothing beside a configuration.
    pub(super) fn any_instead(&self) -> bool {
        *self != Self { security: self.security, ..Self::default() }
    }

    /// The same for the library.
    pub(super) fn template(&self) -> Template {
        let word = |flag: &Option<String>| flag.clone().unwrap_or_default();
        Template {
            cgroup: self.cgroup,
            read_only: self.read_only,
            cpushares: self.cpushares.unwrap_or_default(),
            memory_limit: self.memory_limit.unwrap_or_default(),
            memory_swap: self.memory_swap.unwrap_or_default(),
            memory_swappiness: self.memory_swappiness,
            parent_death_signal: self.parent_death_signal,
            userns_root_uid: self.userns_root_uid.unwrap_or_default(),
            apparmor_profile: word(&self.apparmor_profile),
            cpuset_cpus: word(&self.cpuset_cpus),
            cpuset_mems: word(&self.cpuset_mems),
            hostname: word(&self.hostname),
            ipc: word(&self.ipc),
            mnt: word(&self.mnt),
            net: word(&self.net),
            pid: word(&self.pid),
            uts: word(&self.uts),
            mount_label: word(&self.mount_label),
            process_label: word(&self.process_label),
            rootfs: word(&self.rootfs),
            security: self.security,
            veth_mtu: self.veth_mtu.unwrap_or_default(),
            veth_address: word(&self.veth_address),
            veth_bridge: word(&self.veth_bridge),
            veth_gateway: word(&self.veth_gateway),
            bind: self.bind.clone(),
            sysctl: self.sysctl.clone(),
            tmpfs: self.tmpfs.clone(),
            groups: self.groups.clone(),
        }
    }
}
