//! Profiles, calls and the answers worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use cofferdam_oci::{Pointer, Seccomp};
use cofferdam_seccomp::{Arch, Filter, SeccompData, compile, compile_plain, interpret};

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const ENOSYS: u32 = 38;
const KILL_THREAD: u32 = 0;

fn parse(text: &str) -> Seccomp {
    serde_json::from_str(text).unwrap()
}

fn on(arch: Arch, text: &str) -> Filter {
    compile(&parse(text), &Pointer::new("/linux/seccomp"), arch).unwrap()
}

fn plain(text: &str) -> Filter {
    compile_plain(&parse(text), &Pointer::root(), Arch::X86_64).unwrap()
}

fn call(filter: &Filter, arch: Arch, name: &str, args: [u64; 6]) -> u32 {
    interpret::run(filter, &SeccompData::new(arch, arch.call_number(name).unwrap(), args))
}

fn number(filter: &Filter, arch: Arch, number: u32) -> u32 {
    interpret::run(filter, &SeccompData::new(arch, number, [0; 6]))
}

fn listing(filter: &Filter) -> Vec<String> {
    filter.instructions().iter().map(ToString::to_string).collect()
}

#[test]
fn a_denied_call_is_ten_instructions() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    let expected = [
        "ld [4]",
        "jeq 0xc000003e +0 +6", // AUDIT_ARCH_X86_64
        "ld [0]",
        "jge 0x54 +2 +0",
        "jge 0x53 +0 +4", // mkdir
        "ret 0x50001",
        "jge 0x40000000 +0 +2", // x32
        "jge 0xffffffff +1 +0", // a skipped call
        "ret 0x0",
        "ret 0x7fff0000",
    ];
    assert_eq!(listing(&filter), expected);
}

#[test]
fn a_register_is_compared_in_two_halves() {
    let profile = parse(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["personality"],"action":"SCMP_ACT_ALLOW",
        "args":[{"index":0,"value":8589934600,"op":"SCMP_CMP_GE"}]}]}"#,
    );
    let filter = compile_plain(&profile, &Pointer::root(), Arch::Aarch64).unwrap();
    let expected = [
        "ld [4]",
        "jeq 0xc00000b7 +1 +0", // AUDIT_ARCH_AARCH64
        "ret 0x0",
        "ld [0]",
        "jeq 0x5c +0 +5", // personality
        "ld [20]",
        "jgt 0x2 +4 +0",
        "jeq 0x2 +0 +2",
        "ld [16]",
        "jge 0x8 +1 +0",
        "ret 0x50001",
        "ret 0x7fff0000",
    ];
    assert_eq!(listing(&filter), expected);
}

#[test]
fn bytes_are_sock_filters_in_the_order_of_the_architecture() {
    let text = r#"{"defaultAction":"SCMP_ACT_TRAP"}"#;
    assert_eq!(
        on(Arch::Aarch64, text).bytes()[..16],
        [
            0x20, 0, 0, 0, 4, 0, 0, 0, // ld [4]
            0x15, 0, 1, 0, 0xb7, 0, 0, 0xc0, // jeq AUDIT_ARCH_AARCH64
        ]
    );
    assert_eq!(on(Arch::S390x, text).bytes()[..8], [0, 0x20, 0, 0, 0, 0, 0, 4]);
}

#[test]
fn every_action_returns_its_value_with_its_errno() {
    let actions = [
        ("SCMP_ACT_KILL", "", 0),
        ("SCMP_ACT_KILL_THREAD", "", 0),
        ("SCMP_ACT_KILL_PROCESS", "", 0x8000_0000),
        ("SCMP_ACT_TRAP", "", 0x0003_0000),
        ("SCMP_ACT_ERRNO", "", 0x0005_0001),
        ("SCMP_ACT_ERRNO", r#","errnoRet":4095"#, 0x0005_0fff),
        ("SCMP_ACT_TRACE", "", 0x7ff0_0001),
        ("SCMP_ACT_TRACE", r#","errnoRet":65535"#, 0x7ff0_ffff),
        ("SCMP_ACT_ALLOW", "", 0x7fff_0000),
        ("SCMP_ACT_LOG", "", 0x7ffc_0000),
        ("SCMP_ACT_NOTIFY", "", 0x7fc0_0000),
    ];
    for (action, errno, value) in actions {
        let default = if value == ALLOW { "LOG" } else { "ALLOW" };
        let filter = plain(&format!(
            r#"{{"defaultAction":"SCMP_ACT_{default}","listenerPath":"/run/agent",
            "syscalls":[{{"names":["read"],"action":"{action}"{errno}}}]}}"#
        ));
        assert_eq!(call(&filter, Arch::X86_64, "read", [0; 6]), value, "{action}");
        assert_eq!(filter.notifies(), action == "SCMP_ACT_NOTIFY");
    }
}

#[test]
fn every_operator_holds_on_the_right_side_of_its_value() {
    const V: u64 = 0x1_0000_0010;
    let cases: [(&str, [bool; 5]); 6] = [
        // Against: V - 1, V, V + 1, and V with another high half: less, more.
        ("EQ", [false, true, false, false, false]),
        ("NE", [true, false, true, true, true]),
        ("LT", [true, false, false, true, false]),
        ("LE", [true, true, false, true, false]),
        ("GT", [false, false, true, false, true]),
        ("GE", [false, true, true, false, true]),
    ];
    for (operator, holds) in cases {
        let filter = plain(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW",
            "args":[{{"index":5,"value":{V},"op":"SCMP_CMP_{operator}"}}]}}]}}"#
        ));
        for (value, holds) in [V - 1, V, V + 1, 0x11, 0x2_0000_0000].into_iter().zip(holds) {
            let answer = call(&filter, Arch::X86_64, "read", [0, 0, 0, 0, 0, value]);
            assert_eq!(answer == ALLOW, holds, "{value:#x} {operator}");
        }
    }
}

#[test]
fn a_mask_looks_at_its_bits_alone() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW",
        "args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#,
    );
    assert_eq!(call(&filter, Arch::X86_64, "clone", [0x003d_0f00, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(call(&filter, Arch::X86_64, "clone", [0x1000_0000, 0, 0, 0, 0, 0]), ERRNO | 1);
}

#[test]
fn two_conditions_on_one_argument_are_two_rules() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
        {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"},
        {"index":1,"value":3,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    for (args, answer) in
        [([1, 0], ALLOW), ([2, 0], ALLOW), ([0, 3], ALLOW), ([0, 0], ERRNO | 1), ([3, 2], ERRNO | 1)]
    {
        assert_eq!(call(&filter, Arch::X86_64, "read", [args[0], args[1], 0, 0, 0, 0]), answer, "{args:?}");
    }
}

#[test]
fn a_rule_without_conditions_wins_and_the_first_of_two() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["read"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
        {"names":["read","write"],"action":"SCMP_ACT_ALLOW"},{"names":["write"],"action":"SCMP_ACT_LOG"}]}"#,
    );
    assert_eq!(call(&filter, Arch::X86_64, "read", [1, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(call(&filter, Arch::X86_64, "write", [0; 6]), ALLOW);
}

#[test]
fn a_rule_that_repeats_the_default_changes_nothing() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":1},
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    assert_eq!(call(&filter, Arch::X86_64, "read", [1, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(call(&filter, Arch::X86_64, "read", [0; 6]), ERRNO | 1);
}

#[test]
fn a_longer_rule_first_in_the_document_decides_before_its_shorter_beginning() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["read"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},
        {"index":1,"value":2,"op":"SCMP_CMP_EQ"}]},
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    assert_eq!(call(&filter, Arch::X86_64, "read", [1, 2, 0, 0, 0, 0]), 0x0003_0000);
    assert_eq!(call(&filter, Arch::X86_64, "read", [1, 3, 0, 0, 0, 0]), ALLOW);
}

#[test]
fn x32_is_another_architecture_until_it_is_listed() {
    let without = plain(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#);
    assert_eq!(number(&without, Arch::X86_64, 0x4000_0001), KILL_THREAD);
    assert_eq!(number(&without, Arch::X86_64, u32::MAX), ALLOW); // a tracer skips the call
    assert_eq!(number(&without, Arch::X86, 1), KILL_THREAD);
    let with = plain(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X32","SCMP_ARCH_X86_64","SCMP_ARCH_X32"],
        "syscalls":[{"names":["execve"],"action":"SCMP_ACT_TRAP"}]}"#,
    );
    assert_eq!(number(&with, Arch::X86_64, 0x4000_0001), ALLOW);
    assert_eq!(number(&with, Arch::X86_64, 59), 0x0003_0000);
    assert_eq!(number(&with, Arch::X86_64, 0x4000_0000 + 59), ALLOW);
    assert_eq!(number(&with, Arch::X86_64, 0x4000_0000 + 520), 0x0003_0000);
}

#[test]
fn calls_behind_socketcall_and_ipc_follow_the_rule_of_their_name() {
    let filter = on(
        Arch::X86_64,
        r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["socket","semop"],"action":"SCMP_ACT_ALLOW"},
        {"names":["connect"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":7,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    for (name, first, answer) in [
        ("socketcall", 1, ALLOW),
        ("socketcall", 2, ERRNO | 1),
        ("socketcall", 3, ALLOW), // the condition on argument 0 is lost
        ("ipc", 1, ALLOW),
        ("ipc", 2, ERRNO | 1),
        ("socket", 9, ALLOW),
        ("connect", 7, ALLOW),
        ("connect", 3, ERRNO | 1),
    ] {
        assert_eq!(call(&filter, Arch::X86, name, [first, 0, 0, 0, 0, 0]), answer, "{name}({first})");
    }
}

#[test]
fn calls_newer_than_the_profile_get_enosys() {
    let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_ARM"],
        "syscalls":[{"names":["statx","execve","set_tls"],"action":"SCMP_ACT_ALLOW"}]}"#;
    let filter = on(Arch::X86_64, text);
    for arch in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Arm] {
        assert_eq!(call(&filter, arch, "statx", [0; 6]), ALLOW, "{arch:?}");
        assert_eq!(call(&filter, arch, "read", [0; 6]), ERRNO | 1, "{arch:?}");
        assert_eq!(call(&filter, arch, "faccessat2", [0; 6]), ERRNO | ENOSYS, "{arch:?}");
    }
    assert_eq!(number(&filter, Arch::X86_64, 5000), ERRNO | ENOSYS);
    assert_eq!(call(&filter, Arch::Arm, "set_tls", [0; 6]), ALLOW);
    assert_eq!(call(&filter, Arch::Arm, "cacheflush", [0; 6]), ERRNO | 1);
    let plain = compile_plain(&parse(text), &Pointer::root(), Arch::X86_64).unwrap();
    assert_eq!(call(&plain, Arch::X86_64, "faccessat2", [0; 6]), ERRNO | 1);
}

#[test]
fn a_rule_that_repeats_the_default_still_tells_how_new_the_profile_is() {
    let filter = on(
        Arch::X86_64,
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},
        {"names":["clone3"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    assert_eq!(call(&filter, Arch::X86_64, "clone3", [0; 6]), ERRNO | 1);
    assert_eq!(call(&filter, Arch::X86_64, "openat2", [0; 6]), ERRNO | ENOSYS);
}

#[test]
fn newer_calls_pass_where_the_default_lets_calls_pass() {
    for action in ["ALLOW", "LOG", "TRACE"] {
        let filter = on(
            Arch::X86_64,
            &format!(
                r#"{{"defaultAction":"SCMP_ACT_{action}","syscalls":[{{"names":["read"],"action":"SCMP_ACT_KILL"}}]}}"#
            ),
        );
        assert_eq!(number(&filter, Arch::X86_64, 460), number(&filter, Arch::X86_64, 1), "{action}");
    }
}

#[test]
fn the_large_numbers_of_s390_get_enosys() {
    let filter = on(
        Arch::S390x,
        r#"{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
    );
    assert_eq!(number(&filter, Arch::S390x, 0), ERRNO | ENOSYS);
    assert_eq!(number(&filter, Arch::S390x, 1), KILL_THREAD);
}

#[test]
fn architectures_of_the_other_byte_order_are_left_out() {
    let filter = plain(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_S390X"]}"#);
    assert_eq!(filter, plain(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#));
}

#[test]
fn a_name_of_no_architecture_is_reported_and_one_of_another_is_not() {
    let filter = plain(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["s390_sthyi","clone4","clone4"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    assert_eq!(filter.unknown_names(), ["clone4"]);
}

#[test]
fn flags_are_what_the_kernel_accepts() {
    let flags = |flags: &str, action: &str| {
        plain(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW",{flags}"listenerPath":"/run/agent",
            "syscalls":[{{"names":["mkdir"],"action":"SCMP_ACT_{action}"}}]}}"#
        ))
        .flags()
    };
    assert_eq!(flags("", "ERRNO"), 4);
    assert_eq!(flags("", "NOTIFY"), 4 | 8);
    assert_eq!(flags(r#""flags":[],"#, "ERRNO"), 0);
    assert_eq!(flags(r#""flags":null,"#, "ERRNO"), 4);
    assert_eq!(flags(r#""flags":["SECCOMP_FILTER_FLAG_LOG"],"#, "ERRNO"), 2);
    assert_eq!(flags(r#""flags":["SECCOMP_FILTER_FLAG_TSYNC"],"#, "ERRNO"), 1);
    assert_eq!(flags(r#""flags":["SECCOMP_FILTER_FLAG_TSYNC"],"#, "NOTIFY"), 1 | 8 | 16);
    assert_eq!(flags(r#""flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"#, "NOTIFY"), 8 | 32);
    assert_eq!(flags(r#""flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"#, "ERRNO"), 0);
}

#[test]
fn the_listener_is_there_when_a_rule_notifies() {
    let profile = |action: &str| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent","listenerMetadata":"m",
            "syscalls":[{{"names":["mkdir"],"action":"SCMP_ACT_{action}"}}]}}"#
        )
    };
    assert_eq!(plain(&profile("NOTIFY")).listener(), Some(("/run/agent", "m")));
    assert_eq!(plain(&profile("ERRNO")).listener(), None);
}

#[test]
fn a_profile_over_4096_instructions_is_refused() {
    let args: Vec<String> = (0..5000)
        .map(|value| {
            format!(
                r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{value},"op":"SCMP_CMP_EQ"}}]}}"#
            )
        })
        .collect();
    let profile = |count: usize| {
        format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]}}"#, args[..count].join(","))
    };
    let fits = plain(&profile(4000));
    for value in [0, 1, 255, 256, 3999] {
        assert_eq!(call(&fits, Arch::X86_64, "read", [value, 0, 0, 0, 0, 0]), ALLOW, "{value}");
    }
    assert_eq!(call(&fits, Arch::X86_64, "read", [4000, 0, 0, 0, 0, 0]), ERRNO | 1);
    let found = compile(&parse(&profile(5000)), &Pointer::new("/s"), Arch::X86_64).unwrap_err();
    assert!(found.len() == 1 && found[0].to_string().starts_with("/s: needs 50"), "{found:?}");
}

#[test]
fn a_call_costs_the_logarithm_of_the_profile() {
    let names: Vec<String> = (0..460)
        .step_by(2)
        .filter_map(|number| Arch::X86_64.call_name(number))
        .map(|name| format!("{name:?}"))
        .collect();
    let filter = plain(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{}],"action":"SCMP_ACT_ALLOW"}}]}}"#,
        names.join(",")
    ));
    for number in 0..500 {
        let data = SeccompData::new(Arch::X86_64, number, [0; 6]);
        let (_, steps) = interpret::steps(filter.instructions(), false, &data).unwrap();
        assert!(steps <= 16, "{steps} for {number}");
    }
}
