//! What the fuzz targets share: a document to start from, and the hosts it is planned for.
//!
//! Called by the targets. A target may panic only when a promise is broken.

use std::sync::LazyLock;

use cofferdam_oci::{Reject, Spec};
use cofferdam_plan::{ExecOptions, HostFacts, Options, V1Mount, plan_exec, plan_init};
use serde_json::Value;

/// A document with a bit of everything.
pub static BASE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../base.json")).unwrap());

/// Plans a document for three hosts: whatever it says, there is a plan or a reason, and never a panic.
pub fn plan_everywhere(spec: &Spec) {
    for facts in [HostFacts::typical(), hybrid(), rootless()] {
        let options = Options { bundle: "/bundle".into(), id: "fuzz".into(), ..Options::default() };
        match plan_init(spec, &facts, &options) {
            Ok(plan) => assert!(!format!("{plan:?}").is_empty()),
            Err(rejects) => assert_reasons(&rejects),
        }
        let Some(process) = &spec.process else { continue };
        let options = ExecOptions { id: "fuzz".into(), ..ExecOptions::default() };
        if let Err(rejects) = plan_exec(process, spec, &facts, &options) {
            assert_reasons(&rejects);
        }
    }
}

/// A refusal always says why.
pub fn assert_reasons(rejects: &[Reject]) {
    assert!(!rejects.is_empty(), "refused without a reason");
    for reject in rejects {
        assert!(!reject.to_string().is_empty());
    }
}

fn hybrid() -> HostFacts {
    let mount = |name: &str| V1Mount {
        options: name.split(',').map(str::to_owned).collect(),
        mount_point: format!("/sys/fs/cgroup/{name}").into(),
    };
    let cgroup_v1 = ["cpu,cpuacct", "memory", "pids", "devices", "name=systemd"].map(mount).to_vec();
    HostFacts { cgroup_v1, cgroup_v2: None, apparmor: true, selinux: true, ..HostFacts::typical() }
}

fn rootless() -> HostFacts {
    HostFacts { euid: 1000, egid: 1000, capabilities: 0, ..HostFacts::typical() }
}
