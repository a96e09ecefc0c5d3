//! What is shown: a table that is drawn again on a terminal, or a line of JSON. Called by `main`.

use std::io::Write;
use std::sync::Arc;

use crate::service::{Row, Service};

pub(crate) fn show(services: &[Arc<Service>], terminal: bool) {
    let rows: Vec<Row> = services.iter().map(|service| service.row()).collect();
    let text = if terminal { table(&rows) } else { serde_json::json!(rows).to_string() + "\n" };
    let mut out = std::io::stdout().lock();
    // Nobody who looks is no reason to end.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn table(rows: &[Row]) -> String {
    // ECMA-48: cursor to the first place, and the rest of the screen erased.
    let mut text = String::from("\x1b[H\x1b[J");
    let head = ["#", "NAME", "STATUS", "MEMORY", "CPU", "STARTED", "OOM", "LAST END"];
    text.push_str(&line(head.map(str::to_owned)));
    for (n, row) in rows.iter().enumerate() {
        text.push_str(&line([
            n.to_string(),
            row.name.clone(),
            row.status.to_owned(),
            format!("{} KiB", row.memory >> 10),
            format!("{} ms", row.cpu / 1_000_000),
            row.restarts.saturating_add(1).to_string(),
            row.out_of_memory.to_string(),
            row.last.clone().unwrap_or_default(),
        ]));
    }
    text + "0 to 9: pause and resume; q: end\n"
}

fn line([n, name, status, memory, cpu, started, oom, last]: [String; 8]) -> String {
    format!("{n:>2}  {name:<14} {status:<9} {memory:>11} {cpu:>11} {started:>8} {oom:>4}  {last}\n")
}
