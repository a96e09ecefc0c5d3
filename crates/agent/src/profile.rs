//! Reading a seccomp profile: an OCI one alone, the one in a bundle's configuration, or in Docker's dialect.
//!
//! Used by the commands `explain` and `learn`. Docker's dialect has conditional rules (`includes`, `excludes` of
//! capabilities, architectures and kernel versions), which an engine settles when it makes a container; here they
//! are settled for the capabilities that the caller names.

use std::path::Path;

use cofferdam_oci::{Pointer, Seccomp};
use serde_json::Value;

use crate::failure::Failure;

/// A profile and where it stands in its document.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) seccomp: Seccomp,
    pub(crate) at: Pointer,
}

/// Reads a file, a bundle's directory, or `-` for standard input.
pub(crate) fn read(path: &Path, caps: &[String]) -> Result<Profile, Failure> {
    let file = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
    let failed = |e| Failure::io(format_args!("reading {}", file.display()), &e);
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(&file),
    };
    parse(&text.map_err(failed)?, caps).map_err(|why| Failure::new(format!("{}: {why}", file.display())))
}

fn parse(text: &str, caps: &[String]) -> Result<Profile, String> {
    let document: Value = serde_json::from_str(text).map_err(|e| format!("is not JSON: {e}"))?;
    let (value, at) = match document.pointer("/linux/seccomp") {
        Some(value) => (value.clone(), Pointer::new("/linux/seccomp")),
        None if document.get("ociVersion").is_some() => {
            return Err("the container has no seccomp profile: all calls are allowed".to_owned());
        }
        None => (document, Pointer::root()),
    };
    let value = if speaks_docker(&value) { settle(value, caps) } else { value };
    let seccomp = serde_json::from_value(value).map_err(|e| format!("is no seccomp profile: {e}"))?;
    Ok(Profile { seccomp, at })
}

fn speaks_docker(value: &Value) -> bool {
    let conditional = |rule: &Value| rule.get("includes").is_some() || rule.get("excludes").is_some();
    let rules = value.get("syscalls").and_then(Value::as_array);
    value.get("archMap").is_some() || rules.is_some_and(|rules| rules.iter().any(conditional))
}

/// The profile as an engine would hand it to a runtime here: `archMap` to `architectures`, conditions settled.
/// Rules that do not apply stay in their place without effect, so that pointers stay right.
fn settle(mut value: Value, caps: &[String]) -> Value {
    let native = cofferdam_seccomp::Arch::native().map_or("", cofferdam_seccomp::Arch::name);
    let map = value.get("archMap").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(of) = map.iter().find(|of| of.get("architecture").and_then(Value::as_str) == Some(native)) {
        value["architectures"] = of.get("subArchitectures").cloned().unwrap_or_default();
    }
    let default = value.get("defaultAction").cloned().unwrap_or_default();
    let default_errno = value.get("defaultErrnoRet").cloned();
    for rule in value.get_mut("syscalls").and_then(Value::as_array_mut).into_iter().flatten() {
        if applies(rule, native, caps) {
            continue;
        }
        // A rule that says what the default says has no effect.
        rule["action"] = default.clone();
        rule["errnoRet"] = default_errno.clone().unwrap_or_default();
        rule["args"] = Value::Null;
    }
    value
}

fn applies(rule: &Value, native: &str, caps: &[String]) -> bool {
    let short = native.strip_prefix("SCMP_ARCH_").unwrap_or(native).to_lowercase();
    let arch = match short.as_str() {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        other => other,
    };
    let list = |which: &str, key: &str| -> Option<Vec<String>> {
        let words = rule.get(which)?.get(key)?.as_array()?;
        Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let has = |words: &[String], mine: &dyn Fn(&String) -> bool| words.iter().any(mine);
    let cap = |word: &String| caps.contains(word);
    let this = |word: &String| word == arch;
    // Kernels older than what these conditions ask for are none that the runtime runs on.
    list("includes", "caps").is_none_or(|words| words.iter().all(cap))
        && list("includes", "arches").is_none_or(|words| has(&words, &this))
        && !list("excludes", "caps").is_some_and(|words| has(&words, &cap))
        && !list("excludes", "arches").is_some_and(|words| has(&words, &this))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_alone_and_in_a_bundle() {
        let alone = parse(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, &[]).unwrap();
        assert_eq!(alone.at.as_str(), "");
        let text = r#"{"ociVersion":"1.0.0","linux":{"seccomp":{"defaultAction":"SCMP_ACT_LOG"}}}"#;
        let inside = parse(text, &[]).unwrap();
        assert_eq!(
            (inside.at.as_str(), inside.seccomp.default_action.as_str()),
            ("/linux/seccomp", "SCMP_ACT_LOG")
        );
        assert!(parse(r#"{"ociVersion":"1.0.0"}"#, &[]).unwrap_err().contains("no seccomp profile"));
        assert!(parse("[", &[]).unwrap_err().contains("JSON"));
    }

    #[test]
    fn conditions_of_dockers_dialect_are_settled_for_the_capabilities_named() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,
            "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
            "syscalls":[
                {"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}},
                {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"excludes":{"caps":["CAP_SYS_ADMIN"]}},
                {"names":["s390_runtime_instr"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]}}]}"#;
        let actions = |caps: &[&str]| {
            let caps: Vec<String> = caps.iter().map(ToString::to_string).collect();
            let rules = parse(text, &caps).unwrap().seccomp.syscalls;
            rules.into_iter().map(|rule| (rule.action, rule.errno_ret)).collect::<Vec<_>>()
        };
        let errno = |n| ("SCMP_ACT_ERRNO".to_owned(), Some(n));
        let allow = ("SCMP_ACT_ALLOW".to_owned(), None);
        assert_eq!(actions(&[]), [errno(1), errno(38), errno(1)]);
        assert_eq!(actions(&["CAP_BPF", "CAP_SYS_ADMIN"]), [allow, errno(1), errno(1)]);
    }
}
