//! The real supervisor of ten containers: what ends comes again, pauses hold, and its end leaves nothing.

#![allow(clippy::unwrap_used, clippy::panic)] // a failed helper is a failed test

use std::process::Command;

use example_testing::{Place, Running, Signal, nothing_left, possible, until};
use serde_json::Value;

/// The last whole line that it has printed.
fn rows(running: &Running) -> Vec<Value> {
    let text = running.stdout();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    serde_json::from_str(whole.lines().last().unwrap_or("[]")).unwrap()
}

fn with(rows: &[Value], status: &str) -> usize {
    rows.iter().filter(|row| row["status"] == status).count()
}

#[test]
fn ten_containers_are_kept_running_watched_paused_and_removed() {
    if !possible() {
        return;
    }
    let place = Place::new("supervisor-test");
    let mut services: Vec<_> = (0..8)
        .map(|n| serde_json::json!({ "name": format!("good-{n}"), "run": "while :; do sleep 0.1; done" }))
        .collect();
    services.push(serde_json::json!({ "name": "ends", "run": "exit 3" }));
    let hungry = "head -c 100M /dev/zero | tail -c 100M; exec sleep 1000";
    services.push(serde_json::json!({ "name": "hungry", "run": hungry, "memory_mib": 16 }));
    let file = place.write("services.json", &serde_json::json!(services).to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    let running = Running::start(command.arg("--state").arg(place.0.join("state")).arg(file), &place);

    until("nine to run, one to have come again, one to have been out of memory", || {
        let rows = rows(&running);
        rows.len() == 10
            && with(&rows, "running") >= 9
            && rows[8]["restarts"].as_u64() >= Some(3)
            && rows[8]["last"] == "exit status 3"
            && rows[9]["out_of_memory"].as_u64() >= Some(1)
            && rows[..8].iter().all(|row| row["memory"].as_u64() > Some(0) && row["restarts"] == 0)
    });
    running.signal(Signal::USR1);
    until("the pause to be seen", || with(&rows(&running), "paused") >= 9);
    running.signal(Signal::USR2);
    until("them to run again", || with(&rows(&running), "running") >= 9);
    running.signal(Signal::USR1);
    until("the pause to be seen", || with(&rows(&running), "paused") >= 9);
    running.signal(Signal::TERM);
    let ended = running.wait();
    assert_eq!(ended.code, 0, "{ended:?}");
    nothing_left(ended.pid, &place.0.join("state"));
}
