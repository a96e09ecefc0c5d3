//! The configuration of a sandbox: who, what, where, and with which rights.
//!
//! Called by [`Sandbox::bundle`]. Computes; the only look at the host is that of [`super::view`].

use std::collections::BTreeMap;

use cofferdam_oci::{
    Capabilities, Cpu, DeviceRule, IdMapping, Linux, Memory, Pids, Process, Resources, Root, SPEC_VERSION,
    Spec, User,
};

use super::{Network, Sandbox, view};
use crate::template::{Caller, MASKED_PATHS, READONLY_PATHS, new_namespace, strings};

/// Microseconds of the period that a limit of CPU time is counted in.
const PERIOD: u64 = 100_000;

/// The annotation that lays an upper layer in memory over the root filesystem.
pub(super) const OVERLAY: &str = crate::overlay::ANNOTATION;

/// The configuration of `sandbox` for `caller`.
pub(super) fn spec(sandbox: &Sandbox, caller: Caller) -> Spec {
    let mapped = sandbox.user_namespace || caller.uid != 0;
    let size = sandbox.scratch.map_or_else(String::new, |bytes| format!("size={bytes}"));
    Spec {
        oci_version: SPEC_VERSION.to_owned(),
        process: Some(process(sandbox, caller)),
        root: Some(Root { path: sandbox.rootfs.to_string_lossy().into_owned(), readonly: sandbox.read_only }),
        hostname: Some(sandbox.hostname.clone()),
        mounts: view::mounts(sandbox, mapped),
        annotations: annotations(sandbox, size),
        linux: Some(linux(sandbox, caller, mapped)),
        ..Spec::default()
    }
}

fn annotations(sandbox: &Sandbox, size: String) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([(OVERLAY.to_owned(), size)]);
    if let Network::Private(network) = &sandbox.network {
        all.extend([crate::network::annotation(network)]);
    }
    all
}

/// The user and group inside.
fn identity(sandbox: &Sandbox, caller: Caller) -> (u32, u32) {
    sandbox.user.unwrap_or((caller.uid, caller.gid))
}

fn process(sandbox: &Sandbox, caller: Caller) -> Process {
    let (uid, gid) = identity(sandbox, caller);
    let caps = &sandbox.capabilities;
    Process {
        terminal: sandbox.terminal,
        user: User { uid, gid, ..User::default() },
        args: sandbox.args.clone(),
        env: sandbox.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        cwd: view::directory(sandbox),
        // Ambient too: without them a user other than root loses all at execve.
        capabilities: Some(Capabilities {
            bounding: caps.clone(),
            effective: caps.clone(),
            inheritable: caps.clone(),
            permitted: caps.clone(),
            ambient: caps.clone(),
        }),
        no_new_privileges: true,
        ..Process::default()
    }
}

fn linux(sandbox: &Sandbox, caller: Caller, mapped: bool) -> Linux {
    let (uid, gid) = identity(sandbox, caller);
    let mut kinds = vec!["pid", "ipc", "uts", "mount", "cgroup"];
    if sandbox.network != Network::Host {
        kinds.push("network");
    }
    if mapped {
        kinds.push("user");
    }
    let one = |container_id, host_id| {
        if mapped { vec![IdMapping { container_id, host_id, size: 1 }] } else { vec![] }
    };
    let caps: Vec<&str> = sandbox.capabilities.iter().map(String::as_str).collect();
    Linux {
        namespaces: kinds.into_iter().map(new_namespace).collect(),
        uid_mappings: one(uid, caller.uid),
        gid_mappings: one(gid, caller.gid),
        resources: resources(sandbox, mapped),
        seccomp: Some(cofferdam_seccomp::baseline::baseline(&caps)),
        masked_paths: strings(MASKED_PATHS),
        readonly_paths: strings(READONLY_PATHS),
        ..Linux::default()
    }
}

/// Limits, and no devices for a real root; `None` when a cgroup is not needed.
fn resources(sandbox: &Sandbox, mapped: bool) -> Option<Resources> {
    let limit = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
    let deny_all = DeviceRule { access: Some("rwm".to_owned()), ..DeviceRule::default() };
    let resources = Resources {
        devices: if mapped { vec![] } else { vec![deny_all] },
        memory: sandbox.memory.map(|bytes| Memory { limit: limit(bytes), ..Memory::default() }),
        cpu: sandbox.cpus.map(|count| Cpu {
            quota: Some(quota(count)),
            period: Some(PERIOD),
            ..Cpu::default()
        }),
        pids: sandbox.processes.map(|count| Pids { limit: limit(count) }),
        ..Resources::default()
    };
    (resources != Resources::default()).then_some(resources)
}

/// Microseconds in each period; at least the millisecond that the kernel accepts. The number of
/// processors is taken in thousandths.
fn quota(cpus: f64) -> i64 {
    const SHORTEST: i64 = 1000;
    let thousandths = format!("{:.0}", cpus * 1000.0).parse::<i64>().unwrap_or(i64::MAX);
    thousandths.saturating_mul(100).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Caller = Caller { uid: 1000, gid: 100 };
    const ROOT: Caller = Caller { uid: 0, gid: 0 };

    fn kinds(spec: &Spec) -> Vec<&str> {
        spec.linux.as_ref().unwrap().namespaces.iter().map(|n| n.kind.as_str()).collect()
    }

    /// The whole of it, without the filter, which is another crate's.
    #[test]
    fn the_configuration_is_the_one_written_down() {
        let mut sandbox = Sandbox::new("make");
        sandbox.arg("check").bind("/srv/src", "/src", false).bind("/opt", "/opt", true);
        sandbox.tmpfs("/scratch", Some(1 << 20)).current_dir("/src").memory(64 << 20);
        let mut spec = spec(&sandbox, USER);
        if let Some(linux) = &mut spec.linux {
            linux.seccomp = None;
        }
        let golden: serde_json::Value = serde_json::from_str(include_str!("golden.json")).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), golden);
    }

    #[test]
    fn an_ordinary_user_stays_itself() {
        let spec = spec(&Sandbox::new("true"), USER);
        let linux = spec.linux.as_ref().unwrap();
        assert_eq!(kinds(&spec), ["pid", "ipc", "uts", "mount", "cgroup", "network", "user"]);
        assert_eq!(linux.uid_mappings, [IdMapping { container_id: 1000, host_id: 1000, size: 1 }]);
        assert_eq!(linux.gid_mappings, [IdMapping { container_id: 100, host_id: 100, size: 1 }]);
        assert!(linux.resources.is_none(), "no cgroup is asked for");
        let process = spec.process.unwrap();
        assert_eq!((process.user.uid, process.user.gid), (1000, 100));
    }

    #[test]
    fn another_name_for_the_caller_is_still_the_caller() {
        let spec = spec(Sandbox::new("true").user(0, 0), USER);
        let linux = spec.linux.unwrap();
        assert_eq!(linux.uid_mappings, [IdMapping { container_id: 0, host_id: 1000, size: 1 }]);
        assert_eq!(spec.process.unwrap().user.uid, 0);
    }

    #[test]
    fn root_has_no_user_namespace_unless_asked_and_no_devices() {
        let plain = spec(&Sandbox::new("true"), ROOT);
        assert!(!kinds(&plain).contains(&"user"));
        let rules = plain.linux.unwrap().resources.unwrap().devices;
        assert!(rules.iter().all(|rule| !rule.allow) && rules.len() == 1);
        let mapped = spec(Sandbox::new("true").user_namespace(true), ROOT);
        assert!(kinds(&mapped).contains(&"user"));
    }

    #[test]
    fn nothing_is_allowed_unless_asked() {
        let spec = spec(&Sandbox::new("true"), ROOT);
        let process = spec.process.as_ref().unwrap();
        assert_eq!(process.capabilities, Some(Capabilities::default()));
        assert!(process.no_new_privileges);
        let linux = spec.linux.as_ref().unwrap();
        assert!(linux.seccomp.is_some());
        assert!(linux.masked_paths.contains(&"/proc/kcore".to_owned()));
        assert!(kinds(&spec).contains(&"network"));
        assert!(!kinds(&super::spec(Sandbox::new("x").network(Network::Host), ROOT)).contains(&"network"));
    }

    #[test]
    fn the_root_is_forgotten_or_read_only() {
        let plain = spec(Sandbox::new("true").scratch(4096), ROOT);
        assert_eq!(plain.annotations[OVERLAY], "size=4096");
        assert_eq!(plain.root, Some(Root { path: "/".into(), readonly: false }));
        assert!(spec(Sandbox::new("true").read_only(true), ROOT).root.unwrap().readonly);
    }

    #[test]
    fn limits_are_in_the_kernels_units() {
        let mut sandbox = Sandbox::new("true");
        let spec = spec(sandbox.memory(1 << 20).cpus(1.5).processes(9), USER);
        let resources = spec.linux.unwrap().resources.unwrap();
        assert_eq!(resources.memory.unwrap().limit, Some(1 << 20));
        let cpu = resources.cpu.unwrap();
        assert_eq!((cpu.quota, cpu.period), (Some(150_000), Some(100_000)));
        assert_eq!(resources.pids.unwrap().limit, Some(9));
        assert_eq!(quota(0.000_1), 1000);
    }

    #[test]
    fn the_environment_is_clean() {
        let env = spec(Sandbox::new("true").env("HOME", "/h"), USER).process.unwrap().env;
        assert!(
            env.contains(&"HOME=/h".to_owned()) && env.iter().filter(|e| e.starts_with("HOME=")).count() == 1
        );
        assert_eq!(env.len(), 4);
    }
}
