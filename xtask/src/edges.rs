//! Dependencies point downwards only. Called by `main`, which also gets the metadata of the workspace here.
//!
//! The table below is the architecture: a new edge between two crates is a decision, and is made here.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What each crate under crates/ and examples/ may depend on in this workspace. Other packages (the
/// tests, the benchmark, this program) ship nothing and may use everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("cofferdam-oci", &[]),
    ("cofferdam-sys", &[]),
    ("cofferdam-seccomp", &["cofferdam-oci"]),
    ("cofferdam-plan", &["cofferdam-oci", "cofferdam-seccomp"]),
    ("cofferdam-child", &["cofferdam-sys"]),
    ("cofferdam-cgroup", &["cofferdam-oci", "cofferdam-sys"]),
    ("cofferdam-net", &["cofferdam-oci", "cofferdam-sys"]),
    ("cofferdam-criu", &["cofferdam-sys"]),
    (
        "cofferdam",
        &[
            "cofferdam-oci",
            "cofferdam-sys",
            "cofferdam-seccomp",
            "cofferdam-plan",
            "cofferdam-child",
            "cofferdam-cgroup",
            "cofferdam-net",
            "cofferdam-criu",
        ],
    ),
    ("cofferdam-nsenter", &["cofferdam", "cofferdam-child", "cofferdam-net", "cofferdam-sys"]),
    (
        "cofferdam-nsinit",
        &[
            "cofferdam-oci",
            "cofferdam-sys",
            "cofferdam-seccomp",
            "cofferdam-plan",
            "cofferdam-child",
            "cofferdam-cgroup",
            "cofferdam-net",
            "cofferdam",
            "cofferdam-nsenter",
        ],
    ),
    (
        "cofferdam-agent",
        &[
            "cofferdam-oci",
            "cofferdam-sys",
            "cofferdam-seccomp",
            "cofferdam-cgroup",
            "cofferdam",
            "cofferdam-nsenter",
            "cofferdam-notify",
        ],
    ),
    (
        "cofferdam-notify",
        &[
            "cofferdam",
            "cofferdam-child",
            "cofferdam-nsenter",
            "cofferdam-oci",
            "cofferdam-seccomp",
            "cofferdam-sys",
            "cofferdam-tests",
        ],
    ),
    ("cofferdam-shim", &["cofferdam", "cofferdam-sys"]),
    // cofferdam-sys for the start of the program alone.
    ("cofferdam-cli", &["cofferdam", "cofferdam-nsenter", "cofferdam-nsinit", "cofferdam-sys"]),
    // The examples are what anybody could write: the public API, and nothing below it.
    ("ci-runner", &["cofferdam", "example-testing"]),
    ("web-sandbox", &["cofferdam", "example-testing"]),
    ("enter-shell", &["cofferdam", "cofferdam-nsenter", "cofferdam-tests", "example-testing"]),
    ("supervisor", &["cofferdam", "example-testing"]),
    ("example-testing", &[]),
];

/// The two rooms where `unsafe` lives: no code that was not written here is linked into the child.
const NO_REGISTRY: &[&str] = &["cofferdam-sys", "cofferdam-child"];

/// What cargo knows of the workspace.
pub(crate) fn metadata(root: &Path) -> Result<Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

/// Compares with the table.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    for package in members(metadata, "packages") {
        let name = word(package, "name");
        let manifest = word(package, "manifest_path");
        let manifest = manifest.strip_prefix(word(metadata, "workspace_root")).unwrap_or(manifest);
        if !["/crates/", "/examples/"].iter().any(|place| manifest.contains(place)) {
            continue;
        }
        let Some((_, may_use)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            findings.push(format!("{name}: not in the table of xtask/src/edges.rs"));
            continue;
        };
        for dependency in members(package, "dependencies") {
            let on = word(dependency, "name");
            let ours = dependency.get("path").is_some_and(Value::is_string);
            if ours && on != name && !may_use.contains(&on) {
                findings.push(format!("{name} may not depend on {on}: dependencies point downwards"));
            }
            if !ours && NO_REGISTRY.contains(&name) {
                findings.push(format!("{name} may not depend on {on}: it takes nothing from a registry"));
            }
        }
    }
    findings
}

pub(crate) fn members<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(name: &str, dependencies: Value) -> Vec<String> {
        let path = format!("/w/crates/{name}/Cargo.toml");
        let package = json!({ "name": name, "manifest_path": path, "dependencies": dependencies });
        check(&json!({ "packages": [package] }))
    }

    #[test]
    fn an_edge_upwards_is_found() {
        let up = json!([{ "name": "cofferdam", "path": "/w/crates/cofferdam", "kind": null }]);
        assert_eq!(findings("cofferdam-plan", up).len(), 1);
        let down = json!([{ "name": "cofferdam-oci", "path": "/w/crates/oci", "kind": null }]);
        assert!(findings("cofferdam-plan", down).is_empty());
    }

    #[test]
    fn a_registry_crate_in_the_child_is_found() {
        let registry = json!([{ "name": "rustix", "path": null, "kind": null }]);
        assert_eq!(findings("cofferdam-child", registry.clone()).len(), 1);
        assert!(findings("cofferdam-cgroup", registry).is_empty());
    }

    #[test]
    fn an_example_that_uses_what_is_not_public_is_found() {
        let below = json!([{ "name": "cofferdam-child", "path": "/w/crates/child", "kind": null }]);
        let path = "/w/examples/ci-runner/Cargo.toml";
        let package = json!({ "name": "ci-runner", "manifest_path": path, "dependencies": below });
        assert_eq!(check(&json!({ "packages": [package] })).len(), 1);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_found() {
        assert_eq!(findings("cofferdam-new", json!([])).len(), 1);
    }
}
