//! The default seccomp profile of containers-common, in the form of the OCI configuration.
//!
//! Called by `bundle`. The file is the engines' own format: rules are chosen by architecture and by
//! the container's capabilities before a runtime sees them. This chooses them for the benchmark's bundle.

use std::fs;

use serde_json::{Value, json};

const FILE: &str = "/usr/share/containers/seccomp.json";
const CAPABILITIES: &[&str] = &["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
/// This machine's name for itself, in the file's two spellings.
const ARCHITECTURES: &[(&str, &str, &str)] = &[
    ("x86_64", "amd64", "SCMP_ARCH_X86_64"),
    ("aarch64", "arm64", "SCMP_ARCH_AARCH64"),
    ("riscv64", "riscv64", "SCMP_ARCH_RISCV64"),
];

/// The profile, or none when the host has no such file.
pub(crate) fn default_profile() -> Result<Option<Value>, String> {
    let Ok(text) = fs::read_to_string(FILE) else {
        println!("{FILE} is not there: the cost of the default seccomp profile is not measured");
        return Ok(None);
    };
    let file: Value = serde_json::from_str(&text).map_err(|e| format!("{FILE}: {e}"))?;
    let (_, go, scmp) = ARCHITECTURES
        .iter()
        .find(|(rust, _, _)| *rust == std::env::consts::ARCH)
        .ok_or_else(|| format!("no seccomp name for {}", std::env::consts::ARCH))?;
    let rules: Vec<Value> = list(&file, "syscalls").filter(|rule| applies(rule, go)).map(rule).collect();
    Ok(Some(json!({
        "defaultAction": file["defaultAction"],
        "defaultErrnoRet": file["defaultErrnoRet"],
        "architectures": architectures(&file, scmp),
        "syscalls": rules,
    })))
}

fn architectures(file: &Value, native: &str) -> Vec<Value> {
    let mut all = vec![json!(native)];
    for entry in list(file, "archMap").filter(|entry| entry["architecture"] == native) {
        all.extend(list(entry, "subArchitectures").cloned());
    }
    all
}

fn applies(rule: &Value, arch: &str) -> bool {
    let names = |place: &str, what: &str| -> Vec<String> {
        list(&rule[place], what).filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let held = |caps: &[String]| caps.iter().any(|cap| CAPABILITIES.contains(&cap.as_str()));
    let (arches, caps) = (names("includes", "arches"), names("includes", "caps"));
    (arches.is_empty() || arches.iter().any(|a| a == arch))
        && (caps.is_empty() || held(&caps))
        && !held(&names("excludes", "caps"))
        && !names("excludes", "arches").iter().any(|a| a == arch)
}

fn rule(rule: &Value) -> Value {
    let mut out = json!({ "names": rule["names"], "action": rule["action"] });
    if rule["errnoRet"].is_number() {
        out["errnoRet"] = rule["errnoRet"].clone();
    }
    if rule["args"].as_array().is_some_and(|args| !args.is_empty()) {
        out["args"] = rule["args"].clone();
    }
    out
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_a_capability_that_is_held_applies() {
        assert!(applies(&json!({ "includes": { "caps": ["CAP_KILL"] } }), "amd64"));
        assert!(!applies(&json!({ "includes": { "caps": ["CAP_SYS_ADMIN"] } }), "amd64"));
        assert!(!applies(&json!({ "excludes": { "caps": ["CAP_KILL"] } }), "amd64"));
        assert!(applies(&json!({ "excludes": { "caps": ["CAP_SYS_ADMIN"] } }), "amd64"));
    }

    #[test]
    fn a_rule_for_another_architecture_does_not_apply() {
        assert!(!applies(&json!({ "includes": { "arches": ["arm64"] } }), "amd64"));
        assert!(applies(&json!({ "includes": { "arches": ["amd64", "x32"] }, "excludes": {} }), "amd64"));
    }
}
