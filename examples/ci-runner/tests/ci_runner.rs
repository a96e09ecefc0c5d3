//! The real program on real jobs: what passes, and what every limit does to what does not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed helper is a failed test

use std::path::Path;
use std::process::Command;

use example_testing::{Ended, Place, Running, nothing_left, possible, until};

struct Run {
    place: Place,
    ended: Ended,
    report: serde_json::Value,
}

fn start(job: &str, source: &[(&str, &str)], arguments: &[&str]) -> (Place, Running) {
    let place = Place::new("ci-runner-test");
    std::fs::create_dir_all(place.0.join("source")).unwrap();
    std::fs::create_dir_all(place.0.join("scratch")).unwrap();
    for (name, text) in source {
        place.write(&format!("source/{name}"), text);
    }
    let job = place.write("job.json", job);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ci-runner"));
    command.arg("--json").arg("--scratch").arg(place.0.join("scratch")).args(arguments);
    let running = Running::start(command.arg(place.0.join("source")).arg(job), &place);
    (place, running)
}

fn end((place, running): (Place, Running)) -> Run {
    let ended = running.wait();
    let report = serde_json::from_str(&ended.stdout).unwrap_or_default();
    nothing_left(ended.pid, &place.0.join("scratch"));
    Run { place, ended, report }
}

/// A job of one step.
fn step(script: &str, arguments: &[&str]) -> Run {
    let job = serde_json::json!({ "steps": [{ "name": "only", "run": script }] });
    end(start(&job.to_string(), &[], arguments))
}

fn compiler() -> bool {
    let there = Path::new("/usr/bin/cc").exists();
    if !there {
        eprintln!("SKIPPED: needs a C compiler");
    }
    there
}

#[test]
fn a_c_program_is_compiled_with_the_hosts_compiler_and_run() {
    if !possible() || !compiler() {
        return;
    }
    let demo =
        |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(name));
    let run = end(start(&demo("job.json").unwrap(), &[("hello.c", &demo("hello.c").unwrap())], &[]));
    assert_eq!(run.ended.code, 0, "{:?}", run.ended);
    let steps = run.report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3, "{:?}", run.ended);
    assert!(steps.iter().all(|s| s["code"] == 0), "{steps:?}");
    assert!(steps[0]["peak_memory"].as_u64().unwrap() > 1 << 20, "a compiler needs memory: {steps:?}");
    assert!(!run.place.0.join("source/hello").exists(), "the source is not changed");
}

#[test]
fn a_shell_build_leaves_files_to_its_next_step_and_a_failure_ends_the_job() {
    if !possible() {
        return;
    }
    let job = r#"{ "env": { "NAME": "world" }, "steps": [
        { "name": "build", "run": "printf 'echo hello $1\n' > out; chmod +x out; ls -la" },
        { "name": "run", "run": "sh out $NAME >&2; exit 3" },
        { "name": "never", "run": "true" } ] }"#;
    let run = end(start(job, &[("src/main.sh", "#!/bin/sh\n")], &[]));
    assert_eq!(run.ended.code, 1, "{:?}", run.ended);
    let steps = run.report["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &run.report["of"]), (2, &3.into()));
    assert!(steps[0]["output"].as_str().unwrap().contains("nobody"), "{steps:?}");
    assert_eq!((&steps[1]["code"], &steps[1]["output"]), (&3.into(), &"hello world\n".into()));
}

#[test]
fn a_step_that_takes_too_long_is_ended_with_everything_it_started() {
    if !possible() {
        return;
    }
    let run = step("echo began; sleep 1000 & sleep 1000", &["--seconds", "0.5"]);
    assert_eq!(run.ended.code, 1);
    let step = &run.report["steps"][0];
    assert_eq!((&step["stopped"], &step["signal"]), (&"timeout".into(), &9.into()), "{step}");
    assert_eq!(step["output"], "began\n");
    assert!(run.ended.took.as_secs() < 20, "{:?}", run.ended.took);
}

#[test]
fn a_step_that_needs_too_much_memory_is_told_apart() {
    if !possible() {
        return;
    }
    let run = step("head -c 200M /dev/zero | tail -c 150M | wc -c", &["--memory", "32"]);
    let step = &run.report["steps"][0];
    assert!(step["out_of_memory"].as_u64().unwrap() >= 1, "{step}");
    assert!(step["peak_memory"].as_u64().unwrap() > 16 << 20, "{step}");
    assert!(step["peak_memory"].as_u64().unwrap() <= 33 << 20, "{step}");
}

#[test]
fn a_fork_bomb_stays_within_its_limit() {
    if !possible() {
        return;
    }
    let run = step("f() { f | f & }; f; sleep 100", &["--processes", "24", "--seconds", "1"]);
    assert_eq!(run.ended.code, 1);
    let step = &run.report["steps"][0];
    assert!(step["refused_processes"].as_u64().unwrap() > 0, "{step}");
    // The shell itself may be refused the process that was to wait.
    assert!(step["stopped"] == "timeout" || step["code"] == 2, "{step}");
}

#[test]
fn output_without_end_is_kept_up_to_its_limit() {
    if !possible() {
        return;
    }
    let run = step("head -c 100M /dev/zero | tr '\\0' x; echo; exit 0", &["--output", "4"]);
    assert_eq!(run.ended.code, 0, "{:?}", run.ended.stderr);
    let step = &run.report["steps"][0];
    assert_eq!((&step["truncated"], &step["written"]), (&true.into(), &((100 << 20) + 1).into()));
    assert_eq!(step["output"].as_str().unwrap().len(), 4096);
}

#[test]
fn a_step_sees_no_network_no_home_and_changes_nothing_outside() {
    if !possible() {
        return;
    }
    let run = step(
        "id -u; ls -A /root /home; grep -c : /proc/net/dev; ! touch /usr/x 2>/dev/null; \
         ! cat /etc/shadow 2>/dev/null; ! kill -0 2 2>/dev/null; grep CapEff /proc/self/status",
        &[],
    );
    let step = &run.report["steps"][0];
    assert_eq!(step["code"], 0, "{step}");
    assert_eq!(step["output"], "65534\n/home:\n\n/root:\n1\nCapEff:\t0000000000000000\n");
}

#[test]
fn a_link_in_the_source_is_not_followed() {
    if !possible() {
        return;
    }
    let place = Place::new("ci-runner-link");
    place.write("source/a", "a");
    place.write("secret", "secret");
    std::os::unix::fs::symlink(place.0.join("secret"), place.0.join("source/link")).unwrap();
    let job = place.write("job.json", r#"{"steps": [{"name": "read", "run": "cat a; cat link"}]}"#);
    std::fs::set_permissions(place.0.join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    std::fs::create_dir(place.0.join("scratch")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ci-runner"));
    command.arg("--scratch").arg(place.0.join("scratch")).arg(place.0.join("source")).arg(job);
    let ended = Running::start(&mut command, &place).wait();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stdout.contains("== read: FAILED") && !ended.stdout.contains("secret\n"), "{ended:?}");
    nothing_left(ended.pid, &place.0.join("scratch"));
}

#[test]
fn an_interrupt_ends_the_step_and_removes_everything() {
    if !possible() {
        return;
    }
    let job = r#"{"steps": [{"name": "long", "run": "echo began; sleep 1000"}]}"#;
    let (place, running) = start(job, &[], &[]);
    let id = format!("c{}-", running.pid());
    until("the container to run", || {
        let mut entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.any(|e| std::fs::read_to_string(e.path().join("cgroup")).unwrap_or_default().contains(&id))
    });
    let mut kill = Command::new("kill");
    assert!(kill.arg("-TERM").arg(running.pid().to_string()).status().unwrap().success());
    let run = end((place, running));
    assert_eq!(run.ended.code, 130, "{:?}", run.ended);
    assert_eq!(run.report["steps"][0]["stopped"], "interrupted", "{:?}", run.ended);
}

#[test]
fn a_job_that_cannot_be_run_says_why() {
    if !possible() {
        return;
    }
    let run = end(start("{\"steps\": []}", &[], &[]));
    assert_eq!(run.ended.code, 2);
    assert!(run.ended.stderr.contains("there are no steps"), "{:?}", run.ended);
    let run = end(start("{\"steps\": [{\"name\": 1}]}", &[], &[]));
    assert!(run.ended.code == 2 && run.ended.stderr.contains("job.json"), "{:?}", run.ended);
}
