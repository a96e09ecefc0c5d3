//! Whatever the document says, planning ends: with a plan whose paths are clean, or with rejections.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cofferdam_oci::Process;
use cofferdam_plan::{ExecOptions, HostFacts, HostPath, InPath, InitPlan, MountKind, plan_exec, plan_init};
use serde_json::{Value, json};

/// A full document: every member that any rule looks at, and all of them right.
fn full() -> Value {
    let maps = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    common::with(&[
        ("/hostname", json!("a")),
        ("/domainname", json!("b")),
        ("/annotations", json!({"run.oci.keep_original_groups": "1"})),
        ("/hooks", json!({"startContainer": [{"path": "/a", "args": ["a"], "env": ["A=1"], "timeout": 1}]})),
        ("/process/terminal", json!(true)),
        ("/process/consoleSize", json!({"height": 1, "width": 1})),
        ("/process/user", json!({"uid": 0, "gid": 0, "umask": 18, "additionalGids": [1]})),
        ("/process/capabilities", json!({"bounding": ["CAP_KILL"], "ambient": ["CAP_KILL"]})),
        ("/process/rlimits", json!([{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}])),
        ("/process/oomScoreAdj", json!(1)),
        ("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": 1, "flags": []})),
        ("/process/ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 1})),
        ("/process/execCPUAffinity", json!({"initial": "0", "final": "1"})),
        (
            "/mounts/-",
            json!({"destination": "/m", "source": "/s", "options": ["bind", "ro"],
            "uidMappings": maps, "gidMappings": maps}),
        ),
        ("/mounts/-", json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro"]})),
        ("/mounts/-", json!({"destination": "/t", "type": "tmpfs", "options": ["size=1", "uid=0"]})),
        ("/linux/namespaces/-", json!({"type": "user"})),
        ("/linux/namespaces/-", json!({"type": "time"})),
        ("/linux/uidMappings", maps.clone()),
        ("/linux/gidMappings", maps),
        ("/linux/timeOffsets", json!({"boottime": {"secs": 1, "nanosecs": 1}})),
        ("/linux/devices", json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 1, "fileMode": 1}])),
        ("/linux/netDevices", json!({"eth0": {"name": "a"}})),
        ("/linux/sysctl", json!({"net.a.b": "1"})),
        ("/linux/intelRdt", json!({"closID": "a", "schemata": ["L3:0=1"], "l3CacheSchema": "L3:0=1"})),
        ("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0", "flags": []})),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}]}),
        ),
        ("/linux/rootfsPropagation", json!("rslave")),
        ("/linux/maskedPaths", json!(["/a"])),
        ("/linux/readonlyPaths", json!(["/b"])),
        ("/linux/personality", json!({"domain": "LINUX"})),
    ])
}

/// xorshift: the same documents in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Every value of the document, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                places(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(list) => {
            for (i, inner) in list.iter().enumerate() {
                places(inner, &format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
}

fn odd(value: &Value, numbers: &mut Numbers) -> Value {
    let texts = [
        "",
        "/",
        "..",
        "a\0b",
        "/../..",
        "/proc",
        "/proc/self",
        "é\u{1F600}",
        "=",
        ",",
        "-",
        "0-",
        "4294967295",
        "time",
        "user",
        "bind",
        "remount",
        "ridmap",
        "/proc/self/ns/net",
        "CAP_KILL",
        "99999999999999999999",
        "net/../x",
        "MPOL_DEFAULT",
        "SCHED_DEADLINE",
        "\\",
        "\"",
        "a=\"b,c",
        "id=1,gid=4294967295",
    ];
    let numbers_of = [0_i64, 1, -1, 7, 64, 65_536, 4_294_967_295, i64::MAX, i64::MIN, 1_000_000_000];
    match value {
        Value::String(_) => json!(texts[numbers.below(texts.len())]),
        Value::Number(_) => json!(numbers_of[numbers.below(numbers_of.len())]),
        Value::Bool(b) => json!(!b),
        Value::Array(list) => {
            let mut list = list.clone();
            if numbers.below(2) == 0 {
                list.clear();
            } else if let Some(first) = list.first().cloned() {
                list.extend([first.clone(), first]);
            }
            Value::Array(list)
        }
        Value::Object(_) | Value::Null => Value::Null,
    }
}

fn hosts() -> Vec<HostFacts> {
    let typical = HostFacts { resctrl: Some("/sys/fs/resctrl".into()), ..HostFacts::typical() };
    vec![
        typical.clone(),
        HostFacts { euid: 1000, egid: 1000, capabilities: 0, newuidmap: None, ..typical.clone() },
        HostFacts { in_user_namespace: true, setgroups_denied: true, cgroup_v2: None, ..typical.clone() },
        HostFacts { last_cap: u32::MAX, namespaces: 0, resctrl: None, selinux: true, ..typical },
    ]
}

fn sound(plan: &InitPlan) {
    let clean = |path: &InPath| assert_eq!(Some(path), InPath::new(path.as_str()).as_ref());
    plan.mounts.iter().for_each(|m| clean(&m.target));
    plan.devices.iter().for_each(|d| clean(&d.path));
    plan.masked_paths.iter().chain(&plan.readonly_paths).for_each(|(_, p)| clean(p));
    clean(&plan.process.cwd);
    assert!(!plan.process.args.is_empty());
    assert!(plan.process.env.iter().chain(&plan.process.args).all(|text| !text.contains('\0')));
    assert!(plan.sysctls.iter().all(|s| !s.file.split('/').any(|part| part == "..")));
    assert!(plan.mounts.iter().all(|m| m.target != InPath::root()));
    for mount in &plan.mounts {
        if let MountKind::Bind { source, .. } = &mount.kind {
            assert!(source.as_path().is_absolute());
        }
        assert_eq!(mount.attr.set & mount.attr.clear & !0x70, 0, "{mount:?}");
    }
    let c = plan.process.caps;
    assert_eq!((c.effective & !c.permitted, c.inheritable & !c.bounding), (0, 0));
    assert_eq!(c.ambient & !(c.permitted & c.inheritable), 0);
}

#[test]
fn no_document_makes_planning_panic() {
    let document = full();
    let unchanged = plan_init(&common::spec(&document), &hosts()[0], &common::options());
    assert_eq!(unchanged.map(|_| ()), Ok(()));
    let mut all = Vec::new();
    places(&document, "", &mut all);
    let (mut numbers, mut planned, mut rejected) = (Numbers(0x9e37_79b9_7f4a_7c15), 0, 0);
    for round in 0..1000 {
        let mut changed = document.clone();
        for _ in 0..=round % 4 {
            let place = &all[numbers.below(all.len())];
            if let Some(value) = changed.pointer_mut(place) {
                *value = odd(&value.clone(), &mut numbers);
            }
        }
        let Ok(spec) = cofferdam_oci::parse_spec(changed.to_string().as_bytes()) else { continue };
        for facts in hosts() {
            match plan_init(&spec, &facts, &common::options()) {
                Ok(plan) => {
                    planned += 1;
                    sound(&plan);
                }
                Err(rejects) => {
                    rejected += 1;
                    assert!(rejects.iter().all(|r| !r.message.is_empty() && r.message != "undecided"));
                    assert!(!rejects.is_empty());
                }
            }
            let process = spec.process.clone().unwrap_or_else(Process::default);
            let _ = plan_exec(&process, &spec, &facts, &ExecOptions::default());
        }
    }
    assert!(planned > 100 && rejected > 500, "{planned} planned, {rejected} rejected");
}

#[test]
fn the_same_document_makes_the_same_plan() {
    let spec = common::spec(&common::base());
    let once = || format!("{:?}", plan_init(&spec, &HostFacts::typical(), &common::options()));
    assert_eq!(once(), once());
}

#[test]
fn a_path_inside_never_leaves_the_root() {
    let mut numbers = Numbers(7);
    let parts = ["..", ".", "", "a", "...", "b c", "é", "/"];
    for _ in 0..2000 {
        let picked: Vec<_> = (0..numbers.below(9)).map(|_| parts[numbers.below(parts.len())]).collect();
        let path = InPath::new(&picked.join("/")).unwrap();
        assert!(path.as_str().starts_with('/'));
        assert!(path.as_str().split('/').skip(1).all(|p| p != "." && p != ".."));
        assert!(path == InPath::root() || !path.as_str().ends_with('/') && !path.as_str().contains("//"));
        assert_eq!(InPath::new(path.as_str()), Some(path));
    }
}

#[test]
fn a_path_on_the_host_keeps_what_the_kernel_resolves() {
    // `..` behind a symbolic link means something: it must not be cleaned away.
    let path = HostPath::new("link/../x", "/bundle".as_ref()).unwrap();
    assert_eq!(path.as_path().to_str(), Some("/bundle/link/../x"));
    assert_eq!(HostPath::new("/x", "/bundle".as_ref()).unwrap().as_path().to_str(), Some("/x"));
    assert!(HostPath::new("x\0", "/".as_ref()).is_none());
}
