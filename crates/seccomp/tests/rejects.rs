//! Profiles that are refused, and where the reasons point.

#![allow(clippy::unwrap_used)]

use cofferdam_oci::{Pointer, Seccomp};
use cofferdam_seccomp::{Arch, compile};

fn rejects(text: &str) -> Vec<String> {
    let profile: Seccomp = serde_json::from_str(text).unwrap();
    let all = compile(&profile, &Pointer::new("/s"), Arch::X86_64).unwrap_err();
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_wrong_is_reported_at_once_with_its_place() {
    let found = rejects(
        r#"{"defaultAction":"SCMP_ACT_NOTIFY","architectures":["SCMP_ARCH_X86","SCMP_ARCH_PDP11"],
        "flags":["SECCOMP_FILTER_FLAG_NEW_LISTENER"],"listenerMetadata":"m","syscalls":[
        {"names":[],"action":"SCMP_ACT_ALLOW","errnoRet":1},
        {"names":["read",""],"action":"SCMP_ACT_DENY"},
        {"names":["mkdir","write"],"action":"SCMP_ACT_NOTIFY"},
        {"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":4096,"args":[
            {"index":6,"value":0,"op":"SCMP_CMP_EQ"},{"index":0,"value":0,"op":"="}]},
        {"names":["mkdir"],"action":"SCMP_ACT_TRACE","errnoRet":65536}]}"#,
    );
    let places: Vec<&str> = found.iter().map(|reject| reject.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "/s/defaultAction",
            "/s/architectures/1",
            "/s/syscalls/0/errnoRet",
            "/s/syscalls/0/names",
            "/s/syscalls/1/action",
            "/s/syscalls/1/names/1",
            "/s/syscalls/2/names/1",
            "/s/syscalls/3/errnoRet",
            "/s/syscalls/3/args/0/index",
            "/s/syscalls/3/args/1/op",
            "/s/syscalls/4/errnoRet",
            "/s/flags/0",
            "/s/listenerPath",
        ]
    );
    let found = rejects(r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"m"}"#);
    assert_eq!(found, ["/s/listenerMetadata: metadata without listenerPath goes to no agent"]);
}

#[test]
fn rules_that_contradict_each_other_are_refused() {
    let found = rejects(
        r#"{"defaultAction":"SCMP_ACT_KILL","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
        {"names":["write","read"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    assert_eq!(
        found,
        [
            "/s/syscalls/1/names/1: has the same conditions as /s/syscalls/0/names/0 and another action (hint: remove one of the two rules)"
        ]
    );
    let found = rejects(
        r#"{"defaultAction":"SCMP_ACT_KILL","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
        {"names":["socket"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    assert!(found.len() == 1 && found[0].contains("SCMP_ARCH_X86"), "{found:?}");
}
