//! What the plan of a further process says.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cofferdam_oci::Process;
use cofferdam_plan::{ExecOptions, HostFacts, plan_exec};
use common::{in_user_namespace, spec, tell, with};
use serde_json::{Value, json};

fn process(value: &Value) -> Process {
    cofferdam_oci::parse(value.to_string().as_bytes()).unwrap()
}

fn options() -> ExecOptions {
    ExecOptions { id: "box".into(), namespaces: 0x2000_0000, preserve_fds: 2, ..ExecOptions::default() }
}

#[test]
fn what_the_process_leaves_out_is_the_containers() {
    let caps = json!({"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"]});
    let container = with(&[
        ("/process/capabilities", caps),
        ("/process/user", json!({"uid": 3, "umask": 63})),
        ("/process/oomScoreAdj", json!(10)),
        ("/process/noNewPrivileges", json!(true)),
        ("/process/rlimits", json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])),
        ("/process/execCPUAffinity", json!({"final": "0"})),
        ("/linux/personality", json!({"domain": "LINUX32"})),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}),
        ),
    ]);
    let own = process(&json!({"cwd": "/", "args": ["ps"], "user": {"uid": 4}}));
    let plan = plan_exec(&own, &spec(&container), &HostFacts::typical(), &options()).unwrap();
    assert_eq!((plan.namespaces, plan.preserve_fds), (0x2000_0000, 2));
    assert_eq!(plan.keyring.as_deref(), Some("_ses.box"));
    let p = plan.process;
    assert_eq!(p.pointer.as_str(), "");
    assert_eq!((p.caps.effective, p.uid, p.umask, p.oom_score_adj), (1 << 5, 4, 63, Some(10)));
    assert!(!p.no_new_privs && p.home_from_passwd && p.seccomp.is_some());
    assert_eq!((p.rlimits.len(), p.affinity.last, p.personality), (1, Some(vec![1]), Some(8)));
}

#[test]
fn what_the_process_says_is_its_own() {
    let container = with(&[
        ("/process/capabilities", json!({"bounding": ["CAP_KILL"]})),
        ("/process/oomScoreAdj", json!(10)),
    ]);
    let own = json!({"cwd": "/", "args": ["ps"], "oomScoreAdj": 20, "capabilities": {},
        "user": {"umask": 0, "additionalGids": [5]}});
    let plan = plan_exec(&process(&own), &spec(&container), &HostFacts::typical(), &options()).unwrap();
    let p = plan.process;
    assert_eq!((p.caps.bounding, p.umask, p.oom_score_adj, p.groups), (0, 0, Some(20), Some(vec![5])));
}

#[test]
fn all_rejections_point_into_the_process() {
    let own = process(&json!({"cwd": "x", "args": [], "env": ["A"], "apparmorProfile": "p"}));
    let rejects =
        plan_exec(&own, &spec(&with(&[])), &HostFacts::typical(), &options()).map(|_| ()).unwrap_err();
    assert_eq!(
        tell(&rejects),
        [
            "/args: empty",
            "/env/0: \"A\" is not NAME=value",
            "/cwd: \"x\" is not an absolute path",
            "/apparmorProfile: \"p\" asks for AppArmor, which this host has not enabled",
        ]
    );
}

#[test]
fn ids_must_exist_in_the_user_namespace_that_the_container_made() {
    let container = spec(&with(&in_user_namespace()));
    let own = process(&json!({"cwd": "/", "args": ["ps"], "user": {"uid": 5000}}));
    let inside = ExecOptions { user_namespace: true, ..options() };
    let rejects = plan_exec(&own, &container, &HostFacts::typical(), &inside).map(|_| ()).unwrap_err();
    assert_eq!(tell(&rejects), ["/user/uid: the user namespace maps no user id 5000"]);
}

#[test]
fn groups_are_left_where_setgroups_is_denied() {
    let own = process(&json!({"cwd": "/", "args": ["ps"]}));
    let denied = ExecOptions { setgroups_denied: true, no_new_keyring: true, ..options() };
    let plan = plan_exec(&own, &spec(&with(&[])), &HostFacts::typical(), &denied).unwrap();
    assert_eq!((plan.process.groups, plan.keyring), (None, None));
}
