//! The security profiles of nsinit's `--security`: capabilities, resource limits and system calls by one word.
//!
//! Called by [`crate::Template`], and by whoever changes a configuration. Pure.

use cofferdam_seccomp::Arch;

use crate::{Config, Rlimit, Seccomp, SeccompArg, SeccompCall};

/// How much a container may do.
///
/// ```
/// use cofferdam_nsinit::{Config, Security};
/// let mut config = Config::default();
/// "high".parse::<Security>()?.apply(&mut config);
/// assert_eq!(config.capabilities, ["NET_BIND_SERVICE", "KILL", "AUDIT_WRITE"]);
/// assert!("paranoid".parse::<Security>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// For a program that serves: it cannot install packages, change owners or remove files.
    High,
    /// Packages can be installed.
    Medium,
    /// As medium, and chroot(2), host names and what else a whole system wants.
    Low,
}

const EPERM: i64 = 1;
const RLIMIT_NOFILE: u32 = 7;
const CLONE_NEWUSER: u32 = 0x1000_0000;
const ALL_BITS: i64 = 4;

const HIGH_CAPABILITIES: &[&str] = &["NET_BIND_SERVICE", "KILL", "AUDIT_WRITE"];
const MEDIUM_CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "KILL",
    "AUDIT_WRITE",
];
const LOW_CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "KILL",
    "AUDIT_WRITE",
];

/// What none of them may call; clone(2) with CLONE_NEWUSER besides.
const LOW_CALLS: &[&str] =
    &["unshare", "setns", "mount", "umount2", "create_module", "delete_module", "kexec_load"];
const MEDIUM_CALLS: &[&str] = &["chroot", "setdomainname", "sethostname"];
const HIGH_CALLS: &[&str] = &["capset", "chmod", "chown", "link", "linkat", "unlink", "unlinkat"];

impl Security {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// Puts the profile into a configuration: what was there of capabilities, limits, system calls and labels
    /// is replaced.
    pub fn apply(self, config: &mut Config) {
        let (capabilities, calls): (_, &[&[&str]]) = match self {
            Self::High => (HIGH_CAPABILITIES, &[LOW_CALLS, MEDIUM_CALLS, HIGH_CALLS]),
            Self::Medium => (MEDIUM_CAPABILITIES, &[LOW_CALLS, MEDIUM_CALLS]),
            Self::Low => (LOW_CAPABILITIES, &[LOW_CALLS]),
        };
        config.capabilities = capabilities.iter().map(|&name| name.to_owned()).collect();
        config.rlimits = vec![Rlimit { kind: RLIMIT_NOFILE, hard: 1024, soft: 1024 }];
        let refused = calls.iter().flat_map(|names| names.iter()).map(|name| (*name, Vec::new()));
        let new_user = SeccompArg { index: 0, value: CLONE_NEWUSER, op: ALL_BITS };
        // On machines that never had one of them there is nothing to refuse.
        let call = |(name, args)| {
            let value = Arch::native()?.call_number(name)?.into();
            Some(SeccompCall { value, action: EPERM, args })
        };
        let syscalls = refused.chain([("clone", vec![new_user])]).filter_map(call).collect();
        config.seccomp = Some(Seccomp { syscalls });
        config.apparmor_profile.clear();
        config.process_label.clear();
        if let Some(own) = &mut config.mount_config {
            own.mount_label.clear();
        }
    }
}

impl std::str::FromStr for Security {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::High, Self::Medium, Self::Low];
        let found = all.into_iter().find(|profile| profile.name() == name);
        found.ok_or_else(|| format!("{name:?} is none of the profiles high, medium, low"))
    }
}
