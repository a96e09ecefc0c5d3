//! Rules about the process that reject, as a table: a change to a good document, and what is told.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cofferdam_plan::HostFacts;
use common::{check, rejected};
use serde_json::json;

#[test]
fn a_bad_process_is_rejected() {
    check(vec![
        ("/process/cwd", json!("tmp"), &["/process/cwd: \"tmp\" is not an absolute path"]),
        ("/process/cwd", json!(""), &["/process/cwd: \"\" is not an absolute path"]),
        ("/process/args", json!([]), &["/process/args: empty"]),
        ("/process/args", json!([""]), &["/process/args/0: the program's name is empty"]),
        ("/process/args", json!(["a", "\0"]), &["/process/args/1: holds a NUL byte"]),
        ("/process/env", json!(["A"]), &["/process/env/0: \"A\" is not NAME=value"]),
        ("/process/oomScoreAdj", json!(1001), &["/process/oomScoreAdj: 1001 is not between -1000 and 1000"]),
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_X"}, {"type": "RLIMIT_CPU"}, {"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]),
            &[
                "/process/rlimits/0/type: \"RLIMIT_X\" is no resource limit",
                "/process/rlimits/2/type: a second RLIMIT_CPU",
                "/process/rlimits/2/soft: 2 is more than the hard limit 1",
            ],
        ),
        (
            "/process/execCPUAffinity",
            json!({"initial": "3-1", "final": "x"}),
            &[
                "/process/execCPUAffinity/initial: \"3-1\" runs backwards",
                "/process/execCPUAffinity/final: \"x\" is no number",
            ],
        ),
    ]);
    let told = rejected(
        &[
            ("/process/terminal", json!(true)),
            ("/process/consoleSize", json!({"height": 70_000, "width": 80})),
        ],
        &HostFacts::typical(),
    );
    assert_eq!(told, ["/process/consoleSize/height: 70000 is more than 65535"]);
}

#[test]
fn a_bad_scheduler_is_rejected() {
    check(vec![
        (
            "/process/scheduler",
            json!({"policy": "SCHED_X"}),
            &["/process/scheduler/policy: \"SCHED_X\" is no scheduling policy"],
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_BATCH", "nice": 20, "priority": 1, "runtime": 1, "flags": ["x"]}),
            &[
                "/process/scheduler/flags/0: \"x\" is no scheduling flag",
                "/process/scheduler/nice: 20 is not between -20 and 19",
                "/process/scheduler/priority: SCHED_BATCH has none",
                "/process/scheduler/runtime: SCHED_BATCH has none",
            ],
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_FIFO"}),
            &["/process/scheduler/priority: 0 is not between 1 and 99"],
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_DEADLINE", "runtime": 5000, "deadline": 4000, "period": 3000}),
            &[
                "/process/scheduler/deadline: 4000 is less than the runtime 5000",
                "/process/scheduler/period: 3000 is less than the deadline 4000",
            ],
        ),
        (
            "/process/scheduler",
            json!({"policy": "SCHED_ISO"}),
            &["/process/scheduler/policy: no kernel has SCHED_ISO yet: its number is reserved"],
        ),
        (
            "/process/ioPriority",
            json!({"class": "IOPRIO_CLASS_X", "priority": 8}),
            &[
                "/process/ioPriority/class: \"IOPRIO_CLASS_X\" is no class of I/O priorities",
                "/process/ioPriority/priority: 8 is not between 0 and 7",
            ],
        ),
        (
            "/linux/personality",
            json!({"domain": "BSD"}),
            &["/linux/personality/domain: \"BSD\" is no execution domain; there are LINUX and LINUX32"],
        ),
    ]);
}

#[test]
fn a_bad_memory_policy_is_rejected() {
    check(vec![
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_X", "flags": ["y"], "nodes": "a"}),
            &[
                "/linux/memoryPolicy/flags/0: invalid memory policy flag \"y\"",
                "/linux/memoryPolicy/nodes: invalid memory policy nodes: \"a\" is no number",
                "/linux/memoryPolicy/mode: invalid memory policy mode \"MPOL_X\"",
            ],
        ),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_LOCAL", "nodes": "0"}),
            &["/linux/memoryPolicy/nodes: MPOL_LOCAL mode requires 0 nodes but got 1"],
        ),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_BIND"}),
            &["/linux/memoryPolicy/nodes: MPOL_BIND needs nodes"],
        ),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}),
            &["/linux/memoryPolicy/flags: nodes cannot be both static and relative"],
        ),
    ]);
}
