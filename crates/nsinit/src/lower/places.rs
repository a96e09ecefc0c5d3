//! Where the parts of a translated configuration come from: what the core finds wrong in it is told in the
//! user's own document.

use cofferdam_oci::{Pointer, Reject};

use crate::Config;

/// Members that are always translated from one place; what comes behind is the same in both.
const FIXED: [(&str, &str); 47] = [
    ("/annotations/org.cofferdam.network", ""),
    ("/process/user", "/user"),
    ("/process/user/additionalGids", "/additional_groups"),
    ("/process/env", "/environment"),
    ("/process/args", "/args"),
    ("/process/cwd", "/working_dir"),
    ("/process/terminal", "/tty"),
    ("/process/capabilities/bounding", "/capabilities"),
    ("/process/capabilities/effective", "/capabilities"),
    ("/process/capabilities/inheritable", "/capabilities"),
    ("/process/capabilities/permitted", "/capabilities"),
    ("/process/rlimits", "/rlimits"),
    ("/process/apparmorProfile", "/apparmor_profile"),
    ("/process/selinuxLabel", "/process_label"),
    ("/process/noNewPrivileges", "/seccomp"),
    ("/root", "/root_fs"),
    ("/root/path", "/root_fs"),
    ("/root/readonly", "/mount_config/readonly_fs"),
    ("/hostname", "/hostname"),
    ("/mounts", "/mount_config/mounts"),
    ("/linux", ""),
    ("/linux/namespaces", "/namespaces"),
    ("/linux/uidMappings", "/uid_mappings"),
    ("/linux/gidMappings", "/gid_mappings"),
    ("/linux/devices", "/mount_config/device_nodes"),
    ("/linux/mountLabel", "/mount_config/mount_label"),
    ("/linux/rootfsPropagation", "/mount_config/private_fs"),
    ("/linux/sysctl", "/system_properties"),
    ("/linux/seccomp", "/seccomp"),
    ("/linux/seccomp/syscalls", "/seccomp/syscalls"),
    ("/linux/cgroupsPath", "/cgroups/name"),
    ("/linux/resources", "/cgroups"),
    ("/linux/resources/devices", "/cgroups/allowed_devices"),
    ("/linux/resources/memory/limit", "/cgroups/memory"),
    ("/linux/resources/memory/reservation", "/cgroups/memory_reservation"),
    ("/linux/resources/memory/swap", "/cgroups/memory_swap"),
    ("/linux/resources/memory/kernel", "/cgroups/kernel_memory"),
    ("/linux/resources/memory/swappiness", "/cgroups/memory_swappiness"),
    ("/linux/resources/cpu/shares", "/cgroups/cpu_shares"),
    ("/linux/resources/cpu/quota", "/cgroups/cpu_quota"),
    ("/linux/resources/cpu/period", "/cgroups/cpu_period"),
    ("/linux/resources/cpu/realtimeRuntime", "/cgroups/cpu_rt_runtime"),
    ("/linux/resources/cpu/realtimePeriod", "/cgroups/cpu_rt_period"),
    ("/linux/resources/cpu/cpus", "/cgroups/cpuset_cpus"),
    ("/linux/resources/cpu/mems", "/cgroups/cpuset_mems"),
    ("/linux/resources/blockIO/weight", "/cgroups/blkio_weight"),
    ("/linux/resources/hugepageLimits", "/cgroups/hugetlb_limit"),
];

/// Members whose inside is put together otherwise: what is behind them is left out.
const CLOSED: [&str; 9] = [
    "/linux",
    "/linux/namespaces",
    "/linux/resources",
    "/linux/resources/devices",
    "/linux/seccomp",
    "/process/rlimits",
    "/process/user",
    "/process/user/additionalGids",
    "/mounts",
];

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Elements of lists, whose number may be another one.
    moved: Vec<(String, String)>,
}

impl Places {
    /// That `to` of the translation comes from `from`.
    pub(super) fn one(&mut self, to: &str, from: &str) {
        self.moved.push((to.to_owned(), from.to_owned()));
    }

    /// That a list's elements come, after those that were put before them, from another list's.
    pub(super) fn list(&mut self, to: &str, from: &str, before: usize, length: usize) {
        for index in 0..length {
            let there = Pointer::new(to).index(before.saturating_add(index));
            self.one(there.as_str(), Pointer::new(from).index(index).as_str());
        }
    }

    /// What the core says of the translation, as the user's own document is to be mended.
    pub(crate) fn back(&self, reject: Reject, config: &Config) -> Reject {
        let pointer = config.place(&self.origin(&reject.pointer));
        Reject { pointer, ..reject }
    }

    pub(super) fn origin(&self, pointer: &Pointer) -> Pointer {
        let text = pointer.as_str();
        let within = |to: &str| text.strip_prefix(to).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let moved = self.moved.iter().map(|(to, from)| (to.as_str(), from.as_str()));
        let all = FIXED.iter().copied().chain(moved);
        let found =
            all.filter_map(|(to, from)| Some((to, from, within(to)?))).max_by_key(|(to, ..)| to.len());
        match found {
            Some((to, from, rest)) if !CLOSED.contains(&to) => Pointer::new(format!("{from}{rest}")),
            Some((_, from, _)) => Pointer::new(from),
            None => pointer.clone(),
        }
    }
}
