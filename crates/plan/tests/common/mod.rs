//! Documents for the tests: one that every rule accepts, and changes to it.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use cofferdam_oci::{Reject, Spec};
use cofferdam_plan::{HostFacts, InitPlan, Options, plan_init};
use serde_json::{Map, Value, json};

/// A document with every namespace but user and time.
pub fn base() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["sh"], "env": ["PATH=/bin", "HOME=/"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [
            {"type": "mount"}, {"type": "pid"}, {"type": "network"},
            {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"},
        ]},
    })
}

/// `base()` with values at JSON pointers; `-` at the end of one appends to the array.
pub fn with(changes: &[(&str, Value)]) -> Value {
    let mut document = base();
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document
}

/// A user namespace of a range of ids, added to `base()`.
pub fn in_user_namespace() -> Vec<(&'static str, Value)> {
    let maps = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
    vec![
        ("/linux/namespaces/-", json!({"type": "user"})),
        ("/linux/uidMappings", maps.clone()),
        ("/linux/gidMappings", maps),
    ]
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let mut place = document;
    for key in pointer.split('/').skip(1).map(|key| key.replace("~1", "/")) {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = match place {
            Value::Array(list) => {
                let i = if key == "-" { list.len() } else { key.parse().unwrap() };
                if i == list.len() {
                    list.push(Value::Null);
                }
                &mut list[i]
            }
            other => other.as_object_mut().unwrap().entry(key).or_insert(Value::Null),
        };
    }
    *place = value;
}

pub fn spec(document: &Value) -> Spec {
    cofferdam_oci::parse_spec(document.to_string().as_bytes()).unwrap()
}

pub fn options() -> Options {
    Options { bundle: "/bundle".into(), id: "box".into(), ..Options::default() }
}

pub fn plan(document: &Value, facts: &HostFacts) -> Result<InitPlan, Vec<Reject>> {
    plan_init(&spec(document), facts, &options())
}

/// The plan of `base()` with changes, on a host that has everything.
pub fn planned(changes: &[(&str, Value)]) -> InitPlan {
    plan(&with(changes), &HostFacts::typical()).unwrap()
}

/// The rejections of `base()` with changes, as `pointer: message`.
pub fn rejected(changes: &[(&str, Value)], facts: &HostFacts) -> Vec<String> {
    tell(&plan(&with(changes), facts).map(|_| ()).unwrap_err())
}

pub fn tell(rejects: &[Reject]) -> Vec<String> {
    rejects.iter().map(|r| format!("{}: {}", r.pointer, r.message)).collect()
}

/// The warnings as `pointer: message`.
pub fn warned(plan: &InitPlan) -> Vec<String> {
    plan.warnings.iter().map(|(pointer, message)| format!("{pointer}: {message}")).collect()
}

/// On a host that has everything: one change, the rejections.
pub fn check(table: Vec<(&str, Value, &[&str])>) {
    for (pointer, value, expected) in table {
        let document = with(&[(pointer, value.clone())]);
        let told = plan(&document, &HostFacts::typical()).map_or_else(|r| tell(&r), |_| Vec::new());
        assert_eq!(told, expected, "{pointer} = {value}");
    }
}
