//! What this build can do, as the document that engines ask for (`features.md` of the runtime-spec).
//!
//! Called by the command line. Says what is built in, not what this host has; the one exception is
//! `supportedFlags` of seccomp, which the specification wants to be about the kernel too.

use cofferdam_oci::{
    CgroupFeature, EnabledFeature, Features, IntelRdtFeature, LinuxFeatures, MemoryPolicyFeature,
    MountExtensions, SPEC_VERSION, SeccompFeature,
};

/// Oldest version of the specification whose documents are read.
const OLDEST: &str = "1.0.0";

/// Annotations, or beginnings of their names, that reach beyond the container: groups of the user's, files that hooks
/// write to, sockets that are connected to; networks and what is mounted over the root; properties of units.
const UNSAFE_ANNOTATIONS: [&str; 3] = ["run.oci.", "org.cofferdam.", "org.systemd.property."];

/// The features document of this build.
///
/// ```
/// let features = cofferdam::features();
/// assert!(features.linux.unwrap().namespaces.contains(&"cgroup".to_owned()));
/// ```
#[must_use]
pub fn features() -> Features {
    // Engines look for runc's.
    let annotations = [
        ("io.cofferdam.version", env!("CARGO_PKG_VERSION")),
        ("org.opencontainers.runc.checkpoint.enabled", "true"),
    ];
    Features {
        oci_version_min: OLDEST.to_owned(),
        oci_version_max: SPEC_VERSION.to_owned(),
        hooks: owned(cofferdam_plan::known_hooks()),
        mount_options: owned(&cofferdam_plan::known_mount_options()),
        linux: Some(linux()),
        annotations: annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        potentially_unsafe_config_annotations: owned(&UNSAFE_ANNOTATIONS),
    }
}

fn linux() -> LinuxFeatures {
    let built_in = EnabledFeature { enabled: true };
    LinuxFeatures {
        namespaces: owned(&cofferdam_plan::known_namespaces()),
        capabilities: owned(cofferdam_plan::known_capabilities()),
        cgroup: CgroupFeature { v1: true, v2: true, systemd: true, systemd_user: true, rdma: true },
        seccomp: SeccompFeature {
            enabled: true,
            actions: owned(cofferdam_seccomp::known_actions()),
            operators: owned(cofferdam_seccomp::known_operators()),
            archs: owned(cofferdam_seccomp::known_archs()),
            known_flags: owned(cofferdam_seccomp::known_flags()),
            supported_flags: supported_flags(),
        },
        apparmor: built_in,
        selinux: built_in,
        intel_rdt: IntelRdtFeature { enabled: true, schemata: true, monitoring: true },
        mount_extensions: MountExtensions { idmap: built_in },
        memory_policy: MemoryPolicyFeature {
            modes: owned(&cofferdam_plan::known_memory_policy_modes()),
            flags: owned(&cofferdam_plan::known_memory_policy_flags()),
        },
        net_devices: built_in,
    }
}

/// The flags that this kernel has; see seccomp(2).
fn supported_flags() -> Vec<String> {
    const NEW_LISTENER: u32 = 1 << 3;
    let known = |name: &&str| {
        let flag = match *name {
            "SECCOMP_FILTER_FLAG_TSYNC" => 1,
            "SECCOMP_FILTER_FLAG_LOG" => 1 << 1,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => 1 << 2,
            // Not accepted on its own.
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => 1 << 5 | NEW_LISTENER,
            _ => return false,
        };
        cofferdam_sys::seccomp::knows_flags(flag)
    };
    cofferdam_seccomp::known_flags().iter().filter(|name| known(name)).map(|&name| name.to_owned()).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_the_flags_of_the_oldest() {
        let flags = supported_flags();
        for name in ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
        {
            assert!(flags.contains(&name.to_owned()), "{name}");
        }
    }

    #[test]
    fn every_list_says_something() {
        let features = features();
        let linux = features.linux.unwrap();
        for list in [
            features.hooks,
            features.mount_options,
            linux.namespaces,
            linux.capabilities,
            linux.seccomp.actions,
            linux.seccomp.operators,
            linux.seccomp.archs,
            linux.seccomp.known_flags,
            linux.memory_policy.modes,
        ] {
            assert!(list.len() > 3, "{list:?}");
        }
        assert_eq!(linux.memory_policy.flags.len(), 3);
    }
}
